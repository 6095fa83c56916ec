// SPDX-License-Identifier: GPL-2.0
/*
 * Nagle's algorithm (RFC 9293 §3.7.4) for records. What TCP would keep back in any
 * case, because a small segment is not acknowledged yet, need not be a record of
 * its own: it stays in the open record and more comes to it, until it fills a
 * segment or the acknowledgment comes. Nothing is sent later than TCP would send
 * it. TCP_NODELAY, TCP_CORK, MSG_MORE and MSG_EOR mean what they do without TLS.
 *
 * TCP tells of acknowledgments only those who wait for room in its send buffer
 * (SOCK_NOSPACE), by sk_write_space; so that is said while a record is held back,
 * and the callback is ours. It may be called in softirq, where records can't be
 * sealed: the work item of tx.c does that, or a call of the application before it.
 */
#include <net/tcp.h>

#include "cork.h"
#include "seal.h"
#include "socket.h"

/**
 * kseal_cork_holds() - would TCP keep back what is in the open record?
 * @sk: socket
 * @tx: its outgoing direction, with something in an open record
 *
 * The first case needs no small segment in flight: full ones wait for a window.
 * In both something is or will be in flight, so an acknowledgment will come.
 *
 * Context: any, under the socket lock.
 * Return: whether it would; never before kseal_cork_open().
 */
bool kseal_cork_holds(const struct sock *sk, const struct kseal_tx *tx)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 unsent = tp->write_seq - tp->snd_nxt;

	if (!tx->write_space || tp->nonagle & TCP_NAGLE_OFF)
		return false;
	if (unsent >= tp->mss_cache)
		return true;
	return tp->packets_out && after(tp->snd_sml, tp->snd_una) &&
	       !after(tp->snd_sml, tp->snd_nxt) &&
	       unsent + kseal_record_len(tx) < tp->mss_cache;
}

/**
 * kseal_cork_wait() - hold the open record back, if TCP would
 * @sk: socket
 * @tx: its outgoing direction, with something in an open record
 *
 * Context: process, under the socket lock.
 * Return: false if it has to be sealed now; else @tx->work will be scheduled when
 * that is so.
 */
bool kseal_cork_wait(struct sock *sk, struct kseal_tx *tx)
{
	if (!kseal_cork_holds(sk, tx))
		return false;
	/* The acknowledgment may have come during this call. */
	if (sk_flush_backlog(sk) && !kseal_cork_holds(sk, tx))
		return false;
	if (!sk->sk_socket)
		return false;
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	return true;
}

/*
 * Called by TCP under the socket lock, mostly in softirq. Those who really wait for
 * room come first: they clear SOCK_NOSPACE once there is some.
 */
static void cork_write_space(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	tx->write_space(sk);
	if (tx->more || tx->stopping || !kseal_record_pending(tx->ring))
		return;
	if (!kseal_cork_holds(sk, tx))
		mod_delayed_work(system_wq, &tx->work, 0);
	else if (sk->sk_socket)
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
}

/**
 * kseal_cork_open() - from now on, hold back what TCP would
 * @sk: socket with a key, SEALED or EXPLICIT
 *
 * Context: process, under the socket lock.
 */
void kseal_cork_open(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	write_lock_bh(&sk->sk_callback_lock);
	tx->write_space = sk->sk_write_space;
	sk->sk_write_space = cork_write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * kseal_cork_release() - undo kseal_cork_open(), if it was called
 * @sk: socket
 *
 * Context: process, under the socket lock.
 */
void kseal_cork_release(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_write_space == cork_write_space)
		sk->sk_write_space = tx->write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * kseal_cork_suspend() - from now on, send everything at once
 * @sk: socket with a context that becomes the agent's
 *
 * A flight of the handshake is a whole, and what follows it comes only after the
 * answer: nothing is gained by waiting for more, and with TCP_CORK it would not go
 * before 200 ms have passed.
 *
 * Context: process, under the socket lock.
 */
void kseal_cork_suspend(struct sock *sk)
{
	kseal_get(sk)->nonagle = tcp_sk(sk)->nonagle;
	tcp_sk(sk)->nonagle = TCP_NAGLE_OFF;
}

/**
 * kseal_cork_resume() - undo kseal_cork_suspend()
 * @sk: socket with a context
 *
 * Context: process, under the socket lock.
 */
void kseal_cork_resume(struct sock *sk)
{
	tcp_sk(sk)->nonagle = kseal_get(sk)->nonagle;
}

/**
 * kseal_cork_set() - TCP_NODELAY or TCP_CORK, for when the handshake is over
 * @sk: socket with a context
 * @optname: which
 * @val: on or off
 *
 * Context: process; takes the socket lock.
 * Return: 0; -EAGAIN if the socket is not the agent's: the option is TCP's.
 */
int kseal_cork_set(struct sock *sk, int optname, int val)
{
	u8 bit = optname == TCP_CORK ? TCP_NAGLE_CORK : TCP_NAGLE_OFF;
	struct kseal_sock *ks = kseal_get(sk);
	int err = -EAGAIN;

	lock_sock(sk);
	if (ks->hooked) {
		ks->nonagle &= ~bit;
		ks->nonagle |= val ? bit : 0;
		err = 0;
	}
	release_sock(sk);
	return err;
}

/**
 * kseal_cork_get() - what the application has set TCP_NODELAY or TCP_CORK to
 * @sk: socket with a context
 * @optname: which
 *
 * Context: process; takes the socket lock.
 * Return: 0, 1, or -EAGAIN if the socket is not the agent's: TCP knows.
 */
int kseal_cork_get(struct sock *sk, int optname)
{
	u8 bit = optname == TCP_CORK ? TCP_NAGLE_CORK : TCP_NAGLE_OFF;
	struct kseal_sock *ks = kseal_get(sk);
	int val = -EAGAIN;

	lock_sock(sk);
	if (ks->hooked)
		val = !!(ks->nonagle & bit);
	release_sock(sk);
	return val;
}
