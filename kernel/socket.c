// SPDX-License-Identifier: GPL-2.0
/*
 * Life and death of a context, the protos of each state, and the moves between
 * states. Called by ulp.c for the core, by listen.c and handshake.c for children,
 * by connect.c for connectors. What a state does lives elsewhere: listen.c for
 * ARMED, connect.c for CONNECTING, handshake.c and proxy.c for HELD, tx.c and rx.c
 * for SEALED and EXPLICIT.
 *
 * A socket's sk_prot says what may happen to it, so each state has its own:
 *
 *	ARMED			listen	accept() and connect() are ours; no data
 *	CONNECTING;		connect	nothing passes; calls that may wait do
 *	HELD, DEAD (connector)
 *	HELD, DEAD (child)	gate	nothing passes
 *	SEALED, EXPLICIT	open	records
 *
 * The context is published (release) before sk_prot is changed, and sk_prot is
 * changed back before the context goes.
 */
#include <linux/module.h>
#include <net/sock_reuseport.h>
#include <net/tcp.h>

#include "connect.h"
#include "cork.h"
#include "handshake.h"
#include "listen.h"
#include "net.h"
#include "socket.h"
#include "sockopt.h"
#include "ulp.h"
#include "unseal.h"

static atomic64_t kseal_last_id = ATOMIC64_INIT(0);
static struct kseal_family kseal_family_inet;
static struct kseal_family kseal_family_inet6;
static DEFINE_MUTEX(kseal_family_mutex);	/* guards the building of both */
static struct kmem_cache *kseal_sock_cache;

static int gate_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	return msg->msg_flags & MSG_FASTOPEN ? -EOPNOTSUPP : -ENOTCONN;
}

/**
 * kseal_gate_recvmsg() - recvmsg() of a socket that is ARMED, HELD or DEAD
 * @sk: socket
 * @msg: unused
 * @len: unused
 * @flags: unused
 *
 * Context: any.
 * Return: -ENOTCONN.
 */
int kseal_gate_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags)
{
	return -ENOTCONN;
}

static void gate_splice_eof(struct socket *sock)
{
}

static int refuse_connect(struct sock *sk, struct sockaddr_unsized *addr,
			  int len)
{
	return -EOPNOTSUPP;
}

static int open_disconnect(struct sock *sk, int flags)
{
	return -EOPNOTSUPP;
}

/*
 * Without touching socket.state, which inet_stream_connect() would. The first call
 * after one that did not wait for the handshake learns that it has succeeded.
 */
static int open_connect_sock(struct socket *sock,
			     struct sockaddr_unsized *addr, int len, int flags)
{
	if (len >= sizeof(addr->sa_family) && addr->sa_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	return xchg(&kseal_get(sock->sk)->untold, false) ? 0 : -EISCONN;
}

static int open_listen_sock(struct socket *sock, int backlog)
{
	return -EINVAL;
}

/*
 * Not in struct proto: inet_shutdown() forbids TCP to take more before it calls
 * that, and the open record and close_notify still have to go out.
 */
static int open_shutdown_sock(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	bool done = true;

	if (how == SHUT_WR || how == SHUT_RDWR) {
		lock_sock(sk);
		done = kseal_tx_shutdown(sk, false);
		release_sock(sk);
	}
	if (!done && how == SHUT_WR)
		return 0;
	if (!done)
		how = SHUT_RD;
	return kseal_get(sk)->family->base_ops->shutdown(sock, how);
}

static struct kseal_family *kseal_family_by_af(const struct sock *sk)
{
	return sk->sk_family == AF_INET6 ? &kseal_family_inet6 :
					   &kseal_family_inet;
}

/*
 * With net.ipv4.tcp_migrate_req a listener that stops leaves its connections and
 * half-open requests to another one of its SO_REUSEPORT group. A plain one would
 * make plain connections of the requests, and splice() reads from a connection
 * without asking struct proto: leave the group first, unless all of it is ours.
 */
static void leave_group(struct sock *sk)
{
	struct sock_reuseport *group;
	bool ours = true;
	u16 i;

	rcu_read_lock();
	group = rcu_dereference(sk->sk_reuseport_cb);
	for (i = 0; group && i < READ_ONCE(group->num_socks); i++)
		if (READ_ONCE(inet_csk(group->socks[i])->icsk_ulp_ops) !=
		    &kseal_ulp_ops)
			ours = false;
	rcu_read_unlock();
	if (!ours)
		reuseport_detach_sock(sk);
}

/*
 * The core also calls a listener's disconnect on the children that it forgets,
 * which may have no context. What a listener held is dropped by its work,
 * outside the socket lock.
 */
static int armed_disconnect(struct sock *sk, int flags)
{
	struct kseal_sock *ks = kseal_get(sk);
	int err;

	if (sk->sk_state == TCP_LISTEN)
		leave_group(sk);
	err = kseal_family_by_af(sk)->base->disconnect(sk, flags);
	if (ks && ks->state == KSEAL_ARMED)
		kseal_listener_kick(ks->listener);
	return err;
}

static void armed_close(struct sock *sk, long timeout)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct proto *base = ks->family->base;
	struct kseal_listener *l = ks->listener;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = l->data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	kseal_listener_close(l);

	lock_sock(sk);
	ks->state = KSEAL_DEAD;
	WRITE_ONCE(sk->sk_prot, base);
	leave_group(sk);
	release_sock(sk);
	base->close(sk, timeout);
}

/**
 * kseal_hook() - have TCP call us
 * @sk: socket with a context
 * @ours: instead of what is there
 *
 * Context: under the socket lock and sk_callback_lock (write).
 */
void kseal_hook(struct sock *sk, const struct kseal_callbacks *ours)
{
	struct kseal_sock *ks = kseal_get(sk);

	ks->saved.data_ready	= sk->sk_data_ready;
	ks->saved.write_space	= sk->sk_write_space;
	ks->saved.state_change	= sk->sk_state_change;
	ks->saved.error_report	= sk->sk_error_report;
	ks->lowat = sk->sk_rcvlowat;
	ks->hooked = true;
	WRITE_ONCE(sk->sk_rcvlowat, 1);
	kseal_cork_suspend(sk);
	sk->sk_data_ready	= ours->data_ready;
	sk->sk_write_space	= ours->write_space;
	sk->sk_state_change	= ours->state_change;
	sk->sk_error_report	= ours->error_report;
}

/**
 * kseal_unhook() - undo kseal_hook(), if it was done
 * @sk: socket with a context
 *
 * Context: under the socket lock and sk_callback_lock (write).
 */
void kseal_unhook(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (!ks->hooked)
		return;
	ks->hooked = false;
	WRITE_ONCE(sk->sk_rcvlowat, ks->lowat);
	kseal_cork_resume(sk);
	sk->sk_data_ready	= ks->saved.data_ready;
	sk->sk_write_space	= ks->saved.write_space;
	sk->sk_state_change	= ks->saved.state_change;
	sk->sk_error_report	= ks->saved.error_report;
}

/* @ks may be NULL: a child whose context could not be allocated. */
static void gate_close(struct sock *sk, long timeout)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct proto *base;

	base = container_of(READ_ONCE(sk->sk_prot), struct kseal_family,
			    gate)->base;
	lock_sock(sk);
	if (ks) {
		ks->state = KSEAL_DEAD;
		write_lock_bh(&sk->sk_callback_lock);
		kseal_unhook(sk);
		write_unlock_bh(&sk->sk_callback_lock);
	}
	WRITE_ONCE(sk->sk_prot, base);
	release_sock(sk);
	if (ks) {
		kseal_rx_release(sk);
		kseal_tx_release(sk);
	}
	base->close(sk, timeout);
}

/**
 * kseal_open_close() - close() of an open socket
 * @sk: socket, SEALED or EXPLICIT
 * @timeout: see SO_LINGER
 *
 * Context: process, no locks held.
 */
void kseal_open_close(struct sock *sk, long timeout)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct proto *base = ks->family->base;
	struct kseal_net *kn = kseal_net(sock_net(sk));

	spin_lock(&kn->lock);
	list_del_init(&ks->node);
	spin_unlock(&kn->lock);

	lock_sock(sk);
	kseal_tx_shutdown(sk, true);
	ks->state = KSEAL_DEAD;
	WRITE_ONCE(sk->sk_prot, base);
	release_sock(sk);
	kseal_rx_release(sk);
	kseal_tx_release(sk);
	if (ks->listener)	/* a connector */
		kseal_listener_close(ks->listener);
	base->close(sk, timeout);
}

/*
 * What may get at TCP's queues without struct proto. Of an armed socket too: a call
 * may have read these before connect() put others there.
 */
static void ops_set_gate(struct proto_ops *ops)
{
	ops->splice_read	= kseal_connect_splice_read;
	ops->peek_len		= kseal_connect_peek_len;
	ops->mmap		= sock_no_mmap;
	ops->read_sock		= NULL;
	ops->read_skb		= NULL;
	ops->sendmsg_locked	= NULL;
	kseal_ops_set_open(ops);
}

static void kseal_family_build(struct kseal_family *f, struct proto *base,
			       const struct proto_ops *ops)
{
	f->base = base;
	f->base_ops = ops;

	f->gate = *base;
	f->gate.sendmsg		= gate_sendmsg;
	f->gate.recvmsg		= kseal_proto_gate_recvmsg;
	f->gate.splice_eof	= gate_splice_eof;
	f->gate.connect		= refuse_connect;
	f->gate.close		= gate_close;
	kseal_proto_set_gate(&f->gate);

	f->listen = *base;
	f->listen.accept	= kseal_proto_accept;
	f->listen.sendmsg	= gate_sendmsg;
	f->listen.recvmsg	= kseal_proto_gate_recvmsg;
	f->listen.splice_eof	= gate_splice_eof;
	f->listen.connect	= refuse_connect;
	f->listen.disconnect	= armed_disconnect;
	f->listen.setsockopt	= kseal_setsockopt;
	f->listen.getsockopt	= kseal_getsockopt;
	f->listen.close		= armed_close;
	kseal_proto_set_gate(&f->listen);

	f->connect = *base;
	f->connect.sendmsg	= kseal_connect_sendmsg;
	f->connect.recvmsg	= kseal_proto_connect_recvmsg;
	f->connect.splice_eof	= gate_splice_eof;
	f->connect.ioctl	= kseal_proto_ioctl;
	f->connect.disconnect	= kseal_connect_disconnect;
	f->connect.setsockopt	= kseal_setsockopt;
	f->connect.getsockopt	= kseal_getsockopt;
	f->connect.close	= kseal_connect_close;
	kseal_proto_set_connect(&f->connect);

	f->open = *base;
	f->open.sendmsg		= kseal_sendmsg;
	f->open.recvmsg		= kseal_proto_recvmsg;
	f->open.splice_eof	= kseal_splice_eof;
	f->open.sock_is_readable = kseal_sock_is_readable;
	f->open.ioctl		= kseal_proto_ioctl;
	f->open.connect		= refuse_connect;
	f->open.disconnect	= open_disconnect;
	f->open.setsockopt	= kseal_setsockopt;
	f->open.getsockopt	= kseal_getsockopt;
	f->open.close		= kseal_open_close;
	kseal_proto_set_open(&f->open);

	f->listen_ops = *ops;
	f->listen_ops.accept	= kseal_ops_accept;
	f->listen_ops.poll	= kseal_listen_poll;
	f->listen_ops.connect	= kseal_connect_sock;
	ops_set_gate(&f->listen_ops);

	f->connect_ops = *ops;
	f->connect_ops.connect	= kseal_connect_sock;
	f->connect_ops.listen	= open_listen_sock;
	f->connect_ops.poll	= kseal_connect_poll;
	f->connect_ops.shutdown	= kseal_connect_shutdown;
	f->connect_ops.set_rcvlowat = kseal_connect_set_rcvlowat;
	ops_set_gate(&f->connect_ops);

	f->open_ops = *ops;
	f->open_ops.connect	= open_connect_sock;
	f->open_ops.listen	= open_listen_sock;
	f->open_ops.poll	= kseal_poll;
	f->open_ops.shutdown	= open_shutdown_sock;
	f->open_ops.splice_read	= kseal_splice_read;
	f->open_ops.peek_len	= kseal_peek_len;
	f->open_ops.set_rcvlowat = kseal_set_rcvlowat;
	f->open_ops.mmap	= sock_no_mmap;
	f->open_ops.read_sock	= NULL;
	f->open_ops.read_skb	= NULL;
	f->open_ops.sendmsg_locked = NULL;
	kseal_ops_set_open(&f->open_ops);
}

/*
 * The family of a socket that has TCP's own proto: not one that MPTCP, SMC,
 * sockmap or another ULP has changed.
 */
static struct kseal_family *kseal_family_of(struct sock *sk)
{
	struct proto *base = READ_ONCE(sk->sk_prot);
	struct kseal_family *f;

	if (!sk->sk_socket || base->sendmsg != tcp_prot.sendmsg ||
	    base->recvmsg != tcp_prot.recvmsg || base->close != tcp_prot.close)
		return NULL;

	f = kseal_family_by_af(sk);
	mutex_lock(&kseal_family_mutex);
	if (!f->base)
		kseal_family_build(f, base, READ_ONCE(sk->sk_socket->ops));
	mutex_unlock(&kseal_family_mutex);
	return f->base == base ? f : NULL;
}

static struct kseal_sock *kseal_sock_alloc(struct sock *sk,
					   struct kseal_family *f,
					   enum kseal_state state, gfp_t gfp)
{
	struct kseal_sock *ks = kmem_cache_zalloc(kseal_sock_cache, gfp);

	if (!ks)
		return NULL;
	ks->id = atomic64_inc_return(&kseal_last_id);
	ks->tls.sk_proto = f->base;
	ks->tls.sk = sk;
	ks->state = state;
	ks->family = f;
	INIT_LIST_HEAD(&ks->node);
	kseal_tx_init(&ks->tx);
	kseal_rx_init(&ks->rx);
	return ks;
}

/**
 * kseal_held_wake() - callback of a socket that the agent works on
 * @sk: socket, HELD
 *
 * Tells the agent's proxy of all that happens.
 *
 * Context: any; called by TCP.
 */
void kseal_held_wake(struct sock *sk)
{
	struct kseal_sock *ks;

	read_lock_bh(&sk->sk_callback_lock);
	ks = kseal_get(sk);
	if (sk->sk_socket && sk_stream_is_writeable(sk))
		clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	if (ks && ks->proxy_sk)
		ks->proxy_sk->sk_state_change(ks->proxy_sk);
	read_unlock_bh(&sk->sk_callback_lock);
}

/**
 * kseal_hold() - hang a child on an internal socket and hold it back
 * @sk: child of a sealed listener, taken from TCP's accept queue
 * @f: family of its listener
 * @sock: internal socket, empty
 *
 * A child that was established before its listener was armed has no context
 * yet and gets one here.
 *
 * Context: process; takes the socket lock.
 * Return: 0, -ENOMEM, or -EINVAL for a child that has another ULP.
 */
int kseal_hold(struct sock *sk, struct kseal_family *f,
	       struct socket *sock)
{
	static const struct kseal_callbacks ours = {
		.data_ready	= kseal_held_wake,
		.write_space	= kseal_held_wake,
		.state_change	= kseal_held_wake,
		.error_report	= kseal_held_wake,
	};
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct kseal_sock *ks;
	int err = 0;

	lock_sock(sk);
	ks = icsk->icsk_ulp_ops ? kseal_get(sk) : NULL;
	if (!icsk->icsk_ulp_ops) {
		ks = kseal_sock_alloc(sk, f, KSEAL_HELD, GFP_KERNEL);
		if (ks) {
			__module_get(THIS_MODULE);
			rcu_assign_pointer(icsk->icsk_ulp_data, ks);
			icsk->icsk_ulp_ops = &kseal_ulp_ops;
			WRITE_ONCE(sk->sk_prot, &f->gate);
			sk->sk_prot_creator = f->base;
		}
	} else if (icsk->icsk_ulp_ops != &kseal_ulp_ops) {
		err = -EINVAL;
		goto out;
	}
	if (!ks) {
		err = -ENOMEM;
		goto out;
	}

	sock_graft(sk, sock);
	sock->state = SS_CONNECTED;
	write_lock_bh(&sk->sk_callback_lock);
	kseal_hook(sk, &ours);
	write_unlock_bh(&sk->sk_callback_lock);
out:
	release_sock(sk);
	return err;
}

/* Under the socket lock: what SEALED and EXPLICIT have in common. */
static void kseal_open(struct sock *sk, struct kseal_sock *ks,
		       enum kseal_state state)
{
	ks->state = state;
	WRITE_ONCE(sk->sk_prot, &ks->family->open);
	if (kseal_tx_keyed(&ks->tx))
		kseal_cork_open(sk);
	if (kseal_rx_keyed(&ks->rx))
		kseal_rx_open(sk);
}

static void publish(struct kseal_sock *ks)
{
	struct kseal_net *kn = kseal_net(sock_net(ks->tls.sk));

	spin_lock(&kn->lock);
	list_add_tail(&ks->node, &kn->sockets);
	spin_unlock(&kn->lock);
}

/**
 * kseal_may_seal() - is a connection ready to be opened?
 * @sk: socket, HELD
 *
 * Context: process, under the socket lock.
 * Return: 0, -EINVAL if a direction has no key, -ECONNRESET if the connection
 * is gone.
 */
int kseal_may_seal(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (!kseal_tx_keyed(&ks->tx) || !kseal_rx_keyed(&ks->rx))
		return -EINVAL;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -ECONNRESET;
	return 0;
}

/**
 * kseal_open_sealed() - open a connection that the agent has keyed
 * @sk: socket, HELD, that no proxy reaches any more
 * @hs: its handshake
 * @peer: what the agent knows of it; the connection's from here on
 *
 * Context: process, under the socket lock.
 */
void kseal_open_sealed(struct sock *sk, struct kseal_handshake *hs,
		       struct kseal_peer *peer)
{
	struct kseal_sock *ks = kseal_get(sk);

	ks->role = hs->role;
	ks->uid = hs->owner.uid;
	ks->gid = hs->owner.gid;
	ks->peer = peer;
	peer->portid = hs->portid;
	peer->worker = hs->worker;
	ks->rx.tolerate = peer->tolerate_truncation;
	if (peer->preamble)
		kseal_unseal_preamble(&ks->rx, peer->preamble);
	peer->preamble = NULL;
	kseal_open(sk, ks, KSEAL_SEALED);
	publish(ks);
}

/**
 * kseal_seal() - take a keyed child off its internal socket and open it
 * @hs: handshake of a child, HELD, that no proxy reaches any more
 * @peer: what the agent knows of it; the connection's, on success
 *
 * The child ends as an established connection in TCP's accept queue would be,
 * without a socket, only that it is SEALED. The internal socket is released.
 *
 * Context: process; takes the socket lock.
 * Return: 0 or what kseal_may_seal() says.
 */
int kseal_seal(struct kseal_handshake *hs, struct kseal_peer *peer)
{
	struct socket *sock = hs->sock;
	struct sock *sk = hs->sk;
	int err;

	lock_sock(sk);
	err = kseal_may_seal(sk);
	if (err) {
		release_sock(sk);
		return err;
	}
	write_lock_bh(&sk->sk_callback_lock);
	kseal_unhook(sk);
	sk_set_socket(sk, NULL);
	RCU_INIT_POINTER(sk->sk_wq, NULL);
	sock->sk = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
	kseal_open_sealed(sk, hs, peer);
	release_sock(sk);

	sock->state = SS_UNCONNECTED;
	sock_release(sock);
	return 0;
}

/**
 * kseal_proxy_attach() - choose whom a held child's events wake
 * @sk: child, HELD
 * @proxy_sk: the proxy's socket, or NULL
 *
 * Context: process. On return no call with the former proxy is in flight.
 */
void kseal_proxy_attach(struct sock *sk, struct sock *proxy_sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	if (kseal_get(sk))
		kseal_get(sk)->proxy_sk = proxy_sk;
	write_unlock_bh(&sk->sk_callback_lock);
}

static int kseal_init_armed(struct sock *sk, struct kseal_family *f)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct kseal_net *kn = kseal_net(sock_net(sk));
	struct kseal_listener *l;
	struct kseal_sock *ks;

	ks = kseal_sock_alloc(sk, f, KSEAL_ARMED, GFP_KERNEL);
	if (!ks)
		return -ENOMEM;
	l = kseal_listener_alloc(sk, f);
	if (!l) {
		kmem_cache_free(kseal_sock_cache, ks);
		return -ENOMEM;
	}
	l->id = ks->id;
	ks->listener = l;

	/*
	 * A listening socket is cloned without its lock. A child copied between
	 * these lines either has the ULP, then clone() makes it HELD, or has
	 * not, then kseal_hold() does; so the ULP comes first and sk_prot last.
	 */
	rcu_assign_pointer(icsk->icsk_ulp_data, ks);
	smp_wmb();	/* with sk_clone_lock(), as told above */
	WRITE_ONCE(icsk->icsk_ulp_ops, &kseal_ulp_ops);
	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_data_ready, kseal_listener_data_ready);
	write_unlock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_socket->ops, &f->listen_ops);
	smp_wmb();	/* likewise */
	WRITE_ONCE(sk->sk_prot, &f->listen);

	spin_lock(&kn->lock);
	list_add_tail(&l->node, &kn->listeners);
	spin_unlock(&kn->lock);
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_LISTENERS);
	kseal_listener_kick(l);
	return 0;
}

static int kseal_init_explicit(struct sock *sk, struct kseal_family *f)
{
	struct kseal_sock *ks;

	ks = kseal_sock_alloc(sk, f, KSEAL_EXPLICIT, GFP_KERNEL);
	if (!ks)
		return -ENOMEM;
	ks->role = KSEAL_ROLE_EXPLICIT;
	ks->uid = SOCK_INODE(sk->sk_socket)->i_uid;
	ks->gid = SOCK_INODE(sk->sk_socket)->i_gid;
	rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, ks);
	kseal_open(sk, ks, KSEAL_EXPLICIT);
	WRITE_ONCE(sk->sk_socket->ops, &f->open_ops);
	publish(ks);
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_EXPLICIT);
	return 0;
}

/**
 * kseal_sock_init() - give a socket a context
 * @sk: socket without a ULP
 * @may_arm: it may become a sealed listener or connector
 *
 * Context: process, under the socket lock.
 * Return: 0; -EINVAL if the socket's protocol is not TCP's own, -ENOTCONN for a
 * state that has no meaning for us, -ENOMEM.
 */
int kseal_sock_init(struct sock *sk, bool may_arm)
{
	struct kseal_family *f = kseal_family_of(sk);

	if (!f)
		return -EINVAL;
	switch (sk->sk_state) {
	case TCP_CLOSE:
	case TCP_LISTEN:
		return may_arm ? kseal_init_armed(sk, f) : -ENOTCONN;
	case TCP_ESTABLISHED:
		return kseal_init_explicit(sk, f);
	default:
		return -ENOTCONN;
	}
}

/**
 * kseal_sock_clone() - a connection of an armed listener is set up
 * @newsk: the child, a copy of its listener
 * @priority: for allocations
 *
 * It may not fail: without memory the child has no context and stays shut. The
 * listener's context is safe under RCU; it is gone already (NULL) if the listener
 * was destroyed just now, and then the child will be too.
 *
 * Context: softirq, the child's lock held.
 */
void kseal_sock_clone(struct sock *newsk, gfp_t priority)
{
	struct inet_connection_sock *icsk = inet_csk(newsk);
	struct kseal_sock *parent = kseal_get(newsk);
	struct kseal_family *f = kseal_family_by_af(newsk);
	struct kseal_sock *ks = NULL;

	__module_get(THIS_MODULE);
	if (parent) {
		newsk->sk_data_ready = parent->listener->data_ready;
		ks = kseal_sock_alloc(newsk, f, KSEAL_HELD, priority);
		if (ks)
			ks->policy = READ_ONCE(parent->policy);
	}
	newsk->sk_prot_creator = f->base;
	rcu_assign_pointer(icsk->icsk_ulp_data, ks);
	WRITE_ONCE(newsk->sk_prot, &f->gate);
}

static void kseal_sock_free_rcu(struct rcu_head *rcu)
{
	struct kseal_sock *ks = container_of(rcu, struct kseal_sock, rcu);

	if (ks->listener)
		kseal_listener_put(ks->listener);
	kseal_peer_free(ks->peer);
	kfree(ks->server_name);
	kfree(ks->reason);
	memzero_explicit(ks, sizeof(*ks));
	kmem_cache_free(kseal_sock_cache, ks);
}

/**
 * kseal_sock_free() - free a context that nothing but RCU readers can reach
 * @ks: context
 *
 * Context: any.
 */
void kseal_sock_free(struct kseal_sock *ks)
{
	call_rcu(&ks->rcu, kseal_sock_free_rcu);
}
EXPORT_SYMBOL_GPL(kseal_sock_free);

/**
 * kseal_sock_release() - a socket is being destroyed
 * @sk: socket
 *
 * Context: any, even softirq.
 */
void kseal_sock_release(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);

	/* With a device, packets on their way still need it. */
	if (!ks || ks->dev)
		return;
	rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, NULL);
	kseal_sock_free(ks);
}

/**
 * kseal_socket_init() - set up for all sockets
 *
 * Context: process, when the module is loaded.
 * Return: 0 or -ENOMEM.
 */
int __init kseal_socket_init(void)
{
	kseal_sock_cache = KMEM_CACHE(kseal_sock, SLAB_ACCOUNT);
	return kseal_sock_cache ? 0 : -ENOMEM;
}

/**
 * kseal_socket_exit() - undo kseal_socket_init()
 *
 * Context: process, when the last context has been freed.
 */
void kseal_socket_exit(void)
{
	kmem_cache_destroy(kseal_sock_cache);
}
