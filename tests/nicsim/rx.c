// SPDX-License-Identifier: GPL-2.0
/*
 * The incoming side. A segment of an offloaded stream is either opened as a whole and
 * marked as decrypted, or passed on as it came. When the card has lost the stream it
 * finds it again in one of the three ways that <net/tls.h> has: it asks whether a
 * header that it has seen is one (at once, or beginning with a time span), or waits
 * until the stack tells it where the next record begins.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "nicsim.h"

static struct nicsim_rx **rx_slot(struct tls_context *ctx)
{
	return __tls_driver_ctx(ctx, TLS_OFFLOAD_CTX_DIR_RX);
}

static void rx_tuple(const struct sock *sk, struct nicsim_tuple *t)
{
	ipv6_addr_set_v4mapped(sk->sk_rcv_saddr, &t->local);
	ipv6_addr_set_v4mapped(sk->sk_daddr, &t->remote);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		t->local = sk->sk_v6_rcv_saddr;
		t->remote = sk->sk_v6_daddr;
	}
#endif
	t->lport = htons(sk->sk_num);
	t->rport = sk->sk_dport;
}

/**
 * nicsim_rx_add() - tls_dev_add() of an incoming stream
 * @nic: card
 * @sk: its socket
 * @info: keys
 * @seq: TCP sequence number of its first record, which may have come already
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int nicsim_rx_add(struct nicsim *nic, struct sock *sk,
		  const struct tls_crypto_info *info, u32 seq)
{
	struct nicsim_rx *rx = kzalloc(sizeof(*rx), GFP_KERNEL);
	int err;

	if (!rx)
		return -ENOMEM;
	err = nicsim_stream_init(&rx->stream, false, info);
	if (err) {
		kfree(rx);
		return err;
	}
	rx->stream.no_cipher = nic->knobs.no_cipher;
	rx->sk = sk;
	rx_tuple(sk, &rx->tuple);
	rx->state = NICSIM_RX_WAIT;
	rx->next_seq = seq;
	rx->sync = nic->knobs.rx_sync;
	tls_offload_rx_resync_set_type(sk, rx->sync);
	if (rx->sync == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC)
		tls_offload_ctx_rx(tls_get_ctx(sk))->resync_async = &rx->async;
	*rx_slot(tls_get_ctx(sk)) = rx;
	spin_lock_bh(&nic->lock);
	list_add_tail(&rx->node, &nic->rx_list);
	nic->count[NICSIM_RX_CTX]++;
	nic->count[NICSIM_RX_ADD]++;
	spin_unlock_bh(&nic->lock);
	return 0;
}

/**
 * nicsim_rx_del() - tls_dev_del() of an incoming stream
 * @nic: card
 * @ctx: its context
 *
 * Context: process.
 */
void nicsim_rx_del(struct nicsim *nic, struct tls_context *ctx)
{
	struct nicsim_rx *rx = *rx_slot(ctx);

	if (WARN_ON(!rx))
		return;
	spin_lock_bh(&nic->lock);
	*rx_slot(ctx) = NULL;
	list_del(&rx->node);
	nic->count[NICSIM_RX_CTX]--;
	spin_unlock_bh(&nic->lock);
	synchronize_net();	/* the stack may look at @async */
	nicsim_stream_exit(&rx->stream);
	kfree(rx);
}

static void rx_wait(struct nicsim_rx *rx, u32 seq, u64 rcd_sn)
{
	rx->state = NICSIM_RX_WAIT;
	rx->next_seq = seq;
	nicsim_stream_seek(&rx->stream, rcd_sn);
}

/**
 * nicsim_rx_resync() - tls_dev_resync() of an incoming stream
 * @nic: card
 * @sk: its socket
 * @seq: TCP sequence number that was asked for, or of the next record
 * @rcd_sn: number of the record there
 *
 * Context: any.
 * Return: 0.
 */
int nicsim_rx_resync(struct nicsim *nic, struct sock *sk, u32 seq, u64 rcd_sn)
{
	struct nicsim_rx *rx;

	spin_lock_bh(&nic->lock);
	rx = *rx_slot(tls_get_ctx(sk));
	if (!rx)
		goto out;
	nic->count[NICSIM_RX_RESYNC]++;
	switch (rx->sync) {
	case TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT:
		if (rx->state != NICSIM_RX_SYNC)
			rx_wait(rx, seq, rcd_sn);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		seq -= NICSIM_HEADER - 1;
		fallthrough;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC:
		if (rx->state == NICSIM_RX_TRACK && seq == rx->track_seq) {
			nic->count[NICSIM_RX_RESYNC_OK]++;
			rx_wait(rx, rx->track_next, rcd_sn + rx->track_count);
		}
		break;
	}
out:
	spin_unlock_bh(&nic->lock);
	return 0;
}

static void rx_lost(struct nicsim *nic, struct nicsim_rx *rx)
{
	nic->count[NICSIM_RX_LOST]++;
	rx->state = rx->sync == TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT ?
		    NICSIM_RX_IDLE : NICSIM_RX_SCAN;
}

/* Follow the chain of headers from @track_next; false if it breaks. */
static bool rx_follow(struct nicsim_rx *rx, u32 seq, const u8 *p, unsigned int n)
{
	u32 off;
	int len;

	while (before(rx->track_next, seq + n)) {
		off = rx->track_next - seq;
		if (before(rx->track_next, seq) || n - off < NICSIM_HEADER)
			return false;
		len = nicsim_record_len(p + off);
		if (len < 0)
			return false;
		rx->track_next += len;
		rx->track_count++;
	}
	return true;
}

static void rx_scan(struct nicsim *nic, struct nicsim_rx *rx, u32 seq,
		    const u8 *p, unsigned int n)
{
	unsigned int off;
	u32 header_end;

	for (off = 0; off + NICSIM_HEADER <= n; off++) {
		if (nicsim_record_len(p + off) < 0)
			continue;
		rx->track_seq = seq + off;
		rx->track_next = rx->track_seq;
		rx->track_count = 0;
		if (!rx_follow(rx, seq, p, n))
			continue;
		rx->state = NICSIM_RX_TRACK;
		nic->count[NICSIM_RX_RESYNC_REQ]++;
		if (rx->sync == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ) {
			header_end = rx->track_seq + NICSIM_HEADER - 1;
			tls_offload_rx_resync_request(rx->sk,
						      htonl(header_end));
			rx->asked = true;
		} else {
			nicsim_resync_start(rx->sk, &rx->async, htonl(seq), n);
			rx->asked = false;
		}
		return;
	}
}

/* Out of sync: the segment is passed on, only looked at. */
static void rx_search(struct nicsim *nic, struct nicsim_rx *rx, u32 seq,
		      const u8 *p, unsigned int n)
{
	if (rx->state == NICSIM_RX_TRACK && !rx_follow(rx, seq, p, n))
		rx->state = NICSIM_RX_SCAN;
	if (rx->state == NICSIM_RX_TRACK && !rx->asked) {
		nicsim_resync_end(rx->sk, &rx->async, htonl(rx->track_seq));
		rx->asked = true;
	}
	if (rx->state == NICSIM_RX_SCAN)
		rx_scan(nic, rx, seq, p, n);
}

/*
 * Show a segment to the engine, in a copy if it writes. Returns true if all of it was
 * opened; the copy is then the plaintext.
 */
static bool rx_engine(struct nicsim *nic, struct nicsim_rx *rx, u32 seq,
		      u8 *p, unsigned int n)
{
	struct nicsim_stream *s = &rx->stream;
	u8 *work = s->no_cipher ? p : nic->scratch;
	u32 skip = 0;
	int err;

	if (rx->state == NICSIM_RX_SYNC && after(seq, rx->next_seq)) {
		/* The rest of this record is lost, but not where the next begins. */
		if (!s->len) {
			rx_lost(nic, rx);
			return false;
		}
		rx_wait(rx, rx->next_seq + s->len - s->pos, s->rcd_sn + 1);
	}
	if (rx->state == NICSIM_RX_WAIT) {
		if (!before(rx->next_seq, seq + n))
			return false;
		if (before(rx->next_seq, seq)) {
			rx_lost(nic, rx);
			return false;
		}
		skip = rx->next_seq - seq;
		rx->state = NICSIM_RX_SYNC;
	} else if (rx->state != NICSIM_RX_SYNC) {
		rx_search(nic, rx, seq, p, n);
		return false;
	} else if (seq != rx->next_seq) {
		return false;		/* seen before */
	}

	if (work != p)
		memcpy(work, p, n);
	err = nicsim_stream_feed(s, work + skip, n - skip);
	rx->next_seq = seq + n;
	if (err) {
		nic->count[NICSIM_RX_BAD_TAG] += err == -EBADMSG;
		rx_lost(nic, rx);
		return false;
	}
	return !skip;
}

static void rx_segment(struct nicsim *nic, struct nicsim_rx *rx,
		       struct sk_buff *skb, u32 seq, u8 *p, unsigned int n)
{
	u64 records = rx->stream.records;

	if (rx_engine(nic, rx, seq, p, n) && !nicsim_hit(nic->knobs.partial)) {
		if (!rx->stream.no_cipher)
			memcpy(p, nic->scratch, n);
		skb->decrypted = 1;
		nic->count[NICSIM_RX_DECRYPTED]++;
	} else {
		nic->count[NICSIM_RX_PASSED]++;
	}
	nic->count[NICSIM_RX_RECORDS] += rx->stream.records - records;
}

/*
 * Of a whole, linear TCP segment with a right checksum: addresses, ports, payload.
 * Returns bytes of payload or a negative number for what is something else.
 */
static int rx_parse(struct sk_buff *skb, struct nicsim_tuple *t,
		    struct tcphdr **thp)
{
	unsigned int off, len;
	struct tcphdr *th;
	__sum16 sum;

	if (skb->protocol == htons(ETH_P_IP)) {
		struct iphdr *ip = (struct iphdr *)skb->data;

		if (skb->len < sizeof(*ip) || ip->protocol != IPPROTO_TCP ||
		    ip->frag_off & htons(IP_MF | IP_OFFSET) ||
		    ntohs(ip->tot_len) != skb->len)
			return -1;
		off = ip->ihl * 4;
		ipv6_addr_set_v4mapped(ip->daddr, &t->local);
		ipv6_addr_set_v4mapped(ip->saddr, &t->remote);
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (struct ipv6hdr *)skb->data;

		off = sizeof(*ip);
		if (skb->len < off || ip->nexthdr != IPPROTO_TCP ||
		    ntohs(ip->payload_len) != skb->len - off)
			return -1;
		t->local = ip->daddr;
		t->remote = ip->saddr;
	} else {
		return -1;
	}
	len = skb->len - off;
	th = (struct tcphdr *)(skb->data + off);
	if (skb->len < off + sizeof(*th) || len < th->doff * 4)
		return -1;
	if (skb->protocol == htons(ETH_P_IP))
		sum = csum_tcpudp_magic(t->remote.s6_addr32[3],
					t->local.s6_addr32[3], len, IPPROTO_TCP,
					csum_partial(th, len, 0));
	else
		sum = csum_ipv6_magic(&t->remote, &t->local, len, IPPROTO_TCP,
				      csum_partial(th, len, 0));
	if (sum)
		return -1;
	t->lport = th->dest;
	t->rport = th->source;
	*thp = th;
	return len - th->doff * 4;
}

static void rx_packet(struct nicsim *nic, struct sk_buff *skb)
{
	struct nicsim_tuple t;
	struct nicsim_rx *rx;
	struct tcphdr *th;
	int n;

	if (!(nic->dev->features & NETIF_F_RXCSUM) || skb_is_nonlinear(skb))
		return;
	n = rx_parse(skb, &t, &th);
	if (n < 0)
		return;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (!n || n > NICSIM_SCRATCH)
		return;
	spin_lock(&nic->lock);
	list_for_each_entry(rx, &nic->rx_list, node) {
		if (rx->tuple.lport != t.lport || rx->tuple.rport != t.rport ||
		    !ipv6_addr_equal(&rx->tuple.local, &t.local) ||
		    !ipv6_addr_equal(&rx->tuple.remote, &t.remote))
			continue;
		rx_segment(nic, rx, skb, ntohl(th->seq),
			   (u8 *)th + th->doff * 4, n);
		break;
	}
	spin_unlock(&nic->lock);
}

int nicsim_poll(struct napi_struct *napi, int budget)
{
	struct nicsim *nic = container_of(napi, struct nicsim, napi);
	struct sk_buff *skb;
	int done = 0;

	while (done < budget) {
		skb = skb_dequeue(&nic->rxq);
		if (!skb)
			break;
		rx_packet(nic, skb);
		napi_gro_receive(napi, skb);
		done++;
	}
	if (done < budget && napi_complete_done(napi, done) &&
	    !skb_queue_empty(&nic->rxq))
		napi_schedule(napi);
	return done;
}
