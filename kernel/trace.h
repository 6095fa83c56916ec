/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of kseal.ko (events/kseal; Documentation/operations.md): handshakes,
 * keys, alerts, and records that are not what a peer with the keys sends. Those of
 * kseal_offload.ko are beside them (offload/trace.h). None of them tells a key, a
 * nonce or a byte of plaintext.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kseal

#if !defined(_KSEAL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KSEAL_TRACE_H

#include <linux/tracepoint.h>

#include "handshake.h"
#include "socket.h"
#include "trace_sock.h"

TRACE_DEFINE_ENUM(KSEAL_SEAL);
TRACE_DEFINE_ENUM(KSEAL_REFUSE);
TRACE_DEFINE_ENUM(KSEAL_TIMEOUT);
TRACE_DEFINE_ENUM(KSEAL_NO_AGENT);
TRACE_DEFINE_ENUM(KSEAL_ABORT);
TRACE_DEFINE_ENUM(KSEAL_UPDATE_PEER);
TRACE_DEFINE_ENUM(KSEAL_UPDATE_ASKED);
TRACE_DEFINE_ENUM(KSEAL_UPDATE_USER);
TRACE_DEFINE_ENUM(KSEAL_UPDATE_LIMIT);
TRACE_DEFINE_ENUM(KSEAL_UPDATE_KEY_SET);

#define show_role(role)							\
	__print_symbolic(role,						\
			 { KSEAL_ROLE_SERVER, "server" },		\
			 { KSEAL_ROLE_EXPLICIT, "explicit" },		\
			 { KSEAL_ROLE_CLIENT, "client" })

TRACE_EVENT(kseal_handshake_queued,
	TP_PROTO(const struct kseal_handshake *hs),
	TP_ARGS(hs),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(u32, role)
		__array(char, profile, KSEAL_PROFILE_MAX)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(hs->id, hs->sk);
		__entry->role = hs->role;
		memcpy(__entry->profile, hs->owner.profile, KSEAL_PROFILE_MAX);
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT "role=%s profile=%s",
		  KSEAL_TRACE_SOCK_ARGS, show_role(__entry->role),
		  __entry->profile)
);

TRACE_EVENT(kseal_handshake_taken,
	TP_PROTO(const struct kseal_handshake *hs),
	TP_ARGS(hs),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(u32, portid)
		__field(u64, waited_us)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(hs->id, hs->sk);
		__entry->portid = hs->portid;
		__entry->waited_us = ktime_us_delta(ktime_get(), hs->queued);
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT "portid=%u waited_us=%llu",
		  KSEAL_TRACE_SOCK_ARGS, __entry->portid, __entry->waited_us)
);

TRACE_EVENT(kseal_handshake_done,
	TP_PROTO(const struct kseal_handshake *hs, enum kseal_verdict outcome,
		 int err),
	TP_ARGS(hs, outcome, err),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(u32, role)
		__field(u32, outcome)
		__field(int, error)
		__field(u64, took_us)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(hs->id, hs->sk);
		__entry->role = hs->role;
		__entry->outcome = outcome;
		__entry->error = err;
		__entry->took_us = ktime_us_delta(ktime_get(), hs->queued);
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT
		  "role=%s outcome=%s error=%d took_us=%llu",
		  KSEAL_TRACE_SOCK_ARGS, show_role(__entry->role),
		  __print_symbolic(__entry->outcome,
				   { KSEAL_SEAL, "sealed" },
				   { KSEAL_REFUSE, "refused" },
				   { KSEAL_TIMEOUT, "timeout" },
				   { KSEAL_NO_AGENT, "no_agent" },
				   { KSEAL_ABORT, "aborted" }),
		  __entry->error, __entry->took_us)
);

/* A direction has got its first key. */
TRACE_EVENT(kseal_seal,
	TP_PROTO(const struct sock *sk, bool tx, u16 version, u16 cipher),
	TP_ARGS(sk, tx, version, cipher),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(bool, tx)
		__field(bool, device)
		__field(u16, version)
		__field(u16, cipher)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(kseal_get(sk)->id, sk);
		__entry->tx = tx;
		__entry->device = test_bit(tx ? KSEAL_DEV_TX : KSEAL_DEV_RX,
					   &kseal_get(sk)->dev_dirs);
		__entry->version = version;
		__entry->cipher = cipher;
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT
		  "dir=%s version=0x%04x cipher=%u device=%d",
		  KSEAL_TRACE_SOCK_ARGS, __entry->tx ? "tx" : "rx",
		  __entry->version, __entry->cipher, __entry->device)
);

/* It goes on to the next one, the @count'th. */
TRACE_EVENT(kseal_rekey,
	TP_PROTO(const struct sock *sk, bool tx, enum kseal_update_reason reason,
		 u64 count),
	TP_ARGS(sk, tx, reason, count),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(bool, tx)
		__field(u32, reason)
		__field(u64, count)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(kseal_get(sk)->id, sk);
		__entry->tx = tx;
		__entry->reason = reason;
		__entry->count = count;
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT "dir=%s reason=%s count=%llu",
		  KSEAL_TRACE_SOCK_ARGS, __entry->tx ? "tx" : "rx",
		  __print_symbolic(__entry->reason,
				   { KSEAL_UPDATE_PEER, "peer" },
				   { KSEAL_UPDATE_ASKED, "asked" },
				   { KSEAL_UPDATE_USER, "user" },
				   { KSEAL_UPDATE_LIMIT, "limit" },
				   { KSEAL_UPDATE_KEY_SET, "key_set" }),
		  __entry->count)
);

TRACE_EVENT(kseal_alert,
	TP_PROTO(const struct sock *sk, bool tx, u8 level, u8 description),
	TP_ARGS(sk, tx, level, description),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(bool, tx)
		__field(u8, level)
		__field(u8, description)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(kseal_get(sk)->id, sk);
		__entry->tx = tx;
		__entry->level = level;
		__entry->description = description;
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT "dir=%s level=%u description=%u",
		  KSEAL_TRACE_SOCK_ARGS, __entry->tx ? "sent" : "received",
		  __entry->level, __entry->description)
);

/* The record with this number, or its header, is not acceptable. */
TRACE_EVENT(kseal_record_error,
	TP_PROTO(const struct sock *sk, u8 description),
	TP_ARGS(sk, description),
	TP_STRUCT__entry(
		KSEAL_TRACE_SOCK_FIELDS
		__field(u8, description)
		__field(u64, record)
		__field(u64, records)
	),
	TP_fast_assign(
		KSEAL_TRACE_SOCK_ASSIGN(kseal_get(sk)->id, sk);
		__entry->description = description;
		__entry->record = kseal_get(sk)->rx.key.seq;
		__entry->records = kseal_get(sk)->rx.records;
	),
	TP_printk(KSEAL_TRACE_SOCK_FORMAT
		  "description=%u record=%llu records=%llu",
		  KSEAL_TRACE_SOCK_ARGS, __entry->description, __entry->record,
		  __entry->records)
);

#endif /* _KSEAL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
