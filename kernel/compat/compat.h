/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that kseal is built for. The sources are
 * written for the newest; this file, included ahead of each of them, gives older
 * kernels what they lack. What a kernel has is found out by compiling the files in
 * probes/ (Kbuild), never from its version: distributions take features back.
 * Headers that a kernel lacks are in include/.
 */
#ifndef _KSEAL_COMPAT_H
#define _KSEAL_COMPAT_H

#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/tls.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/tcp.h>

/* A socket option since Linux 7.0. */
#ifndef TLS_TX_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN	5
#endif
#ifndef KSEAL_HAVE_TLS_INFO_MAX_PAYLOAD
#define TLS_INFO_TX_MAX_PAYLOAD_LEN	7
#endif

/* Gone since Linux 7.0: the pages of a folio are neighbours in the memory map. */
#ifndef nth_page
#define nth_page(page, n)	((page) + (n))
#endif

#ifndef KSEAL_HAVE_SOCKADDR_UNSIZED
#define sockaddr_unsized sockaddr
#endif

#ifdef KSEAL_HAVE_RECVMSG_ADDR_LEN
int kseal_proto_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			int flags, int *addr_len);
int kseal_proto_gate_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			     int flags, int *addr_len);
int kseal_proto_connect_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
				int flags, int *addr_len);
#else
#define kseal_proto_recvmsg		kseal_recvmsg
#define kseal_proto_gate_recvmsg	kseal_gate_recvmsg
#define kseal_proto_connect_recvmsg	kseal_connect_recvmsg
#endif

static inline int kseal_base_recvmsg(struct proto *base, struct sock *sk,
				     struct msghdr *msg, size_t len, int flags)
{
#ifdef KSEAL_HAVE_RECVMSG_ADDR_LEN
	int addr_len = 0;

	return base->recvmsg(sk, msg, len, flags, &addr_len);
#else
	return base->recvmsg(sk, msg, len, flags);
#endif
}

#ifdef KSEAL_HAVE_PROTO_ACCEPT_ARG

#define kseal_proto_accept	kseal_accept
#define kseal_ops_accept	kseal_accept_sock

static inline struct sock *kseal_base_accept(struct proto *base,
					     struct sock *sk,
					     struct proto_accept_arg *arg)
{
	return base->accept(sk, arg);
}

static inline int kseal_base_accept_sock(const struct proto_ops *ops,
					 struct socket *sock,
					 struct socket *newsock,
					 struct proto_accept_arg *arg)
{
	return ops->accept(sock, newsock, arg);
}

#else

struct proto_accept_arg {
	int flags;
	int err;
	int is_empty;
	bool kern;
};

struct sock *kseal_proto_accept(struct sock *sk, int flags, int *err,
				bool kern);
int kseal_ops_accept(struct socket *sock, struct socket *newsock, int flags,
		     bool kern);

static inline struct sock *kseal_base_accept(struct proto *base,
					     struct sock *sk,
					     struct proto_accept_arg *arg)
{
	return base->accept(sk, arg->flags, &arg->err, arg->kern);
}

static inline int kseal_base_accept_sock(const struct proto_ops *ops,
					 struct socket *sock,
					 struct socket *newsock,
					 struct proto_accept_arg *arg)
{
	return ops->accept(sock, newsock, arg->flags, arg->kern);
}

#endif /* KSEAL_HAVE_PROTO_ACCEPT_ARG */

#ifdef KSEAL_HAVE_IOCTL_KARG
#define kseal_proto_ioctl	kseal_ioctl
#else
int kseal_proto_ioctl(struct sock *sk, int cmd, unsigned long arg);
#endif

/* Where there is no kernel pointer, kseal_proto_ioctl() sees to the base's. */
static inline int kseal_base_ioctl(struct proto *base, struct sock *sk, int cmd,
				   int *karg)
{
#ifdef KSEAL_HAVE_IOCTL_KARG
	return base->ioctl(sk, cmd, karg);
#else
	return -ENOIOCTLCMD;
#endif
}

/*
 * Without MSG_SPLICE_PAGES pages come by sendpage and go by do_tcp_sendpages();
 * the flag still names the meaning inside kseal.
 */
#ifdef KSEAL_HAVE_SENDPAGE

int kseal_gate_sendpage(struct sock *sk, struct page *page, int offset,
			size_t size, int flags);
int kseal_open_sendpage(struct sock *sk, struct page *page, int offset,
			size_t size, int flags);
int kseal_tcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t size);

static inline void kseal_proto_set_gate(struct proto *p)
{
	p->sendpage = kseal_gate_sendpage;
}

/* Then the core copies, and calls sendmsg. */
static inline void kseal_proto_set_connect(struct proto *p)
{
	p->sendpage = NULL;
}

static inline void kseal_proto_set_open(struct proto *p)
{
	p->sendpage = kseal_open_sendpage;
}

static inline void kseal_ops_set_open(struct proto_ops *ops)
{
	ops->sendpage_locked = NULL;
}

#else

static inline void kseal_proto_set_gate(struct proto *p)
{
}

static inline void kseal_proto_set_connect(struct proto *p)
{
}

static inline void kseal_proto_set_open(struct proto *p)
{
}

static inline void kseal_ops_set_open(struct proto_ops *ops)
{
}

static inline int kseal_tcp_sendmsg_locked(struct sock *sk, struct msghdr *msg,
					   size_t size)
{
	return tcp_sendmsg_locked(sk, msg, size);
}

#endif /* KSEAL_HAVE_SENDPAGE */

#ifdef KSEAL_HAVE_ULP_INFO_NET_ADMIN
#define kseal_ops_get_info	kseal_ulp_get_info
#define kseal_ops_get_info_size	kseal_ulp_get_info_size
#else
int kseal_ops_get_info(struct sock *sk, struct sk_buff *skb);
size_t kseal_ops_get_info_size(const struct sock *sk);
#endif

/* Without offload of TLS to devices no buffer is marked. */
static inline bool kseal_skb_decrypted(const struct sk_buff *skb)
{
#ifdef CONFIG_TLS_DEVICE
	return skb->decrypted;
#else
	return false;
#endif
}

static inline void kseal_frag_fill(skb_frag_t *frag, struct page *page,
				   unsigned int off, unsigned int len)
{
#ifdef KSEAL_HAVE_SKB_FRAG_FILL
	skb_frag_fill_page_desc(frag, page, off, len);
#else
	__skb_frag_set_page(frag, page);
	skb_frag_off_set(frag, off);
	skb_frag_size_set(frag, len);
#endif
}

/* A member of struct tcp_sock since 6.17. */
#ifdef CONFIG_TLS_DEVICE
static inline void kseal_clean_acked_enable(struct sock *sk,
					    void (*f)(struct sock *sk, u32 seq))
{
#ifdef KSEAL_HAVE_CLEAN_ACKED_TCP_SOCK
	clean_acked_data_enable(tcp_sk(sk), f);
#else
	clean_acked_data_enable(inet_csk(sk), f);
#endif
}

static inline void kseal_clean_acked_disable(struct sock *sk)
{
#ifdef KSEAL_HAVE_CLEAN_ACKED_TCP_SOCK
	clean_acked_data_disable(tcp_sk(sk));
#else
	clean_acked_data_disable(inet_csk(sk));
#endif
}
#endif

#endif /* _KSEAL_COMPAT_H */
