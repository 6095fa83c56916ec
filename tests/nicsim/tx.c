// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's outgoing side. Segments of an offloaded stream that come in order go
 * to the card's engine as they are. Others are dealt with in one of the two ways that
 * real drivers have: the state is rebuilt from the start of the record
 * (tls_get_record()), or the segment is sealed in software (tls_encrypt_skb()) and,
 * if it is ahead, the stack asked to resync the card.
 */
#include <linux/highmem.h>
#include <linux/tcp.h>
#include <net/tcp.h>

#include "nicsim.h"

static struct nicsim_tx **tx_slot(struct tls_context *ctx)
{
	return __tls_driver_ctx(ctx, TLS_OFFLOAD_CTX_DIR_TX);
}

/**
 * nicsim_tx_add() - tls_dev_add() of an outgoing stream
 * @nic: card
 * @sk: its socket
 * @info: keys
 * @seq: TCP sequence number of its first record
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int nicsim_tx_add(struct nicsim *nic, struct sock *sk,
		  const struct tls_crypto_info *info, u32 seq)
{
	struct nicsim_tx *tx = kzalloc(sizeof(*tx), GFP_KERNEL);
	int err;

	if (!tx)
		return -ENOMEM;
	err = nicsim_stream_init(&tx->stream, true, info);
	if (err) {
		kfree(tx);
		return err;
	}
	tx->stream.no_cipher = nic->knobs.no_cipher;
	tx->next_seq = seq;
	*tx_slot(tls_get_ctx(sk)) = tx;
	spin_lock_bh(&nic->lock);
	nic->count[NICSIM_TX_CTX]++;
	nic->count[NICSIM_TX_ADD]++;
	spin_unlock_bh(&nic->lock);
	return 0;
}

/**
 * nicsim_tx_del() - tls_dev_del() of an outgoing stream
 * @nic: card
 * @ctx: its context
 *
 * Context: process.
 */
void nicsim_tx_del(struct nicsim *nic, struct tls_context *ctx)
{
	struct nicsim_tx *tx = *tx_slot(ctx);

	if (WARN_ON(!tx))
		return;
	spin_lock_bh(&nic->lock);
	*tx_slot(ctx) = NULL;
	nic->count[NICSIM_TX_CTX]--;
	spin_unlock_bh(&nic->lock);
	nicsim_stream_exit(&tx->stream);
	kfree(tx);
}

/**
 * nicsim_tx_resync() - tls_dev_resync() of an outgoing stream
 * @nic: card
 * @sk: its socket
 * @seq: TCP sequence number of the next record
 * @rcd_sn: that record's number
 *
 * Context: process.
 * Return: 0.
 */
int nicsim_tx_resync(struct nicsim *nic, struct sock *sk, u32 seq, u64 rcd_sn)
{
	struct nicsim_tx *tx = *tx_slot(tls_get_ctx(sk));

	spin_lock_bh(&nic->lock);
	nic->count[NICSIM_TX_RESYNC]++;
	nicsim_stream_seek(&tx->stream, rcd_sn);
	tx->next_seq = seq;
	spin_unlock_bh(&nic->lock);
	return 0;
}

enum rebuilt {
	REBUILT,
	REBUILT_SKIP,		/* nothing to do: from before the offload */
	REBUILT_FAILED,
};

/* Bring the engine to the middle of the record that @seq lies in. */
static enum rebuilt tx_rebuild(struct nicsim *nic, struct nicsim_tx *tx,
			       struct sock *sk, u32 seq, unsigned int n)
{
	struct tls_offload_context_tx *octx = tls_offload_ctx_tx(tls_get_ctx(sk));
	enum rebuilt ret = REBUILT_FAILED;
	struct tls_record_info *rec;
	unsigned int i, k, done = 0;
	unsigned long flags;
	u32 ahead;
	u64 sn;

	spin_lock_irqsave(&octx->lock, flags);
	rec = tls_get_record(octx, seq, &sn);
	if (!rec)
		goto out;
	if (before(seq, tls_record_start_seq(rec))) {
		if (tls_record_is_start_marker(rec) &&
		    !after(seq + n, tls_record_start_seq(rec)))
			ret = REBUILT_SKIP;
		goto out;
	}
	ahead = seq - tls_record_start_seq(rec);
	if (WARN_ON(ahead > NICSIM_RECORD_MAX))
		goto out;
	for (i = 0; i < rec->num_frags && done < ahead; i++) {
		k = min_t(unsigned int, skb_frag_size(&rec->frags[i]),
			  ahead - done);
		memcpy(nic->scratch + done, skb_frag_address(&rec->frags[i]), k);
		done += k;
	}
	if (done == ahead)
		ret = REBUILT;
out:
	spin_unlock_irqrestore(&octx->lock, flags);
	if (ret == REBUILT) {
		nicsim_stream_seek(&tx->stream, sn);
		tx->next_seq = seq;
		if (nicsim_stream_feed(&tx->stream, nic->scratch, ahead))
			ret = REBUILT_FAILED;
	}
	return ret;
}

/*
 * What is to be done with a packet of an offloaded socket. Returns the packet, or
 * another in its place, or NULL if it had to be dropped; *@txp is set if the card
 * has to seal it.
 */
static struct sk_buff *tx_prepare(struct nicsim *nic, struct sk_buff *skb,
				  struct nicsim_tx **txp)
{
	struct tls_context *ctx = tls_get_ctx(skb->sk);
	struct net_device *owner = rcu_dereference_bh(ctx->netdev);
	unsigned int n = skb->len - skb_tcp_all_headers(skb);
	u32 seq = ntohl(tcp_hdr(skb)->seq);
	struct sock *sk = skb->sk;
	bool pending = false;
	struct nicsim_tx *tx;

	if (owner && owner != nic->dev) {
		nic->count[NICSIM_TX_FOREIGN] += !!n;
		return skb;
	}
	tx = *tx_slot(ctx);
	if (!n || WARN_ON(!tx))
		return skb;
	if (nic->knobs.tx_fallback)
		pending = tls_offload_tx_resync_pending(sk);
	if (seq == tx->next_seq && !pending) {
		*txp = tx;
		return skb;
	}
	if (nic->knobs.tx_fallback) {
		if (!pending && after(seq, tx->next_seq)) {
			nic->count[NICSIM_TX_RESYNC_REQ]++;
			tls_offload_tx_resync_request(sk, seq, tx->next_seq);
		}
		nic->count[NICSIM_TX_FALLBACK]++;
		return tls_encrypt_skb(skb);
	}
	switch (tx_rebuild(nic, tx, sk, seq, n)) {
	case REBUILT:
		nic->count[NICSIM_TX_REBUILD]++;
		*txp = tx;
		return skb;
	case REBUILT_SKIP:
		nic->count[NICSIM_TX_SKIP]++;
		return skb;
	default:
		kfree_skb(skb);
		return NULL;
	}
}

static void tx_segment(struct nicsim *nic, struct nicsim_tx *tx,
		       struct sk_buff *seg)
{
	unsigned int hdr = 0, n = 0;
	struct sk_buff *skb;
	u64 records;
	u8 *p;

	/* The engine writes into memory of its own, as DMA would. */
	skb = skb_copy(seg, GFP_ATOMIC);
	kfree_skb(seg);
	if (!skb)
		goto drop;
	if (skb_transport_header_was_set(skb) && skb->len > ETH_HLEN &&
	    ((skb->protocol == htons(ETH_P_IP) &&
	      ip_hdr(skb)->protocol == IPPROTO_TCP) ||
	     (skb->protocol == htons(ETH_P_IPV6) &&
	      ipv6_hdr(skb)->nexthdr == IPPROTO_TCP))) {
		hdr = skb_tcp_all_headers(skb);
		n = skb->len - hdr;
	}
	p = skb->data + hdr;
	if (tx && n) {
		records = tx->stream.records;
		if (ntohl(tcp_hdr(skb)->seq) != tx->next_seq ||
		    nicsim_stream_feed(&tx->stream, p, n))
			goto drop;
		tx->next_seq += n;
		nic->count[NICSIM_TX_RECORDS] += tx->stream.records - records;
		nic->count[NICSIM_TX_BYTES] += n;
	}
	if (n && nic->knobs.forge) {
		nic->knobs.forge--;
		p[n / 2] ^= 1;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		goto drop;
	nicsim_wire(nic, skb, n);
	return;
drop:
	nic->count[NICSIM_TX_DROP]++;
	kfree_skb(skb);
}

netdev_tx_t nicsim_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct nicsim *nic = netdev_priv(dev);
	struct sk_buff *segs, *next;
	struct nicsim_tx *tx = NULL;

	spin_lock(&nic->lock);
	if (nicsim_skb_offloaded(skb)) {
		skb = tx_prepare(nic, skb, &tx);
		if (!skb) {
			nic->count[NICSIM_TX_DROP]++;
			goto out;
		}
	}
	if (skb_is_gso(skb)) {
		segs = skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM);
		if (IS_ERR_OR_NULL(segs)) {
			nic->count[NICSIM_TX_DROP]++;
			kfree_skb(skb);
			goto out;
		}
		consume_skb(skb);
		skb = segs;
	}
	skb_list_walk_safe(skb, segs, next) {
		skb_mark_not_on_list(segs);
		tx_segment(nic, tx, segs);
	}
out:
	spin_unlock(&nic->lock);
	return NETDEV_TX_OK;
}
