/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct kseal_sock: the context of one TCP socket that uses the ULP, its
 * states, and the protos that go with them.
 */
#ifndef _KSEAL_SOCKET_H
#define _KSEAL_SOCKET_H

#include <net/tcp.h>
#include <net/tls.h>
#include <uapi/linux/kseal.h>

#include "rx.h"
#include "tx.h"

struct kseal_listener;
struct kseal_peer;

/**
 * enum kseal_state - what a socket is
 * @KSEAL_ARMED: set up as a listener, or about to be one (TCP_CLOSE, TCP_LISTEN)
 * @KSEAL_HELD: a child of a sealed listener, not keyed or not yet handed on
 * @KSEAL_SEALED: keyed by the agent; the application's
 * @KSEAL_EXPLICIT: established, keyed (or yet to be) by its application
 * @KSEAL_DEAD: closed, or could never be set up; nothing passes
 */
enum kseal_state {
	KSEAL_ARMED,
	KSEAL_HELD,
	KSEAL_SEALED,
	KSEAL_EXPLICIT,
	KSEAL_DEAD,
};

/**
 * struct kseal_sock - the context of one socket
 * @tls: must be first: core code and drivers cast icsk_ulp_data to it
 * @id: its number, for the tools and as the agent's name of the handshake
 * @sk: the socket; valid as long as the context is its ULP data
 * @state: guarded by the socket lock
 * @family: base and derived protos, constant
 * @listener: state ARMED only; constant
 * @proxy_sk: state HELD only: whom events wake; guarded by sk_callback_lock
 * @tx: outgoing direction; guarded by the socket lock (and tx.mutex)
 * @rx: incoming direction; guarded by the socket lock
 * @saved: state HELD only: the callbacks that were there before ours; with
 *	@hooked guarded by sk_callback_lock
 * @hooked: @saved is in use
 * @peer: what the agent told about the connection; constant once SEALED
 * @node: in kseal_net.sockets, guarded by its lock
 * @rcu: frees it
 */
struct kseal_sock {
	struct tls_context tls;

	u64 id;
	struct sock *sk;
	enum kseal_state state;
	struct kseal_family *family;

	struct kseal_tx tx;
	struct kseal_rx rx;

	struct kseal_listener *listener;
	struct sock *proxy_sk;
	struct kseal_peer *peer;
	struct {
		void (*data_ready)(struct sock *sk);
		void (*write_space)(struct sock *sk);
		void (*state_change)(struct sock *sk);
		void (*error_report)(struct sock *sk);
	} saved;
	bool hooked;

	struct list_head node;
	struct rcu_head rcu;
};

/**
 * struct kseal_family - the protos of one address family
 * @base: tcp_prot or tcpv6_prot
 * @base_ops: inet_stream_ops or inet6_stream_ops
 * @listen: state ARMED
 * @gate: states HELD and DEAD
 * @open: states SEALED and EXPLICIT
 * @listen_ops: socket operations beside @listen
 * @open_ops: socket operations beside @open
 */
struct kseal_family {
	struct proto *base;
	const struct proto_ops *base_ops;
	struct proto listen;
	struct proto gate;
	struct proto open;
	struct proto_ops listen_ops;
	struct proto_ops open_ops;
};

/**
 * kseal_get() - the context of a socket that has the ULP
 * @sk: socket, with icsk_ulp_ops ours
 *
 * Context: any in which @sk can't be released.
 */
static inline struct kseal_sock *kseal_get(const struct sock *sk)
{
	return (__force struct kseal_sock *)inet_csk(sk)->icsk_ulp_data;
}

int kseal_sock_init(struct sock *sk, bool may_arm);
void kseal_sock_clone(struct sock *newsk, gfp_t priority);
void kseal_sock_release(struct sock *sk);
int kseal_gate_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags);
int kseal_hold(struct sock *sk, struct kseal_family *f,
	       struct socket *sock);
int kseal_seal(struct sock *sk, struct socket *sock);
void kseal_proxy_attach(struct sock *sk, struct sock *proxy_sk);
void kseal_publish(struct sock *sk);

#endif /* _KSEAL_SOCKET_H */
