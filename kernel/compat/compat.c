// SPDX-License-Identifier: GPL-2.0
/*
 * What older kernels lack and is too long for compat.h. Empty on the newest.
 */
#include <asm/ioctls.h>
#include <linux/bvec.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/tcp.h>

#include "../connect.h"
#include "../listen.h"
#include "../socket.h"
#include "../ulp.h"

#ifdef KSEAL_HAVE_RECVMSG_ADDR_LEN

int kseal_proto_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			int flags, int *addr_len)
{
	return kseal_recvmsg(sk, msg, len, flags);
}

int kseal_proto_gate_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			     int flags, int *addr_len)
{
	return kseal_gate_recvmsg(sk, msg, len, flags);
}

int kseal_proto_connect_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
				int flags, int *addr_len)
{
	return kseal_connect_recvmsg(sk, msg, len, flags);
}

#endif

#ifndef KSEAL_HAVE_PROTO_ACCEPT_ARG

struct sock *kseal_proto_accept(struct sock *sk, int flags, int *err,
				bool kern)
{
	struct proto_accept_arg arg = { .flags = flags, .kern = kern };
	struct sock *child = kseal_accept(sk, &arg);

	*err = arg.err;
	return child;
}

int kseal_ops_accept(struct socket *sock, struct socket *newsock, int flags,
		     bool kern)
{
	struct proto_accept_arg arg = { .flags = flags, .kern = kern };

	return kseal_accept_sock(sock, newsock, &arg);
}

#endif

#ifndef KSEAL_HAVE_ULP_INFO_NET_ADMIN

int kseal_ops_get_info(struct sock *sk, struct sk_buff *skb)
{
	return kseal_ulp_get_info(sk, skb, false);
}

size_t kseal_ops_get_info_size(const struct sock *sk)
{
	return kseal_ulp_get_info_size(sk, false);
}

#endif

#ifndef KSEAL_HAVE_IOCTL_KARG

int kseal_proto_ioctl(struct sock *sk, int cmd, unsigned long arg)
{
	struct kseal_sock *ks = kseal_get(sk);
	int err, karg = 0;

	if (cmd == SIOCINQ && kseal_inq_is_ours(ks)) {
		err = kseal_ioctl(sk, cmd, &karg);
		return err ?: put_user(karg, (int __user *)arg);
	}
	err = ks->family->base->ioctl(sk, cmd, arg);
	if (err || (cmd != SIOCOUTQ && cmd != SIOCOUTQNSD))
		return err;
	if (get_user(karg, (int __user *)arg))
		return -EFAULT;
	karg += kseal_tx_unsent(sk);
	return put_user(karg, (int __user *)arg);
}

#endif

#ifdef KSEAL_HAVE_SENDPAGE

int kseal_gate_sendpage(struct sock *sk, struct page *page, int offset,
			size_t size, int flags)
{
	return -ENOTCONN;
}

int kseal_open_sendpage(struct sock *sk, struct page *page, int offset,
			size_t size, int flags)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct msghdr msg = { .msg_flags = flags | MSG_SPLICE_PAGES };
	struct bio_vec bvec;

	if (!kseal_tx_keyed(&ks->tx))
		return ks->family->base->sendpage(sk, page, offset, size,
						  flags);
	if (flags & MSG_SENDPAGE_NOTLAST)
		msg.msg_flags |= MSG_MORE;
	bvec_set_page(&bvec, page, size, offset);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &bvec, 1, size);
	return kseal_sendmsg(sk, &msg, size);
}

/* Of a bvec iterator, as tx.c makes it, if pages are to be taken over. */
int kseal_tcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t size)
{
	int n, sent = 0, flags = msg->msg_flags & ~MSG_SPLICE_PAGES;
	struct bio_vec bvec;

	if (!(msg->msg_flags & MSG_SPLICE_PAGES))
		return tcp_sendmsg_locked(sk, msg, size);
	while (sent < size) {
		bvec = *msg->msg_iter.bvec;
		bvec.bv_offset += msg->msg_iter.iov_offset;
		bvec.bv_len -= msg->msg_iter.iov_offset;
		bvec.bv_len = min_t(size_t, bvec.bv_len, size - sent);
		n = do_tcp_sendpages(sk, bvec.bv_page, bvec.bv_offset,
				     bvec.bv_len,
				     flags | (sent + bvec.bv_len < size ?
					      MSG_SENDPAGE_NOTLAST | MSG_MORE :
					      0));
		if (n <= 0)
			return sent ?: n;
		iov_iter_advance(&msg->msg_iter, n);
		sent += n;
		if (n < bvec.bv_len)
			break;
	}
	return sent;
}

#endif
