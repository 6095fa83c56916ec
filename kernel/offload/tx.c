// SPDX-License-Identifier: GPL-2.0
/*
 * The outgoing direction of a socket with a device: the list of records that are not
 * acknowledged, from which tls_get_record() and tls_encrypt_skb() of the kernel's tls
 * serve drivers; resync; and the way back to software.
 *
 * A device that stays up, but without the feature or the route, is given up when nothing
 * is on its way to it; until then what goes to another one is sealed by the fallback.
 *
 * When the device has been given up, the records in TCP's queue are still plaintext:
 * kseal_dev_encrypt() seals them on their way. New ones are sealed in software as soon
 * as all of the others have been given to TCP.
 */
#include <linux/delay.h>
#include <linux/unaligned.h>
#include <net/dst.h>
#include <net/tcp.h>

#include "../record.h"
#include "../seal.h"
#include "../stats.h"
#include "device.h"
#include "trace.h"

#define TX_DRAIN	(HZ / 4)	/* jiffies, for what is on its way to the device */
#define TX_DRAIN_AGAIN	HZ		/* until it is waited for once more */

/*
 * Jiffies; not before it does any socket wait. Sockets whose device's queue does not
 * move would hold up a process that has many of them one after the other.
 */
static unsigned long drain_again = INITIAL_JIFFIES;

/**
 * kseal_dev_encrypt() - sk_validate_xmit_skb of a socket that has lost its device
 * @sk: socket
 * @netdev: where the packet goes to
 * @skb: packet
 *
 * Context: softirq or softirqs off.
 * Return: the packet, sealed, or NULL.
 */
struct sk_buff *kseal_dev_encrypt(struct sock *sk, struct net_device *netdev,
				  struct sk_buff *skb)
{
	if (!skb->decrypted)
		return skb;
	skb = tls_encrypt_skb(skb);
	/* It may come by here again, on a device below this one. */
	if (skb)
		skb->decrypted = 0;
	return skb;
}

static void record_free(struct tls_record_info *rec)
{
	int i;

	for (i = 0; i < rec->num_frags; i++)
		put_page(skb_frag_page(&rec->frags[i]));
	kfree(rec);
}

/* TCP's icsk_clean_acked: under the socket lock, mostly in softirq. */
static void tx_clean_acked(struct sock *sk, u32 acked_seq)
{
	struct tls_offload_context_tx *octx = tls_offload_ctx_tx(tls_get_ctx(sk));
	struct tls_record_info *rec, *next;
	unsigned long flags;

	spin_lock_irqsave(&octx->lock, flags);
	rec = octx->retransmit_hint;
	if (rec && !after(rec->end_seq, acked_seq))
		octx->retransmit_hint = NULL;
	list_for_each_entry_safe(rec, next, &octx->records_list, list) {
		if (after(rec->end_seq, acked_seq))
			break;
		list_del(&rec->list);
		record_free(rec);
		octx->unacked_record_sn++;
	}
	spin_unlock_irqrestore(&octx->lock, flags);
}

/* What is queued ends a segment: the next byte begins another one. */
static void tx_fence(struct sock *sk)
{
	struct sk_buff *skb = tcp_write_queue_tail(sk) ?: tcp_rtx_queue_tail(sk);

	if (skb)
		TCP_SKB_CB(skb)->eor = 1;
}

static int fallback_init(struct tls_offload_context_tx *octx,
			 const union kseal_crypto_info *info)
{
	const struct kseal_cipher *c = kseal_cipher_find(info->info.cipher_type);
	struct crypto_aead *aead;
	int err;

	aead = crypto_alloc_aead(c->aead, 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(aead))
		return PTR_ERR(aead);
	err = crypto_aead_setkey(aead, info->bytes + c->key_off, c->key);
	err = err ?: crypto_aead_setauthsize(aead, c->tag);
	if (err)
		crypto_free_aead(aead);
	else
		octx->aead_send = aead;
	return err;
}

/* For the fallback, and drivers that look: what the kernel's tls has there. */
static void fill_prot_info(struct tls_prot_info *prot,
			   const struct kseal_key *key)
{
	const struct kseal_format *f = &key->format;
	const struct kseal_cipher *c = key->cipher;

	prot->version = f->version;
	prot->cipher_type = c->type;
	prot->prepend_size = f->prefix;
	prot->tag_size = f->tag;
	prot->overhead_size = f->prefix + f->tag + f->tail;
	prot->iv_size = c->iv;
	prot->salt_size = c->salt;
	prot->rec_seq_size = sizeof(u64);
	prot->aad_size = f->aad;
	prot->tail_size = f->tail;
}

static struct tls_offload_context_tx *
tx_context_alloc(struct sock *sk, const union kseal_crypto_info *info)
{
	struct tls_offload_context_tx *octx;
	struct tls_record_info *marker;
	int err;

	octx = kzalloc(sizeof(*octx) + TLS_DRIVER_STATE_SIZE_TX, GFP_KERNEL);
	marker = kzalloc(sizeof(*marker), GFP_KERNEL);
	err = octx && marker ? fallback_init(octx, info) : -ENOMEM;
	if (err) {
		kfree(octx);
		kfree(marker);
		return ERR_PTR(err);
	}
	spin_lock_init(&octx->lock);
	INIT_LIST_HEAD(&octx->records_list);
	octx->ctx = tls_get_ctx(sk);
	/* Everything before it was sent otherwise; it has no number. */
	marker->end_seq = tcp_sk(sk)->write_seq;
	list_add(&marker->list, &octx->records_list);
	octx->unacked_record_sn = kseal_get(sk)->tx.key.seq - 1;
	return octx;
}

static void tx_context_free(struct tls_offload_context_tx *octx)
{
	struct tls_record_info *rec, *next;

	list_for_each_entry_safe(rec, next, &octx->records_list, list)
		record_free(rec);
	crypto_free_aead(octx->aead_send);
	kfree_sensitive(octx);
}

/**
 * kseal_dev_tx_add() - have the device seal the records
 * @sk: socket, keyed, without a record yet
 * @info: its key
 *
 * Context: process, under the socket lock.
 * Return: 0 or a negative errno.
 */
int kseal_dev_tx_add(struct sock *sk, const union kseal_crypto_info *info)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct tls_offload_context_tx *octx;
	struct tls_context *ctx = &ks->tls;
	struct net_device *netdev;
	struct kseal_dev *dev;
	int err;

	dev = kseal_dev_find(sk, NETIF_F_HW_TLS_TX, info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	octx = tx_context_alloc(sk, info);
	if (IS_ERR(octx)) {
		kseal_dev_forget(dev);
		return PTR_ERR(octx);
	}
	fill_prot_info(&ctx->prot_info, &ks->tx.key);
	memcpy(&ctx->crypto_send, info, sizeof(ctx->crypto_send));
	ctx->priv_ctx_tx = octx;
	ctx->tx_conf = TLS_HW;
	tx_fence(sk);
	kseal_clean_acked_enable(sk, tx_clean_acked);

	down_read(&kseal_dev_sem);
	netdev = dev->netdev;
	err = -ENETDOWN;
	if (netdev && netdev->flags & IFF_UP)
		err = netdev->tlsdev_ops->tls_dev_add(netdev, sk,
						      TLS_OFFLOAD_CTX_DIR_TX,
						      &ctx->crypto_send.info,
						      tcp_sk(sk)->write_seq);
	trace_kseal_offload_up(sk, netdev, true, tcp_sk(sk)->write_seq,
			       ks->tx.key.seq, err);
	if (!err) {
		dev->tx = true;
		ks->tx.hw = true;
		set_bit(KSEAL_DEV_TX, &ks->dev_dirs);
		rcu_assign_pointer(ctx->netdev, netdev);
		kseal_dev_attach(dev);
		/* Pairs with tls_is_skb_tx_device_offloaded(). */
		smp_store_release(&sk->sk_validate_xmit_skb,
				  tls_validate_xmit_skb);
	}
	up_read(&kseal_dev_sem);

	/* The driver has its copy; the fallback needs only the salt. */
	kseal_dev_wipe_key(&ctx->crypto_send, info->info.cipher_type);
	if (!err)
		return 0;
	kseal_clean_acked_disable(sk);
	ctx->tx_conf = TLS_BASE;
	ctx->priv_ctx_tx = NULL;
	memzero_explicit(&ctx->crypto_send, sizeof(ctx->crypto_send));
	tx_context_free(octx);
	kseal_dev_forget(dev);
	return err;
}

/* The route goes elsewhere now, or the device need not seal any more. */
static bool tx_unwanted(struct sock *sk, struct kseal_dev *dev)
{
	struct net_device *netdev;
	struct dst_entry *dst;
	bool ret;

	rcu_read_lock();
	netdev = rcu_dereference(dev->ks->tls.netdev);
	dst = __sk_dst_get(sk);
	ret = (dst && netdev_sk_get_lowest_dev(dst->dev, sk) != netdev) ||
	      (netdev && !(netdev->features & NETIF_F_HW_TLS_TX));
	rcu_read_unlock();
	return ret;
}

/*
 * Packets that have been let through to the device are plaintext, in the queue ahead
 * of it or in its own: only the device can seal them, and only while it has the
 * stream. Under the socket lock no others follow. Returns whether all are gone.
 */
static bool tx_drained(struct sock *sk)
{
	unsigned long end = jiffies + TX_DRAIN;

	while (sk_wmem_alloc_get(sk)) {
		if (time_before(jiffies, READ_ONCE(drain_again)))
			return false;
		if (time_after(jiffies, end)) {
			WRITE_ONCE(drain_again, jiffies + TX_DRAIN_AGAIN);
			return false;
		}
		usleep_range(100, 1000);
	}
	return true;
}

/* The driver has asked for it; the next record begins a segment. */
static void tx_resync(struct sock *sk, struct kseal_dev *dev)
{
	struct kseal_sock *ks = kseal_get(sk);
	u32 seq = tcp_sk(sk)->write_seq;
	u8 rcd_sn[sizeof(u64)];
	int err = -ENODEV;

	tx_fence(sk);
	put_unaligned_be64(ks->tx.key.seq, rcd_sn);
	down_read(&kseal_dev_sem);
	if (dev->tx)
		err = dev->netdev->tlsdev_ops->tls_dev_resync(dev->netdev, sk,
				seq, rcd_sn, TLS_OFFLOAD_CTX_DIR_TX);
	trace_kseal_offload_resync(sk, dev->netdev, true, seq, ks->tx.key.seq,
				   err);
	up_read(&kseal_dev_sem);
	if (err)
		return;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_RESYNC);
	clear_bit_unlock(TLS_TX_SYNC_SCHED, &ks->tls.flags);
}

/**
 * kseal_dev_tx_prepare() - a record is about to be made
 * @sk: socket that has, or has had, a device
 *
 * May wait a quarter of a second for a device that is to be given up.
 *
 * Context: process, under the socket lock.
 * Return: 1 if it is for the device, 0 if it is to be sealed here, or -ENOMEM.
 */
int kseal_dev_tx_prepare(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_dev *dev = ks->dev;
	bool boundary = !ks->tx.ring->sealed;

	if (!dev->spare)
		dev->spare = kmalloc(sizeof(*dev->spare), sk->sk_allocation);
	if (!dev->spare)
		return -ENOMEM;
	if (test_bit(KSEAL_DEV_TX, &ks->dev_dirs) && tx_unwanted(sk, dev) &&
	    tx_drained(sk))
		kseal_dev_give_up(dev, KSEAL_OFFLOAD_TX);
	if (!test_bit(KSEAL_DEV_TX, &ks->dev_dirs)) {
		if (!boundary)
			return 1;
		tx_fence(sk);
		ks->tx.hw = false;
		return 0;
	}
	if (boundary && test_bit(TLS_TX_SYNC_SCHED, &ks->tls.flags))
		tx_resync(sk, dev);
	return 1;
}

/**
 * kseal_dev_tx_record() - remember a record until it is acknowledged
 * @sk: socket; kseal_dev_tx_prepare() has returned 1
 * @bvec: the record
 * @nr: entries
 * @len: bytes
 *
 * Context: process, under the socket lock.
 * Return: 0; -EMSGSIZE if it is in more pieces than drivers can be given.
 */
int kseal_dev_tx_record(struct sock *sk, const struct bio_vec *bvec,
			unsigned int nr, unsigned int len)
{
	struct tls_offload_context_tx *octx = tls_offload_ctx_tx(tls_get_ctx(sk));
	struct kseal_sock *ks = kseal_get(sk);
	struct tls_record_info *rec = ks->dev->spare;
	unsigned long flags;
	unsigned int i;

	if (WARN_ON_ONCE(nr > MAX_SKB_FRAGS))
		return -EMSGSIZE;
	ks->dev->spare = NULL;
	for (i = 0; i < nr; i++) {
		get_page(bvec[i].bv_page);
		kseal_frag_fill(&rec->frags[i], bvec[i].bv_page,
				bvec[i].bv_offset, bvec[i].bv_len);
	}
	rec->num_frags = nr;
	rec->len = len;
	rec->end_seq = tcp_sk(sk)->write_seq + ks->tx.ring->sealed + len;
	spin_lock_irqsave(&octx->lock, flags);
	list_add_tail_rcu(&rec->list, &octx->records_list);
	spin_unlock_irqrestore(&octx->lock, flags);
	return 0;
}
