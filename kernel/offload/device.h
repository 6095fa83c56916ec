/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A socket and the device that works for it. Used inside kseal_offload.ko.
 */
#ifndef _KSEAL_OFFLOAD_DEVICE_H
#define _KSEAL_OFFLOAD_DEVICE_H

#include <linux/netdevice.h>
#include <net/tls.h>

#include "../offload.h"

/**
 * struct kseal_dev - a socket and its device
 * @node: in the list of all; guarded by kseal_dev_lock
 * @drop: in a list of those that are about to lose their device; kseal_dev_sem
 * @ks: the context. From the attachment on it lives until @work has run
 * @sk: the socket, valid while in the list
 * @netdev: the device, referenced; NULL when it has been given up; kseal_dev_sem
 * @tracker: of that reference
 * @tx: the driver has a context for the outgoing direction; kseal_dev_sem
 * @rx: likewise
 * @attached: is in the list; socket lock
 * @spare: for the next record; socket lock
 * @told: sequence number of the last header that the device was told of, if @telling
 * @telling: see @told
 * @sk_destruct: the socket's own
 * @work: frees all of it
 *
 * The socket lock is taken before kseal_dev_sem.
 */
struct kseal_dev {
	struct list_head node;
	struct list_head drop;
	struct kseal_sock *ks;
	struct sock *sk;
	struct net_device *netdev;
	netdevice_tracker tracker;
	bool tx;
	bool rx;
	bool attached;
	struct tls_record_info *spare;
	u32 told;
	bool telling;
	void (*sk_destruct)(struct sock *sk);
	struct work_struct work;
};

extern struct rw_semaphore kseal_dev_sem;

/* device.c */
struct kseal_dev *kseal_dev_find(struct sock *sk, netdev_features_t feature,
				 const union kseal_crypto_info *info);
void kseal_dev_attach(struct kseal_dev *dev);
void kseal_dev_forget(struct kseal_dev *dev);
void kseal_dev_give_up(struct kseal_dev *dev, unsigned int dirs);
void kseal_dev_rx_del(struct kseal_dev *dev);
void kseal_dev_wipe_key(union tls_crypto_context *key, u16 cipher_type);
int kseal_dev_init(void);
void kseal_dev_exit(void);

/* tx.c */
int kseal_dev_tx_add(struct sock *sk, const union kseal_crypto_info *info);
int kseal_dev_tx_prepare(struct sock *sk);
int kseal_dev_tx_record(struct sock *sk, const struct bio_vec *bvec,
			unsigned int nr, unsigned int len);
struct sk_buff *kseal_dev_encrypt(struct sock *sk, struct net_device *netdev,
				  struct sk_buff *skb);

/* rx.c */
int kseal_dev_rx_add(struct sock *sk, const union kseal_crypto_info *info);
void kseal_dev_rx_header(struct sock *sk, u32 seq, unsigned int len,
			 u64 rcd_sn);
void kseal_dev_rx_record(struct sock *sk, unsigned int len, int decrypted);
void kseal_dev_rx_close(struct sock *sk);

#endif /* _KSEAL_OFFLOAD_DEVICE_H */
