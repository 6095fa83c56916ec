/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Opening of incoming records. Used by rx.c, by socket.c for what is to be read before
 * them, and by main.c to load and unload.
 */
#ifndef _KSEAL_UNSEAL_H
#define _KSEAL_UNSEAL_H

#include <linux/skbuff.h>
#include <linux/socket.h>

struct kseal_rx;
struct sock;

/**
 * struct kseal_rx_cb - a held record, in skb->cb
 * @off: bytes read already
 * @len: bytes left
 * @type: content type
 */
struct kseal_rx_cb {
	unsigned int off;
	unsigned int len;
	u8 type;
};

static inline struct kseal_rx_cb *kseal_rx_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct kseal_rx_cb) > sizeof(skb->cb));
	return (struct kseal_rx_cb *)skb->cb;
}

int kseal_unseal_init(void);
void kseal_unseal_exit(void);
void kseal_unseal_preamble(struct kseal_rx *rx, struct sk_buff *skb);
int kseal_unseal_next(struct sock *sk, struct kseal_rx *rx, struct msghdr *msg,
		      size_t room);
void kseal_unseal_done(struct kseal_rx *rx);

#endif /* _KSEAL_UNSEAL_H */
