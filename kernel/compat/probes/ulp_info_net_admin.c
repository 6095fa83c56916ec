// SPDX-License-Identifier: GPL-2.0
/* tcp_ulp_ops.get_info() is told whether the reader is an administrator (6.18) */
#include <net/tcp.h>

int probe(struct tcp_ulp_ops *ops, struct sock *sk, struct sk_buff *skb);
int probe(struct tcp_ulp_ops *ops, struct sock *sk, struct sk_buff *skb)
{
	return ops->get_info(sk, skb, true);
}
