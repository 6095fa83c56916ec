// SPDX-License-Identifier: GPL-2.0
/*
 * The incoming direction of a socket with a device: when the device has lost the
 * stream, telling it where a record begins and which number that has, in the three
 * ways of <net/tls.h>. What it has decrypted is dealt with in kseal.ko.
 */
#include <linux/unaligned.h>
#include <net/tcp.h>

#include "../stats.h"
#include "../stream.h"
#include "device.h"
#include "trace.h"

/**
 * kseal_dev_rx_add() - have the device open the records
 * @sk: socket, keyed, without a record read yet
 * @info: its key
 *
 * Context: process, under the socket lock.
 * Return: 0 or a negative errno.
 */
int kseal_dev_rx_add(struct sock *sk, const union kseal_crypto_info *info)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct tls_offload_context_rx *octx;
	struct tls_context *ctx = &ks->tls;
	u32 seq = tcp_sk(sk)->copied_seq;
	struct net_device *netdev;
	struct kseal_dev *dev;
	int err;

	dev = kseal_dev_find(sk, NETIF_F_HW_TLS_RX, info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	octx = kzalloc(sizeof(*octx) + TLS_DRIVER_STATE_SIZE_RX, GFP_KERNEL);
	if (!octx) {
		kseal_dev_forget(dev);
		return -ENOMEM;
	}
	octx->resync_nh_reset = 1;
	memcpy(&ctx->crypto_recv, info, sizeof(ctx->crypto_recv));
	ctx->priv_ctx_rx = octx;

	down_read(&kseal_dev_sem);
	netdev = dev->netdev;
	err = -ENETDOWN;
	if (netdev && netdev->flags & IFF_UP)
		err = netdev->tlsdev_ops->tls_dev_add(netdev, sk,
						      TLS_OFFLOAD_CTX_DIR_RX,
						      &ctx->crypto_recv.info,
						      seq);
	trace_kseal_offload_up(sk, netdev, false, seq, ks->rx.key.seq, err);
	if (!err) {
		dev->rx = true;
		ks->rx.hw = true;
		ctx->rx_conf = TLS_HW;
		set_bit(KSEAL_DEV_RX, &ks->dev_dirs);
		rcu_assign_pointer(ctx->netdev, netdev);
		kseal_dev_attach(dev);
	}
	up_read(&kseal_dev_sem);

	kseal_dev_wipe_key(&ctx->crypto_recv, info->info.cipher_type);
	if (!err)
		return 0;
	ctx->priv_ctx_rx = NULL;
	kfree(octx);
	kseal_dev_forget(dev);
	return err;
}

static void rx_resync(struct sock *sk, u32 seq, u64 sn)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct net_device *netdev;
	u8 rcd_sn[sizeof(u64)];
	int err = -ENODEV;

	put_unaligned_be64(sn, rcd_sn);
	rcu_read_lock();
	netdev = rcu_dereference(ks->tls.netdev);
	if (netdev && test_bit(KSEAL_DEV_RX, &ks->dev_dirs))
		err = netdev->tlsdev_ops->tls_dev_resync(netdev, sk, seq,
				rcd_sn, TLS_OFFLOAD_CTX_DIR_RX);
	trace_kseal_offload_resync(sk, netdev, false, seq, sn, err);
	rcu_read_unlock();
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_RESYNC);
}

/*
 * The driver first names a span of the stream, then, when headers in and after it have
 * gone by perhaps, the header that it is about. While it is the span, those in it are
 * noted and all since the first counted.
 */
static void rx_header_async(struct sock *sk, struct tls_offload_resync_async *a,
			    u32 seq, u64 sn)
{
	s64 req = atomic64_read(&a->req);
	u32 from = req >> 32;
	unsigned int i;
	bool found;

	if (!req)
		return;
	if (req & RESYNC_REQ_ASYNC) {
		if (a->rcd_delta == U16_MAX) {	/* the driver has forgotten */
			atomic64_cmpxchg(&a->req, req, 0);
			return;
		}
		if (before(seq, from))
			return;
		if (!after(seq, from + ((req >> 16) & 0xffff)) &&
		    a->loglen < TLS_DEVICE_RESYNC_ASYNC_LOGMAX)
			a->log[a->loglen++] = seq;
		a->rcd_delta++;
		return;
	}
	for (i = 0; i < a->loglen; i++)
		if (a->log[i] == from)
			break;
	found = i < a->loglen || seq == from;
	if (i < a->loglen)
		sn -= a->rcd_delta - i;
	a->loglen = 0;
	a->rcd_delta = 0;
	/* Another request may have come just now. */
	if (found && atomic64_cmpxchg(&a->req, req, 0) == req)
		rx_resync(sk, from, sn);
}

/**
 * kseal_dev_rx_header() - a record begins at @seq
 * @sk: socket that has, or has had, a device
 * @seq: TCP sequence number
 * @len: bytes of the record, perhaps not all there yet
 * @rcd_sn: its number
 *
 * Called more than once for a header if the record is not complete at first.
 *
 * Context: under the socket lock, softirq too.
 */
void kseal_dev_rx_header(struct sock *sk, u32 seq, unsigned int len, u64 rcd_sn)
{
	struct tls_offload_context_rx *octx = tls_offload_ctx_rx(tls_get_ctx(sk));
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_dev *dev = ks->dev;
	s64 req;

	/* What the driver has lent (resync_async) is there while the bit is. */
	rcu_read_lock();
	if (!test_bit(KSEAL_DEV_RX, &ks->dev_dirs))
		goto out;
	switch (octx->resync_type) {
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		/* By the last byte of the header. */
		req = atomic64_read(&octx->resync_req);
		seq += KSEAL_HEADER_LEN - 1;
		if (req && (u32)(req >> 32) == seq &&
		    atomic64_cmpxchg(&octx->resync_req, req, 0) == req)
			rx_resync(sk, seq, rcd_sn);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT:
		/* Only a record that has not begun to come can be hinted at. */
		if (!octx->resync_nh_do_now ||
		    kseal_stream_len(sk) - ks->rx.scan_off > len)
			break;
		octx->resync_nh_do_now = 0;
		rx_resync(sk, seq + len, rcd_sn + 1);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC:
		if (dev->telling && dev->told == seq)
			break;
		dev->telling = true;
		dev->told = seq;
		rx_header_async(sk, octx->resync_async, seq, rcd_sn);
		break;
	}
out:
	rcu_read_unlock();
}

/**
 * kseal_dev_rx_record() - a record is taken off the stream
 * @sk: socket that has, or has had, a device
 * @len: its bytes
 * @decrypted: 1 if the device has opened it, 0 if not, -1 if some of it
 *
 * A device that wants hints gets one after two records that it has not opened, and
 * while that does not help, after 4, 8, ... 128 more.
 *
 * Context: process, under the socket lock.
 */
void kseal_dev_rx_record(struct sock *sk, unsigned int len, int decrypted)
{
	struct tls_offload_context_rx *octx = tls_offload_ctx_rx(tls_get_ctx(sk));
	struct kseal_sock *ks = kseal_get(sk);
	u32 *target = &octx->resync_nh.decrypted_tgt;

	if (decrypted) {
		octx->resync_nh_reset = 1;
		return;
	}
	if (octx->resync_type != TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT ||
	    octx->resync_nh_do_now || !test_bit(KSEAL_DEV_RX, &ks->dev_dirs))
		return;
	if (octx->resync_nh_reset) {
		octx->resync_nh_reset = 0;
		octx->resync_nh.decrypted_failed = 1;
		*target = TLS_DEVICE_RESYNC_NH_START_IVAL;
		return;
	}
	if (++octx->resync_nh.decrypted_failed <= *target)
		return;
	*target += min_t(u32, *target, TLS_DEVICE_RESYNC_NH_MAX_IVAL);
	if (kseal_stream_len(sk) > len)
		octx->resync_nh_do_now = 1;
	else
		rx_resync(sk, tcp_sk(sk)->copied_seq - ks->rx.partial_len + len,
			  ks->rx.key.seq + 1);
}

/**
 * kseal_dev_rx_close() - nothing more will be read
 * @sk: socket that has, or has had, a device
 *
 * Context: process, no locks held.
 */
void kseal_dev_rx_close(struct sock *sk)
{
	struct kseal_sock *ks = kseal_get(sk);

	/* After that nothing asks for a resync any more. */
	lock_sock(sk);
	ks->rx.hw = false;
	clear_bit(KSEAL_DEV_RX, &ks->dev_dirs);
	release_sock(sk);

	kseal_dev_rx_del(ks->dev);
}
