// SPDX-License-Identifier: GPL-2.0
/*
 * The outgoing direction. kseal_sendmsg() cuts what the application writes into
 * records, encrypts each once, into fresh memory, and queues several of them
 * with one call of TCP's own sendmsg, which takes the memory over.
 *
 * Bytes that the application has been told are sent are sealed and queued, all
 * of their record. So room in the send buffer is waited for before a record is
 * begun, and what has been sealed is then queued beyond the limit if need be, by
 * not more than a record. Only when memory runs out can something be left in the
 * ring, which the next call or our work item sends; a stream that is closed
 * before that is reset.
 *
 * Two kinds of plaintext: what is copied from the application is copied into the
 * memory of the record and encrypted in place; pages that are lent
 * (MSG_SPLICE_PAGES: sendfile, splice) are encrypted from where they are. They
 * may change meanwhile: the tag is computed over the ciphertext, so that a record
 * is whole in any case.
 */
#include <linux/bitmap.h>
#include <net/tcp.h>

#include "alert.h"
#include "socket.h"
#include "stats.h"

#define TX_SEGS		18	/* pieces of a record, the AAD included */
#define TX_BVECS	40	/* pieces of all records in the ring */
#define TX_BATCH	(4 * KSEAL_MAX_PLAINTEXT)

#define TX_CORK_DELAY	(HZ / 5)	/* as long as TCP corks */
#define TX_RETRY_DELAY	(HZ / 20)

#define TX_CONTROL_MAX	16
#define TX_CONTROL_ROOM	64	/* bytes of a whole control record, at most */

/* More than any send buffer, small enough to calculate with. */
#define TX_SNDBUF_OPEN	SZ_512M

/**
 * struct kseal_tx_ring - records on their way
 * @bvec: ciphertext: of sealed records that TCP has not taken yet, then of the
 *	open one. Each entry holds a page reference
 * @nr: entries used
 * @nr_sealed: those of sealed records
 * @sealed: bytes in these
 * @open: there is an open record
 * @type: its content type
 * @in_place: it has no lent pages
 * @payload: its bytes of plaintext
 * @prefix: where its header goes
 * @nr_src: entries of @src
 * @nr_dst: entries of @dst
 * @lent: the entries of @src that hold a reference of a lent page
 * @src: AAD and plaintext of the open record
 * @dst: AAD and ciphertext of the open record
 * @ctl: AAD and content of a control record
 */
struct kseal_tx_ring {
	struct bio_vec bvec[TX_BVECS];
	unsigned int nr;
	unsigned int nr_sealed;
	unsigned int sealed;
	bool open;
	u8 type;
	bool in_place;
	unsigned int payload;
	u8 *prefix;
	unsigned int nr_src;
	unsigned int nr_dst;
	DECLARE_BITMAP(lent, TX_SEGS);
	struct scatterlist src[TX_SEGS];
	struct scatterlist dst[TX_SEGS];
	struct scatterlist ctl[2];
};

static_assert(sizeof(struct kseal_tx_ring) <= 2048);

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
 * kseal_tx_set_key() - TLS_TX
 * @sk: socket, HELD or EXPLICIT
 * @optval: struct tls12_crypto_info_*
 * @optlen: its bytes
 *
 * Context: process, under the socket lock.
 * Return: 0 or what kseal_key_set() says.
 */
int kseal_tx_set_key(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_tx *tx = &ks->tx;
	struct kseal_tx_ring *ring;
	int err;

	ring = tx->ring ?: kzalloc(sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	tx->ring = ring;
	tx->sk = sk;
	err = kseal_key_set(&tx->key, &ks->rx.key, optval, optlen);
	if (err)
		return err;
	sg_init_table(ring->src, TX_SEGS);
	sg_init_table(ring->dst, TX_SEGS);
	sg_init_table(ring->ctl, ARRAY_SIZE(ring->ctl));
	sg_unmark_end(&ring->src[TX_SEGS - 1]);
	sg_unmark_end(&ring->dst[TX_SEGS - 1]);
	sg_set_buf(&ring->src[0], tx->key.aad, tx->key.format.aad);
	sg_set_buf(&ring->dst[0], tx->key.aad, tx->key.format.aad);
	sg_set_buf(&ring->ctl[0], tx->key.aad, tx->key.format.aad);
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

/* Append to the ciphertext; takes over a page reference. */
static void ring_add(struct kseal_tx_ring *ring, struct page *page,
		     unsigned int off, unsigned int len)
{
	if (ring->nr > ring->nr_sealed) {
		struct bio_vec *last = &ring->bvec[ring->nr - 1];

		if (last->bv_page == page &&
		    last->bv_offset + last->bv_len == off) {
			last->bv_len += len;
			put_page(page);
			return;
		}
	}
	bvec_set_page(&ring->bvec[ring->nr++], page, len, off);
}

static void sg_add(struct scatterlist *sg, unsigned int *nr, struct page *page,
		   unsigned int off, unsigned int len)
{
	struct scatterlist *last = &sg[*nr - 1];

	if (*nr > 1 && sg_page(last) == page &&
	    last->offset + last->length == off)
		last->length += len;
	else
		sg_set_page(&sg[(*nr)++], page, len, off);
}

/*
 * Up to @want bytes of fresh memory, at least 32 if as many are wanted, with a
 * page reference for the caller.
 */
static unsigned int tx_alloc(struct sock *sk, unsigned int want,
			     struct page **page, unsigned int *off)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	unsigned int n;

	if (!sk_page_frag_refill(sk, pfrag))
		return 0;
	n = min(want, pfrag->size - pfrag->offset);
	*page = pfrag->page;
	*off = pfrag->offset;
	get_page(pfrag->page);
	pfrag->offset += n;
	return n;
}

/* The ring can take a whole record, however fragmented. */
static bool ring_has_room(const struct kseal_tx_ring *ring)
{
	return ring->nr + TX_SEGS + 2 <= TX_BVECS;
}

static bool record_has_room(const struct kseal_tx_ring *ring)
{
	return ring->payload < KSEAL_MAX_PLAINTEXT &&
	       ring->nr_src < TX_SEGS - 2 && ring->nr_dst < TX_SEGS - 2;
}

static void tx_return_lent(struct kseal_tx_ring *ring)
{
	unsigned int i;

	if (ring->in_place)
		return;
	for_each_set_bit(i, ring->lent, TX_SEGS)
		put_page(sg_page(&ring->src[i]));
	bitmap_zero(ring->lent, TX_SEGS);
}

/*
 * A key that has come to its end is replaced, or it is the end of the stream.
 * One more record is kept in reserve for the KeyUpdate or an alert.
 */
static int tx_check_limit(struct sock *sk, struct kseal_tx *tx)
{
	if (likely(!tx->update_due && kseal_key_left(&tx->key) >= 2))
		return 0;
	if (tx->key.hmac)
		return kseal_key_update_send(sk);
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_LIMIT);
	tx->err = -EKEYEXPIRED;
	return tx->err;
}

/* Add up to @want bytes of the application's; returns how many or an errno. */
static int tx_copy(struct sock *sk, struct kseal_tx_ring *ring,
		   struct msghdr *msg, unsigned int want)
{
	struct page *page;
	unsigned int off;
	size_t n, got;

	n = tx_alloc(sk, want, &page, &off);
	if (!n)
		return -ENOMEM;
	got = copy_page_from_iter(page, off, n, &msg->msg_iter);
	if (!got) {
		put_page(page);
		return -EFAULT;
	}
	sg_add(ring->src, &ring->nr_src, page, off, got);
	sg_add(ring->dst, &ring->nr_dst, page, off, got);
	ring_add(ring, page, off, got);
	return got;
}

/* The same for lent pages. */
static int tx_lend(struct sock *sk, struct kseal_tx_ring *ring,
		   struct msghdr *msg, unsigned int want)
{
	struct page *page = NULL, **pages = &page, *to;
	unsigned int n, to_off, done = 0;
	size_t off;
	ssize_t got;

	got = iov_iter_extract_pages(&msg->msg_iter, &pages, want, 1, 0, &off);
	if (got <= 0)
		return got ?: -EIO;
	if (!sendpage_ok(page)) {
		iov_iter_revert(&msg->msg_iter, got);
		return tx_copy(sk, ring, msg, want);
	}
	while (done < got && ring->nr_dst < TX_SEGS - 1) {
		n = tx_alloc(sk, got - done, &to, &to_off);
		if (!n)
			break;
		sg_add(ring->dst, &ring->nr_dst, to, to_off, n);
		ring_add(ring, to, to_off, n);
		done += n;
	}
	iov_iter_revert(&msg->msg_iter, got - done);
	if (!done)
		return -ENOMEM;
	get_page(page);
	ring->in_place = false;
	__set_bit(ring->nr_src, ring->lent);
	sg_set_page(&ring->src[ring->nr_src++], page, done, off);
	return done;
}

static void tx_count(struct sock *sk, struct kseal_tx *tx, unsigned int bytes)
{
	tx->records++;
	tx->bytes += bytes;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_RECORDS);
	kseal_stat_add(sock_net(sk), KSEAL_STAT_TX_BYTES, bytes);
}

/*
 * Seal the open record. -ENOMEM: it is still open. Any other error is the end of
 * the stream.
 */
static int tx_seal(struct sock *sk, struct kseal_tx *tx)
{
	const struct kseal_format *f = &tx->key.format;
	struct kseal_tx_ring *ring = tx->ring;
	struct scatterlist *src = ring->dst;
	unsigned int off, n = f->tail + f->tag;
	struct page *page;
	int err;

	if (tx->update_due) {
		err = kseal_key_update_send(sk);
		if (err)
			return err;
	}
	if (ring->nr == TX_BVECS || !tx_alloc(sk, n, &page, &off))
		return -ENOMEM;
	if (!ring->in_place) {
		src = ring->src;
		if (f->tail)
			sg_set_page(&src[ring->nr_src++], page, f->tail, off);
		sg_mark_end(&src[ring->nr_src - 1]);
	}
	if (f->tail)
		*((u8 *)page_address(page) + off) = ring->type;
	sg_add(ring->dst, &ring->nr_dst, page, off, n);
	ring_add(ring, page, off, n);
	sg_mark_end(&ring->dst[ring->nr_dst - 1]);

	err = kseal_key_seal(&tx->key, ring->type, ring->prefix, src, ring->dst,
			     ring->payload);

	sg_unmark_end(&ring->dst[ring->nr_dst - 1]);
	sg_unmark_end(&ring->src[ring->nr_src - 1]);
	tx_return_lent(ring);
	ring->open = false;
	if (err) {
		while (ring->nr > ring->nr_sealed)
			put_page(ring->bvec[--ring->nr].bv_page);
		tx->err = err;
		return err;
	}
	ring->nr_sealed = ring->nr;
	ring->sealed += f->prefix + ring->payload + n;
	tx_count(sk, tx, ring->type == TLS_RECORD_TYPE_DATA ? ring->payload :
		 0);
	return 0;
}

static int tx_open(struct sock *sk, struct kseal_tx *tx, u8 type)
{
	struct kseal_tx_ring *ring = tx->ring;
	struct page *page;
	unsigned int off;
	int err;

	if (ring->open && (!ring->payload || ring->type == type)) {
		ring->type = type;
		return 0;
	}
	if (ring->open) {
		err = tx_seal(sk, tx);
		if (err)
			return err;
	}
	err = tx_check_limit(sk, tx);
	if (err)
		return err;
	if (!ring_has_room(ring))
		return -ENOMEM;
	if (!tx_alloc(sk, tx->key.format.prefix, &page, &off))
		return -ENOMEM;
	ring->prefix = page_address(page) + off;
	ring_add(ring, page, off, tx->key.format.prefix);
	ring->open = true;
	ring->type = type;
	ring->in_place = true;
	ring->payload = 0;
	ring->nr_src = 1;
	ring->nr_dst = 1;
	return 0;
}

/**
 * kseal_tx_control() - seal a small record of ours and put it in line
 * @sk: socket, keyed
 * @type: content type
 * @data: content
 * @len: its bytes, TX_CONTROL_MAX at most
 *
 * It goes ahead of an open record, which has no number yet. It is not sent yet.
 *
 * Context: process, under the socket lock.
 * Return: 0; -ENOMEM: nothing has happened; -EPIPE if the stream or
 * the connection has ended; another negative errno is the end of the stream.
 */
int kseal_tx_control(struct sock *sk, u8 type, const void *data,
		     unsigned int len)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;
	const struct kseal_format *f = &tx->key.format;
	struct page_frag *pfrag = sk_page_frag(sk);
	struct kseal_tx_ring *ring = tx->ring;
	unsigned int total = f->prefix + len + f->tail + f->tag;
	u8 *buf;
	int err;

	BUILD_BUG_ON(KSEAL_HEADER_LEN + 8 + TX_CONTROL_MAX + 1 + KSEAL_TAG_MAX >
		     TX_CONTROL_ROOM);
	if (WARN_ON_ONCE(len > TX_CONTROL_MAX))
		return -EINVAL;
	if (tx->err || sk->sk_err || (sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	if (ring->nr == TX_BVECS ||
	    !skb_page_frag_refill(TX_CONTROL_ROOM, pfrag, sk->sk_allocation))
		return -ENOMEM;

	buf = page_address(pfrag->page) + pfrag->offset;
	memcpy(buf + f->prefix, data, len);
	if (f->tail)
		buf[f->prefix + len] = type;
	sg_set_page(&ring->ctl[1], pfrag->page, total - f->prefix,
		    pfrag->offset + f->prefix);
	err = kseal_key_seal(&tx->key, type, buf, ring->ctl, ring->ctl, len);
	if (err) {
		tx->err = err;
		return err;
	}

	memmove(&ring->bvec[ring->nr_sealed + 1], &ring->bvec[ring->nr_sealed],
		(ring->nr - ring->nr_sealed) * sizeof(ring->bvec[0]));
	get_page(pfrag->page);
	bvec_set_page(&ring->bvec[ring->nr_sealed++], pfrag->page, total,
		      pfrag->offset);
	ring->nr++;
	ring->sealed += total;
	pfrag->offset += total;
	tx_count(sk, tx, 0);
	return 0;
}

/* TCP has taken @len bytes; drop our references. */
static void ring_taken(struct kseal_tx_ring *ring, unsigned int len)
{
	unsigned int i;

	ring->sealed -= len;
	for (i = 0; i < ring->nr_sealed && ring->bvec[i].bv_len <= len; i++) {
		len -= ring->bvec[i].bv_len;
		put_page(ring->bvec[i].bv_page);
	}
	if (len) {
		ring->bvec[i].bv_len -= len;
		ring->bvec[i].bv_offset += len;
	}
	ring->nr -= i;
	ring->nr_sealed -= i;
	memmove(&ring->bvec[0], &ring->bvec[i],
		ring->nr * sizeof(ring->bvec[0]));
}

static void ring_empty(struct kseal_tx_ring *ring)
{
	if (ring->open)
		tx_return_lent(ring);
	ring->open = false;
	while (ring->nr)
		put_page(ring->bvec[--ring->nr].bv_page);
	ring->nr_sealed = 0;
	ring->sealed = 0;
}

/*
 * Give all that is sealed to TCP, beyond the limits of its send buffer: there
 * was room when the record was begun, or it is a control record. TCP never
 * drops the socket lock here, as it need not wait.
 *
 * Returns 0; -EAGAIN if something is left for want of memory; or the error that
 * the connection has died of.
 */
static int tx_push(struct sock *sk, struct kseal_tx *tx, int flags)
{
	struct msghdr msg = {
		.msg_flags = MSG_SPLICE_PAGES | MSG_NO_SHARED_FRAGS |
			     MSG_DONTWAIT | MSG_NOSIGNAL |
			     (flags & (MSG_MORE | MSG_EOR)),
	};
	struct kseal_tx_ring *ring = tx->ring;
	struct tcp_sock *tp = tcp_sk(sk);
	int n, err = 0, sndbuf = sk->sk_sndbuf;
	u32 lowat = tp->notsent_lowat;

	if (!ring->sealed)
		return 0;
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, ring->bvec, ring->nr_sealed,
		      ring->sealed);
	WRITE_ONCE(sk->sk_sndbuf, TX_SNDBUF_OPEN);
	WRITE_ONCE(tp->notsent_lowat, U32_MAX);
	n = kseal_tcp_sendmsg_locked(sk, &msg, ring->sealed);
	WRITE_ONCE(tp->notsent_lowat, lowat);
	/* TCP may have made it smaller meanwhile, under memory pressure. */
	WRITE_ONCE(sk->sk_sndbuf, min(sk->sk_sndbuf, sndbuf));

	if (n > 0)
		ring_taken(ring, n);
	if (ring->sealed && (n >= 0 || n == -EAGAIN)) {
		WRITE_ONCE(tx->stuck, true);
		tx_schedule(tx, TX_RETRY_DELAY);
		return -EAGAIN;
	}
	if (ring->sealed) {
		ring_empty(ring);
		tx->err = -EPIPE;
		err = n;
	}
	if (tx->stuck) {
		WRITE_ONCE(tx->stuck, false);
		sk->sk_write_space(sk);
	}
	return err;
}

/**
 * kseal_tx_push() - send what kseal_tx_control() has put in line
 * @sk: socket, keyed
 *
 * Context: process, under the socket lock. Never blocks.
 */
void kseal_tx_push(struct sock *sk)
{
	tx_push(sk, &kseal_get(sk)->tx, 0);
}

/* Seal what is open and send it. */
static int tx_flush(struct sock *sk, struct kseal_tx *tx)
{
	int err = 0;

	if (!tx->err && tx->ring->open && tx->ring->payload)
		err = tx_seal(sk, tx);
	if (err == -ENOMEM)
		tx_schedule(tx, TX_RETRY_DELAY);
	return tx_push(sk, tx, 0) ?: err;
}

/* Sends what could not be sent earlier, or has been corked for long enough. */
static void tx_work(struct work_struct *work)
{
	struct kseal_tx *tx = container_of(to_delayed_work(work),
					   struct kseal_tx, work);
	struct sock *sk = tx->sk;
	bool busy;

	/* Don't hold up a shared worker for an application's page fault. */
	spin_lock_bh(&sk->sk_lock.slock);
	busy = sock_owned_by_user(sk);
	spin_unlock_bh(&sk->sk_lock.slock);
	if (busy) {
		schedule_delayed_work(&tx->work, TX_RETRY_DELAY);
		return;
	}

	lock_sock(sk);
	if (!tx->stopping)
		tx_flush(sk, tx);
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

/* Take what the send buffer has room for, seal and send it. */
static int tx_fill(struct sock *sk, struct kseal_tx *tx, struct msghdr *msg,
		   u8 type, bool more, size_t *copied)
{
	bool lent = (msg->msg_flags & MSG_SPLICE_PAGES) &&
		    iov_iter_is_bvec(&msg->msg_iter);
	struct kseal_tx_ring *ring = tx->ring;
	int room = READ_ONCE(sk->sk_sndbuf) - READ_ONCE(sk->sk_wmem_queued);
	int budget = clamp(room, KSEAL_MAX_PLAINTEXT, TX_BATCH);
	unsigned int want;
	int n, err;

	do {
		err = tx_open(sk, tx, type);
		while (!err && msg_data_left(msg) && record_has_room(ring)) {
			want = min_t(size_t, msg_data_left(msg),
				     KSEAL_MAX_PLAINTEXT - ring->payload);
			n = lent ? tx_lend(sk, ring, msg, want) :
				   tx_copy(sk, ring, msg, want);
			if (n < 0) {
				err = n;
				break;
			}
			ring->payload += n;
			*copied += n;
			budget -= n;
		}
		if (err)
			break;
		if (!record_has_room(ring) || !(more || msg_data_left(msg)))
			err = tx_seal(sk, tx);
	} while (!err && msg_data_left(msg) && budget > 0 &&
		 ring_has_room(ring));

	n = tx_push(sk, tx, more || (!err && msg_data_left(msg)) ? MSG_MORE :
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
	bool more;

	if ((msg->msg_flags & MSG_MORE) && (msg->msg_flags & MSG_EOR))
		return -EINVAL;
	if (msg->msg_flags & (MSG_OOB | MSG_FASTOPEN))
		return -EOPNOTSUPP;
	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	if (msg->msg_controllen)
		err = tx_record_type(ks, msg, &type);
	if (err)
		return err;
	if (type)
		tx_flush(sk, tx);
	more = !type && (msg->msg_flags & MSG_MORE ||
			 tcp_sk(sk)->nonagle & TCP_NAGLE_CORK);
	type = type ?: TLS_RECORD_TYPE_DATA;

	for (;;) {
		err = tx->err;
		if (!err && (sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN))
			err = -EPIPE;
		if (err)
			break;
		err = tx_push(sk, tx, 0);
		if (!err && !msg_data_left(msg))
			break;
		if (!err && sk_stream_memory_free(sk)) {
			err = tx_fill(sk, tx, msg, type, more, &copied);
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

	if (tx->ring->open && tx->ring->payload && !tx->err) {
		if (!more)
			tx_flush(sk, tx);
		else
			tx_schedule(tx, TX_CORK_DELAY);
	}
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
 * has reached its limit, -EOPNOTSUPP for urgent data, -EINVAL for a control
 * message that is out of place.
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
 * kseal_tx_uncork() - send an open record that nothing holds back any more
 * @sk: socket, SEALED or EXPLICIT
 *
 * For when TCP_CORK is taken off or TCP_NODELAY is set.
 *
 * Context: process; takes the socket lock.
 */
void kseal_tx_uncork(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	lock_sock(sk);
	if (kseal_tx_keyed(tx) && !(tcp_sk(sk)->nonagle & TCP_NAGLE_CORK))
		tx_flush(sk, tx);
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
 * kseal_tx_want_update() - the peer has asked for a KeyUpdate
 * @sk: socket with a TX secret
 *
 * It is sent at once if there is room in the send buffer, so that a peer which
 * asks again and again without reading gets one answer. It goes out before the
 * next application data in any case (RFC 8446 §4.6.3).
 *
 * Context: process, under the socket lock.
 */
void kseal_tx_want_update(struct sock *sk)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;

	tx->update_due = true;
	if (tx->err || tx->closed || !sk_stream_memory_free(sk))
		return;
	if (!kseal_key_update_send(sk))
		tx_push(sk, tx, 0);
}

/**
 * kseal_tx_shutdown() - end the outgoing stream
 * @sk: socket, SEALED or EXPLICIT
 *
 * Sends what is open, on a sealed stream followed by close_notify. Never blocks.
 * If something can't even be queued, the connection is set to be reset when it
 * is closed.
 *
 * Context: process, under the socket lock.
 */
void kseal_tx_shutdown(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_tx *tx = &ks->tx;

	if (!kseal_tx_keyed(tx) || sk->sk_err ||
	    sk->sk_shutdown & SEND_SHUTDOWN ||
	    !((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return;
	tx_flush(sk, tx);
	if (ks->state == KSEAL_SEALED && !tx->err) {
		kseal_alert_send(sk, TLS_ALERT_DESC_CLOSE_NOTIFY);
		tx_push(sk, tx, 0);
	}
	if (tx->ring->nr) {
		ring_empty(tx->ring);
		tx->err = -EPIPE;
		sock_set_flag(sk, SOCK_LINGER);
		sk->sk_lingertime = 0;
	}
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
	release_sock(sk);
	cancel_delayed_work_sync(&tx->work);
	kseal_key_free(&tx->key);
	if (tx->ring)
		ring_empty(tx->ring);
	kfree(tx->ring);
	tx->ring = NULL;
}
