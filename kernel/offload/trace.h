/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of kseal_offload.ko (events/kseal_offload).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kseal_offload

#if !defined(_KSEAL_OFFLOAD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KSEAL_OFFLOAD_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>
#include <net/sock.h>

TRACE_EVENT(kseal_offload_add,
	TP_PROTO(const struct sock *sk, const struct net_device *netdev,
		 bool tx, u32 seq, u64 rcd_sn, int err),
	TP_ARGS(sk, netdev, tx, seq, rcd_sn, err),
	TP_STRUCT__entry(
		__field(const void *, sk)
		__field(int, ifindex)
		__field(bool, tx)
		__field(u32, seq)
		__field(u64, rcd_sn)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->sk = sk;
		__entry->ifindex = netdev ? netdev->ifindex : 0;
		__entry->tx = tx;
		__entry->seq = seq;
		__entry->rcd_sn = rcd_sn;
		__entry->err = err;
	),
	TP_printk("sk=%p ifindex=%d dir=%s seq=%u record=%llu err=%d",
		  __entry->sk, __entry->ifindex, __entry->tx ? "tx" : "rx",
		  __entry->seq, __entry->rcd_sn, __entry->err)
);

TRACE_EVENT(kseal_offload_drop,
	TP_PROTO(const struct sock *sk, const struct net_device *netdev,
		 bool tx, bool rx),
	TP_ARGS(sk, netdev, tx, rx),
	TP_STRUCT__entry(
		__field(const void *, sk)
		__field(int, ifindex)
		__field(bool, tx)
		__field(bool, rx)
	),
	TP_fast_assign(
		__entry->sk = sk;
		__entry->ifindex = netdev ? netdev->ifindex : 0;
		__entry->tx = tx;
		__entry->rx = rx;
	),
	TP_printk("sk=%p ifindex=%d tx=%d rx=%d", __entry->sk,
		  __entry->ifindex, __entry->tx, __entry->rx)
);

TRACE_EVENT(kseal_offload_resync,
	TP_PROTO(const struct sock *sk, bool tx, u32 seq, u64 rcd_sn),
	TP_ARGS(sk, tx, seq, rcd_sn),
	TP_STRUCT__entry(
		__field(const void *, sk)
		__field(bool, tx)
		__field(u32, seq)
		__field(u64, rcd_sn)
	),
	TP_fast_assign(
		__entry->sk = sk;
		__entry->tx = tx;
		__entry->seq = seq;
		__entry->rcd_sn = rcd_sn;
	),
	TP_printk("sk=%p dir=%s seq=%u record=%llu", __entry->sk,
		  __entry->tx ? "tx" : "rx", __entry->seq, __entry->rcd_sn)
);

#endif /* _KSEAL_OFFLOAD_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
