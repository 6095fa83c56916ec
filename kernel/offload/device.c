// SPDX-License-Identifier: GPL-2.0
/*
 * Life and death of the bond between a socket and a device.
 *
 * Packets of a socket may be on their way long after it has been closed and TCP has
 * let go of it; the driver and the fallback of the kernel's tls then still look into
 * the context. So from the attachment on the context is freed only when the last
 * packet is gone: by our work item, after the socket's sk_destruct. That must be
 * tls_device_sk_destruct(), as drivers know offloaded sockets by it. It calls ours
 * first, then frees the list of records and the fallback's cipher, and at last drops
 * one of two references of the context, which tells us that it is through. (With the
 * last one it would free the context as one of tls's own.)
 *
 * A device that goes down is given up by all its sockets (CVE-2021-47131 is what
 * happens otherwise): packets are sealed on their way from then on, the driver's
 * contexts deleted once no packet that was not can reach it; those in its queues were
 * thrown away when it went down. While that goes on a socket is held by its
 * sk_wmem_alloc, which also keeps its sk_destruct from being called. So it is for the
 * incoming direction when its feature is switched off. The outgoing one of a device
 * that stays up is given up by the socket (tx.c), as the queues stay as they are.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/workqueue.h>
#include <net/dst.h>

#include "../stats.h"
#include "device.h"
#include "trace.h"

/* Devices come and go under it as a writer; contexts in them as a reader. */
DECLARE_RWSEM(kseal_dev_sem);

static LIST_HEAD(kseal_devs);
static DEFINE_SPINLOCK(kseal_dev_lock);		/* guards kseal_devs */
static struct workqueue_struct *kseal_dev_wq;

static bool tls13;
module_param_unsafe(tls13, bool, 0444);
MODULE_PARM_DESC(tls13,
		 "Give drivers TLS 1.3 keys, which none in Linux understands, and no next ones: for tests");

/* What drivers can be given; @on: NULL if always. */
static const struct {
	u16 version;
	u16 cipher;
	const bool *on;
} offloadable[] = {
	{ TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128 },
	{ TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256 },
	{ TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, &tls13 },
};

static bool is_offloadable(const struct tls_crypto_info *info)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offloadable); i++)
		if (info->version == offloadable[i].version &&
		    info->cipher_type == offloadable[i].cipher)
			return !offloadable[i].on || *offloadable[i].on;
	return false;
}

/* The device behind the socket's route, not a bond above it; referenced. */
static struct net_device *netdev_of(struct sock *sk, netdevice_tracker *tracker)
{
	struct net_device *netdev = NULL;
	struct dst_entry *dst;

	rcu_read_lock();
	dst = __sk_dst_get(sk);
	if (dst) {
		netdev = netdev_sk_get_lowest_dev(dst->dev, sk);
		netdev_hold(netdev, tracker, GFP_ATOMIC);
	}
	rcu_read_unlock();
	return netdev;
}

/*
 * sk_destruct of the context, called by tls_device_sk_destruct(). Any context. Once
 * the work has been queued nothing of ours is touched but by it.
 */
static void dev_destruct(struct sock *sk)
{
	struct kseal_dev *dev = kseal_get(sk)->dev;
	unsigned long flags;

	spin_lock_irqsave(&kseal_dev_lock, flags);
	list_del(&dev->node);
	spin_unlock_irqrestore(&kseal_dev_lock, flags);
	dev->sk_destruct(sk);
	queue_work(kseal_dev_wq, &dev->work);
}

static void dev_put_netdev(struct kseal_dev *dev)
{
	if (dev->netdev)
		netdev_put(dev->netdev, &dev->tracker);
	dev->netdev = NULL;
}

static void dev_work(struct work_struct *work)
{
	struct kseal_dev *dev = container_of(work, struct kseal_dev, work);
	struct tls_context *ctx = &dev->ks->tls;

	while (refcount_read(&ctx->refcount) > 1)
		msleep(20);
	down_read(&kseal_dev_sem);
	if (dev->tx)
		dev->netdev->tlsdev_ops->tls_dev_del(dev->netdev, ctx,
						     TLS_OFFLOAD_CTX_DIR_TX);
	if (dev->rx)
		dev->netdev->tlsdev_ops->tls_dev_del(dev->netdev, ctx,
						     TLS_OFFLOAD_CTX_DIR_RX);
	up_read(&kseal_dev_sem);
	dev_put_netdev(dev);
	kfree_sensitive(ctx->priv_ctx_tx);
	kfree_sensitive(ctx->priv_ctx_rx);
	kfree(dev->spare);
	kseal_sock_free(dev->ks);
	kfree(dev);
	module_put(THIS_MODULE);
}

/**
 * kseal_dev_find() - a socket's device, if it has the feature
 * @sk: socket
 * @feature: NETIF_F_HW_TLS_TX or NETIF_F_HW_TLS_RX
 * @info: key that it is for
 *
 * Context: process, under the socket lock.
 * Return: the bond, attached or, if it is new, not yet; or an ERR_PTR():
 * -EOPNOTSUPP; -ENODEV; -EXDEV if the socket has another device already; -ENOMEM.
 */
struct kseal_dev *kseal_dev_find(struct sock *sk, netdev_features_t feature,
				 const union kseal_crypto_info *info)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_dev *dev = ks->dev;
	netdevice_tracker tracker;
	struct net_device *netdev;
	int err;

	if (!is_offloadable(&info->info))
		return ERR_PTR(-EOPNOTSUPP);
	netdev = netdev_of(sk, &tracker);
	if (!netdev)
		return ERR_PTR(-ENODEV);
	err = -EOPNOTSUPP;
	if (!(netdev->features & feature) || !netdev->tlsdev_ops)
		goto put;
	if (dev) {
		err = READ_ONCE(dev->netdev) == netdev ? 0 : -EXDEV;
		goto put;
	}
	err = -ENOMEM;
	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		goto put;
	dev->ks = ks;
	dev->sk = sk;
	dev->netdev = netdev;
	netdev_hold(netdev, &dev->tracker, GFP_KERNEL);
	INIT_WORK(&dev->work, dev_work);
	err = 0;
put:
	netdev_put(netdev, &tracker);
	return err ? ERR_PTR(err) : dev;
}

/**
 * kseal_dev_forget() - the driver has refused
 * @dev: what kseal_dev_find() has returned
 *
 * Context: process, under the socket lock.
 */
void kseal_dev_forget(struct kseal_dev *dev)
{
	if (dev->attached)
		return;
	dev_put_netdev(dev);
	kfree(dev->spare);
	kfree(dev);
}

/**
 * kseal_dev_attach() - the driver has taken a direction
 * @dev: what kseal_dev_find() has returned
 *
 * Context: process, under the socket lock and kseal_dev_sem.
 */
void kseal_dev_attach(struct kseal_dev *dev)
{
	struct tls_context *ctx = &dev->ks->tls;
	struct sock *sk = dev->sk;

	if (dev->attached)
		return;
	dev->attached = true;
	dev->sk_destruct = sk->sk_destruct;
	dev->ks->dev = dev;
	refcount_set(&ctx->refcount, 2);
	ctx->sk_destruct = dev_destruct;
	spin_lock_irq(&kseal_dev_lock);
	list_add_tail(&dev->node, &kseal_devs);
	spin_unlock_irq(&kseal_dev_lock);
	/* Pairs with tls_is_sk_rx_device_offloaded(). */
	smp_store_release(&sk->sk_destruct, tls_device_sk_destruct);
}

/*
 * Give up the device for some directions of the sockets in a list (@drop). Under
 * kseal_dev_sem as a writer.
 */
static void devs_drop(struct list_head *devs, unsigned int dirs)
{
	struct net_device *netdev;
	struct tls_context *ctx;
	struct kseal_dev *dev;
	bool tx, rx;

	list_for_each_entry(dev, devs, drop) {
		ctx = &dev->ks->tls;
		tx = dev->tx && dirs & KSEAL_OFFLOAD_TX;
		rx = dev->rx && dirs & KSEAL_OFFLOAD_RX;
		trace_kseal_offload_down(dev->sk, dev->netdev, tx, rx);
		if (tx) {
			WRITE_ONCE(dev->sk->sk_validate_xmit_skb,
				   kseal_dev_encrypt);
			clear_bit(KSEAL_DEV_TX, &dev->ks->dev_dirs);
			set_bit(KSEAL_DEV_TX_LOST, &dev->ks->dev_dirs);
		}
		if (rx) {
			clear_bit(KSEAL_DEV_RX, &dev->ks->dev_dirs);
			set_bit(KSEAL_DEV_RX_LOST, &dev->ks->dev_dirs);
			set_bit(TLS_RX_DEV_DEGRADED, &ctx->flags);
		}
		/* Neither xmit nor resync finds it from here on. */
		if (!(dev->tx && !tx) && !(dev->rx && !rx))
			rcu_assign_pointer(ctx->netdev, NULL);
		kseal_stat_add(sock_net(dev->sk), KSEAL_STAT_DEVICE_LOST,
			       tx + rx);
	}
	synchronize_net();
	list_for_each_entry(dev, devs, drop) {
		ctx = &dev->ks->tls;
		netdev = dev->netdev;
		if (dev->tx && dirs & KSEAL_OFFLOAD_TX) {
			dev->tx = false;
			netdev->tlsdev_ops->tls_dev_del(netdev, ctx,
							TLS_OFFLOAD_CTX_DIR_TX);
		}
		if (dev->rx && dirs & KSEAL_OFFLOAD_RX) {
			dev->rx = false;
			netdev->tlsdev_ops->tls_dev_del(netdev, ctx,
							TLS_OFFLOAD_CTX_DIR_RX);
		}
		if (!dev->tx && !dev->rx)
			dev_put_netdev(dev);
	}
}

/**
 * kseal_dev_give_up() - a socket no longer wants its device
 * @dev: its bond
 * @dirs: KSEAL_OFFLOAD_TX, KSEAL_OFFLOAD_RX; with the former nothing of the socket's is
 *	on its way to the device
 *
 * Context: process, under the socket lock.
 */
void kseal_dev_give_up(struct kseal_dev *dev, unsigned int dirs)
{
	LIST_HEAD(devs);

	down_write(&kseal_dev_sem);
	if ((dev->tx && dirs & KSEAL_OFFLOAD_TX) ||
	    (dev->rx && dirs & KSEAL_OFFLOAD_RX)) {
		list_add(&dev->drop, &devs);
		devs_drop(&devs, dirs);
	}
	up_write(&kseal_dev_sem);
}

/**
 * kseal_dev_rx_del() - the device need not open records any more
 * @dev: bond of a socket that nothing more is read from
 *
 * Context: process.
 */
void kseal_dev_rx_del(struct kseal_dev *dev)
{
	struct tls_context *ctx = &dev->ks->tls;

	down_read(&kseal_dev_sem);
	if (dev->rx) {
		dev->rx = false;
		dev->netdev->tlsdev_ops->tls_dev_del(dev->netdev, ctx,
						     TLS_OFFLOAD_CTX_DIR_RX);
		if (!dev->tx) {
			rcu_assign_pointer(ctx->netdev, NULL);
			dev_put_netdev(dev);
		}
	}
	up_read(&kseal_dev_sem);
}

/**
 * kseal_dev_wipe_key() - forget the key that a driver was given
 * @key: what it was given; the salt stays
 * @cipher_type: TLS_CIPHER_*
 *
 * Context: any.
 */
void kseal_dev_wipe_key(union tls_crypto_context *key, u16 cipher_type)
{
	const struct kseal_cipher *c = kseal_cipher_find(cipher_type);

	memzero_explicit((u8 *)key + c->key_off, c->key);
}

/* All sockets of a device have to do without it. Under RTNL. */
static void netdev_drop(struct net_device *netdev, unsigned int dirs)
{
	struct kseal_dev *dev, *next;
	LIST_HEAD(devs);

	down_write(&kseal_dev_sem);
	spin_lock_irq(&kseal_dev_lock);
	list_for_each_entry(dev, &kseal_devs, node) {
		if (dev->netdev != netdev ||
		    !((dev->tx && dirs & KSEAL_OFFLOAD_TX) ||
		      (dev->rx && dirs & KSEAL_OFFLOAD_RX)))
			continue;
		/* Else its work deletes the driver's contexts. */
		if (refcount_inc_not_zero(&dev->sk->sk_wmem_alloc))
			list_add_tail(&dev->drop, &devs);
	}
	spin_unlock_irq(&kseal_dev_lock);

	if (!list_empty(&devs))
		devs_drop(&devs, dirs);
	list_for_each_entry_safe(dev, next, &devs, drop)
		sk_free(dev->sk);
	up_write(&kseal_dev_sem);
	flush_workqueue(kseal_dev_wq);
}

static int netdev_event(struct notifier_block *nb, unsigned long event,
			void *ptr)
{
	struct net_device *netdev = netdev_notifier_info_to_dev(ptr);
	unsigned int dirs = 0;

	if (!netdev->tlsdev_ops)
		return NOTIFY_DONE;
	if (event == NETDEV_DOWN)
		dirs = KSEAL_OFFLOAD_TX | KSEAL_OFFLOAD_RX;
	if (event == NETDEV_FEAT_CHANGE && !(netdev->features & NETIF_F_HW_TLS_RX))
		dirs |= KSEAL_OFFLOAD_RX;
	if (dirs)
		netdev_drop(netdev, dirs);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = netdev_event,
};

/**
 * kseal_dev_init() - begin to watch devices
 *
 * Context: process, module load.
 * Return: 0 or a negative errno.
 */
int kseal_dev_init(void)
{
	int err;

	kseal_dev_wq = alloc_workqueue("kseal_offload", WQ_UNBOUND, 0);
	if (!kseal_dev_wq)
		return -ENOMEM;
	err = register_netdevice_notifier(&netdev_notifier);
	if (err)
		destroy_workqueue(kseal_dev_wq);
	return err;
}

/**
 * kseal_dev_exit() - undo kseal_dev_init(); no socket has a device any more
 *
 * Context: process, module unload.
 */
void kseal_dev_exit(void)
{
	unregister_netdevice_notifier(&netdev_notifier);
	destroy_workqueue(kseal_dev_wq);
}
