/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that seal and open records: what kseal.ko asks of kseal_offload.ko, which
 * knows the devices. kseal.ko depends on neither that module nor the kernel's tls,
 * whose symbols drivers compare against: kseal_offload.ko, once loaded, registers its
 * operations.
 */
#ifndef _KSEAL_OFFLOAD_H
#define _KSEAL_OFFLOAD_H

#include <linux/bvec.h>
#include <net/tls.h>

#include "cipher.h"
#include "socket.h"

/**
 * struct kseal_offload_ops - what kseal_offload.ko does
 * @owner: that module
 * @tx_add: have the socket's device seal its records. Under the socket lock, before
 *	the first of them
 * @rx_add: have it open them. Likewise
 * @tx_prepare: a record is about to be made. Returns 1 if it is for the device, 0 if
 *	it has to be sealed here, or -ENOMEM. Under the socket lock
 * @tx_record: remember a record for the device until TCP has it acknowledged; after
 *	@tx_prepare has returned 1, in the order of the stream. -EMSGSIZE if it is in
 *	too many pieces
 * @rx_header: a record begins at @seq; for a device that has lost the stream. Under
 *	the socket lock, softirq too
 * @rx_record: a record of @len bytes, the first in the stream, is about to be
 *	taken; the device has opened all of it, or nothing, or some (-1)
 * @rx_close: nothing more will be read. Process context, no locks
 *
 * All but the first three are called only for a socket that has a device.
 */
struct kseal_offload_ops {
	struct module *owner;
	int (*tx_add)(struct sock *sk, const union kseal_crypto_info *info);
	int (*rx_add)(struct sock *sk, const union kseal_crypto_info *info);
	int (*tx_prepare)(struct sock *sk);
	int (*tx_record)(struct sock *sk, const struct bio_vec *bvec,
			 unsigned int nr, unsigned int len);
	void (*rx_header)(struct sock *sk, u32 seq, unsigned int len,
			  u64 rcd_sn);
	void (*rx_record)(struct sock *sk, unsigned int len, int decrypted);
	void (*rx_close)(struct sock *sk);
};

int kseal_offload_register(const struct kseal_offload_ops *ops);
void kseal_offload_unregister(const struct kseal_offload_ops *ops);
int kseal_offload_set(struct kseal_sock *ks, sockptr_t optval,
		      unsigned int optlen);
int kseal_offload_start(struct sock *sk, bool tx,
			const union kseal_crypto_info *info);
u32 kseal_offload_ifindex(const struct kseal_sock *ks);
int kseal_offload_tx_seal(struct sock *sk, struct kseal_tx *tx, u8 type,
			  u8 *prefix, struct scatterlist *src,
			  struct scatterlist *dst, unsigned int payload,
			  const struct bio_vec *bvec, unsigned int nr);
int kseal_offload_rx_record(struct sock *sk, struct kseal_rx *rx,
			    const u8 *prefix, const struct kseal_header *h);
int kseal_offload_rx_copy(struct kseal_rx *rx, struct scatterlist *src,
			  unsigned int nsrc, struct scatterlist *dst,
			  unsigned int ndst, unsigned int len);
int kseal_offload_rx_read(struct kseal_rx *rx, struct scatterlist *src,
			  unsigned int nsrc, struct msghdr *msg,
			  unsigned int len);
void kseal_offload_rx_header(struct sock *sk, struct kseal_rx *rx,
			     unsigned int len);
void kseal_offload_rx_close(struct sock *sk);

/* Is the next record for the device? Under the socket lock; see @tx_prepare. */
static inline int kseal_offload_tx_prepare(struct sock *sk, struct kseal_tx *tx)
{
	return likely(!tx->hw) ? 0 : kseal_get(sk)->offload->tx_prepare(sk);
}

#endif /* _KSEAL_OFFLOAD_H */
