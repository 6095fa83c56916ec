// SPDX-License-Identifier: GPL-2.0
/*
 * Making records: plaintext is gathered into an open record, which is sealed into
 * fresh memory when it is full or has to go. Called by tx.c, and for control
 * records by alert.c, under the socket lock in process context.
 *
 * Two kinds of plaintext. What an application writes is copied into the memory of
 * the record and encrypted in place: pinning its pages costs as much as the copy,
 * which also brings them into the cache. Pages that are lent (MSG_SPLICE_PAGES:
 * sendfile, splice) are encrypted from where they are. They may change meanwhile:
 * the tag is computed over the ciphertext, so that a record is whole in any case.
 *
 * The kernel's AEADs go through memory page by page and do a cipher block that
 * lies across an edge by hand. So long ciphertext begins at a multiple of a block;
 * that of lent pages where these do in their pages, which makes the edges coincide.
 * Headers and tags come from elsewhere then, not to waste a page a record.
 */
#include <linux/bitmap.h>
#include <net/tcp.h>

#include "alert.h"
#include "offload.h"
#include "pages.h"
#include "seal.h"
#include "socket.h"
#include "stats.h"

#define TX_CONTROL_MAX	16
#define TX_BLOCK	16	/* of every cipher that works in blocks */
#define TX_SPARE	256	/* headers and tags of a call's records */
#define TX_CONTROL_ROOM	64	/* bytes of a whole control record, at most */

static struct kmem_cache *ring_cache;

/* What a ring that holds nothing is like; so it is when it is freed. */
static void ring_ctor(void *object)
{
	struct kseal_tx_ring *ring = object;

	memset(ring, 0, sizeof(*ring));
	sg_init_table(ring->src, TX_SEGS);
	sg_init_table(ring->dst, TX_SEGS);
	sg_init_table(ring->ctl, ARRAY_SIZE(ring->ctl));
	sg_unmark_end(&ring->src[TX_SEGS - 1]);
	sg_unmark_end(&ring->dst[TX_SEGS - 1]);
}

/**
 * kseal_seal_init() - set up for all sockets
 *
 * Context: process, when the module is loaded.
 * Return: 0 or -ENOMEM.
 */
int __init kseal_seal_init(void)
{
	ring_cache = kmem_cache_create("kseal_tx_ring",
				       sizeof(struct kseal_tx_ring), 0,
				       SLAB_HWCACHE_ALIGN, ring_ctor);
	return ring_cache ? 0 : -ENOMEM;
}

/**
 * kseal_seal_exit() - undo kseal_seal_init()
 *
 * Context: process, when no socket uses the module.
 */
void kseal_seal_exit(void)
{
	kmem_cache_destroy(ring_cache);
}

/**
 * kseal_ring_get() - have a ring
 * @tx: outgoing direction, keyed
 *
 * Context: process, under the socket lock.
 * Return: 0 or -ENOMEM.
 */
int kseal_ring_get(struct kseal_tx *tx)
{
	struct kseal_tx_ring *ring;

	if (tx->ring)
		return 0;
	ring = kmem_cache_alloc(ring_cache, GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	sg_set_buf(&ring->src[0], tx->key.aad, tx->key.format.aad);
	sg_set_buf(&ring->dst[0], tx->key.aad, tx->key.format.aad);
	tx->ring = ring;
	return 0;
}

/**
 * kseal_ring_put() - at the end of a call: keep the ring only if something is in it
 * @tx: outgoing direction
 *
 * Context: process, under the socket lock.
 */
void kseal_ring_put(struct kseal_tx *tx)
{
	struct kseal_tx_ring *ring = tx->ring;

	if (!ring)
		return;
	if (ring->open && !ring->payload)
		kseal_record_drop(ring);
	if (ring->nr)
		return;
	if (ring->spare.page)
		put_page(ring->spare.page);
	ring->spare = (struct page_frag) {};
	kmem_cache_free(ring_cache, ring);
	tx->ring = NULL;
}

/* Append to the ciphertext; what becomes a piece of its own gets a page reference. */
static void ring_add(struct kseal_tx_ring *ring, struct page *page,
		     unsigned int off, unsigned int len)
{
	if (ring->nr > ring->nr_sealed) {
		struct bio_vec *last = &ring->bvec[ring->nr - 1];

		if (last->bv_page == page &&
		    last->bv_offset + last->bv_len == off) {
			last->bv_len += len;
			return;
		}
	}
	get_page(page);
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
 * Up to @want bytes of fresh memory at an offset of @at modulo @align, at most a
 * page; at least 16 bytes if as many are wanted and @align is TX_BLOCK, at least 32
 * if it is 1. The page is there until the next call. Returns 0 without memory.
 */
static unsigned int tx_alloc(struct sock *sk, unsigned int want,
			     unsigned int at, unsigned int align,
			     struct page **page, unsigned int *off)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	unsigned int n;

	for (;;) {
		if (!kseal_pages_refill(sk, pfrag))
			return 0;
		n = (at - pfrag->offset) & (align - 1);
		pfrag->offset += min(n, pfrag->size - pfrag->offset);
		if (pfrag->offset < pfrag->size)
			break;
	}
	n = min(want, pfrag->size - pfrag->offset);
	*page = pfrag->page;
	*off = pfrag->offset;
	pfrag->offset += n;
	return n;
}

/*
 * @len bytes for a header or a tag, not next to the ciphertext but to each other,
 * so that a tag and the next header are one piece to TCP. The page is there until the
 * next call.
 */
static bool spare_alloc(struct kseal_tx_ring *ring, unsigned int len,
			struct page **page, unsigned int *off)
{
	struct page_frag *spare = &ring->spare;
	void *at;

	if (spare->size - spare->offset < len) {
		at = netdev_alloc_frag(TX_SPARE);
		if (!at)
			return false;
		if (spare->page)
			put_page(spare->page);
		spare->page = virt_to_head_page(at);
		spare->offset = at - page_address(spare->page);
		spare->size = spare->offset + TX_SPARE;
	}
	*page = spare->page;
	*off = spare->offset;
	spare->offset += len;
	return true;
}

static void return_lent(struct kseal_tx_ring *ring)
{
	unsigned int i;

	if (ring->in_place)
		return;
	for_each_set_bit(i, ring->lent, TX_SEGS)
		put_page(sg_page(&ring->src[i]));
	bitmap_zero(ring->lent, TX_SEGS);
}

/**
 * kseal_record_drop() - forget the open record
 * @ring: ring with an open record
 *
 * Context: process, under the socket lock.
 */
void kseal_record_drop(struct kseal_tx_ring *ring)
{
	return_lent(ring);
	ring->open = false;
	ring->payload = 0;
	while (ring->nr > ring->nr_sealed)
		put_page(ring->bvec[--ring->nr].bv_page);
}

/*
 * A key that has come to its end is replaced, or there is no more data. One more
 * record is kept in reserve for the KeyUpdate or an alert, close_notify too. In
 * the explicit mode it is the application that sends the KeyUpdate of TLS 1.3,
 * and goes on with its next key.
 */
static int tx_check_limit(struct sock *sk, struct kseal_tx *tx, u8 type)
{
	bool explicit = kseal_get(sk)->state == KSEAL_EXPLICIT;
	u64 left = kseal_key_left(&tx->key);

	if (likely(!tx->update_due && left >= 2))
		return 0;
	if (tx->key.hmac)
		return kseal_key_update_send(sk);
	if (explicit && tx->key.format.version == TLS_1_3_VERSION &&
	    tx->key.seq != U64_MAX)
		return type == TLS_RECORD_TYPE_HANDSHAKE &&
		       kseal_key_seals(&tx->key) ? 0 : -EKEYEXPIRED;
	if (!tx->worn) {
		tx->worn = true;
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_LIMIT);
	}
	if (!explicit)
		return -EKEYEXPIRED;
	/* What the "tls" ULP says when it is out of numbers. */
	tx->err = tx->key.seq == U64_MAX ? -EBADMSG : -EKEYEXPIRED;
	return tx->err;
}

/* Are these pages that may be referred to? */
static bool is_lent(const struct msghdr *msg)
{
	return (msg->msg_flags & MSG_SPLICE_PAGES) &&
	       iov_iter_is_bvec(&msg->msg_iter);
}

static int fill_copy(struct sock *sk, struct kseal_tx_ring *ring,
		     struct msghdr *msg, unsigned int want)
{
	struct page *page;
	unsigned int off;
	size_t n, got;

	n = tx_alloc(sk, want, 0, 1, &page, &off);
	if (!n)
		return -ENOMEM;
	got = copy_from_iter(page_address(page) + off, n, &msg->msg_iter);
	if (!got)
		return -EFAULT;
	sg_add(ring->src, &ring->nr_src, page, off, got);
	sg_add(ring->dst, &ring->nr_dst, page, off, got);
	ring_add(ring, page, off, got);
	return got;
}

/* Room for up to @len bytes of ciphertext, for plaintext at @at in its page. */
static unsigned int fill_room(struct sock *sk, struct kseal_tx_ring *ring,
			      unsigned int len, unsigned int at)
{
	unsigned int n, off, done = 0;
	struct page *page;

	while (done < len && ring->nr_dst < TX_SEGS - 1) {
		n = tx_alloc(sk, len - done, at + done, PAGE_SIZE, &page, &off);
		if (!n)
			break;
		sg_add(ring->dst, &ring->nr_dst, page, off, n);
		ring_add(ring, page, off, n);
		done += n;
	}
	return done;
}

/* What lies behind @off of @page and is kept by a reference of @page. */
static unsigned int folio_left(struct page *page, unsigned int off)
{
	struct folio *folio = page_folio(page);

	return folio_size(folio) -
	       (folio_page_idx(folio, page) << PAGE_SHIFT) - off;
}

static int fill_lent(struct sock *sk, struct kseal_tx_ring *ring,
		     struct msghdr *msg, unsigned int want)
{
	unsigned int i, len, off, n = 0, done, nr = ring->nr_src;
	unsigned int skip = msg->msg_iter.iov_offset;
	const struct bio_vec *bv = msg->msg_iter.bvec;
	struct scatterlist *sg = ring->src;
	struct page *page;

	while (n < want && nr < TX_SEGS - 2) {
		if (skip == bv->bv_len) {
			bv++;
			skip = 0;
			continue;
		}
		off = bv->bv_offset + skip;
		page = nth_page(bv->bv_page, off >> PAGE_SHIFT);
		off = offset_in_page(off);
		len = min3(want - n, bv->bv_len - skip, folio_left(page, off));
		if (!sendpage_ok(page))
			break;
		sg_set_page(&sg[nr++], page, len, off);
		n += len;
		skip += len;
	}
	if (!n)
		return fill_copy(sk, ring, msg, len);

	done = fill_room(sk, ring, n, sg[ring->nr_src].offset);
	for (; n > done; n -= len) {
		len = min(n - done, sg[nr - 1].length);
		sg[nr - 1].length -= len;
		nr -= !sg[nr - 1].length;
	}
	for (i = ring->nr_src; i < nr; i++) {
		get_page(sg_page(&sg[i]));
		__set_bit(i, ring->lent);
		ring->in_place = false;
	}
	ring->nr_src = nr;
	iov_iter_advance(&msg->msg_iter, n);
	return n ?: -ENOMEM;
}

/**
 * kseal_record_fill() - add plaintext to the open record
 * @sk: socket
 * @ring: ring with an open record that has room
 * @msg: where from; advanced
 * @want: bytes, not more than the record has room for
 *
 * Context: process, under the socket lock.
 * Return: bytes added, at least 1; -ENOMEM, -EFAULT, -EIO.
 */
int kseal_record_fill(struct sock *sk, struct kseal_tx_ring *ring,
		      struct msghdr *msg, unsigned int want)
{
	int n;

	n = is_lent(msg) ? fill_lent(sk, ring, msg, want) :
			   fill_copy(sk, ring, msg, want);
	if (n > 0)
		ring->payload += n;
	return n;
}

/**
 * kseal_record_len() - how long the open record would be if it were sealed now
 * @tx: outgoing direction, with an open record
 *
 * Context: any, under the socket lock.
 * Return: bytes on the wire.
 */
unsigned int kseal_record_len(const struct kseal_tx *tx)
{
	const struct kseal_format *f = &tx->key.format;

	return f->prefix + tx->ring->payload + f->tail + f->tag;
}

static void tx_count(struct sock *sk, struct kseal_tx *tx, unsigned int bytes)
{
	tx->records++;
	tx->bytes += bytes;
	kseal_stat_record(sock_net(sk), true, bytes);
}

/**
 * kseal_record_seal() - seal the open record
 * @sk: socket
 * @tx: outgoing direction, with an open record
 *
 * Context: process, under the socket lock.
 * Return: 0; -ENOMEM: it is still open; another negative errno is the end of the
 * stream.
 */
int kseal_record_seal(struct sock *sk, struct kseal_tx *tx)
{
	const struct kseal_format *f = &tx->key.format;
	struct kseal_tx_ring *ring = tx->ring;
	struct scatterlist *src = ring->dst;
	unsigned int off, n = f->tail + f->tag;
	struct page *page;
	int err, hw;
	bool ok;

	if (tx->update_due) {
		err = kseal_key_update_send(sk);
		if (err)
			return err;
	}
	hw = kseal_offload_tx_prepare(sk, tx);
	if (hw < 0)
		return hw;
	if (ring->nr == TX_BVECS)
		return -ENOMEM;
	if (ring->in_place)
		ok = tx_alloc(sk, n, 0, 1, &page, &off);
	else
		ok = spare_alloc(ring, n, &page, &off);
	if (!ok)
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

	if (hw)
		err = kseal_offload_tx_seal(sk, tx, ring->type, ring->prefix,
					    src, ring->dst, ring->payload,
					    &ring->bvec[ring->nr_sealed],
					    ring->nr - ring->nr_sealed);
	else
		err = kseal_key_seal(&tx->key, ring->type, ring->prefix, src,
				     ring->dst, ring->payload);

	sg_unmark_end(&ring->dst[ring->nr_dst - 1]);
	sg_unmark_end(&ring->src[ring->nr_src - 1]);
	if (err) {
		kseal_record_drop(ring);
		return kseal_tx_fail(tx, err);
	}
	return_lent(ring);
	ring->open = false;
	ring->nr_sealed = ring->nr;
	ring->sealed += f->prefix + ring->payload + n;
	tx_count(sk, tx, ring->type == TLS_RECORD_TYPE_DATA ? ring->payload :
		 0);
	return 0;
}

/**
 * kseal_record_open() - have an open record of a type
 * @sk: socket
 * @tx: outgoing direction
 * @type: content type; an open record of another one is sealed first
 * @msg: what it will be filled from
 *
 * Context: process, under the socket lock.
 * Return: 0; -ENOMEM; -EKEYEXPIRED if the key has reached its limit and there is
 * no next one; another negative errno is the end of the stream.
 */
int kseal_record_open(struct sock *sk, struct kseal_tx *tx, u8 type,
		      const struct msghdr *msg)
{
	unsigned int off, align, prefix = tx->key.format.prefix;
	struct kseal_tx_ring *ring = tx->ring;
	struct page *page;
	bool ok;
	int err;

	if (ring->open && (!ring->payload || ring->type == type)) {
		ring->type = type;
		return 0;
	}
	if (ring->open) {
		err = kseal_record_seal(sk, tx);
		if (err)
			return err;
	}
	err = tx_check_limit(sk, tx, type);
	if (err)
		return err;
	if (!kseal_ring_has_room(ring))
		return -ENOMEM;
	/* Short ones end within a page, and are one piece if without a gap. */
	align = iov_iter_count(&msg->msg_iter) < PAGE_SIZE ? 1 : TX_BLOCK;
	if (is_lent(msg))
		ok = spare_alloc(ring, prefix, &page, &off);
	else
		ok = tx_alloc(sk, prefix, -prefix, align, &page, &off);
	if (!ok)
		return -ENOMEM;
	ring->prefix = page_address(page) + off;
	ring_add(ring, page, off, prefix);
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
 * Return: 0; -ENOMEM: nothing has happened, for want of memory or because an error is
 * to be told first; -EPIPE if the stream or the connection has ended; another negative
 * errno is the end of the stream.
 */
int kseal_tx_control(struct sock *sk, u8 type, const void *data,
		     unsigned int len)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;
	const struct kseal_format *f = &tx->key.format;
	struct page_frag *pfrag = sk_page_frag(sk);
	struct kseal_tx_ring *ring;
	unsigned int total = f->prefix + len + f->tail + f->tag;
	struct bio_vec bvec;
	int err, hw;
	u8 *buf;

	BUILD_BUG_ON(KSEAL_HEADER_LEN + 8 + TX_CONTROL_MAX + 1 + KSEAL_TAG_MAX >
		     TX_CONTROL_ROOM);
	if (WARN_ON_ONCE(len > TX_CONTROL_MAX))
		return -EINVAL;
	if (tx->err || sk->sk_state == TCP_CLOSE ||
	    (sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	if (kseal_tx_untold(sk) || kseal_ring_get(tx))
		return -ENOMEM;
	ring = tx->ring;
	if (ring->nr == TX_BVECS ||
	    !skb_page_frag_refill(TX_CONTROL_ROOM, pfrag, sk->sk_allocation))
		return -ENOMEM;
	hw = kseal_offload_tx_prepare(sk, tx);
	if (hw < 0)
		return hw;

	buf = page_address(pfrag->page) + pfrag->offset;
	memcpy(buf + f->prefix, data, len);
	if (f->tail)
		buf[f->prefix + len] = type;
	sg_set_buf(&ring->ctl[0], tx->key.aad, f->aad);
	sg_set_page(&ring->ctl[1], pfrag->page, total - f->prefix,
		    pfrag->offset + f->prefix);
	bvec_set_page(&bvec, pfrag->page, total, pfrag->offset);
	if (hw)
		err = kseal_offload_tx_seal(sk, tx, type, buf, ring->ctl,
					    ring->ctl, len, &bvec, 1);
	else
		err = kseal_key_seal(&tx->key, type, buf, ring->ctl, ring->ctl,
				     len);
	if (err)
		return kseal_tx_fail(tx, err);

	memmove(&ring->bvec[ring->nr_sealed + 1], &ring->bvec[ring->nr_sealed],
		(ring->nr - ring->nr_sealed) * sizeof(ring->bvec[0]));
	get_page(pfrag->page);
	ring->bvec[ring->nr_sealed++] = bvec;
	ring->nr++;
	ring->sealed += total;
	pfrag->offset += total;
	tx_count(sk, tx, 0);
	return 0;
}

/**
 * kseal_ring_taken() - TCP has taken sealed bytes
 * @ring: ring
 * @len: how many
 *
 * Context: process, under the socket lock.
 */
void kseal_ring_taken(struct kseal_tx_ring *ring, unsigned int len)
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

/**
 * kseal_ring_empty() - forget everything
 * @ring: ring
 *
 * Context: process, under the socket lock or with no other user left.
 */
void kseal_ring_empty(struct kseal_tx_ring *ring)
{
	if (ring->open)
		kseal_record_drop(ring);
	while (ring->nr)
		put_page(ring->bvec[--ring->nr].bv_page);
	ring->nr_sealed = 0;
	ring->sealed = 0;
}
