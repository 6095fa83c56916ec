// SPDX-License-Identifier: GPL-2.0
/* tls_is_skb_tx_device_offloaded() (since 6.6) */
#include <net/tls.h>

bool probe(struct sk_buff *skb);
bool probe(struct sk_buff *skb)
{
	return tls_is_skb_tx_device_offloaded(skb);
}
