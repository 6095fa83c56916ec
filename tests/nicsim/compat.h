/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels, of what only kseal_nicsim.ko needs. Found out by
 * compiling probes, as in kernel/compat.
 */
#ifndef _NICSIM_COMPAT_H
#define _NICSIM_COMPAT_H

#include <net/gso.h>
#include <net/tls.h>

/* Has sealing to be done by the card? Until 6.6 it was asked of the socket. */
static inline bool nicsim_skb_offloaded(const struct sk_buff *skb)
{
#ifdef KSEAL_HAVE_TLS_SKB_OFFLOADED
	return tls_is_skb_tx_device_offloaded(skb);
#else
	return skb->sk && tls_is_sk_tx_device_offloaded(skb->sk);
#endif
}

/* The asynchronous request took the socket until it was fixed in 6.18. */
static inline void nicsim_resync_start(struct sock *sk,
				       struct tls_offload_resync_async *async,
				       __be32 seq, u16 len)
{
#ifdef KSEAL_HAVE_TLS_RESYNC_ASYNC
	tls_offload_rx_resync_async_request_start(async, seq, len);
#else
	tls_offload_rx_resync_async_request_start(sk, seq, len);
#endif
}

static inline void nicsim_resync_end(struct sock *sk,
				     struct tls_offload_resync_async *async,
				     __be32 seq)
{
#ifdef KSEAL_HAVE_TLS_RESYNC_ASYNC
	tls_offload_rx_resync_async_request_end(async, seq);
#else
	tls_offload_rx_resync_async_request_end(sk, seq);
#endif
}

#endif /* _NICSIM_COMPAT_H */
