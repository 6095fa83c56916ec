/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The incoming stream of ciphertext: TCP's receive queue, seen as records. Used
 * by rx.c only.
 */
#ifndef _KSEAL_STREAM_H
#define _KSEAL_STREAM_H

#include <linux/scatterlist.h>
#include <linux/types.h>

#include "record.h"

struct kseal_rx;
struct sk_buff;
struct sock;

unsigned int kseal_stream_len(const struct sock *sk);
void kseal_stream_scan(struct sock *sk, unsigned int want);
int kseal_stream_copy(struct sock *sk, unsigned int off, void *to,
		      unsigned int len);
int kseal_stream_prefix(struct sock *sk, u8 *prefix);
int kseal_stream_map(struct sock *sk, unsigned int off, unsigned int len,
		     struct scatterlist *sg, unsigned int max);
unsigned int kseal_stream_marked(struct sock *sk, unsigned int len);
unsigned long *kseal_partial_marks(struct kseal_rx *rx);
int kseal_stream_drain(struct sock *sk, unsigned int len);
void kseal_stream_done(struct sock *sk, const struct kseal_header *h);
int kseal_skb_map(struct sk_buff *skb, unsigned int off, unsigned int len,
		  struct scatterlist *sg, unsigned int max);

#endif /* _KSEAL_STREAM_H */
