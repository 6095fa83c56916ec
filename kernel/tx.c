// SPDX-License-Identifier: GPL-2.0
/*
 * The outgoing direction. kseal_sendmsg() cuts what the application writes into
 * records, encrypts each once, into fresh memory, and queues several of them
 * with one call of TCP's own sendmsg, which takes the memory over.
 *
 * Small writes share a record while TCP would not send them anyway (cork.c). What is
 * sealed is queued, all of its record. So room in the send buffer is waited for
 * before a record is begun, and what has been sealed is then queued beyond the limit
 * if need be, by not more than a record. Only when memory runs out can sealed records
 * be left in the ring, which the next call or our work item sends; a stream that is
 * closed before that is reset.
 */
#include <net/tcp.h>

#include "alert.h"
#include "cork.h"
#include "offload.h"
#include "seal.h"
#include "socket.h"
#include "stats.h"
#include "trace.h"

#define TX_BATCH	(4 * KSEAL_MAX_PLAINTEXT)

#define TX_CORK_DELAY	(HZ / 5)	/* as long as TCP corks */
#define TX_RETRY_DELAY	(HZ / 20)
#define TX_BUSY_DELAY	1

/* For tx_push(), beside MSG_MORE and MSG_EOR: who writes is about to wait for room. */
#define TX_URGE		MSG_PROBE

/* More than any send buffer, small enough to calculate with. */
#define TX_SNDBUF_OPEN	SZ_512M

static int tx_flush(struct sock *sk, struct kseal_tx *tx);
static void tx_work(struct work_struct *work);

/**
 * kseal_tx_init() - set up an outgoing direction without a key
 * @tx: zeroed
 *
 * Context: any.
 */
void kseal_tx_init(struct kseal_tx *tx)
{
	INIT_DELAYED_WORK(&tx->work, tx_work);
	tx->max_payload = KSEAL_MAX_PLAINTEXT;
	tx->alert = KSEAL_ALERT_NONE;
}

/**
 * kseal_tx_keyed() - is there a key?
 * @tx: outgoing direction
 *
 * Context: any; stable under the socket lock.
 * Return: whether there is.
 */
bool kseal_tx_keyed(const struct kseal_tx *tx)
{
	return kseal_key_ready(&tx->key);
}

/**
 * kseal_tx_info() - version and cipher
 * @tx: outgoing direction
 * @info: result
 *
 * Context: under the socket lock.
 * Return: false if there is no key.
 */
bool kseal_tx_info(const struct kseal_tx *tx, struct tls_crypto_info *info)
{
	return kseal_key_info(&tx->key, info);
}

/**
 * kseal_tx_stuck() - has TCP had no memory for a sealed record?
 * @tx: outgoing direction
 *
 * When it takes the record at last, those who wait for room are woken.
 *
 * Context: any; exact under the socket lock.
 * Return: whether it has.
 */
bool kseal_tx_stuck(const struct kseal_tx *tx)
{
	return READ_ONCE(tx->stuck);
}

/**
 * kseal_tx_unsent() - what will be on the wire but TCP does not have yet
 * @sk: socket, SEALED or EXPLICIT
 *
 * Context: process; takes the socket lock.
 * Return: bytes.
 */
unsigned int kseal_tx_unsent(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;
	unsigned int n = 0;

	lock_sock(sk);
	if (tx->ring)
		n = tx->ring->sealed;
	if (kseal_record_pending(tx->ring))
		n += kseal_record_len(tx);
	release_sock(sk);
	return n;
}

/**
 * kseal_tx_set_key() - TLS_TX
 * @sk: socket, HELD or EXPLICIT
 * @optval: struct tls12_crypto_info_*
 * @optlen: its bytes
 *
 * An open record stays open: it goes out under the new key, like all that is
 * written after the KeyUpdate message.
 *
 * Context: process, under the socket lock.
 * Return: 0 or what kseal_key_set() says, or kseal_key_set_explicit(); -EOPNOTSUPP if
 * a device is required (KSEAL_OFFLOAD) and there is none.
 */
int kseal_tx_set_key(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct kseal_sock *ks = kseal_get(sk);
	bool rekey = kseal_tx_keyed(&ks->tx);
	struct kseal_tx *tx = &ks->tx;
	union kseal_crypto_info u;
	int err;

	err = kseal_key_take(&tx->key, &ks->rx.key, optval, optlen,
			     ks->state == KSEAL_EXPLICIT, &u);
	if (!err && !rekey) {
		err = kseal_offload_start(sk, true, &u);
		if (err)
			kseal_key_free(&tx->key);
	}
	memzero_explicit(&u, sizeof(u));
	if (!err && rekey) {
		tx->update_due = false;
		tx->rekeys++;
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_REKEYS);
		trace_kseal_rekey(sk, true, KSEAL_UPDATE_KEY_SET, tx->rekeys);
	}
	if (!err && !rekey)
		trace_kseal_seal(sk, true, tx->key.format.version,
				 tx->key.cipher->type);
	if (!err && !rekey && ks->state == KSEAL_EXPLICIT)
		kseal_cork_open(sk);
	return err;
}

/**
 * kseal_tx_set_max_payload() - TLS_TX_MAX_PAYLOAD_LEN
 * @sk: socket, HELD or EXPLICIT
 * @max_payload: bytes of plaintext that a record of data may have
 *
 * Context: process, under the socket lock.
 * Return: 0; -EBUSY while a record is open.
 */
int kseal_tx_set_max_payload(struct sock *sk, u16 max_payload)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	if (kseal_record_pending(tx->ring) && !tx->more) {
		tx_flush(sk, tx);
		kseal_ring_put(tx);
	}
	if (kseal_record_pending(tx->ring))
		return -EBUSY;
	tx->max_payload = max_payload;
	return 0;
}

/**
 * kseal_tx_set_secret() - KSEAL_TX_SECRET
 * @sk: socket, HELD or EXPLICIT
 * @optval: the secret
 * @optlen: its bytes
 *
 * Context: process, under the socket lock.
 * Return: 0 or what kseal_key_set_secret() says.
 */
int kseal_tx_set_secret(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	return kseal_key_set_secret(&kseal_get(sk)->tx.key, optval, optlen);
}

static void tx_schedule(struct kseal_tx *tx, unsigned long delay)
{
	if (!tx->stopping)
		schedule_delayed_work(&tx->work, delay);
}

/*
 * Give all that is sealed to TCP, beyond the limits of its send buffer: there
 * was room when the record was begun, or it is a control record. TCP never
 * drops the socket lock here, as it need not wait.
 *
 * Returns 0; -EAGAIN if something is left for want of memory; or -EPIPE if the
 * connection has died: what of is in sk_err, for the application's next call.
 */
static int push_sealed(struct sock *sk, struct kseal_tx *tx, int flags)
{
	struct msghdr msg = {
		.msg_flags = MSG_SPLICE_PAGES | MSG_NO_SHARED_FRAGS |
			     MSG_DONTWAIT | MSG_NOSIGNAL |
			     (tx->hw ? MSG_SENDPAGE_DECRYPTED : 0) |
			     (flags & (MSG_MORE | MSG_EOR)),
	};
	struct kseal_tx_ring *ring = tx->ring;
	struct tcp_sock *tp = tcp_sk(sk);
	int n, err = 0, sndbuf = sk->sk_sndbuf;
	u32 lowat = tp->notsent_lowat;
	u8 nonagle = tp->nonagle;

	/* Before accept() there is nothing for TCP to set SOCK_NOSPACE on. */
	if (!sk->sk_socket || kseal_tx_untold(sk)) {
		tx_schedule(tx, TX_RETRY_DELAY);
		return -EAGAIN;
	}
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, ring->bvec, ring->nr_sealed,
		      ring->sealed);
	WRITE_ONCE(sk->sk_sndbuf, TX_SNDBUF_OPEN);
	WRITE_ONCE(tp->notsent_lowat, U32_MAX);
	if (flags & TX_URGE)
		tp->nonagle = TCP_NAGLE_OFF;
	n = kseal_tcp_sendmsg_locked(sk, &msg, ring->sealed);
	tp->nonagle = nonagle;
	WRITE_ONCE(tp->notsent_lowat, lowat);
	/* TCP may have made it smaller meanwhile, under memory pressure. */
	WRITE_ONCE(sk->sk_sndbuf, min(sk->sk_sndbuf, sndbuf));

	if (n > 0)
		kseal_ring_taken(ring, n);
	if (ring->sealed && (n >= 0 || n == -EAGAIN)) {
		WRITE_ONCE(tx->stuck, true);
		tx_schedule(tx, TX_RETRY_DELAY);
		return -EAGAIN;
	}
	if (ring->sealed) {
		kseal_ring_empty(ring);
		tx->err = -EPIPE;
		/* TCP has told us, who may be the work. */
		if (n != -EPIPE)
			WRITE_ONCE(sk->sk_err, -n);
		err = -EPIPE;
	}
	if (tx->stuck) {
		WRITE_ONCE(tx->stuck, false);
		/* If what has been taken fills the buffer, an acknowledgment wakes. */
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		sk->sk_write_space(sk);
	}
	return err;
}

/* The same, most often with nothing to give. */
static int tx_push(struct sock *sk, struct kseal_tx *tx, int flags)
{
	return tx->ring && tx->ring->sealed ? push_sealed(sk, tx, flags) : 0;
}

/**
 * kseal_tx_fail() - the outgoing stream has ended: sealing or a new key failed
 * @tx: outgoing direction
 * @err: why
 *
 * The plaintext may be half encrypted, or the key half changed, so it is for good;
 * -ENOMEM would read as if the call could be made again.
 *
 * Context: process, under the socket lock.
 * Return: what to say, now and from now on.
 */
int kseal_tx_fail(struct kseal_tx *tx, int err)
{
	tx->err = err == -ENOMEM ? -EPIPE : err;
	return tx->err;
}

/**
 * kseal_tx_push() - send what kseal_tx_control() has put in line
 * @sk: socket, keyed
 *
 * Context: process, under the socket lock. Never waits for room.
 */
void kseal_tx_push(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	tx_push(sk, tx, 0);
	kseal_ring_put(tx);
}

/* Seal what is open and send it. */
static int tx_flush(struct sock *sk, struct kseal_tx *tx)
{
	int err = 0;

	if (!tx->err && kseal_record_pending(tx->ring))
		err = kseal_record_seal(sk, tx);
	if (err == -ENOMEM)
		tx_schedule(tx, TX_RETRY_DELAY);
	return tx_push(sk, tx, 0) ?: err;
}

/*
 * Seal what is open and send it, unless it has to wait: for more, or for TCP. The
 * work looks after it then, even if nobody tells that it need wait no longer.
 */
static void tx_settle(struct sock *sk, struct kseal_tx *tx)
{
	if (!tx->err && kseal_record_pending(tx->ring) &&
	    (tx->more || kseal_cork_wait(sk, tx)))
		tx_schedule(tx, TX_CORK_DELAY);
	else
		tx_flush(sk, tx);
}

/* What shutdown() could not do. */
static void tx_finish(struct sock *sk, struct kseal_tx *tx)
{
	if (!tx->fin || !kseal_tx_shutdown(sk, false))
		return;
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	kseal_get(sk)->family->base->shutdown(sk, SEND_SHUTDOWN);
	sk->sk_state_change(sk);
}

/* Sends what could not be sent earlier, or has been held back for long enough. */
static void tx_work(struct work_struct *work)
{
	struct kseal_tx *tx = container_of(to_delayed_work(work),
					   struct kseal_tx, work);
	struct sock *sk = container_of(tx, struct kseal_sock, tx)->tls.sk;
	bool busy;

	/* Don't hold up a shared worker for an application's page fault. */
	spin_lock_bh(&sk->sk_lock.slock);
	busy = sock_owned_by_user(sk);
	spin_unlock_bh(&sk->sk_lock.slock);
	if (busy) {
		schedule_delayed_work(&tx->work, TX_BUSY_DELAY);
		return;
	}

	lock_sock(sk);
	if (!tx->stopping) {
		tx->more = false;
		tx_push(sk, tx, 0);
		tx_settle(sk, tx);
		tx_finish(sk, tx);
		kseal_ring_put(tx);
	}
	release_sock(sk);
}

/* The record type that the application asks for; 0 if it does not. */
static int tx_record_type(const struct kseal_sock *ks, struct msghdr *msg,
			  u8 *type)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_TLS)
			continue;
		if (cmsg->cmsg_type != TLS_SET_RECORD_TYPE ||
		    cmsg->cmsg_len < CMSG_LEN(sizeof(*type)) ||
		    msg->msg_flags & MSG_MORE || ks->state == KSEAL_SEALED)
			return -EINVAL;
		*type = *(u8 *)CMSG_DATA(cmsg);
		if (!*type)
			return -EINVAL;
	}
	/* The "tls" ULP knows no other control messages. */
	return *type || ks->state != KSEAL_EXPLICIT ? 0 : -EINVAL;
}

/* Fill the open record from @msg. Returns bytes taken or an errno. */
static int tx_fill(struct sock *sk, struct kseal_tx *tx, struct msghdr *msg)
{
	struct kseal_tx_ring *ring = tx->ring;
	unsigned int want;
	int n, taken = 0;

	while (msg_data_left(msg) &&
	       kseal_record_has_room(ring, tx->max_payload)) {
		want = min_t(size_t, msg_data_left(msg),
			     tx->max_payload - ring->payload);
		n = kseal_record_fill(sk, ring, msg, want);
		if (n < 0)
			return taken ?: n;
		taken += n;
	}
	return taken;
}

/*
 * What TCP is to do with the end of a segment when @msg has more: as it does itself,
 * wait for it, but send it if there is no room for more. All of a small send buffer
 * may be less than a segment, above all on loopback.
 */
static int tx_rest(const struct sock *sk, const struct kseal_tx *tx)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 sealed = tx->ring->sealed;

	return sk->sk_wmem_queued + 2 * sealed < READ_ONCE(sk->sk_sndbuf) &&
	       tp->write_seq - tp->snd_nxt + sealed < tcp_notsent_lowat(tp) ?
	       MSG_MORE : TX_URGE;
}

/* Take what the send buffer has room for, seal and send it. */
static int tx_batch(struct sock *sk, struct kseal_tx *tx, struct msghdr *msg,
		    u8 type, size_t *copied)
{
	int room = READ_ONCE(sk->sk_sndbuf) - READ_ONCE(sk->sk_wmem_queued);
	int budget = clamp(room, KSEAL_MAX_PLAINTEXT, TX_BATCH);
	bool now = type != TLS_RECORD_TYPE_DATA || msg->msg_flags & MSG_EOR;
	struct kseal_tx_ring *ring = tx->ring;
	int n, err;

	do {
		err = kseal_record_open(sk, tx, type, msg);
		if (err)
			break;
		n = tx_fill(sk, tx, msg);
		if (n < 0) {
			err = n;
			break;
		}
		*copied += n;
		budget -= n;
		if (!kseal_record_has_room(ring, tx->max_payload) ||
		    !(msg_data_left(msg) || tx->more ||
		      (!now && kseal_cork_holds(sk, tx))))
			err = kseal_record_seal(sk, tx);
		if (tx->err)
			*copied -= n;
	} while (!err && msg_data_left(msg) && budget > 0 &&
		 kseal_ring_has_room(ring));

	if (!err && msg_data_left(msg))
		n = tx_push(sk, tx, tx_rest(sk, tx));
	else
		n = tx_push(sk, tx, tx->more ? MSG_MORE :
				    msg->msg_flags & MSG_EOR);
	return n ?: err;
}

static int tx_sendmsg(struct sock *sk, struct kseal_sock *ks,
		      struct msghdr *msg)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	struct kseal_tx *tx = &ks->tx;
	size_t copied = 0;
	u8 type = 0;
	int err = 0;

	if ((msg->msg_flags & MSG_MORE) && (msg->msg_flags & MSG_EOR))
		return -EINVAL;
	if (msg->msg_flags & (MSG_OOB | MSG_FASTOPEN) ||
	    (msg->msg_flags & MSG_ZEROCOPY && sock_flag(sk, SOCK_ZEROCOPY)))
		return -EOPNOTSUPP;
	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	if (msg->msg_controllen)
		err = tx_record_type(ks, msg, &type);
	if (err)
		return err;
	if (type)
		tx_flush(sk, tx);
	tx->more = !type && (msg->msg_flags & MSG_MORE ||
			     tcp_sk(sk)->nonagle & TCP_NAGLE_CORK);
	type = type ?: TLS_RECORD_TYPE_DATA;

	for (;;) {
		err = tx->err;
		if (!err && (sk->sk_err || tx->fin || tx->closed ||
			     sk->sk_shutdown & SEND_SHUTDOWN))
			err = -EPIPE;
		if (err)
			break;
		err = tx_push(sk, tx, 0);
		if (!err && !msg_data_left(msg))
			break;
		if (!err && sk_stream_memory_free(sk)) {
			err = kseal_ring_get(tx) ?:
			      tx_batch(sk, tx, msg, type, &copied);
			if (!err)
				continue;
			if (err != -EAGAIN && err != -ENOMEM)
				break;
		} else if (err && err != -EAGAIN) {
			break;
		}
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		err = sk_stream_wait_memory(sk, &timeo);
		if (err)
			break;
	}

	if (kseal_record_pending(tx->ring))
		tx_settle(sk, tx);
	kseal_ring_put(tx);
	/* For want of memory, and no acknowledgment will come that wakes epoll. */
	if (err == -EAGAIN && !copied && tcp_rtx_and_write_queues_empty(sk))
		sk->sk_write_space(sk);
	return copied ?: sk_stream_error(sk, msg->msg_flags, err);
}

/**
 * kseal_sendmsg() - sendmsg() of an open or a held socket
 * @sk: socket, SEALED, EXPLICIT or HELD
 * @msg: plaintext; except on a SEALED socket it may name a record type
 *	(TLS_SET_RECORD_TYPE)
 * @size: its bytes
 *
 * Without a key (EXPLICIT only) the bytes go out as they are.
 *
 * Context: process; takes the socket lock, waits for room like TCP.
 * Return: bytes taken, or a negative errno: TCP's own, -EKEYEXPIRED if the key
 * has reached its limit, -EOPNOTSUPP for urgent data and for MSG_ZEROCOPY on a
 * socket that has asked for it, -EINVAL for a control message that is out of
 * place.
 */
int kseal_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct kseal_sock *ks = kseal_get(sk);
	int ret;

	lock_sock(sk);
	if (kseal_tx_keyed(&ks->tx))
		ret = tx_sendmsg(sk, ks, msg);
	else if (ks->state == KSEAL_EXPLICIT)
		ret = tcp_sendmsg_locked(sk, msg, size);
	else
		ret = -ENOTCONN;
	release_sock(sk);
	return ret;
}

/**
 * kseal_tx_uncork() - no more is announced for the open record
 * @sk: socket, SEALED or EXPLICIT
 *
 * For when TCP_CORK is taken off or TCP_NODELAY is set. Sends it, unless TCP would
 * not.
 *
 * Context: process; takes the socket lock.
 */
void kseal_tx_uncork(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	lock_sock(sk);
	if (kseal_tx_keyed(tx) && !(tcp_sk(sk)->nonagle & TCP_NAGLE_CORK)) {
		tx->more = false;
		tx_settle(sk, tx);
		kseal_ring_put(tx);
	}
	release_sock(sk);
}

/**
 * kseal_splice_eof() - a splice that promised more has ended
 * @sock: socket, SEALED or EXPLICIT
 *
 * Context: process; takes the socket lock.
 */
void kseal_splice_eof(struct socket *sock)
{
	struct kseal_sock *ks = kseal_get(sock->sk);

	kseal_tx_uncork(sock->sk);
	if (ks->family->base->splice_eof)
		ks->family->base->splice_eof(sock);
}

/**
 * kseal_tx_want_update() - the peer has asked for a KeyUpdate, or a user has
 * @sk: socket with a TX secret
 * @reason: which of them
 *
 * It is sent at once if there is room in the send buffer, so that a peer which
 * asks again and again without reading gets one answer. It goes out before the
 * next application data in any case (RFC 8446 §4.6.3).
 *
 * Context: process, under the socket lock.
 */
void kseal_tx_want_update(struct sock *sk, enum kseal_update_reason reason)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	tx->update_due = true;
	tx->update_reason = reason;
	if (tx->err || tx->closed || !sk_stream_memory_free(sk))
		return;
	/* If the next key fails, the message is in line all the same. */
	kseal_key_update_send(sk);
	tx_push(sk, tx, 0);
	kseal_ring_put(tx);
}

/**
 * kseal_tx_shutdown() - end the outgoing stream
 * @sk: socket, SEALED or EXPLICIT
 *
 * @last: the socket is being closed
 *
 * Sends what is open, on a sealed stream followed by close_notify, which goes out
 * only behind all of it. Never waits for room. If there is no memory for that, or the
 * application has to take an error first, it is tried again later, and FIN sent then; if
 * the socket is being closed, or the stream is dead already, the connection is set to be
 * reset when it is closed.
 *
 * Context: process, under the socket lock.
 * Return: false if FIN has to wait.
 */
bool kseal_tx_shutdown(struct sock *sk, bool last)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_tx *tx = &ks->tx;
	bool done;

	tx->fin = false;
	if (!kseal_tx_keyed(tx) || sk->sk_shutdown & SEND_SHUTDOWN ||
	    !((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return true;
	if (last && kseal_tx_untold(sk))	/* nobody is left to be told */
		WRITE_ONCE(sk->sk_err, 0);
	if (!tx_flush(sk, tx) && ks->state == KSEAL_SEALED && !tx->err) {
		kseal_alert_send(sk, TLS_ALERT_DESC_CLOSE_NOTIFY);
		tx_push(sk, tx, 0);
	}
	kseal_ring_put(tx);
	done = !tx->ring &&
	       (ks->state != KSEAL_SEALED || tx->closed || tx->err);
	if (!done && !last && !tx->err) {
		tx->fin = true;
		tx_schedule(tx, TX_RETRY_DELAY);
		return false;
	}
	if (!done) {
		if (tx->ring)
			kseal_ring_empty(tx->ring);
		kseal_ring_put(tx);
		tx->err = -EPIPE;
		sock_set_flag(sk, SOCK_LINGER);
		sk->sk_lingertime = 0;
	}
	return true;
}

/**
 * kseal_tx_release() - free an outgoing direction
 * @sk: socket that no system call can reach any more
 *
 * Context: process, no locks held.
 */
void kseal_tx_release(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	lock_sock(sk);
	tx->stopping = true;
	kseal_cork_release(sk);
	release_sock(sk);
	cancel_delayed_work_sync(&tx->work);
	kseal_key_free(&tx->key);
	if (tx->ring)
		kseal_ring_empty(tx->ring);
	kseal_ring_put(tx);
}
