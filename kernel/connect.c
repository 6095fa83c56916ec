// SPDX-License-Identifier: GPL-2.0
/*
 * The sealed connector. connect() of an armed socket has TCP connect, then the
 * agent do the handshake (handshake.c), and only then completes. Called by the
 * core through the connect proto and its socket operations (socket.c), and by
 * handshake.c.
 *
 *	ARMED --connect()--> CONNECTING --TCP--> HELD --handshake--> SEALED
 *	  ^                      |                 |
 *	  +---- TCP could not ---+                 +--- failed ---> DEAD
 *
 * The application has the socket all the while, as the agent has no other than
 * this one to work through (proxy.c). Until it is SEALED each call acts as on a
 * socket that connects: those that may wait do, the others get EAGAIN; poll
 * reports nothing. What TCP could not connect may be tried again; when a handshake
 * has begun there is no way back.
 */
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <net/inet_common.h>
#include <net/tcp.h>

#include "connect.h"
#include "handshake.h"
#include "listen.h"
#include "net.h"
#include "rx.h"
#include "socket.h"
#include "stats.h"
#include "tx.h"

/* Has TCP's part come to a good end? */
static bool is_connected(const struct sock *sk)
{
	return !((1 << inet_sk_state_load(sk)) &
		 (TCPF_CLOSE | TCPF_SYN_SENT | TCPF_SYN_RECV));
}

/* Is it still open how connect() ends? */
static bool is_pending(const struct sock *sk, const struct kseal_sock *ks)
{
	enum kseal_state state = READ_ONCE(ks->state);

	return state == KSEAL_HELD || (state == KSEAL_CONNECTING &&
				       inet_sk_state_load(sk) != TCP_CLOSE);
}

/* TCP's own connect() sleeps on these; the agent and our work look, too. */
static void connect_event(struct sock *sk, bool error)
{
	void (*theirs)(struct sock *sk) = NULL;
	struct kseal_sock *ks;

	kseal_held_wake(sk);
	read_lock_bh(&sk->sk_callback_lock);
	ks = kseal_get(sk);
	if (ks && ks->hooked) {
		theirs = error ? ks->saved.error_report :
				 ks->saved.state_change;
		kseal_handshake_poke(ks->handshake);
	}
	read_unlock_bh(&sk->sk_callback_lock);
	if (theirs)
		theirs(sk);
}

static void connect_state_change(struct sock *sk)
{
	connect_event(sk, false);
}

static void connect_error_report(struct sock *sk)
{
	connect_event(sk, true);
}

/* Under the socket lock: from ARMED to CONNECTING. */
static int connect_begin(struct socket *sock, struct kseal_sock *ks)
{
	static const struct kseal_callbacks ours = {
		.data_ready	= kseal_held_wake,
		.write_space	= kseal_held_wake,
		.state_change	= connect_state_change,
		.error_report	= connect_error_report,
	};
	struct kseal_handshake *hs;
	struct sock *sk = sock->sk;
	struct kseal_owner owner;

	kseal_listener_owner(ks->listener, &owner);
	hs = kseal_handshake_new(sk, ks->family, KSEAL_ROLE_CLIENT, &owner);
	if (!hs)
		return -ENOMEM;
	hs->id = ks->id;
	if (ks->server_name) {
		hs->server_name = kstrdup(ks->server_name, GFP_KERNEL);
		if (!hs->server_name) {
			kseal_handshake_put(hs);
			return -ENOMEM;
		}
	}
	/* The SYN can't carry what the application has not written yet. */
	tcp_sk(sk)->fastopen_connect = 0;

	write_lock_bh(&sk->sk_callback_lock);
	ks->handshake = hs;
	kseal_hook(sk, &ours);
	write_unlock_bh(&sk->sk_callback_lock);
	ks->role = KSEAL_ROLE_CLIENT;
	ks->uid = owner.uid;
	ks->gid = owner.gid;
	WRITE_ONCE(ks->state, KSEAL_CONNECTING);
	WRITE_ONCE(sock->ops, &ks->family->connect_ops);
	WRITE_ONCE(sk->sk_prot, &ks->family->connect);
	return 0;
}

/* Under the socket lock. The reference goes to the caller. */
static struct kseal_handshake *connect_detach(struct sock *sk,
					      struct kseal_sock *ks)
{
	struct kseal_handshake *hs = ks->handshake;

	write_lock_bh(&sk->sk_callback_lock);
	ks->handshake = NULL;
	kseal_unhook(sk);
	write_unlock_bh(&sk->sk_callback_lock);
	return hs;
}

/* Under the socket lock: TCP could not connect, so nothing has happened. */
static struct kseal_handshake *connect_rearm(struct socket *sock,
					     struct kseal_sock *ks)
{
	struct sock *sk = sock->sk;

	WRITE_ONCE(sk->sk_prot, &ks->family->listen);
	WRITE_ONCE(sock->ops, &ks->family->listen_ops);
	WRITE_ONCE(ks->state, KSEAL_ARMED);
	ks->role = 0;
	return connect_detach(sk, ks);
}

/**
 * kseal_connector_look() - see what TCP has done
 * @hs: handshake of a connector
 *
 * When TCP has connected, the agent's part begins.
 *
 * Context: process, no locks held.
 * Return: 0; a positive errno if the connection was lost during the handshake.
 */
int kseal_connector_look(struct kseal_handshake *hs)
{
	struct sock *sk = hs->sk;
	struct kseal_sock *ks;
	bool start = false;
	int err = 0;

	lock_sock(sk);
	ks = kseal_get(sk);
	if (ks && ks->handshake == hs) {
		start = ks->state == KSEAL_CONNECTING && is_connected(sk);
		if (start)
			WRITE_ONCE(ks->state, KSEAL_HELD);
		else if (ks->state == KSEAL_HELD && sk->sk_state == TCP_CLOSE)
			err = sk->sk_err ?: ECONNRESET;
		if (err == EPIPE)	/* a reset that came behind a FIN */
			err = ECONNRESET;
	}
	release_sock(sk);
	if (start)
		kseal_handshake_start(hs);
	return err;
}

/**
 * kseal_connector_seal() - the agent has keyed a connector
 * @hs: its handshake; no proxy leads to it any more
 * @peer: what the agent knows of the connection; the socket's, on success
 *
 * Context: process; takes the socket lock.
 * Return: 0; -ECONNRESET if the connection or the socket has gone, -EINVAL if a
 * direction has no key.
 */
int kseal_connector_seal(struct kseal_handshake *hs, struct kseal_peer *peer)
{
	struct sock *sk = hs->sk;
	struct kseal_sock *ks;
	int err;

	lock_sock(sk);
	ks = kseal_get(sk);
	err = ks && ks->handshake == hs ? kseal_may_seal(sk) : -ECONNRESET;
	if (err) {
		release_sock(sk);
		return err;
	}
	connect_detach(sk, ks);
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = ks->listener->data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	kseal_open_sealed(sk, hs, peer);
	WRITE_ONCE(ks->untold, true);
	sk->sk_socket->state = SS_CONNECTED;
	WRITE_ONCE(sk->sk_socket->ops, &ks->family->open_ops);
	sk->sk_state_change(sk);
	sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
	release_sock(sk);
	kseal_handshake_put(hs);
	return 0;
}

/**
 * kseal_connector_fail() - the handshake of a connector has failed
 * @hs: its handshake; no proxy leads to it any more
 * @reset: else close in order
 * @err: what connect() says, positive
 * @reason: likewise, in words
 *
 * Does nothing if the application has closed the socket.
 *
 * Context: process; takes the socket lock.
 */
void kseal_connector_fail(struct kseal_handshake *hs, bool reset, int err,
			  const char *reason)
{
	struct proto *base = hs->family->base;
	struct sock *sk = hs->sk;
	struct kseal_sock *ks;

	lock_sock(sk);
	ks = kseal_get(sk);
	if (!ks || ks->handshake != hs) {
		release_sock(sk);
		return;
	}
	if (reset || sk->sk_state == TCP_CLOSE)
		base->disconnect(sk, 0);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	if (sk->sk_state != TCP_CLOSE)
		base->shutdown(sk, SEND_SHUTDOWN);
	ks->error = err;
	ks->reason = kstrdup(reason, GFP_KERNEL);
	WRITE_ONCE(sk->sk_err, err);
	smp_wmb();	/* pairs with tcp_poll() */
	WRITE_ONCE(ks->state, KSEAL_DEAD);
	release_sock(sk);
	/* The context stays: a close() would wait for us. */
	kseal_rx_release(sk);
	kseal_tx_release(sk);

	lock_sock(sk);
	if (ks->handshake == hs) {
		connect_detach(sk, ks);
		kseal_handshake_put(hs);
	}
	sk->sk_state_change(sk);
	sk_error_report(sk);
	release_sock(sk);
}

/*
 * Under the socket lock: sleep while it is open how connect() ends. Returns 0,
 * -EAGAIN, or what a signal makes of it.
 */
static int connect_wait(struct sock *sk, struct kseal_sock *ks, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (is_pending(sk, ks)) {
		err = -EAGAIN;
		if (!timeo)
			break;
		err = sock_intr_errno(timeo);
		if (signal_pending(current))
			break;
		err = 0;
		release_sock(sk);
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
		lock_sock(sk);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* The part of connect() in which TCP connects; errors are TCP's. */
static int connect_tcp(struct socket *sock, struct kseal_sock *ks,
		       struct kseal_handshake *hs,
		       struct sockaddr_unsized *addr, int len, int flags)
{
	struct kseal_handshake *undone = NULL;
	struct sock *sk = sock->sk;
	int err;

	err = ks->family->base_ops->connect(sock, addr, len, flags);
	kseal_connector_look(hs);
	kseal_handshake_put(hs);

	lock_sock(sk);
	if (ks->state == KSEAL_CONNECTING && sk->sk_state == TCP_CLOSE &&
	    sock->state == SS_UNCONNECTED)
		undone = connect_rearm(sock, ks);
	release_sock(sk);
	if (undone) {
		kseal_handshake_quit(undone);
		kseal_handshake_put(undone);
	}
	return err;
}

static long time_left(long timeo, unsigned long since)
{
	if (timeo == MAX_SCHEDULE_TIMEOUT)
		return timeo;
	return max_t(long, timeo - (long)(jiffies - since), 0);
}

/**
 * kseal_connect_sock() - proto_ops.connect of a socket that was armed
 * @sock: socket
 * @addr: whereto
 * @len: bytes of @addr
 * @flags: O_NONBLOCK
 *
 * Context: process; takes the socket lock, waits like TCP.
 * Return: 0 once the connection is sealed; TCP's errors; of a failed handshake
 * what the agent says, -ETIMEDOUT, -ENOKEY or -ECONNABORTED, again and again;
 * -EOPNOTSUPP if it should be undone.
 */
int kseal_connect_sock(struct socket *sock, struct sockaddr_unsized *addr,
		       int len, int flags)
{
	struct sock *sk = sock->sk;
	struct kseal_sock *ks = kseal_get(sk);
	long timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	struct kseal_handshake *hs;
	bool undo, waited = false;
	unsigned long since = jiffies;
	int err = 0, waits = -EALREADY;

	if (len < (int)sizeof(addr->sa_family))
		return -EINVAL;
	undo = addr->sa_family == AF_UNSPEC;

	lock_sock(sk);
	if (ks->state == KSEAL_ARMED) {
		waits = -EINPROGRESS;
		if (sk->sk_state != TCP_CLOSE)
			err = undo ? -EOPNOTSUPP : -EISCONN;
		else if (!undo)
			err = connect_begin(sock, ks);
		if (err || undo)
			goto out;
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_CONNECTORS);
	} else if (undo && ks->state != KSEAL_CONNECTING) {
		err = -EOPNOTSUPP;
		goto out;
	}
	if (ks->state == KSEAL_CONNECTING) {
		hs = ks->handshake;
		refcount_inc(&hs->ref);
		release_sock(sk);
		err = connect_tcp(sock, ks, hs, addr, len, flags);
		lock_sock(sk);
		waited = true;
	}
	switch (ks->state) {
	case KSEAL_HELD:
	case KSEAL_SEALED:
	case KSEAL_DEAD:
		break;
	default:
		goto out;
	}
	waited |= is_pending(sk, ks);
	err = connect_wait(sk, ks, time_left(timeo, since));
	if (err == -EAGAIN)
		err = waits;
	else if (!err && ks->state == KSEAL_SEALED)
		err = xchg(&ks->untold, false) || waited ? 0 : -EISCONN;
	else if (!err)
		err = -ks->error;
	if (err && ks->state == KSEAL_DEAD)
		sock_error(sk);	/* has been told */
out:
	release_sock(sk);
	return err;
}

/* Wait until the socket is open; -ENOTCONN if it never will be. */
static int connect_await(struct sock *sk, long timeo)
{
	struct kseal_sock *ks = kseal_get(sk);
	int err;

	lock_sock(sk);
	err = connect_wait(sk, ks, timeo);
	if (!err && ks->state != KSEAL_SEALED)
		err = sock_error(sk) ?: -ENOTCONN;
	release_sock(sk);
	return err;
}

/**
 * kseal_connect_sendmsg() - sendmsg() of a connector
 * @sk: socket
 * @msg: plaintext
 * @size: its bytes
 *
 * Context: process; takes the socket lock, waits like TCP.
 * Return: what kseal_sendmsg() says once it is sealed; -EAGAIN, -EPIPE, the
 * errno of the failure, or -EOPNOTSUPP for data with the SYN.
 */
int kseal_connect_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	int err;

	if (msg->msg_flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	err = connect_await(sk, sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT));
	if (err == -ENOTCONN)
		err = sk_stream_error(sk, msg->msg_flags, -EPIPE);
	return err ?: kseal_sendmsg(sk, msg, size);
}

/**
 * kseal_connect_recvmsg() - recvmsg() of a connector
 * @sk: socket
 * @msg: where to
 * @len: bytes wanted
 * @flags: MSG_*
 *
 * Context: process; takes the socket lock, waits like TCP.
 * Return: what kseal_recvmsg() says once it is sealed; -EAGAIN, -ENOTCONN, or the
 * errno of the failure.
 */
int kseal_connect_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			  int flags)
{
	int err;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	err = connect_await(sk, sock_rcvtimeo(sk, flags & MSG_DONTWAIT));
	return err ?: kseal_recvmsg(sk, msg, len, flags);
}

/**
 * kseal_connect_splice_read() - splice() from a socket that was armed
 * @sock: socket
 * @ppos: unused
 * @pipe: where to
 * @len: bytes wanted
 * @flags: SPLICE_F_*
 *
 * Context: process; takes the socket lock, waits like TCP.
 * Return: as kseal_connect_recvmsg().
 */
ssize_t kseal_connect_splice_read(struct socket *sock, loff_t *ppos,
				  struct pipe_inode_info *pipe, size_t len,
				  unsigned int flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK ||
			(sock->file && sock->file->f_flags & O_NONBLOCK);
	int err;

	err = connect_await(sock->sk, sock_rcvtimeo(sock->sk, nonblock));
	return err ?: kseal_splice_read(sock, ppos, pipe, len, flags);
}

/**
 * kseal_connect_peek_len() - bytes that can be read without waiting
 * @sock: socket that was armed
 *
 * Context: process; takes the socket lock.
 * Return: their number.
 */
int kseal_connect_peek_len(struct socket *sock)
{
	return kseal_is_open(kseal_get(sock->sk)) ? kseal_peek_len(sock) : 0;
}

/**
 * kseal_connect_set_rcvlowat() - SO_RCVLOWAT of a connector
 * @sk: socket
 * @val: bytes of plaintext
 *
 * Kept until it is sealed: a message of the handshake may be shorter.
 *
 * Context: process, under the socket lock.
 * Return: 0 or a negative errno.
 */
int kseal_connect_set_rcvlowat(struct sock *sk, int val)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (kseal_is_open(ks))
		return kseal_set_rcvlowat(sk, val);
	if (!ks->hooked)
		return ks->family->base_ops->set_rcvlowat(sk, val);
	ks->lowat = max(val, 1);
	return 0;
}

/**
 * kseal_connect_poll() - poll() of a connector
 * @file: of @sock
 * @sock: socket
 * @wait: poll table
 *
 * Context: process.
 * Return: 0 while it connects, whatever TCP sees; then EPOLL*.
 */
__poll_t kseal_connect_poll(struct file *file, struct socket *sock,
			    poll_table *wait)
{
	struct kseal_sock *ks = kseal_get(sock->sk);
	__poll_t mask = ks->family->base_ops->poll(file, sock, wait);

	if (is_pending(sock->sk, ks))
		return 0;
	return kseal_is_open(ks) ? kseal_poll(file, sock, NULL) : mask;
}

/**
 * kseal_connect_shutdown() - shutdown() of a connector
 * @sock: socket
 * @how: SHUT_*
 *
 * As of a socket that connects: that is given up, in whichever direction.
 *
 * Context: process; takes the socket lock.
 * Return: 0; -ENOTCONN, -EINVAL.
 */
int kseal_connect_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_handshake *hs;
	enum kseal_state state;
	int err = -ENOTCONN;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	lock_sock(sk);
	hs = ks->handshake;
	if (hs)
		refcount_inc(&hs->ref);
	release_sock(sk);
	if (hs)
		kseal_connector_look(hs);

	state = READ_ONCE(ks->state);
	if (state == KSEAL_SEALED) {
		err = ks->family->open_ops.shutdown(sock, how);
	} else if (state == KSEAL_CONNECTING) {
		err = ks->family->base_ops->shutdown(sock, how);
	} else if (state == KSEAL_HELD && hs) {
		kseal_handshake_end(hs, KSEAL_ABORT, ECONNRESET,
				    "the socket was shut down");
		err = 0;
	}
	if (hs)
		kseal_handshake_put(hs);
	return err;
}

/**
 * kseal_connect_disconnect() - proto.disconnect of a connector
 * @sk: socket
 * @flags: for TCP
 *
 * The core calls it when TCP can't connect, or should stop to try.
 *
 * Context: process, under the socket lock.
 * Return: 0; -EOPNOTSUPP when the handshake has begun.
 */
int kseal_connect_disconnect(struct sock *sk, int flags)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (ks->state != KSEAL_CONNECTING)
		return -EOPNOTSUPP;
	return ks->family->base->disconnect(sk, flags);
}

/**
 * kseal_connect_close() - close() of a connector that is not sealed
 * @sk: socket
 * @timeout: see SO_LINGER
 *
 * Context: process, no locks held.
 */
void kseal_connect_close(struct sock *sk, long timeout)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct proto *base = ks->family->base;
	struct kseal_handshake *hs = NULL;
	bool sealed;

	lock_sock(sk);
	if (ks->handshake)
		hs = connect_detach(sk, ks);
	sealed = ks->state == KSEAL_SEALED;	/* just now */
	if (!sealed)
		WRITE_ONCE(ks->state, KSEAL_DEAD);
	release_sock(sk);
	if (sealed) {
		kseal_open_close(sk, timeout);
		return;
	}
	if (hs) {
		kseal_handshake_quit(hs);
		kseal_handshake_put(hs);
	}

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = ks->listener->data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	kseal_listener_close(ks->listener);
	kseal_rx_release(sk);
	kseal_tx_release(sk);

	lock_sock(sk);
	WRITE_ONCE(sk->sk_prot, base);
	release_sock(sk);
	base->close(sk, timeout);
}
