// SPDX-License-Identifier: GPL-2.0
/*
 * The incoming stream of ciphertext: what TCP has queued, cut into records
 * without copying. Called by rx.c under the socket lock: from process context,
 * or in softirq while no process owns the socket.
 *
 * A record is opened when all of it is there. Where TCP's receive buffer is too
 * small for that, the start of the record is moved into a buffer of ours, so that
 * TCP's window opens for the rest.
 *
 * Positions are offsets from the head of the stream. TCP may repack its queue
 * whenever the lock is dropped, so no pointer into it is kept.
 */
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "offload.h"
#include "socket.h"
#include "stream.h"

/* A whole record of either version. */
#define PARTIAL_SIZE	(KSEAL_HEADER_LEN + 8 + KSEAL_MAX_PLAINTEXT + 1 + \
			 KSEAL_TAG_MAX)

/* Behind it, with a device, a bit for each byte that it has decrypted. */
#define PARTIAL_MARKS	ALIGN(PARTIAL_SIZE, sizeof(long))
#define MARKS_SIZE	(BITS_TO_LONGS(PARTIAL_SIZE) * sizeof(long))

#define ALERT_LEN	2

/* A read of any size should find out; in TLS 1.3 it shows only once opened. */
static bool may_be_alert(const struct kseal_rx *rx,
			 const struct kseal_header *h)
{
	return rx->key.format.version == TLS_1_3_VERSION ?
	       h->payload == ALERT_LEN : h->type != TLS_RECORD_TYPE_DATA;
}

/* Bytes in TCP's queue; a FIN is none. */
static unsigned int queue_len(const struct sock *sk)
{
	const struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);
	u32 end;

	if (!tail)
		return 0;
	end = TCP_SKB_CB(tail)->end_seq;
	if (TCP_SKB_CB(tail)->tcp_flags & TCPHDR_FIN)
		end--;
	end -= tcp_sk(sk)->copied_seq;
	return (s32)end > 0 ? end : 0;
}

/**
 * kseal_stream_len() - bytes that have come
 * @sk: socket, keyed
 *
 * Context: under the socket lock.
 * Return: their number.
 */
unsigned int kseal_stream_len(const struct sock *sk)
{
	return kseal_get(sk)->rx.partial_len + queue_len(sk);
}
EXPORT_SYMBOL_GPL(kseal_stream_len);

/* Bytes of @skb from @seq on; 0 if it ends before. */
static unsigned int skb_left(const struct sk_buff *skb, u32 seq, u32 *off)
{
	*off = seq - TCP_SKB_CB(skb)->seq;
	return *off < skb->len ? skb->len - *off : 0;
}

/*
 * The first buffer with a byte at or after @seq. What is near the head is looked
 * for from there, the rest from the tail: a scan goes on where it stopped.
 */
static struct sk_buff *queue_find(struct sock *sk, u32 seq)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *skb;
	u32 off;

	if (seq == tcp_sk(sk)->copied_seq)
		return tcp_recv_skb(sk, seq, &off);
	skb_queue_reverse_walk(q, skb)
		if (!before(seq, TCP_SKB_CB(skb)->seq))
			return skb;
	return NULL;
}

static struct sk_buff *queue_next(struct sock *sk, struct sk_buff *skb)
{
	return skb_queue_is_last(&sk->sk_receive_queue, skb) ?
	       NULL : skb_queue_next(&sk->sk_receive_queue, skb);
}

/*
 * The fragment of @skb with the byte at *@off behind its head, which becomes an offset
 * in it; the end of all fragments if none has.
 */
static const skb_frag_t *frag_find(const struct sk_buff *skb, unsigned int *off)
{
	const skb_frag_t *frag = skb_shinfo(skb)->frags;
	const skb_frag_t *end = frag + skb_shinfo(skb)->nr_frags;
	unsigned int size;

	for (; frag < end; frag++) {
		size = skb_frag_size(frag);
		if (*off < size)
			break;
		*off -= size;
	}
	return frag;
}

/* Copy what is most often short and in one piece. */
static int buffer_copy(const struct sk_buff *skb, unsigned int off, u8 *to,
		       unsigned int len)
{
	unsigned int at = off - skb_headlen(skb);
	const skb_frag_t *frag;
	const u8 *from;

	if (off >= skb_headlen(skb)) {
		frag = frag_find(skb, &at);
		if (frag < skb_shinfo(skb)->frags + skb_shinfo(skb)->nr_frags &&
		    len <= skb_frag_size(frag) - at) {
			from = skb_frag_address_safe(frag);
			if (from) {
				memcpy(to, from + at, len);
				return 0;
			}
		}
	}
	return skb_copy_bits(skb, off, to, len);
}

/* Copy from the queue; *@skb is where to begin and where to go on. */
static int queue_copy(struct sock *sk, struct sk_buff **skb, u32 seq, u8 *to,
		      unsigned int len)
{
	unsigned int n;
	u32 off;

	while (len && *skb) {
		n = min(len, skb_left(*skb, seq, &off));
		if (n) {
			if (buffer_copy(*skb, off, to, n))
				return -EFAULT;
			to += n;
			seq += n;
			len -= n;
		}
		if (len)
			*skb = queue_next(sk, *skb);
	}
	return len ? -EPROTO : 0;
}

/**
 * kseal_stream_copy() - copy from the stream
 * @sk: socket, keyed
 * @off: where from
 * @to: where to
 * @len: bytes
 *
 * Context: under the socket lock.
 * Return: 0; -EPROTO if the stream is shorter; -EFAULT if it can't be read.
 */
int kseal_stream_copy(struct sock *sk, unsigned int off, void *to,
		      unsigned int len)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	struct sk_buff *skb;
	unsigned int n;
	u32 seq;

	if (off < rx->partial_len) {
		n = min(len, rx->partial_len - off);
		memcpy(to, rx->partial + off, n);
		to += n;
		off += n;
		len -= n;
	}
	if (!len)
		return 0;
	seq = tcp_sk(sk)->copied_seq + off - rx->partial_len;
	skb = queue_find(sk, seq);
	return queue_copy(sk, &skb, seq, to, len);
}

/**
 * kseal_stream_prefix() - what the first record has ahead of its ciphertext
 * @sk: socket, keyed, with a whole record
 * @prefix: result: header and explicit nonce
 *
 * Context: under the socket lock.
 * Return: what kseal_stream_copy() says.
 */
int kseal_stream_prefix(struct sock *sk, u8 *prefix)
{
	const struct kseal_rx *rx = &kseal_get(sk)->rx;
	unsigned int have = rx->head_seen ? KSEAL_HEADER_LEN : 0;
	unsigned int len = rx->key.format.prefix - have;

	memcpy(prefix, rx->head, have);
	return len ? kseal_stream_copy(sk, have, prefix + have, len) : 0;
}

/*
 * Does @off of @page follow what @sg has, in the same compound page? Memory that a
 * sender has filled in one go comes page by page, over loopback or from a device.
 */
static bool sg_follows(struct scatterlist *sg, struct page *page,
		       unsigned int off)
{
	unsigned int end = sg->offset + sg->length;

	return page == sg_page(sg) + (end >> PAGE_SHIFT) &&
	       off == offset_in_page(end) && (off || PageTail(page));
}

/**
 * kseal_skb_map() - describe a part of a buffer
 * @skb: buffer
 * @off: where from
 * @len: bytes, all of them in @skb
 * @sg: entries to fill
 * @max: how many there are
 *
 * Context: any.
 * Return: entries filled; -EMSGSIZE if it takes more; -EFAULT if the memory is
 * not the host's.
 */
int kseal_skb_map(struct sk_buff *skb, unsigned int off, unsigned int len,
		  struct scatterlist *sg, unsigned int max)
{
	unsigned int n, nr = 0, size = skb_headlen(skb);
	const skb_frag_t *frag = skb_shinfo(skb)->frags;
	const skb_frag_t *end = frag + skb_shinfo(skb)->nr_frags;
	struct sk_buff *part;
	struct page *page;
	int ret;

	if (off < size) {
		if (!max)
			return -EMSGSIZE;
		n = min(len, size - off);
		sg_set_buf(&sg[nr++], skb->data + off, n);
		off += n;
		len -= n;
	}
	off -= size;
	for (; len && frag < end; frag++) {
		size = skb_frag_size(frag);
		if (off >= size) {
			off -= size;
			continue;
		}
		page = skb_frag_page(frag);
		if (!page)
			return -EFAULT;
		n = min(len, size - off);
		off += skb_frag_off(frag);
		if (nr && sg_follows(&sg[nr - 1], page, off)) {
			sg[nr - 1].length += n;
		} else {
			if (nr == max)
				return -EMSGSIZE;
			sg_set_page(&sg[nr++], page, n, off);
		}
		off = 0;
		len -= n;
	}
	if (!len)
		return nr;
	skb_walk_frags(skb, part) {
		if (off >= part->len) {
			off -= part->len;
			continue;
		}
		n = min(len, part->len - off);
		ret = kseal_skb_map(part, off, n, sg + nr, max - nr);
		if (ret < 0)
			return ret;
		nr += ret;
		off = 0;
		len -= n;
		if (!len)
			return nr;
	}
	return -EFAULT;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_skb_map);

/**
 * kseal_stream_map() - describe a part of the stream
 * @sk: socket, keyed
 * @off: where from
 * @len: bytes
 * @sg: entries to fill
 * @max: how many there are
 *
 * Context: process, under the socket lock; valid until it is dropped.
 * Return: entries filled; -EMSGSIZE if it takes more; -EPROTO if the stream is
 * shorter; -EFAULT if it can't be read.
 */
int kseal_stream_map(struct sock *sk, unsigned int off, unsigned int len,
		     struct scatterlist *sg, unsigned int max)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	unsigned int n, nr = 0;
	struct sk_buff *skb;
	u32 seq, at;
	int ret;

	if (off < rx->partial_len) {
		n = min(len, rx->partial_len - off);
		sg_set_buf(&sg[nr++], rx->partial + off, n);
		off += n;
		len -= n;
	}
	seq = tcp_sk(sk)->copied_seq + off - rx->partial_len;
	skb = len ? queue_find(sk, seq) : NULL;
	while (len && skb) {
		n = min(len, skb_left(skb, seq, &at));
		if (n) {
			ret = kseal_skb_map(skb, at, n, sg + nr, max - nr);
			if (ret < 0)
				return ret;
			nr += ret;
			seq += n;
			len -= n;
		}
		skb = queue_next(sk, skb);
	}
	return len ? -EPROTO : nr;
}

/*
 * How many of @len bytes of the queue, from @off after its head on, a device has
 * decrypted. If there are @marks, set those of these bytes; the first is @bit.
 */
static unsigned int queue_marked(struct sock *sk, unsigned int off,
				 unsigned int len, unsigned long *marks,
				 unsigned int bit)
{
	u32 at, seq = tcp_sk(sk)->copied_seq + off;
	struct sk_buff *skb = len ? queue_find(sk, seq) : NULL;
	unsigned int n, marked = 0;

	while (len && skb) {
		n = min(len, skb_left(skb, seq, &at));
		if (kseal_skb_decrypted(skb)) {
			marked += n;
			if (marks)
				bitmap_set(marks, bit, n);
		}
		bit += n;
		seq += n;
		len -= n;
		skb = queue_next(sk, skb);
	}
	return marked;
}

/**
 * kseal_partial_marks() - which bytes of our own buffer a device has decrypted
 * @rx: incoming direction with a device and such a buffer
 *
 * Context: under the socket lock.
 * Return: a bit for each byte.
 */
unsigned long *kseal_partial_marks(struct kseal_rx *rx)
{
	return (unsigned long *)(rx->partial + PARTIAL_MARKS);
}

/**
 * kseal_stream_marked() - how much of the start of the stream a device has decrypted
 * @sk: socket with a device for its incoming direction
 * @len: bytes looked at; all of them have come
 *
 * Context: process, under the socket lock.
 * Return: the number of those that it has.
 */
unsigned int kseal_stream_marked(struct sock *sk, unsigned int len)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	unsigned int own = min(len, rx->partial_len);

	return (own ? bitmap_weight(kseal_partial_marks(rx), own) : 0) +
	       queue_marked(sk, 0, len - own, NULL, 0);
}

/**
 * kseal_stream_drain() - make room in TCP's receive buffer
 * @sk: socket, keyed
 * @len: bytes of the record at the head of the stream, as far as known
 *
 * Moves what TCP has of them into our own buffer.
 *
 * Context: process, under the socket lock.
 * Return: bytes moved, or -ENOMEM, -EPROTO, -EFAULT.
 */
int kseal_stream_drain(struct sock *sk, unsigned int len)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	unsigned int have = rx->partial_len;
	int err, n;

	n = min(len - min(len, have), queue_len(sk));
	if (!n || WARN_ON_ONCE(len > PARTIAL_SIZE))
		return 0;
	if (!rx->partial) {
		rx->partial = kmalloc(PARTIAL_MARKS + (rx->hw ? MARKS_SIZE : 0),
				      sk->sk_allocation);
		if (!rx->partial)
			return -ENOMEM;
		if (rx->hw)
			memset(rx->partial + PARTIAL_MARKS, 0, MARKS_SIZE);
	}
	err = kseal_stream_copy(sk, have, rx->partial + have, n);
	if (err)
		return err;
	if (rx->hw)
		queue_marked(sk, 0, n, kseal_partial_marks(rx), have);
	tcp_read_done(sk, n);
	rx->partial_len += n;
	return n;
}

/**
 * kseal_stream_done() - take the first record off the stream
 * @sk: socket, keyed
 * @h: its header; the scan has been past it
 *
 * Context: process, under the socket lock.
 */
void kseal_stream_done(struct sock *sk, const struct kseal_header *h)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	unsigned int len = KSEAL_HEADER_LEN + h->len;

	rx->head_seen = false;
	rx->scan_off -= len;
	rx->scan_need -= len;
	rx->scan_plain -= h->payload;
	rx->scan_records--;
	if (may_be_alert(rx, h))
		rx->scan_alerts--;
	/* A sender on this machine may have changed a header since the scan. */
	if (!rx->scan_records) {
		rx->scan_plain = 0;
		rx->scan_alerts = 0;
	}
	if (rx->partial) {
		len -= rx->partial_len;
		kfree(rx->partial);
		rx->partial = NULL;
		rx->partial_len = 0;
	}
	if (len)
		tcp_read_done(sk, len);
}

/**
 * kseal_stream_scan() - look for whole records
 * @sk: socket, keyed
 * @want: bytes of plaintext after which to stop; one record is looked for in
 *	any case
 *
 * Context: under the socket lock, softirq too.
 */
void kseal_stream_scan(struct sock *sk, unsigned int want)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	unsigned int len = kseal_stream_len(sk);
	struct sk_buff *skb = NULL;
	u8 buf[KSEAL_HEADER_LEN];
	struct kseal_header h;
	u32 seq;
	int err;

	while (rx->scan_bad < 0 && len >= rx->scan_need &&
	       (!rx->scan_off || rx->scan_plain < want)) {
		if (len - rx->scan_off < KSEAL_HEADER_LEN) {
			rx->scan_need = rx->scan_off + KSEAL_HEADER_LEN;
			return;
		}
		seq = tcp_sk(sk)->copied_seq + rx->scan_off - rx->partial_len;
		if (rx->scan_off < rx->partial_len) {
			err = kseal_stream_copy(sk, rx->scan_off, buf,
						sizeof(buf));
		} else {
			skb = skb ?: queue_find(sk, seq);
			err = queue_copy(sk, &skb, seq, buf, sizeof(buf));
		}
		rx->scan_bad = err ? TLS_ALERT_DESC_INTERNAL_ERROR :
			       kseal_header_parse(&rx->key.format,
						  rx->max_payload, buf, &h) ?:
			       -1;
		if (rx->scan_bad >= 0)
			return;
		if (!rx->scan_off) {
			memcpy(rx->head, buf, sizeof(buf));
			rx->head_seen = true;
		}
		rx->scan_need = rx->scan_off + KSEAL_HEADER_LEN + h.len;
		if (rx->hw)
			kseal_offload_rx_header(sk, rx,
						KSEAL_HEADER_LEN + h.len);
		if (len < rx->scan_need)
			return;
		rx->scan_off = rx->scan_need;
		rx->scan_need += KSEAL_HEADER_LEN;
		rx->scan_plain += h.payload;
		rx->scan_records++;
		if (may_be_alert(rx, &h))
			rx->scan_alerts++;
	}
}
