/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When an open record may go. Used by tx.c, by socket.c for a socket that becomes
 * the agent's or its application's, and by sockopt.c for its options in between.
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
void kseal_cork_suspend(struct sock *sk);
void kseal_cork_resume(struct sock *sk);
int kseal_cork_set(struct sock *sk, int optname, int val);
int kseal_cork_get(struct sock *sk, int optname);

#endif /* _KSEAL_CORK_H */
