// SPDX-License-Identifier: GPL-2.0
/*
 * Opening what comes: one record at a time, from the head of the stream. Called
 * by rx.c under the socket lock.
 *
 * A record is decrypted from TCP's receive queue into the work space of the call, and
 * copied to the application if it fits there whole; else into a buffer of its own
 * (held) that later reads are served from. To pin the application's pages and decrypt
 * into them costs more than the copy, and would let it see what is not authenticated
 * yet. The type of a TLS 1.3 record shows only when it is open: if it turns out not to
 * be application data, or to be padded, it is opened once more, into a buffer. Until it
 * has been authenticated it stays in the stream.
 */
#include <net/tcp.h>

#include "alert.h"
#include "offload.h"
#include "socket.h"
#include "stats.h"
#include "stream.h"
#include "unseal.h"

#define RX_SRC_SEGS	36	/* pieces of a record in TCP's queue, with the AAD */
#define RX_DST_SEGS	20
#define RX_LINEAR_MAX	2048
#define RX_CONTROL_MAX	16	/* bytes of a control record that are looked at */

/* A record and the type behind it, beginning anywhere in the first page. */
#define RX_PLAIN_SIZE	ALIGN(PAGE_SIZE - 1 + KSEAL_MAX_PLAINTEXT + 1, PAGE_SIZE)

/**
 * struct kseal_rx_ring - work space for opening a record
 * @plain: plaintext on its way to the application, from the start of a page on; NULL if
 *	there was no memory for that in one piece
 * @src: AAD and ciphertext
 * @dst: AAD and plaintext
 * @prefix: header and explicit nonce
 */
struct kseal_rx_ring {
	u8 *plain;
	struct scatterlist src[RX_SRC_SEGS];
	struct scatterlist dst[RX_DST_SEGS];
	u8 prefix[KSEAL_HEADER_LEN + 8];
};

/**
 * struct kseal_rx_space - the same with room for the plaintext
 * @plain: see there
 * @ring: the work space
 */
struct kseal_rx_space {
	u8 plain[RX_PLAIN_SIZE];
	struct kseal_rx_ring ring;
};

static struct kmem_cache *space_cache;

/* What a work space is like between two records, and so when it is freed. */
static void ring_init(struct kseal_rx_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	sg_init_table(ring->src, RX_SRC_SEGS);
	sg_init_table(ring->dst, RX_DST_SEGS);
	sg_unmark_end(&ring->src[RX_SRC_SEGS - 1]);
	sg_unmark_end(&ring->dst[RX_DST_SEGS - 1]);
}

static void space_ctor(void *object)
{
	struct kseal_rx_space *space = object;

	ring_init(&space->ring);
	space->ring.plain = space->plain;
}

/**
 * kseal_unseal_init() - set up for all sockets
 *
 * Context: process, when the module is loaded.
 * Return: 0 or -ENOMEM.
 */
int __init kseal_unseal_init(void)
{
	space_cache = kmem_cache_create_usercopy("kseal_rx_space",
						 sizeof(struct kseal_rx_space),
						 PAGE_SIZE, 0,
						 offsetof(struct kseal_rx_space, plain),
						 RX_PLAIN_SIZE, space_ctor);
	return space_cache ? 0 : -ENOMEM;
}

/**
 * kseal_unseal_exit() - undo kseal_unseal_init()
 *
 * Context: process, when no socket uses the module.
 */
void kseal_unseal_exit(void)
{
	kmem_cache_destroy(space_cache);
}

/*
 * The slabs of @space_cache are large. Nobody is killed for one, and nothing is refused
 * for want of it: records are then opened into buffers of smaller pieces.
 */
static struct kseal_rx_ring *ring_alloc(void)
{
	struct kseal_rx_space *space;
	struct kseal_rx_ring *ring;

	space = kmem_cache_alloc(space_cache, GFP_KERNEL | __GFP_NORETRY |
					      __GFP_NOWARN);
	if (likely(space))
		return &space->ring;
	ring = kmalloc(sizeof(*ring), GFP_KERNEL);
	if (ring)
		ring_init(ring);
	return ring;
}

static int ring_get(struct kseal_rx *rx)
{
	struct kseal_rx_ring *ring;

	if (rx->ring)
		return 0;
	ring = ring_alloc();
	if (!ring)
		return -ENOMEM;
	sg_set_buf(&ring->src[0], rx->key.aad, rx->key.format.aad);
	sg_set_buf(&ring->dst[0], rx->key.aad, rx->key.format.aad);
	rx->ring = ring;
	return 0;
}

/**
 * kseal_unseal_done() - at the end of a call: free the work space
 * @rx: incoming direction
 *
 * Context: process, under the socket lock.
 */
void kseal_unseal_done(struct kseal_rx *rx)
{
	struct kseal_rx_ring *ring = rx->ring;

	if (!ring)
		return;
	if (ring->plain)
		kmem_cache_free(space_cache,
				container_of(ring, struct kseal_rx_space, ring));
	else
		kfree(ring);
	rx->ring = NULL;
}

/**
 * kseal_unseal_preamble() - hold what is to be read ahead of all records
 * @rx: incoming direction, of which nothing has been read
 * @skb: it; taken over
 *
 * Context: process, under the socket lock.
 */
void kseal_unseal_preamble(struct kseal_rx *rx, struct sk_buff *skb)
{
	kseal_rx_cb(skb)->off = 0;
	kseal_rx_cb(skb)->len = skb->len;
	kseal_rx_cb(skb)->type = TLS_RECORD_TYPE_DATA;
	rx->held_bytes += skb->len;
	__skb_queue_tail(&rx->held, skb);
}

/* Map the ciphertext of the record at the head of the stream. */
static int rx_map_src(struct sock *sk, struct kseal_rx *rx,
		      const struct kseal_header *h)
{
	unsigned int prefix = rx->key.format.prefix;
	unsigned int total = KSEAL_HEADER_LEN + h->len;
	struct scatterlist *src = rx->ring->src + 1;
	int n;

	n = kseal_stream_map(sk, prefix, total - prefix, src, RX_SRC_SEGS - 1);
	if (n == -EMSGSIZE) {
		/* In too many pieces: collect them. */
		n = kseal_stream_drain(sk, total);
		if (n >= 0)
			n = kseal_stream_map(sk, prefix, total - prefix, src,
					     RX_SRC_SEGS - 1);
	}
	return n;
}

static int rx_decrypt(struct kseal_rx *rx, const struct kseal_header *h,
		      unsigned int nsrc, unsigned int ndst)
{
	struct kseal_rx_ring *ring = rx->ring;
	int err;

	if (rx->plain)
		return kseal_offload_rx_copy(rx, ring->src, nsrc, ring->dst,
					     ndst, h->payload +
						   rx->key.format.tail);
	sg_mark_end(&ring->src[nsrc]);
	sg_mark_end(&ring->dst[ndst]);
	err = kseal_key_open(&rx->key, ring->prefix, ring->src, ring->dst,
			     h->payload);
	sg_unmark_end(&ring->src[nsrc]);
	sg_unmark_end(&ring->dst[ndst]);
	return err;
}

/*
 * Open a record and copy it to the application. The plaintext lies in its pages as
 * the ciphertext does in TCP's, so that the cipher comes to the ends of both at the
 * same bytes. Returns 1 if that was right, 0 if it has to be opened into a buffer
 * that stays, or an errno.
 */
static int rx_open_direct(struct kseal_rx *rx, const struct kseal_header *h,
			  struct msghdr *msg, unsigned int nsrc)
{
	struct kseal_rx_ring *ring = rx->ring;
	unsigned int tail = rx->key.format.tail;
	u8 *plain = ring->plain;
	size_t n;
	int err;

	if (!plain)
		return 0;
	plain += offset_in_page(ring->src[1].offset);
	sg_set_buf(&ring->dst[1], plain, h->payload + tail);
	err = rx_decrypt(rx, h, nsrc, 1);
	if (err)
		return err;
	if (tail && plain[h->payload] != TLS_RECORD_TYPE_DATA)
		return 0;
	n = copy_to_iter(plain, h->payload, &msg->msg_iter);
	if (n == h->payload)
		return 1;
	iov_iter_revert(&msg->msg_iter, n);
	return 0;
}

static struct sk_buff *rx_alloc(struct sock *sk, unsigned int len)
{
	struct sk_buff *skb;
	int err;

	if (len <= RX_LINEAR_MAX) {
		skb = alloc_skb(len, sk->sk_allocation);
		if (skb)
			skb_put(skb, len);
		return skb;
	}
	skb = alloc_skb_with_frags(0, len, PAGE_ALLOC_COSTLY_ORDER, &err,
				   sk->sk_allocation);
	if (skb) {
		skb->data_len = len;
		skb->len = len;
	}
	return skb;
}

/* RFC 8446 §5.4; -ENODATA if there is nothing but padding. */
static int rx_inner_type(struct sk_buff *skb, u8 *type)
{
	unsigned int n, end = skb->len;
	u8 buf[64];
	int ret;

	for (; end; end -= n) {
		n = min_t(unsigned int, end, end == skb->len ? 1 : sizeof(buf));
		if (skb_copy_bits(skb, end - n, buf, n))
			return -EFAULT;
		ret = kseal_inner_strip(buf, n, type);
		if (ret >= 0)
			return end - n + ret;
	}
	return -ENODATA;
}

/* Open a record into a buffer; an errno with no buffer on failure. */
static int rx_open_skb(struct sock *sk, struct kseal_rx *rx,
		       const struct kseal_header *h, unsigned int nsrc,
		       struct sk_buff **result)
{
	unsigned int size = h->payload + rx->key.format.tail;
	struct sk_buff *skb;
	int n, err;

	skb = rx_alloc(sk, size);
	if (!skb)
		return -ENOMEM;
	n = size ? kseal_skb_map(skb, 0, size, rx->ring->dst + 1,
				 RX_DST_SEGS - 1) : 0;
	err = n < 0 ? n : rx_decrypt(rx, h, nsrc, n);
	kseal_rx_cb(skb)->off = 0;
	kseal_rx_cb(skb)->len = h->payload;
	kseal_rx_cb(skb)->type = h->type;
	if (!err && rx->key.format.tail) {
		n = rx_inner_type(skb, &kseal_rx_cb(skb)->type);
		if (n >= 0)
			kseal_rx_cb(skb)->len = n;
		else
			err = n;
	}
	if (err) {
		kfree_skb(skb);
		return err;
	}
	*result = skb;
	return 0;
}

static void rx_count(struct sock *sk, struct kseal_rx *rx, unsigned int bytes)
{
	rx->records++;
	rx->bytes += bytes;
	kseal_stat_record(sock_net(sk), false, bytes);
}

/* A record is open: hold it, or act on it. */
static void rx_dispatch(struct sock *sk, struct kseal_rx *rx,
			struct sk_buff *skb)
{
	struct kseal_rx_cb *cb = kseal_rx_cb(skb);
	unsigned int n = min_t(unsigned int, cb->len, RX_CONTROL_MAX);
	u8 body[RX_CONTROL_MAX] = {};
	bool data = cb->type == TLS_RECORD_TYPE_DATA;
	bool ours;

	rx_count(sk, rx, data ? cb->len : 0);
	if (!data && skb_copy_bits(skb, 0, body, n)) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
		kfree_skb(skb);
		return;
	}
	if (data)
		ours = !cb->len;
	else
		ours = rx->sealed || (rx->key.hmac &&
				      kseal_is_key_update(cb->type, body,
							  cb->len));
	if (ours) {
		rx->empty |= data;
		kseal_control_receive(sk, cb->type, body, cb->len, skb);
		consume_skb(skb);
		return;
	}
	if (rx->message_len) {	/* RFC 8446 §5.1: nothing in between */
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		kfree_skb(skb);
		return;
	}
	if (cb->type == TLS_RECORD_TYPE_HANDSHAKE &&
	    rx->key.format.version == TLS_1_3_VERSION && cb->len &&
	    body[0] == KSEAL_HANDSHAKE_KEY_UPDATE)
		WRITE_ONCE(rx->update_pending, true);
	rx->held_bytes += cb->len;
	__skb_queue_tail(&rx->held, skb);
}

/**
 * kseal_unseal_next() - open the record at the head of the stream
 * @sk: socket, keyed
 * @rx: its incoming direction
 * @msg: where application data may go directly; or NULL
 * @room: bytes that @msg has room for
 *
 * kseal_unseal_done() is called once no more follow.
 *
 * Context: process, under the socket lock.
 * Return: bytes put into @msg; 0 if something else has happened: see what is
 * held, @err and @eof; -EAGAIN if there is no whole record; -EKEYEXPIRED if the
 * application has to set the next key first; -ENOMEM.
 */
int kseal_unseal_next(struct sock *sk, struct kseal_rx *rx, struct msghdr *msg,
		      size_t room)
{
	struct sk_buff *skb = NULL;
	struct kseal_header h;
	int nsrc, err;

	if (rx->update_pending)
		return -EKEYEXPIRED;
	kseal_stream_scan(sk, 1);
	if (!rx->scan_off) {
		if (rx->scan_bad < 0)
			return -EAGAIN;
		kseal_stream_fail(sk, rx->scan_bad);
		return 0;
	}
	err = ring_get(rx);
	if (err)
		return err;
	/* The scan has judged it by the limit that was in force then. */
	err = kseal_stream_prefix(sk, rx->ring->prefix);
	if (err || kseal_header_parse(&rx->key.format, KSEAL_MAX_PLAINTEXT,
				      rx->ring->prefix, &h) ||
	    KSEAL_HEADER_LEN + h.len > rx->scan_off) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
		return 0;
	}

	err = rx->hw ? kseal_offload_rx_record(sk, rx, rx->ring->prefix, &h) :
		       0;
	nsrc = err ?: rx_map_src(sk, rx, &h);
	err = nsrc;
	if (err > 0 && msg && h.payload && !rx->message_len &&
	    h.payload <= room && h.type == TLS_RECORD_TYPE_DATA) {
		if (rx->plain && !rx->key.format.tail)
			err = kseal_offload_rx_read(rx, rx->ring->src + 1, nsrc,
						    msg, h.payload);
		else
			err = rx_open_direct(rx, &h, msg, nsrc);
		if (err > 0) {
			rx_count(sk, rx, h.payload);
			kseal_key_opened(&rx->key);
			kseal_stream_done(sk, &h);
			return h.payload;
		}
	}
	if (err >= 0)
		err = rx_open_skb(sk, rx, &h, nsrc, &skb);
	switch (err) {
	case 0:
		kseal_key_opened(&rx->key);
		kseal_stream_done(sk, &h);
		rx_dispatch(sk, rx, skb);
		return 0;
	case -ENOMEM:
		return err;
	case -EBADMSG:
		kseal_stream_fail(sk, TLS_ALERT_DESC_BAD_RECORD_MAC);
		return 0;
	case -ENODATA:
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		return 0;
	default:
		kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
		return 0;
	}
}
