/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory for ciphertext. Used by seal.c, and by main.c to load and unload.
 */
#ifndef _KSEAL_PAGES_H
#define _KSEAL_PAGES_H

#include <linux/mm.h>
#include <linux/types.h>

struct sock;

#define KSEAL_PAGES_LEAST	32	/* bytes that are worth being used */

void kseal_pages_init(void);
void kseal_pages_exit(void);
bool kseal_pages_next(struct sock *sk, struct page_frag *pfrag);

/**
 * kseal_pages_refill() - have room for ciphertext
 * @sk: socket
 * @pfrag: its memory, or its task's (sk_page_frag())
 *
 * Context: process, under the socket lock.
 * Return: whether there are KSEAL_PAGES_LEAST bytes of it; if not, the kernel has
 * no memory, and TCP knows.
 */
static inline bool kseal_pages_refill(struct sock *sk, struct page_frag *pfrag)
{
	return (likely(pfrag->page) && page_ref_count(pfrag->page) > 1 &&
		pfrag->size - pfrag->offset >= KSEAL_PAGES_LEAST) ||
	       kseal_pages_next(sk, pfrag);
}

#endif /* _KSEAL_PAGES_H */
