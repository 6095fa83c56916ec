// SPDX-License-Identifier: GPL-2.0
/*
 * Loading, the netdevs and debugfs. "pairs=N" makes nicsim0 wired to nicsim1, nicsim2
 * to nicsim3, and so on, all of them in the initial namespace, from where they can be
 * moved. /sys/kernel/debug/nicsim/NAME/ has the knobs and "counters". TLS is switched
 * with ethtool -K DEV tls-hw-tx-offload on, tls-hw-rx-offload on, the link with ip
 * link.
 */
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/unaligned.h>

#include "nicsim.h"

#define NICSIM_FEATURES	(NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM |	\
			 NETIF_F_RXCSUM | NETIF_F_TSO | NETIF_F_TSO6 |		\
			 NETIF_F_GRO | NETIF_F_HIGHDMA)
#define NICSIM_TLS	(NETIF_F_HW_TLS_TX | NETIF_F_HW_TLS_RX)
#define NICSIM_PAIRS_MAX 8

static unsigned int pairs = 1;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "how many pairs of cards (1)");

static struct nicsim *nicsim_cards[2 * NICSIM_PAIRS_MAX];
static struct dentry *nicsim_root;

static const char * const counter_name[NICSIM_COUNTERS] = {
	[NICSIM_TX_CTX]		= "tx_ctx",
	[NICSIM_RX_CTX]		= "rx_ctx",
	[NICSIM_TX_ADD]		= "tx_add",
	[NICSIM_RX_ADD]		= "rx_add",
	[NICSIM_REFUSED]	= "refused",
	[NICSIM_TX_RECORDS]	= "tx_records",
	[NICSIM_TX_BYTES]	= "tx_bytes",
	[NICSIM_TX_REBUILD]	= "tx_rebuild",
	[NICSIM_TX_FALLBACK]	= "tx_fallback",
	[NICSIM_TX_SKIP]	= "tx_skip",
	[NICSIM_TX_DROP]	= "tx_drop",
	[NICSIM_TX_FOREIGN]	= "tx_foreign",
	[NICSIM_TX_RESYNC_REQ]	= "tx_resync_req",
	[NICSIM_TX_RESYNC]	= "tx_resync",
	[NICSIM_RX_RECORDS]	= "rx_records",
	[NICSIM_RX_DECRYPTED]	= "rx_decrypted",
	[NICSIM_RX_PASSED]	= "rx_passed",
	[NICSIM_RX_BAD_TAG]	= "rx_bad_tag",
	[NICSIM_RX_LOST]	= "rx_lost",
	[NICSIM_RX_RESYNC_REQ]	= "rx_resync_req",
	[NICSIM_RX_RESYNC]	= "rx_resync",
	[NICSIM_RX_RESYNC_OK]	= "rx_resync_ok",
	[NICSIM_WIRE]		= "wire",
	[NICSIM_WIRE_DROP]	= "wire_drop",
	[NICSIM_WIRE_DUPLICATE]	= "wire_duplicate",
	[NICSIM_WIRE_REORDER]	= "wire_reorder",
	[NICSIM_WIRE_CORRUPT]	= "wire_corrupt",
};

static int counters_show(struct seq_file *seq, void *v)
{
	struct nicsim *nic = seq->private;
	int i;

	spin_lock_bh(&nic->lock);
	for (i = 0; i < NICSIM_COUNTERS; i++)
		seq_printf(seq, "%s %llu\n", counter_name[i], nic->count[i]);
	spin_unlock_bh(&nic->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

/* Its ring is full: packets wait in front of it, checked and changed already. */
static int full_set(void *data, u64 full)
{
	struct nicsim *nic = data;

	if (full)
		netif_stop_queue(nic->dev);
	else
		netif_wake_queue(nic->dev);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(full_fops, NULL, full_set, "%llu\n");

static void nicsim_debugfs(struct nicsim *nic, const char *name)
{
	struct nicsim_knobs *k = &nic->knobs;
	struct dentry *dir = debugfs_create_dir(name, nicsim_root);

	debugfs_create_u32("drop", 0644, dir, &k->drop);
	debugfs_create_u32("duplicate", 0644, dir, &k->duplicate);
	debugfs_create_u32("reorder", 0644, dir, &k->reorder);
	debugfs_create_u32("corrupt", 0644, dir, &k->corrupt);
	debugfs_create_u32("forge", 0644, dir, &k->forge);
	debugfs_create_u32("partial", 0644, dir, &k->partial);
	debugfs_create_u32("refuse", 0644, dir, &k->refuse);
	debugfs_create_u32("tx_fallback", 0644, dir, &k->tx_fallback);
	debugfs_create_u32("rx_sync", 0644, dir, &k->rx_sync);
	debugfs_create_u32("no_cipher", 0644, dir, &k->no_cipher);
	debugfs_create_file_unsafe("full", 0200, dir, nic, &full_fops);
	debugfs_create_file("counters", 0444, dir, nic, &counters_fops);
}

static int nicsim_tls_add(struct net_device *dev, struct sock *sk,
			  enum tls_offload_ctx_dir direction,
			  struct tls_crypto_info *info, u32 seq)
{
	bool tx = direction == TLS_OFFLOAD_CTX_DIR_TX;
	struct nicsim *nic = netdev_priv(dev);

	if (nic->knobs.refuse & (tx ? 1 : 2)) {
		spin_lock_bh(&nic->lock);
		nic->count[NICSIM_REFUSED]++;
		spin_unlock_bh(&nic->lock);
		return -ENOSPC;
	}
	return tx ? nicsim_tx_add(nic, sk, info, seq) :
		    nicsim_rx_add(nic, sk, info, seq);
}

static void nicsim_tls_del(struct net_device *dev, struct tls_context *ctx,
			   enum tls_offload_ctx_dir direction)
{
	if (direction == TLS_OFFLOAD_CTX_DIR_TX)
		nicsim_tx_del(netdev_priv(dev), ctx);
	else
		nicsim_rx_del(netdev_priv(dev), ctx);
}

static int nicsim_tls_resync(struct net_device *dev, struct sock *sk, u32 seq,
			     u8 *rcd_sn, enum tls_offload_ctx_dir direction)
{
	struct nicsim *nic = netdev_priv(dev);
	u64 sn = get_unaligned_be64(rcd_sn);

	return direction == TLS_OFFLOAD_CTX_DIR_TX ?
	       nicsim_tx_resync(nic, sk, seq, sn) :
	       nicsim_rx_resync(nic, sk, seq, sn);
}

static const struct tlsdev_ops nicsim_tlsdev_ops = {
	.tls_dev_add	= nicsim_tls_add,
	.tls_dev_del	= nicsim_tls_del,
	.tls_dev_resync	= nicsim_tls_resync,
};

static int nicsim_open(struct net_device *dev)
{
	struct nicsim *nic = netdev_priv(dev);

	napi_enable(&nic->napi);
	netif_start_queue(dev);
	return 0;
}

static int nicsim_stop(struct net_device *dev)
{
	struct nicsim *nic = netdev_priv(dev);

	netif_stop_queue(dev);
	cancel_delayed_work_sync(&nic->release);
	napi_disable(&nic->napi);
	spin_lock_bh(&nic->lock);
	kfree_skb(nic->held);
	nic->held = NULL;
	spin_unlock_bh(&nic->lock);
	skb_queue_purge(&nic->rxq);
	return 0;
}

static const struct net_device_ops nicsim_netdev_ops = {
	.ndo_open		= nicsim_open,
	.ndo_stop		= nicsim_stop,
	.ndo_start_xmit		= nicsim_start_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static void nicsim_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &nicsim_netdev_ops;
	dev->tlsdev_ops = &nicsim_tlsdev_ops;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->max_mtu = 9000;
	dev->hw_features = NICSIM_FEATURES | NICSIM_TLS;
	dev->features = NICSIM_FEATURES | NICSIM_TLS;
	eth_hw_addr_random(dev);
}

static void nicsim_destroy(struct nicsim *nic)
{
	if (!nic)
		return;
	if (nic->dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(nic->dev);
	netif_napi_del(&nic->napi);
	skb_queue_purge(&nic->rxq);
	kfree(nic->scratch);
	free_netdev(nic->dev);
}

static struct nicsim *nicsim_create(unsigned int index)
{
	struct net_device *dev;
	struct nicsim *nic;

	dev = alloc_netdev(sizeof(*nic), "nicsim%d", NET_NAME_ENUM,
			   nicsim_setup);
	if (!dev)
		return NULL;
	nic = netdev_priv(dev);
	nic->dev = dev;
	spin_lock_init(&nic->lock);
	skb_queue_head_init(&nic->rxq);
	INIT_LIST_HEAD(&nic->rx_list);
	INIT_DELAYED_WORK(&nic->release, nicsim_wire_release);
	netif_napi_add(dev, &nic->napi, nicsim_poll);
	nic->scratch = kmalloc(NICSIM_SCRATCH, GFP_KERNEL);
	snprintf(dev->name, IFNAMSIZ, "nicsim%u", index);
	if (nic->scratch)
		return nic;
	nicsim_destroy(nic);
	return NULL;
}

static void nicsim_exit_all(void)
{
	unsigned int i;

	debugfs_remove_recursive(nicsim_root);
	/* Both ends down before either is freed. */
	for (i = 0; i < ARRAY_SIZE(nicsim_cards); i++)
		if (nicsim_cards[i] && nicsim_cards[i]->dev->reg_state ==
				       NETREG_REGISTERED)
			unregister_netdev(nicsim_cards[i]->dev);
	for (i = 0; i < ARRAY_SIZE(nicsim_cards); i++)
		nicsim_destroy(nicsim_cards[i]);
}

static int __init nicsim_init(void)
{
	unsigned int i;
	int err;

	if (!pairs || pairs > NICSIM_PAIRS_MAX)
		return -EINVAL;
	nicsim_root = debugfs_create_dir("nicsim", NULL);
	for (i = 0; i < 2 * pairs; i++) {
		nicsim_cards[i] = nicsim_create(i);
		if (!nicsim_cards[i]) {
			err = -ENOMEM;
			goto fail;
		}
	}
	for (i = 0; i < 2 * pairs; i++) {
		nicsim_cards[i]->peer = nicsim_cards[i ^ 1];
		err = register_netdev(nicsim_cards[i]->dev);
		if (err)
			goto fail;
		nicsim_debugfs(nicsim_cards[i], nicsim_cards[i]->dev->name);
	}
	return 0;
fail:
	nicsim_exit_all();
	return err;
}

static void __exit nicsim_exit(void)
{
	nicsim_exit_all();
}

module_init(nicsim_init);
module_exit(nicsim_exit);
MODULE_DESCRIPTION("simulated network cards with TLS offload, for kseal's tests");
MODULE_LICENSE("GPL");
