/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handshake messages after the handshake. Used by alert.c.
 */
#ifndef _KSEAL_MESSAGE_H
#define _KSEAL_MESSAGE_H

struct sk_buff;
struct sock;

void kseal_message_receive(struct sock *sk, const struct sk_buff *skb,
			   unsigned int len);

#endif /* _KSEAL_MESSAGE_H */
