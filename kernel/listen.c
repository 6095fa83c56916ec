// SPDX-License-Identifier: GPL-2.0
/*
 * The sealed listener. TCP's accept queue is emptied by a work item, which has
 * each connection handshaken (handshake.c); those that are sealed wait in the
 * ready list for accept(). A server's accept(), poll() and epoll never look at
 * TCP's queue, so nothing that is not sealed can reach them.
 *
 *	TCP accept queue --work--> held --handshake--> ready --accept()--> server
 *
 * Held and ready connections together count against listen()'s backlog; when
 * they fill it, connections stay in TCP's queue, where TCP's own rules hold.
 */
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <net/inet_connection_sock.h>

#include "handshake.h"
#include "listen.h"
#include "net.h"
#include "socket.h"

/**
 * kseal_listener_put() - drop a reference
 * @l: listener
 *
 * Context: any.
 */
void kseal_listener_put(struct kseal_listener *l)
{
	if (refcount_dec_and_test(&l->ref))
		kfree(l);
}

/**
 * kseal_listener_kick() - take more from TCP's queue, if there is room
 * @l: listener
 *
 * Context: any.
 */
void kseal_listener_kick(struct kseal_listener *l)
{
	spin_lock_bh(&l->lock);
	if (!l->closing && queue_work(kseal_wq, &l->work))
		refcount_inc(&l->ref);
	spin_unlock_bh(&l->lock);
}

/**
 * kseal_listener_data_ready() - sk_data_ready of an armed socket
 * @sk: listening socket
 *
 * Context: softirq. A child that was copied while the socket was being armed
 * may have this callback until it is held; it wakes nobody.
 */
void kseal_listener_data_ready(struct sock *sk)
{
	struct kseal_sock *ks;

	if (sk->sk_state != TCP_LISTEN)
		return;
	read_lock_bh(&sk->sk_callback_lock);
	ks = kseal_get(sk);
	if (ks && ks->listener)
		kseal_listener_kick(ks->listener);
	read_unlock_bh(&sk->sk_callback_lock);
}

/* A connection that nobody will ever see, not yet on an internal socket. */
static void discard(struct sock *sk)
{
	lock_sock(sk);
	sock_set_flag(sk, SOCK_LINGER);
	WRITE_ONCE(sk->sk_lingertime, 0);
	release_sock(sk);
	READ_ONCE(sk->sk_prot)->close(sk, 0);
}

static void hold(struct kseal_listener *l, struct sock *sk)
{
	struct kseal_handshake *hs;
	struct kseal_owner owner;
	struct socket *sock;

	if (sock_create_lite(sk->sk_family, SOCK_STREAM, IPPROTO_TCP, &sock))
		goto discard;
	sock->ops = l->family->base_ops;

	kseal_listener_owner(l, &owner);
	hs = kseal_handshake_new(sk, l->family, KSEAL_ROLE_SERVER, &owner);
	if (!hs)
		goto release;
	refcount_inc(&l->ref);
	hs->listener = l;
	if (kseal_hold(sk, l->family, sock)) {
		kseal_handshake_put(hs);
		goto release;
	}
	hs->sock = sock;
	hs->id = kseal_get(sk)->id;

	refcount_inc(&hs->ref);	/* the list's; it may end before all is told */
	spin_lock_bh(&l->lock);
	list_add_tail(&hs->held_node, &l->held);
	l->n_held++;
	spin_unlock_bh(&l->lock);
	kseal_handshake_start(hs);
	kseal_handshake_put(hs);
	return;

release:
	sock_release(sock);
discard:
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_ABORTED);
	discard(sk);
}

/* Above the backlog by one, as TCP's own test has it. */
static bool room(struct kseal_listener *l, struct sock *sk)
{
	bool room;

	spin_lock_bh(&l->lock);
	room = !l->closing &&
	       l->n_held + l->n_ready <= READ_ONCE(sk->sk_max_ack_backlog);
	spin_unlock_bh(&l->lock);
	return room;
}

static void listener_work(struct work_struct *work)
{
	struct kseal_listener *l = container_of(work, struct kseal_listener,
						work);
	struct sock *sk = l->sk;	/* armed_close() waits for this work */

	if (inet_sk_state_load(sk) != TCP_LISTEN)
		kseal_listener_flush(l);	/* shut down */
	while (room(l, sk)) {
		struct proto_accept_arg arg = { .flags = O_NONBLOCK };
		struct sock *child = kseal_base_accept(l->family->base,
						       sk, &arg);

		if (!child)
			break;
		hold(l, child);
		cond_resched();
	}
	kseal_listener_put(l);
}

/**
 * kseal_listener_alloc() - make the listener's part of an armed socket
 * @sk: socket, about to be armed
 * @f: its family
 *
 * Context: process, under the socket lock.
 * Return: listener with one reference, or NULL.
 */
struct kseal_listener *kseal_listener_alloc(struct sock *sk,
					    struct kseal_family *f)
{
	struct kseal_listener *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return NULL;
	refcount_set(&l->ref, 1);
	l->sk = sk;
	l->family = f;
	l->data_ready = sk->sk_data_ready;
	INIT_WORK(&l->work, listener_work);
	spin_lock_init(&l->lock);
	INIT_LIST_HEAD(&l->held);
	INIT_LIST_HEAD(&l->ready);
	strscpy(l->owner.profile, KSEAL_PROFILE_DEFAULT,
		sizeof(l->owner.profile));
	l->owner.uid = SOCK_INODE(sk->sk_socket)->i_uid;
	l->owner.gid = SOCK_INODE(sk->sk_socket)->i_gid;
	INIT_LIST_HEAD(&l->node);
	return l;
}

/**
 * kseal_listener_owner() - whose it is
 * @l: listener
 * @owner: result
 *
 * Context: any.
 */
void kseal_listener_owner(struct kseal_listener *l, struct kseal_owner *owner)
{
	spin_lock_bh(&l->lock);
	*owner = l->owner;
	spin_unlock_bh(&l->lock);
}

/**
 * kseal_listener_flush() - abort all that is held or ready
 * @l: listener
 *
 * Context: process, without the socket lock.
 */
void kseal_listener_flush(struct kseal_listener *l)
{
	struct kseal_handshake *hs;

	for (;;) {
		spin_lock_bh(&l->lock);
		hs = list_first_entry_or_null(&l->held, struct kseal_handshake,
					      held_node);
		if (hs) {
			list_del_init(&hs->held_node);
			l->n_held--;
		}
		spin_unlock_bh(&l->lock);
		if (!hs)
			break;
		kseal_handshake_end(hs, KSEAL_ABORT, 0, NULL);
		kseal_handshake_put(hs);
	}
	for (;;) {
		spin_lock_bh(&l->lock);
		hs = list_first_entry_or_null(&l->ready, struct kseal_handshake,
					      held_node);
		if (hs) {
			list_del_init(&hs->held_node);
			l->n_ready--;
		}
		spin_unlock_bh(&l->lock);
		if (!hs)
			break;
		discard(hs->sk);
		kseal_handshake_put(hs);
	}
}

/**
 * kseal_listener_close() - end a listener
 * @l: listener, whose socket's callbacks no longer lead here
 *
 * Context: process, without the socket lock: it waits for the work, which
 * takes it.
 */
void kseal_listener_close(struct kseal_listener *l)
{
	struct kseal_net *kn = kseal_net(sock_net(l->sk));

	spin_lock_bh(&l->lock);
	l->closing = true;
	spin_unlock_bh(&l->lock);
	if (cancel_work_sync(&l->work))
		kseal_listener_put(l);
	kseal_listener_flush(l);

	spin_lock(&kn->lock);
	list_del_init(&l->node);
	spin_unlock(&kn->lock);
}

/**
 * kseal_listener_ready() - give a sealed connection to accept()
 * @l: listener
 * @hs: its handshake; the list's reference goes with it
 *
 * Context: process.
 * Return: false if the listener was closed or shut down meanwhile: @hs->sk is
 * still the caller's.
 */
bool kseal_listener_ready(struct kseal_listener *l, struct kseal_handshake *hs)
{
	bool ready;

	spin_lock_bh(&l->lock);
	ready = !l->closing && !list_empty(&hs->held_node);
	if (ready) {
		list_move_tail(&hs->held_node, &l->ready);
		l->n_held--;
		l->n_ready++;
		l->data_ready(l->sk);
	}
	spin_unlock_bh(&l->lock);
	return ready;
}

/**
 * kseal_listener_drop() - forget a handshake that has ended without a seal
 * @l: listener
 * @hs: handshake
 *
 * Context: process.
 */
void kseal_listener_drop(struct kseal_listener *l, struct kseal_handshake *hs)
{
	bool mine;

	spin_lock_bh(&l->lock);
	mine = !list_empty(&hs->held_node);
	if (mine) {
		list_del_init(&hs->held_node);
		l->n_held--;
	}
	spin_unlock_bh(&l->lock);
	if (mine)
		kseal_handshake_put(hs);
	kseal_listener_kick(l);
}

/* As inet_csk_wait_for_connect(), on the ready list; the socket is locked. */
static int wait_for_ready(struct sock *sk, struct kseal_listener *l, long timeo)
{
	DEFINE_WAIT(wait);
	int err;

	for (;;) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		release_sock(sk);
		if (list_empty_careful(&l->ready))
			timeo = schedule_timeout(timeo);
		sched_annotate_sleep();
		lock_sock(sk);
		err = 0;
		if (!list_empty_careful(&l->ready))
			break;
		err = -EINVAL;
		if (sk->sk_state != TCP_LISTEN)
			break;
		err = sock_intr_errno(timeo);
		if (signal_pending(current))
			break;
		err = -EAGAIN;
		if (!timeo)
			break;
	}
	finish_wait(sk_sleep(sk), &wait);
	return err;
}

static struct kseal_handshake *take_ready(struct kseal_listener *l, int *empty)
{
	struct kseal_handshake *hs;

	spin_lock_bh(&l->lock);
	hs = list_first_entry_or_null(&l->ready, struct kseal_handshake,
				      held_node);
	if (hs) {
		list_del_init(&hs->held_node);
		l->n_ready--;
	}
	*empty = list_empty(&l->ready);
	spin_unlock_bh(&l->lock);
	return hs;
}

/**
 * kseal_accept() - proto.accept of an armed socket
 * @sk: listening socket
 * @arg: flags; gets the error and whether more are ready
 *
 * Context: process; takes the socket lock.
 * Return: a sealed connection, or NULL and @arg->err: -EINVAL (not listening),
 * -EAGAIN, -EINTR or -ERESTARTSYS.
 */
struct sock *kseal_accept(struct sock *sk, struct proto_accept_arg *arg)
{
	struct kseal_listener *l = kseal_get(sk)->listener;
	struct kseal_handshake *hs;
	struct sock *child = NULL;
	int empty;

	lock_sock(sk);
	for (;;) {
		long timeo = sock_rcvtimeo(sk, arg->flags & O_NONBLOCK);

		/* Each time: what was ready may have gone by a shutdown(). */
		arg->err = -EINVAL;
		if (sk->sk_state != TCP_LISTEN)
			goto out;
		hs = take_ready(l, &empty);
		if (hs)
			break;
		arg->err = -EAGAIN;
		if (!timeo)
			goto out;
		arg->err = wait_for_ready(sk, l, timeo);
		if (arg->err)
			goto out;
	}
	arg->err = 0;
	arg->is_empty = empty;
	child = hs->sk;
out:
	release_sock(sk);
	if (child) {
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_ACCEPTED);
		kseal_handshake_put(hs);
		kseal_listener_kick(l);
	}
	return child;
}

/**
 * kseal_accept_sock() - proto_ops.accept of an armed socket
 * @sock: listening socket
 * @newsock: gets the connection
 * @arg: see kseal_accept()
 *
 * The core has given @newsock the listener's operations; a sealed connection
 * has its own.
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int kseal_accept_sock(struct socket *sock, struct socket *newsock,
		      struct proto_accept_arg *arg)
{
	struct kseal_sock *ks = kseal_get(sock->sk);
	int err;

	err = kseal_base_accept_sock(ks->family->base_ops, sock, newsock, arg);
	if (!err)
		WRITE_ONCE(newsock->ops, &ks->family->open_ops);
	return err;
}

/**
 * kseal_listen_poll() - proto_ops.poll of an armed socket
 * @file: of @sock
 * @sock: armed socket
 * @wait: poll table
 *
 * Context: process.
 * Return: EPOLLIN | EPOLLRDNORM when a sealed connection waits; what TCP says
 * when the socket does not listen.
 */
__poll_t kseal_listen_poll(struct file *file, struct socket *sock,
			   struct poll_table_struct *wait)
{
	struct kseal_sock *ks = kseal_get(sock->sk);

	if (inet_sk_state_load(sock->sk) == TCP_CLOSE)
		return ks->family->base_ops->poll(file, sock, wait);
	sock_poll_wait(file, sock, wait);
	if (inet_sk_state_load(sock->sk) != TCP_LISTEN)
		return 0;	/* connect() has been called just now */
	return list_empty_careful(&ks->listener->ready) ?
	       0 : EPOLLIN | EPOLLRDNORM;
}
