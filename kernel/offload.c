// SPDX-License-Identifier: GPL-2.0
/*
 * kseal.ko's side of offload to devices: the policy of a socket, the registration of
 * kseal_offload.ko, and what tx and rx do otherwise for a socket with a device.
 *
 * Outgoing, records are framed as ever but left in plaintext; the device, or the
 * fallback of the kernel's tls on the packet's way to another one, seals them. So the
 * memory of a record is not given to anyone else until it has been acknowledged.
 *
 * Incoming, TCP's buffers are marked if the device has decrypted them. A record of
 * which it has decrypted all is taken as it is, for the device has authenticated it. Of
 * a record of which it has decrypted some, that part is encrypted again, and then the
 * whole record is opened here: a plaintext that nobody has authenticated is never
 * given out.
 */
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/uio.h>
#include <net/tcp.h>

#include "offload.h"
#include "stats.h"
#include "stream.h"

static const struct kseal_offload_ops __rcu *offload_ops;
static DEFINE_MUTEX(offload_mutex);	/* serialises changes of it */

/**
 * kseal_offload_register() - kseal_offload.ko is there
 * @ops: what it does
 *
 * Context: process.
 * Return: 0 or -EBUSY.
 */
int kseal_offload_register(const struct kseal_offload_ops *ops)
{
	int err = -EBUSY;

	mutex_lock(&offload_mutex);
	if (!rcu_access_pointer(offload_ops)) {
		rcu_assign_pointer(offload_ops, ops);
		err = 0;
	}
	mutex_unlock(&offload_mutex);
	return err;
}
EXPORT_SYMBOL_GPL(kseal_offload_register);

/**
 * kseal_offload_unregister() - it goes away; no socket has a device
 * @ops: what it did
 *
 * Context: process.
 */
void kseal_offload_unregister(const struct kseal_offload_ops *ops)
{
	mutex_lock(&offload_mutex);
	RCU_INIT_POINTER(offload_ops, NULL);
	mutex_unlock(&offload_mutex);
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(kseal_offload_unregister);

static const struct kseal_offload_ops *offload_get(void)
{
	const struct kseal_offload_ops *ops;

	rcu_read_lock();
	ops = rcu_dereference(offload_ops);
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	rcu_read_unlock();
	return ops;
}

/**
 * kseal_offload_set() - KSEAL_OFFLOAD
 * @ks: context of a socket without a key
 * @optval: u32, enum kseal_offload
 * @optlen: its bytes
 *
 * Context: process, under the socket lock.
 * Return: 0; -EBUSY if a direction has its key; -EINVAL, -EFAULT.
 */
int kseal_offload_set(struct kseal_sock *ks, sockptr_t optval,
		      unsigned int optlen)
{
	u32 val;

	if (optlen != sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	if (val > KSEAL_OFFLOAD_OFF)
		return -EINVAL;
	if (kseal_tx_keyed(&ks->tx) || kseal_rx_keyed(&ks->rx))
		return -EBUSY;
	ks->policy = val;
	return 0;
}

/**
 * kseal_offload_start() - a direction has got its first key: offer it to the device
 * @sk: socket
 * @tx: outgoing?
 * @info: the key
 *
 * Context: process, under the socket lock.
 * Return: 0, with or without a device; -EOPNOTSUPP if there has to be one.
 */
int kseal_offload_start(struct sock *sk, bool tx,
			const union kseal_crypto_info *info)
{
	const struct kseal_offload_ops *ops;
	struct kseal_sock *ks = kseal_get(sk);
	int err = -EOPNOTSUPP;

	if (ks->policy == KSEAL_OFFLOAD_OFF)
		return 0;
	ops = offload_get();
	if (ops) {
		err = tx ? ops->tx_add(sk, info) : ops->rx_add(sk, info);
		if (ks->dev && !ks->offload)
			ks->offload = ops;	/* and the reference with it */
		else
			module_put(ops->owner);
	}
	if (!err)
		kseal_stat_inc(sock_net(sk), tx ? KSEAL_STAT_TX_DEVICE :
						  KSEAL_STAT_RX_DEVICE);
	return err && ks->policy == KSEAL_OFFLOAD_ON ? -EOPNOTSUPP : 0;
}

/**
 * kseal_offload_ifindex() - the device that works for a socket now
 * @ks: context
 *
 * Context: any.
 * Return: its number in the socket's network namespace; 0 if there is none.
 */
u32 kseal_offload_ifindex(const struct kseal_sock *ks)
{
	const struct net_device *netdev;
	u32 ifindex = 0;

	rcu_read_lock();
	netdev = rcu_dereference(ks->tls.netdev);
	if (netdev && net_eq(dev_net(netdev), sock_net(ks->tls.sk)))
		ifindex = READ_ONCE(netdev->ifindex);
	rcu_read_unlock();
	return ifindex;
}

static void offload_copy(struct scatterlist *src, unsigned int nsrc,
			 struct scatterlist *dst, unsigned int ndst,
			 unsigned int len)
{
	struct sg_mapping_iter to;
	unsigned int n, done = 0;

	sg_miter_start(&to, dst, ndst, SG_MITER_TO_SG | SG_MITER_ATOMIC);
	while (done < len && sg_miter_next(&to)) {
		n = min_t(unsigned int, to.length, len - done);
		sg_pcopy_to_buffer(src, nsrc, to.addr, n, done);
		done += n;
	}
	sg_miter_stop(&to);
}

/**
 * kseal_offload_tx_seal() - make a record for the device
 * @sk: socket; kseal_offload_tx_prepare() has returned 1
 * @tx: its outgoing direction
 * @type: content type
 * @prefix: where the header and the explicit nonce go
 * @src: additional data and plaintext
 * @dst: additional data, room for the plaintext, and for the tag; or @src
 * @payload: bytes of plaintext
 * @bvec: the whole record
 * @nr: entries of it
 *
 * Context: process, under the socket lock.
 * Return: 0; another negative errno is the end of the stream.
 */
int kseal_offload_tx_seal(struct sock *sk, struct kseal_tx *tx, u8 type,
			  u8 *prefix, struct scatterlist *src,
			  struct scatterlist *dst, unsigned int payload,
			  const struct bio_vec *bvec, unsigned int nr)
{
	const struct kseal_format *f = &tx->key.format;
	unsigned int len = f->prefix + payload + f->tail + f->tag;
	int err;

	err = kseal_key_frame(&tx->key, type, prefix, payload);
	if (err)
		return err;
	if (src != dst)
		offload_copy(src + 1, sg_nents(src + 1), dst + 1,
			     sg_nents(dst + 1), payload + f->tail);
	err = kseal_get(sk)->offload->tx_record(sk, bvec, nr, len);
	if (!err)
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_DEVICE_RECORDS);
	return err;
}

/**
 * kseal_offload_rx_copy() - "open" a record that the device has opened
 * @rx: incoming direction
 * @src: additional data, then what is in the stream
 * @nsrc: entries without the additional data
 * @dst: additional data, then where to
 * @ndst: entries without the additional data
 * @len: bytes of plaintext, and of the type behind it
 *
 * Context: process, under the socket lock.
 * Return: 0, or -EBADMSG if there is no number left for it.
 */
int kseal_offload_rx_copy(struct kseal_rx *rx, struct scatterlist *src,
			  unsigned int nsrc, struct scatterlist *dst,
			  unsigned int ndst, unsigned int len)
{
	if (rx->key.dead || rx->key.spent)
		return -EBADMSG;
	if (len)
		offload_copy(src + 1, nsrc, dst + 1, ndst, len);
	return 0;
}

/**
 * kseal_offload_rx_read() - give a record that the device has opened to a reader
 * @rx: incoming direction, of a version in which no type is behind the plaintext
 * @src: its plaintext
 * @nsrc: entries
 * @msg: where to; advanced
 * @len: bytes of plaintext, for which there is room
 *
 * Context: process, under the socket lock.
 * Return: 1; 0 if the reader's memory is not there, then nothing has happened; or
 * -EBADMSG if there is no number left for it.
 */
int kseal_offload_rx_read(struct kseal_rx *rx, struct scatterlist *src,
			  unsigned int nsrc, struct msghdr *msg,
			  unsigned int len)
{
	struct scatterlist *sg;
	size_t n, got, done = 0;
	unsigned int i;

	if (rx->key.dead || rx->key.spent)
		return -EBADMSG;
	for_each_sg(src, sg, nsrc, i) {
		n = min_t(size_t, len - done, sg->length);
		got = copy_page_to_iter(sg_page(sg), sg->offset, n,
					&msg->msg_iter);
		done += got;
		if (got < n) {
			iov_iter_revert(&msg->msg_iter, done);
			return 0;
		}
	}
	return 1;
}

/* Encrypt again what the device has decrypted of the record at the head. */
static int rx_reencrypt(struct sock *sk, struct kseal_rx *rx, const u8 *prefix,
			const struct kseal_header *h)
{
	const struct kseal_format *f = &rx->key.format;
	unsigned int total = KSEAL_HEADER_LEN + h->len;
	unsigned int start, end = total - f->tag;
	struct scatterlist sg[2];
	unsigned long *marks;
	u8 *buf;
	int err;

	err = kseal_stream_drain(sk, total);
	if (err < 0)
		return err;
	if (rx->partial_len < total)
		return -EPROTO;
	buf = kmemdup(rx->partial, total, sk->sk_allocation);
	if (!buf)
		return -ENOMEM;
	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_buf(&sg[0], rx->key.aad, f->aad);
	sg_set_buf(&sg[1], buf + f->prefix, total - f->prefix);
	err = kseal_key_reseal(&rx->key, prefix, sg, h->payload);
	marks = kseal_partial_marks(rx);
	start = find_next_bit(marks, end, f->prefix);
	while (!err && start < end) {
		unsigned int stop = find_next_zero_bit(marks, end, start);

		memcpy(rx->partial + start, buf + start, stop - start);
		start = find_next_bit(marks, end, stop);
	}
	if (!err)
		bitmap_zero(marks, total);
	kfree_sensitive(buf);
	return err;
}

/**
 * kseal_offload_rx_record() - what has the device made of the first record?
 * @sk: socket that has, or has had, a device for its incoming direction
 * @rx: that direction; @plain tells whether the record is open already
 * @prefix: the record's header and explicit nonce
 * @h: the header
 *
 * Context: process, under the socket lock.
 * Return: 0; -ENOMEM; another negative errno if the record can't be read.
 */
int kseal_offload_rx_record(struct sock *sk, struct kseal_rx *rx,
			    const u8 *prefix, const struct kseal_header *h)
{
	unsigned int total = KSEAL_HEADER_LEN + h->len;
	unsigned int marked = kseal_stream_marked(sk, total);
	int decrypted = marked == total ? 1 : marked ? -1 : 0;

	rx->plain = decrypted > 0;
	kseal_get(sk)->offload->rx_record(sk, total, decrypted);
	if (decrypted > 0)
		kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_DEVICE_RECORDS);
	if (decrypted >= 0)
		return 0;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_MIXED);
	return rx_reencrypt(sk, rx, prefix, h);
}

/**
 * kseal_offload_rx_header() - the scan has come to a header
 * @sk: socket that has a device for its incoming direction
 * @rx: that direction; the record begins at @scan_off
 * @len: bytes of the record
 *
 * Context: under the socket lock, softirq too.
 */
void kseal_offload_rx_header(struct sock *sk, struct kseal_rx *rx,
			     unsigned int len)
{
	u32 seq = tcp_sk(sk)->copied_seq + rx->scan_off - rx->partial_len;

	kseal_get(sk)->offload->rx_header(sk, seq, len,
					  rx->key.seq + rx->scan_records);
}

/**
 * kseal_offload_rx_close() - nothing more will be read
 * @sk: socket
 *
 * Context: process, no locks held.
 */
void kseal_offload_rx_close(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (ks->dev && ks->rx.hw)
		ks->offload->rx_close(sk);
}
