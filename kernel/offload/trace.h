/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of kseal_offload.ko (events/kseal, beside those of ../trace.h).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kseal

#if !defined(_KSEAL_OFFLOAD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KSEAL_OFFLOAD_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>

#include "../socket.h"
#include "../trace_sock.h"

DECLARE_EVENT_CLASS(kseal_offload_told,
	TP_PROTO(const struct sock *sk, const struct net_device *netdev,
		 bool tx, u32 seq, u64 record, int err),
	TP_ARGS(sk, netdev, tx, seq, record, err),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(int, ifindex)
		__field(bool, tx)
		__field(u32, seq)
		__field(u64, record)
		__field(int, error)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(kseal_get(sk)->id, sk);
		__entry->ifindex = netdev ? netdev->ifindex : 0;
		__entry->tx = tx;
		__entry->seq = seq;
		__entry->record = record;
		__entry->error = err;
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT
		  "ifindex=%d dir=%s seq=%u record=%llu error=%d",
		  KSEAL_TRACE_SOCK_ARGS, __entry->ifindex,
		  __entry->tx ? "tx" : "rx", __entry->seq, __entry->record,
		  __entry->error)
);

/* A direction was offered to the device, which has taken it or not (@err). */
DEFINE_EVENT(kseal_offload_told, kseal_offload_up,
	TP_PROTO(const struct sock *sk, const struct net_device *netdev,
		 bool tx, u32 seq, u64 record, int err),
	TP_ARGS(sk, netdev, tx, seq, record, err)
);

/* The device was told where a record begins, and its number. */
DEFINE_EVENT(kseal_offload_told, kseal_offload_resync,
	TP_PROTO(const struct sock *sk, const struct net_device *netdev,
		 bool tx, u32 seq, u64 record, int err),
	TP_ARGS(sk, netdev, tx, seq, record, err)
);

/* Directions go back to software: the device went, or is not needed any more. */
TRACE_EVENT(kseal_offload_down,
	TP_PROTO(const struct sock *sk, const struct net_device *netdev,
		 bool tx, bool rx),
	TP_ARGS(sk, netdev, tx, rx),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(int, ifindex)
		__field(bool, tx)
		__field(bool, rx)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(kseal_get(sk)->id, sk);
		__entry->ifindex = netdev->ifindex;
		__entry->tx = tx;
		__entry->rx = rx;
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT "ifindex=%d tx=%d rx=%d",
		  KSEAL_TRACE_SOCK_ARGS, __entry->ifindex, __entry->tx,
		  __entry->rx)
);

#endif /* _KSEAL_OFFLOAD_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
