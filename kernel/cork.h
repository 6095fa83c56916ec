/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When an open record may go. Used by tx.c, and by socket.c for a socket that
 * becomes its application's.
 */
#ifndef _KSEAL_CORK_H
#define _KSEAL_CORK_H

#include <linux/types.h>

struct kseal_tx;
struct sock;

void kseal_cork_open(struct sock *sk);
bool kseal_cork_holds(const struct sock *sk, const struct kseal_tx *tx);
bool kseal_cork_wait(struct sock *sk, struct kseal_tx *tx);
void kseal_cork_release(struct sock *sk);

#endif /* _KSEAL_CORK_H */
