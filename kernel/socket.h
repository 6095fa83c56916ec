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

struct kseal_dev;
struct kseal_handshake;
struct kseal_listener;
struct kseal_offload_ops;
struct kseal_peer;

/**
 * enum kseal_state - what a socket is
 * @KSEAL_ARMED: a listener, or about to be one or a connector (TCP_LISTEN,
 *	TCP_CLOSE)
 * @KSEAL_CONNECTING: a connector; TCP is at work
 * @KSEAL_HELD: a connector, or a child of a sealed listener: TCP has connected, it
 *	is not keyed or not yet handed on
 * @KSEAL_SEALED: keyed by the agent; the application's
 * @KSEAL_EXPLICIT: established, keyed (or yet to be) by its application
 * @KSEAL_DEAD: closed, failed, or could never be set up; nothing passes
 */
enum kseal_state {
	KSEAL_ARMED,
	KSEAL_CONNECTING,
	KSEAL_HELD,
	KSEAL_SEALED,
	KSEAL_EXPLICIT,
	KSEAL_DEAD,
};

/* bits of kseal_sock.dev_dirs; a direction's _LOST: it was taken from a device */
enum kseal_dev_dir {
	KSEAL_DEV_TX,
	KSEAL_DEV_RX,
	KSEAL_DEV_TX_LOST,
	KSEAL_DEV_RX_LOST,
};

/**
 * struct kseal_callbacks - what TCP calls when something has happened
 * @data_ready: sk_data_ready
 * @write_space: sk_write_space
 * @state_change: sk_state_change
 * @error_report: sk_error_report
 */
struct kseal_callbacks {
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
};

/**
 * struct kseal_sock - the context of one socket
 * @tls: must be first: core code and drivers cast icsk_ulp_data to it. Its sk is the
 *	socket, valid as long as the context is its ULP data
 * @id: its number, for the tools and as the agent's name of the handshake
 * @family: base and derived protos, constant
 * @listener: of a socket that was ARMED once; constant
 * @handshake: of a connector, CONNECTING or HELD; a reference is held. Changed
 *	under the socket lock and sk_callback_lock
 * @server_name: whom a connector should reach; NULL if not said. Guarded by the
 *	socket lock
 * @proxy_sk: state HELD only: whom events wake; guarded by sk_callback_lock
 * @tx: outgoing direction; guarded by the socket lock (and tx.mutex)
 * @rx: incoming direction; guarded by the socket lock
 * @saved: states CONNECTING and HELD: the callbacks that were there before ours;
 *	with @hooked guarded by sk_callback_lock
 * @state: &enum kseal_state; guarded by the socket lock
 * @role: &enum kseal_role; 0 while ARMED
 * @policy: &enum kseal_offload; guarded by the socket lock, constant once keyed
 * @hooked: @saved is in use
 * @untold: SEALED, and connect() has not said so yet
 * @nonagle: as @saved, the application's TCP_NODELAY and TCP_CORK: the agent waits
 *	for neither
 * @lowat: likewise, its SO_RCVLOWAT: the agent waits for less
 * @error: of a connector that is DEAD: what connect() says, positive
 * @peer: what the agent told about the connection; constant once SEALED
 * @uid: owner; of an accepted connection, that of the listener
 * @gid: its group
 * @reason: as @error, in words
 * @dev: the device that works for the socket, or has done so; kseal_offload.ko's.
 *	The context then lives until the last packet has left (offload/device.c)
 * @offload: what @dev is used with
 * @dev_dirs: &enum kseal_dev_dir: what the device does now, or did
 * @node: in kseal_net.sockets, guarded by its lock
 * @rcu: frees it
 */
struct kseal_sock {
	struct tls_context tls;

	u64 id;
	struct kseal_family *family;

	struct kseal_tx tx;
	struct kseal_rx rx;

	struct kseal_listener *listener;
	struct kseal_handshake *handshake;
	char *server_name;
	struct sock *proxy_sk;
	struct kseal_callbacks saved;
	u8 state;
	u8 role;
	u8 policy;
	bool hooked;
	bool untold;
	u8 nonagle;
	int lowat;
	int error;

	struct kseal_peer *peer;
	kuid_t uid;
	kgid_t gid;
	char *reason;
	struct kseal_dev *dev;
	const struct kseal_offload_ops *offload;
	unsigned long dev_dirs;

	struct list_head node;
	struct rcu_head rcu;
};

/**
 * struct kseal_family - the protos of one address family
 * @base: tcp_prot or tcpv6_prot
 * @base_ops: inet_stream_ops or inet6_stream_ops
 * @listen: state ARMED
 * @connect: states CONNECTING, HELD and DEAD of a connector
 * @gate: states HELD and DEAD of a child
 * @open: states SEALED and EXPLICIT
 * @listen_ops: socket operations beside @listen
 * @connect_ops: socket operations beside @connect
 * @open_ops: socket operations beside @open
 */
struct kseal_family {
	struct proto *base;
	const struct proto_ops *base_ops;
	struct proto listen;
	struct proto connect;
	struct proto gate;
	struct proto open;
	struct proto_ops listen_ops;
	struct proto_ops connect_ops;
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

/**
 * kseal_is_open() - does it speak records?
 * @ks: context
 *
 * Context: any; stable under the socket lock.
 */
static inline bool kseal_is_open(const struct kseal_sock *ks)
{
	enum kseal_state state = READ_ONCE(ks->state);

	return state == KSEAL_SEALED || state == KSEAL_EXPLICIT;
}

/**
 * kseal_inq_is_ours() - may TCP not say how much there is to read?
 * @ks: context
 *
 * Context: any.
 */
static inline bool kseal_inq_is_ours(const struct kseal_sock *ks)
{
	return READ_ONCE(ks->state) != KSEAL_EXPLICIT || kseal_rx_keyed(&ks->rx);
}

int kseal_socket_init(void);
void kseal_socket_exit(void);
int kseal_sock_init(struct sock *sk, bool may_arm);
void kseal_sock_clone(struct sock *newsk, gfp_t priority);
void kseal_sock_release(struct sock *sk);
void kseal_sock_free(struct kseal_sock *ks);
int kseal_gate_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags);
int kseal_hold(struct sock *sk, struct kseal_family *f,
	       struct socket *sock);
int kseal_seal(struct kseal_handshake *hs, struct kseal_peer *peer);
int kseal_may_seal(struct sock *sk);
void kseal_open_sealed(struct sock *sk, struct kseal_handshake *hs,
		       struct kseal_peer *peer);
void kseal_open_close(struct sock *sk, long timeout);
void kseal_hook(struct sock *sk, const struct kseal_callbacks *ours);
void kseal_unhook(struct sock *sk);
void kseal_held_wake(struct sock *sk);
void kseal_proxy_attach(struct sock *sk, struct sock *proxy_sk);

#endif /* _KSEAL_SOCKET_H */
