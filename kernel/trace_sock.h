/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every tracepoint of kseal's tells of its socket: the number that the tools show
 * it by, the network namespace (inode, as `lsns` has it), addresses and ports. Used by
 * the trace.h of kseal.ko and of kseal_offload.ko.
 */
#ifndef _KSEAL_TRACE_SOCK_H
#define _KSEAL_TRACE_SOCK_H

#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>

/* IPv4 addresses are mapped into IPv6. */
static inline void kseal_trace_addrs(const struct sock *sk, u8 *local, u8 *peer)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		memcpy(local, &sk->sk_v6_rcv_saddr, sizeof(struct in6_addr));
		memcpy(peer, &sk->sk_v6_daddr, sizeof(struct in6_addr));
		return;
	}
#endif
	ipv6_addr_set_v4mapped(sk->sk_rcv_saddr, (struct in6_addr *)local);
	ipv6_addr_set_v4mapped(sk->sk_daddr, (struct in6_addr *)peer);
}

#define KSEAL_TRACE_SOCK_FIELDS						\
	__field(u64, id)						\
	__field(const void *, skaddr)					\
	__field(u32, netns)						\
	__field(u16, sport)						\
	__field(u16, dport)						\
	__array(u8, saddr, 16)						\
	__array(u8, daddr, 16)

/* Not sk_num: that is 0 once the connection is lost. */
#define KSEAL_TRACE_SOCK_ASSIGN(_id, _sk)				\
	do {								\
		__entry->id = (_id);					\
		__entry->skaddr = (_sk);				\
		__entry->netns = sock_net(_sk)->ns.inum;		\
		__entry->sport = ntohs(inet_sk(_sk)->inet_sport);	\
		__entry->dport = ntohs((_sk)->sk_dport);		\
		kseal_trace_addrs(_sk, __entry->saddr, __entry->daddr);	\
	} while (0)

#define KSEAL_TRACE_SOCK_FORMAT						\
	"id=%llu netns=%u saddr=%pI6c sport=%u daddr=%pI6c dport=%u "

#define KSEAL_TRACE_SOCK_ARGS						\
	__entry->id, __entry->netns, __entry->saddr, __entry->sport,	\
	__entry->daddr, __entry->dport

#endif /* _KSEAL_TRACE_SOCK_H */
