// SPDX-License-Identifier: GPL-2.0
/*
 * The incoming direction: what recvmsg(), splice(), poll() and ioctl() of an
 * open socket do.
 *
 * unseal.c takes records from TCP and opens them, for the application or into a buffer
 * of its own (held); here held ones are given out and new ones waited for.
 *
 * Nothing is held across a drop of the socket lock but the count of bytes copied.
 *
 * Readiness: our sk_data_ready wakes sleepers only when a whole record is there,
 * and leaves its finding in @ready for poll, which takes no lock.
 */
#include <asm/ioctls.h>
#include <linux/poll.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <net/busy_poll.h>
#include <net/tcp.h>

#include "alert.h"
#include "offload.h"
#include "socket.h"
#include "stats.h"
#include "stream.h"
#include "trace.h"
#include "unseal.h"

/* What is held for those who only peek, or ask how much there is, is bounded. */
#define RX_HELD_MAX	(4 * KSEAL_MAX_PLAINTEXT)

/*
 * TCP frees a buffer when all of it has been read, and a record may end in the next
 * one. With room for two of the largest, it need not stop the sender until the
 * start of a record has been moved out of its way.
 */
#define RX_WINDOW	(2 * SZ_64K)

/**
 * kseal_rx_init() - set up an incoming direction without a key
 * @rx: zeroed
 *
 * Context: any.
 */
void kseal_rx_init(struct kseal_rx *rx)
{
	__skb_queue_head_init(&rx->held);
	rx->scan_need = KSEAL_HEADER_LEN;
	rx->scan_bad = -1;
	rx->alert = KSEAL_ALERT_NONE;
	rx->max_payload = KSEAL_MAX_PLAINTEXT;
}

/**
 * kseal_rx_keyed() - is there a key?
 * @rx: incoming direction
 *
 * Context: any; stable under the socket lock.
 * Return: whether there is.
 */
bool kseal_rx_keyed(const struct kseal_rx *rx)
{
	return kseal_key_ready(&rx->key);
}

/**
 * kseal_rx_info() - version and cipher
 * @rx: incoming direction
 * @info: result
 *
 * Context: under the socket lock.
 * Return: false if there is no key.
 */
bool kseal_rx_info(const struct kseal_rx *rx, struct tls_crypto_info *info)
{
	return kseal_key_info(&rx->key, info);
}

/*
 * Bring @ready, @squeezed and TCP's own idea of SO_RCVLOWAT up to date. TCP
 * counts ciphertext in its queue, so what is held is deducted. Any context, under
 * the socket lock.
 */
static void rx_refresh(struct sock *sk, struct kseal_rx *rx)
{
	struct sk_buff *first = skb_peek(&rx->held);
	int lowat = max(rx->lowat, 1);
	int left = lowat - min_t(unsigned int, lowat, rx->held_bytes);
	bool pressure = tcp_epollin_ready(sk, INT_MAX);
	bool ready = true;

	if (rx->update_pending && !first && !rx->err && !rx->eof) {
		/* Whatever has come has to wait for the next key. */
		pressure = false;
		ready = false;
	} else if (!(rx->err || rx->eof || (first && !left) ||
	      (first && kseal_rx_cb(first)->type != TLS_RECORD_TYPE_DATA))) {
		kseal_stream_scan(sk, left);
		ready = rx->scan_bad >= 0 || rx->scan_alerts ||
			(rx->scan_off && (left == 1 || pressure ||
					  rx->scan_plain >= left));
	}
	WRITE_ONCE(rx->ready, ready);
	WRITE_ONCE(rx->squeezed, pressure && !ready);
	left = rx->readers ? 1 : max(left, 1);
	if (sk->sk_rcvlowat != left)
		WRITE_ONCE(sk->sk_rcvlowat, left);
}

/* Called by TCP under the socket lock, mostly in softirq. */
static void rx_data_ready(struct sock *sk)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;

	rx_refresh(sk, rx);
	if (rx->ready || rx->squeezed || (rx->readers && rx->scan_off) ||
	    sk->sk_err || sk->sk_shutdown & RCV_SHUTDOWN)
		rx->data_ready(sk);
}

/**
 * kseal_rx_open() - let the application read
 * @sk: socket with a key, SEALED or EXPLICIT
 *
 * Enlarges the receive buffer within tcp_rmem, as SO_RCVLOWAT does, unless the
 * application has set its size.
 *
 * Context: process, under the socket lock.
 */
void kseal_rx_open(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_rx *rx = &ks->rx;

	rx->sealed = ks->state == KSEAL_SEALED;
	rx->lowat = sk->sk_rcvlowat;
	ks->family->base_ops->set_rcvlowat(sk, RX_WINDOW);
	write_lock_bh(&sk->sk_callback_lock);
	rx->data_ready = sk->sk_data_ready;
	sk->sk_data_ready = rx_data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	rx_refresh(sk, rx);
}

/* The application has set the next key: what waited for it can be read. */
static void rx_rekeyed(struct sock *sk, struct kseal_rx *rx)
{
	rx->update_pending = false;
	rx->rekeys++;
	trace_kseal_rekey(sk, false, KSEAL_UPDATE_KEY_SET, rx->rekeys);
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_REKEYS);
	rx_refresh(sk, rx);
	if (rx->ready)
		rx->data_ready(sk);
}

/**
 * kseal_rx_set_key() - TLS_RX
 * @sk: socket, HELD or EXPLICIT
 * @optval: struct tls12_crypto_info_*
 * @optlen: its bytes
 *
 * Context: process, under the socket lock.
 * Return: 0 or what kseal_key_set() says, or kseal_key_set_explicit(); -EOPNOTSUPP if
 * a device is required (KSEAL_OFFLOAD) and there is none.
 */
int kseal_rx_set_key(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct kseal_sock *ks = kseal_get(sk);
	bool explicit = ks->state == KSEAL_EXPLICIT;
	bool rekey = kseal_rx_keyed(&ks->rx);
	struct kseal_rx *rx = &ks->rx;
	union kseal_crypto_info u;
	int err;

	err = kseal_key_take(&rx->key, &ks->tx.key, optval, optlen, explicit,
			     &u);
	if (!err && !rekey) {
		err = kseal_offload_start(sk, false, &u);
		if (err)
			kseal_key_free(&rx->key);
	}
	memzero_explicit(&u, sizeof(u));
	if (!err && !rekey)
		trace_kseal_seal(sk, false, rx->key.format.version,
				 rx->key.cipher->type);
	if (err || !explicit)
		return err;
	if (rekey)
		rx_rekeyed(sk, rx);
	else
		kseal_rx_open(sk);
	return 0;
}

/**
 * kseal_rx_set_secret() - KSEAL_RX_SECRET
 * @sk: socket, HELD or EXPLICIT
 * @optval: the secret
 * @optlen: its bytes
 *
 * Context: process, under the socket lock.
 * Return: 0 or what kseal_key_set_secret() says.
 */
int kseal_rx_set_secret(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	return kseal_key_set_secret(&kseal_get(sk)->rx.key, optval, optlen);
}

/**
 * struct rx_call - one recvmsg()
 * @msg: where to
 * @flags: MSG_*
 * @type: content type of what has been given out; 0 if nothing has
 * @skip: bytes to leave at the head of what is held: seen already by a peek
 * @stop: nothing more may be added
 */
struct rx_call {
	struct msghdr *msg;
	int flags;
	u8 type;
	unsigned int skip;
	bool stop;
};

/*
 * In the explicit mode, say what it is that is given out, and don't mix. Returns
 * 1 to go on, 0 to stop, or -EIO if the caller has no room to be told.
 */
static int rx_announce(const struct kseal_rx *rx, struct rx_call *call, u8 type)
{
	int err;

	if (call->type)
		return call->type == type;
	if (!rx->sealed) {
		err = put_cmsg(call->msg, SOL_TLS, TLS_GET_RECORD_TYPE,
			       sizeof(type), &type);
		if (type != TLS_RECORD_TYPE_DATA &&
		    (err || call->msg->msg_flags & MSG_CTRUNC))
			return -EIO;
	}
	call->type = type;
	return 1;
}

static void rx_consume(struct kseal_rx *rx, struct sk_buff *skb, unsigned int n)
{
	kseal_rx_cb(skb)->off += n;
	kseal_rx_cb(skb)->len -= n;
	rx->held_bytes -= n;
	if (!kseal_rx_cb(skb)->len) {
		__skb_unlink(skb, &rx->held);
		consume_skb(skb);
	}
}

/* Give out up to @len bytes of what is held; returns bytes or an errno. */
static int rx_serve(struct kseal_rx *rx, struct rx_call *call, size_t len)
{
	bool peek = call->flags & MSG_PEEK;
	unsigned int n, skip = call->skip;
	struct sk_buff *skb, *next;
	int ret, copied = 0;

	skb_queue_walk_safe(&rx->held, skb, next) {
		struct kseal_rx_cb *cb = kseal_rx_cb(skb);

		if (copied == len || call->stop)
			break;
		if (skip && skip >= cb->len) {
			skip -= cb->len;
			continue;
		}
		ret = rx_announce(rx, call, cb->type);
		if (ret <= 0) {
			call->stop = true;
			return copied ?: ret;
		}
		n = min_t(size_t, cb->len - skip, len - copied);
		if (!(call->flags & MSG_TRUNC) &&
		    skb_copy_datagram_msg(skb, cb->off + skip, call->msg, n)) {
			call->stop = true;
			return copied ?: -EFAULT;
		}
		copied += n;
		if (skip + n == cb->len && !rx->sealed)
			call->msg->msg_flags |= MSG_EOR;
		skip = 0;
		if (cb->type != TLS_RECORD_TYPE_DATA)
			call->stop = true;
		if (!peek)
			rx_consume(rx, skb, n);
	}
	if (peek)
		call->skip += copied;
	return copied;
}

/*
 * There is no whole record: can there be one? Returns true if not; then *@err is
 * what to say to a call that has nothing.
 *
 * On a sealed stream all that is not close_notify is an error, for good
 * (RFC 8446 §6.1). In the explicit mode it is as without TLS.
 */
static bool rx_over(struct sock *sk, struct kseal_rx *rx, bool copied, int *err)
{
	bool fin = sock_flag(sk, SOCK_DONE);

	*err = 0;
	if (!fin && !sk->sk_err && sk->sk_state != TCP_CLOSE)
		return sk->sk_shutdown & RCV_SHUTDOWN;
	if (!rx->sealed) {
		if (!copied)
			*err = sock_error(sk);
		return true;
	}
	/* With IP_RECVERR it may be one that the connection survives. */
	if (!fin && sk->sk_state != TCP_CLOSE) {
		if (copied)
			return true;
		/* If SO_ERROR has just taken it: 0 would read as the end. */
		*err = sock_error(sk);
		return *err;
	}
	/* What comes behind a FIN is for those who write, as with TCP. */
	rx->err = fin ? 0 : sock_error(sk);
	if (!rx->err) {
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_TRUNCATED);
		/* Part of a record, or of a message, is never an end. */
		if (rx->tolerate && fin && !kseal_stream_len(sk) &&
		    !rx->message_len) {
			rx->truncated = true;
			rx->eof = true;
			return true;
		}
		rx->err = -ECONNRESET;
	}
	*err = rx->err;
	return true;
}

/*
 * The error that a call gets which has nothing else. Of a bad header the "tls" ULP
 * tells once; a call that must not wait then finds nothing. One that may wait is
 * told again rather than left to sleep for ever.
 */
static int rx_error(struct kseal_rx *rx, bool nonblock)
{
	bool once = !rx->sealed && (rx->err == -EMSGSIZE || rx->err == -EINVAL);

	if (once && rx->told && nonblock)
		return -EAGAIN;
	if (once)
		WRITE_ONCE(rx->told, true);
	return rx->err;
}

static bool rx_wake_reader(const struct sock *sk, const struct kseal_rx *rx,
			   unsigned int skip)
{
	return READ_ONCE(rx->scan_off) || READ_ONCE(rx->scan_bad) >= 0 ||
	       READ_ONCE(rx->squeezed) || READ_ONCE(rx->eof) ||
	       READ_ONCE(rx->update_pending) ||
	       READ_ONCE(rx->err) || READ_ONCE(rx->held_bytes) > skip ||
	       READ_ONCE(sk->sk_err) || sock_flag(sk, SOCK_DONE) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       inet_sk_state_load(sk) == TCP_CLOSE;
}

/*
 * Sleep until the next record may be there. Returns 0 or an errno; then nothing
 * is known about the socket any more.
 */
static int rx_wait(struct sock *sk, struct kseal_rx *rx, long *timeo,
		   unsigned int skip)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int ret;

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	kseal_unseal_done(rx);
	rx->readers++;
	rx_refresh(sk, rx);
	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	ret = sk_wait_event(sk, timeo, rx_wake_reader(sk, rx, skip), &wait);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	rx->readers--;
	return min(ret, 0);
}

/*
 * No whole record is there: make TCP receive one. Returns 0 to look again, or
 * the errno for a call that has nothing.
 */
static int rx_await(struct sock *sk, struct kseal_rx *rx, long *timeo,
		    unsigned int skip)
{
	int ret;

	if (tcp_epollin_ready(sk, INT_MAX)) {
		ret = kseal_stream_drain(sk, rx->scan_need);
		if (ret)
			return min(ret, 0);
	}
	return rx_wait(sk, rx, timeo, skip);
}

static int rx_recvmsg(struct sock *sk, struct kseal_rx *rx, struct msghdr *msg,
		      size_t len, int flags)
{
	struct rx_call call = { .msg = msg, .flags = flags };
	bool peek = flags & MSG_PEEK;
	bool direct = !peek && !(flags & MSG_TRUNC);
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	size_t target, copied = 0;
	int ret, err = 0;

	if (flags & MSG_OOB)
		return -EINVAL;
	len = min_t(size_t, len, INT_MAX);
	target = flags & MSG_WAITALL ? len : min_t(size_t, rx->lowat, len);
	target = max_t(size_t, target, 1);
	if (peek)
		call.skip = max(sk_peek_offset(sk, flags), 0);

	rx->empty = false;
	while (copied < len) {
		ret = rx_serve(rx, &call, len - copied);
		if (ret < 0)
			err = ret;
		else
			copied += ret;
		if (copied == len || call.stop)
			break;
		if (rx->err || rx->eof) {
			err = copied ? 0 : rx_error(rx, !timeo);
			break;
		}
		if (peek && rx->held_bytes >= RX_HELD_MAX && copied)
			break;
		/* SO_PEEK_OFF is beyond what TCP would have room for, too. */
		if (peek && rx->held_bytes >= max(RX_HELD_MAX, sk->sk_rcvbuf)) {
			err = -EAGAIN;
			break;
		}

		ret = kseal_unseal_next(sk, rx, direct && (!call.type || call.type ==
				TLS_RECORD_TYPE_DATA) ? msg : NULL,
			      len - copied);
		if (ret > 0) {
			rx_announce(rx, &call, TLS_RECORD_TYPE_DATA);
			if (!rx->sealed)
				msg->msg_flags |= MSG_EOR;
			copied += ret;
		}
		/* To the "tls" ULP an empty record is data too: 0 bytes of it. */
		if (rx->empty && !rx->sealed)
			rx_announce(rx, &call, TLS_RECORD_TYPE_DATA);
		if (ret >= 0)
			continue;
		err = ret;
		if (ret != -EAGAIN)
			break;

		if (sk_flush_backlog(sk))
			continue;
		if (copied >= target)
			break;
		if (rx_over(sk, rx, copied, &err))
			break;
		err = rx_await(sk, rx, &timeo, call.skip);
		if (err)
			break;
	}
	if (peek)
		sk_peek_offset_fwd(sk, copied);
	else
		sk_peek_offset_bwd(sk, copied);
	kseal_unseal_done(rx);
	rx_refresh(sk, rx);
	return copied ?: err;
}

/**
 * kseal_recvmsg() - recvmsg() of an open socket
 * @sk: socket, SEALED or EXPLICIT
 * @msg: where to
 * @len: bytes wanted
 * @flags: MSG_*
 *
 * See alert.c for how a sealed stream ends.
 *
 * Context: process; takes the socket lock, waits like TCP.
 * Return: bytes, 0 at the end of the stream, or a negative errno. In the explicit
 * mode -EIO for a record that is not application data if @msg has no room for a
 * control message that says so, and -EKEYEXPIRED after a KeyUpdate that the
 * application has yet to set the next key for.
 */
int kseal_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	struct kseal_sock *ks = kseal_get(sk);
	int ret;

	if (flags & MSG_ERRQUEUE || !kseal_rx_keyed(&ks->rx))
		return kseal_base_recvmsg(ks->family->base, sk, msg, len,
					  flags);
	if (sk_can_busy_loop(sk) &&
	    skb_queue_empty_lockless(&sk->sk_receive_queue) &&
	    sk->sk_state == TCP_ESTABLISHED)
		sk_busy_loop(sk, flags & MSG_DONTWAIT);
	lock_sock(sk);
	ret = rx_recvmsg(sk, &ks->rx, msg, len, flags);
	release_sock(sk);
	return ret;
}

static ssize_t rx_splice(struct sock *sk, struct kseal_rx *rx,
			 struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags, long timeo)
{
	struct sk_buff *skb;
	ssize_t copied = 0;
	int ret, err = 0;

	while (copied < len) {
		skb = skb_peek(&rx->held);
		if (skb) {
			if (kseal_rx_cb(skb)->type != TLS_RECORD_TYPE_DATA) {
				err = -EINVAL;
				break;
			}
			ret = skb_splice_bits(skb, sk, kseal_rx_cb(skb)->off, pipe,
					      min_t(size_t, kseal_rx_cb(skb)->len,
						    len - copied), flags);
			if (ret <= 0) {
				err = ret;
				break;
			}
			rx_consume(rx, skb, ret);
			copied += ret;
			continue;
		}
		if (rx->err || rx->eof) {
			err = copied ? 0 : rx_error(rx, !timeo);
			break;
		}
		err = kseal_unseal_next(sk, rx, NULL, 0);
		if (!err)
			continue;
		if (err != -EAGAIN || copied || rx_over(sk, rx, copied, &err))
			break;
		err = rx_await(sk, rx, &timeo, 0);
		if (err)
			break;
	}
	kseal_unseal_done(rx);
	rx_refresh(sk, rx);
	return copied ?: err;
}

/**
 * kseal_splice_read() - splice() from an open socket
 * @sock: socket, SEALED or EXPLICIT
 * @ppos: unused
 * @pipe: where to
 * @len: bytes wanted
 * @flags: SPLICE_F_*
 *
 * Context: process; takes the socket lock, waits like TCP.
 * Return: bytes, 0 at the end of the stream, or a negative errno. In the explicit
 * mode -EINVAL for a record that is not application data, and -EKEYEXPIRED as
 * kseal_recvmsg() says.
 */
ssize_t kseal_splice_read(struct socket *sock, loff_t *ppos,
			  struct pipe_inode_info *pipe, size_t len,
			  unsigned int flags)
{
	struct sock *sk = sock->sk;
	struct kseal_sock *ks = kseal_get(sk);
	bool nonblock = flags & SPLICE_F_NONBLOCK ||
			(sock->file && sock->file->f_flags & O_NONBLOCK);
	ssize_t ret;

	if (!kseal_rx_keyed(&ks->rx))
		return ks->family->base_ops->splice_read(sock, ppos, pipe, len,
							 flags);
	lock_sock(sk);
	ret = rx_splice(sk, &ks->rx, pipe, len, flags,
			sock_rcvtimeo(sk, nonblock));
	release_sock(sk);
	return ret;
}

/*
 * Before poll says that a socket is readable. With O_NONBLOCK a whole record is
 * reason enough. Else a read would sleep if the record turned out to be a
 * KeyUpdate or empty, so open it to be sure; no need if a TLS 1.2 header tells.
 */
static void rx_make_sure(struct sock *sk, struct kseal_rx *rx, bool nonblock)
{
	lock_sock(sk);
	while (!nonblock && skb_queue_empty(&rx->held) && !rx->err &&
	       !rx->eof && !kseal_unseal_next(sk, rx, NULL, 0))
		;
	kseal_unseal_done(rx);
	rx_refresh(sk, rx);
	/* What follows a record that was only opened may be waited for, too. */
	if (rx->squeezed) {
		kseal_stream_drain(sk, rx->scan_need);
		rx_refresh(sk, rx);
	}
	release_sock(sk);
}

static bool rx_unsure(const struct kseal_rx *rx)
{
	return READ_ONCE(rx->ready) && skb_queue_empty_lockless(&rx->held) &&
	       !READ_ONCE(rx->err) && !READ_ONCE(rx->eof) &&
	       (rx->key.format.version == TLS_1_3_VERSION ||
		READ_ONCE(rx->scan_alerts) || !READ_ONCE(rx->scan_plain));
}

/**
 * kseal_poll() - poll() of an open socket
 * @file: its file
 * @sock: socket, SEALED or EXPLICIT
 * @wait: poll table, or NULL
 *
 * Readable means that a read would return something: SO_RCVLOWAT bytes of opened
 * or whole records, an end or an error. Takes the socket lock only to make sure,
 * or to move the start of a record out of a receive buffer that is too small for
 * it.
 *
 * Context: process.
 * Return: EPOLL*.
 */
__poll_t kseal_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct sock *sk = sock->sk;
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_rx *rx = &ks->rx;
	struct kseal_tx *tx = &ks->tx;
	bool nonblock = file->f_flags & O_NONBLOCK;
	bool told = nonblock && READ_ONCE(rx->told);
	__poll_t mask;

	mask = ks->family->base_ops->poll(file, sock, wait);
	if (kseal_rx_keyed(rx)) {
		if (READ_ONCE(rx->squeezed) || (!nonblock && rx_unsure(rx)))
			rx_make_sure(sk, rx, nonblock);
		if (!(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)) {
			mask &= ~(EPOLLIN | EPOLLRDNORM);
			if (READ_ONCE(rx->ready) && !told)
				mask |= EPOLLIN | EPOLLRDNORM;
		}
		if (READ_ONCE(rx->eof))
			mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
		if (READ_ONCE(rx->err) && !told)
			mask |= EPOLLIN | EPOLLRDNORM | EPOLLERR;
	}
	if (kseal_tx_keyed(tx)) {
		if (kseal_tx_stuck(tx))
			mask &= ~(EPOLLOUT | EPOLLWRNORM);
		if (READ_ONCE(tx->err))
			mask |= EPOLLOUT | EPOLLWRNORM;
	}
	return mask;
}

/**
 * kseal_sock_is_readable() - would a read return something?
 * @sk: socket, SEALED or EXPLICIT
 *
 * Context: any.
 * Return: whether it would; only ever false without a key.
 */
bool kseal_sock_is_readable(struct sock *sk)
{
	return READ_ONCE(kseal_get(sk)->rx.ready);
}

/*
 * How much can be read without waiting. The content of a TLS 1.3 record is known
 * only when it is open, so open what there is, within limits.
 */
static int rx_inq(struct sock *sk, struct kseal_rx *rx)
{
	while (!rx->err && !rx->eof && rx->held_bytes < RX_HELD_MAX &&
	       !kseal_unseal_next(sk, rx, NULL, 0))
		;
	kseal_unseal_done(rx);
	rx_refresh(sk, rx);
	return rx->held_bytes;
}

/**
 * kseal_peek_len() - bytes that can be read without waiting
 * @sock: socket, SEALED or EXPLICIT
 *
 * Context: process; takes the socket lock.
 * Return: their number; there may be more.
 */
int kseal_peek_len(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct kseal_sock *ks = kseal_get(sk);
	int n;

	if (!kseal_rx_keyed(&ks->rx))
		return ks->family->base_ops->peek_len(sock);
	lock_sock(sk);
	n = rx_inq(sk, &ks->rx);
	release_sock(sk);
	return n;
}

/**
 * kseal_ioctl() - ioctl() of an open socket or a connector
 * @sk: socket; before it is open there is nothing to read
 * @cmd: SIOCINQ (FIONREAD) is ours; SIOCOUTQ counts ciphertext, with what TCP does
 *	not have yet
 * @karg: result
 *
 * Context: process; takes the socket lock.
 * Return: 0 or a negative errno.
 */
int kseal_ioctl(struct sock *sk, int cmd, int *karg)
{
	struct kseal_sock *ks = kseal_get(sk);
	int err;

	if (cmd != SIOCINQ || !kseal_inq_is_ours(ks)) {
		err = kseal_base_ioctl(ks->family->base, sk, cmd, karg);
		if (!err && (cmd == SIOCOUTQ || cmd == SIOCOUTQNSD))
			*karg += kseal_tx_unsent(sk);
		return err;
	}
	lock_sock(sk);
	*karg = kseal_is_open(ks) ? rx_inq(sk, &ks->rx) : 0;
	release_sock(sk);
	return 0;
}

/**
 * kseal_set_rcvlowat() - SO_RCVLOWAT of an open socket
 * @sk: socket, SEALED or EXPLICIT
 * @val: bytes of plaintext
 *
 * Context: process, under the socket lock.
 * Return: 0 or a negative errno.
 */
int kseal_set_rcvlowat(struct sock *sk, int val)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_rx *rx = &ks->rx;
	int err, cap, old = rx->lowat;

	if (!kseal_rx_keyed(rx))
		return ks->family->base_ops->set_rcvlowat(sk, val);
	/* TCP's limit. It calls rx_data_ready(), which goes by @lowat. */
	cap = sk->sk_userlocks & SOCK_RCVBUF_LOCK ? sk->sk_rcvbuf :
	      READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]);
	rx->lowat = clamp(val, 1, cap >> 1);
	err = ks->family->base_ops->set_rcvlowat(sk, val);
	if (err)
		rx->lowat = old;
	rx_refresh(sk, rx);
	if (rx->ready)
		rx->data_ready(sk);
	return err;
}

/*
 * TCP resets a connection that is closed with data unread, at the cost of what is
 * still on its way out. A close_notify that nobody has read is no such data: take
 * it, and all that follows an end of the stream.
 */
static void rx_discard(struct sock *sk, struct kseal_rx *rx)
{
	while (!rx->err && !rx->eof && skb_queue_empty(&rx->held) &&
	       !kseal_unseal_next(sk, rx, NULL, 0))
		;
	kseal_unseal_done(rx);
	if (rx->eof || rx->err)
		tcp_read_done(sk, kseal_stream_len(sk) - rx->partial_len);
}

/**
 * kseal_rx_release() - free an incoming direction
 * @sk: socket that no system call can reach any more
 *
 * Context: process, no locks held.
 */
void kseal_rx_release(struct sock *sk)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	if (rx->data_ready)
		sk->sk_data_ready = rx->data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	if (rx->sealed)
		rx_discard(sk, rx);
	__skb_queue_purge(&rx->held);
	rx->held_bytes = 0;
	kseal_key_free(&rx->key);
	kfree(rx->partial);
	rx->partial = NULL;
	rx->partial_len = 0;
	kfree(rx->message);
	rx->message = NULL;
	release_sock(sk);
	kseal_offload_rx_close(sk);
}
