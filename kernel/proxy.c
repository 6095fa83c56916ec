// SPDX-License-Identifier: GPL-2.0
/*
 * The proxy: a socket of our own that the agent works on during a handshake. It
 * forwards to the held connection under a mutex, so that taking the connection
 * away (kseal_proxy_revoke()) has full effect on return: no call is in flight
 * and every later one, on every copy of the file descriptor, fails with
 * ESHUTDOWN. The mutex is never held while touching user memory or sleeping for
 * data. The connection hangs on an internal socket, or on the connector's own; in
 * either case it is not taken off before the proxy has been revoked, and nothing
 * is done to it here but what leaves that socket alone.
 *
 * Incoming bytes are given out at most one TLS record at a time (RFC 8446 §5.1):
 * first its header, then its body, so that an agent which stops after the record
 * that ends the handshake has taken nothing that follows it.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/tls.h>
#include <net/inet_sock.h>
#include <net/tcp.h>

#include "handshake.h"
#include "listen.h"
#include "proxy.h"
#include "record.h"
#include "socket.h"
#include "sockopt.h"

/* Bytes that one call moves at most. */
#define PROXY_CHUNK	SZ_16K

/**
 * struct kseal_proxy - a proxy
 * @sk: its own sock (as large as a real one: @tcp6), so that the socket core
 *	and security modules have one to look at; holds the reference count
 * @tcp6: see @sk
 * @lock: guards the rest
 * @hs: the handshake, a reference is held; NULL once revoked
 * @header: of the incoming record, as far as it has been given out
 * @header_len: bytes in @header
 * @body_left: bytes of the record's body not yet given out
 * @garbled: what came is no TLS record; nothing more is given out
 */
struct kseal_proxy {
	union {
		struct sock sk;
		struct tcp6_sock tcp6;
	};
	struct mutex lock;	/* guards what follows */
	struct kseal_handshake *hs;
	u8 header[KSEAL_HEADER_LEN];
	unsigned int header_len;
	unsigned int body_left;
	bool garbled;
};

static struct proto kseal_proxy_proto = {
	.name		= "KSEAL-PROXY",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct kseal_proxy),
};

static struct kseal_proxy *proxy_of(const struct socket *sock)
{
	return container_of(sock->sk, struct kseal_proxy, sk);
}

/**
 * kseal_proxy_get() - take a reference
 * @proxy: proxy
 *
 * Context: any.
 */
void kseal_proxy_get(struct kseal_proxy *proxy)
{
	sock_hold(&proxy->sk);
}

/**
 * kseal_proxy_put() - drop a reference
 * @proxy: proxy
 *
 * Context: any.
 */
void kseal_proxy_put(struct kseal_proxy *proxy)
{
	sock_put(&proxy->sk);
}

/**
 * kseal_proxy_at_boundary() - did the agent stop between two records?
 * @proxy: proxy, revoked
 *
 * Context: any.
 * Return: whether it did.
 */
bool kseal_proxy_at_boundary(const struct kseal_proxy *proxy)
{
	return !proxy->garbled && !proxy->header_len && !proxy->body_left;
}

/**
 * kseal_proxy_revoke() - take the connection away
 * @proxy: proxy
 *
 * Context: process, no locks held.
 * Return: the handshake, whose reference is the caller's now; NULL if the proxy
 * was revoked before.
 */
struct kseal_handshake *kseal_proxy_revoke(struct kseal_proxy *proxy)
{
	struct kseal_handshake *hs;

	mutex_lock(&proxy->lock);
	hs = proxy->hs;
	proxy->hs = NULL;
	if (hs)
		kseal_proxy_attach(hs->sk, NULL);
	mutex_unlock(&proxy->lock);
	proxy->sk.sk_state_change(&proxy->sk);
	return hs;
}

static int proxy_release(struct socket *sock)
{
	struct kseal_proxy *proxy;
	struct kseal_handshake *hs;

	if (!sock->sk)
		return 0;
	proxy = proxy_of(sock);
	hs = kseal_proxy_revoke(proxy);
	if (hs) {
		kseal_handshake_return(hs, proxy);
		kseal_handshake_put(hs);
	}
	sock_orphan(&proxy->sk);
	sock->sk = NULL;
	kseal_proxy_put(proxy);
	return 0;
}

/* After bytes were given out: where in the record are we? Under the lock. */
static void proxy_advance(struct kseal_proxy *proxy, const u8 *buf, int len)
{
	if (proxy->body_left) {
		proxy->body_left -= len;
		return;
	}
	memcpy(proxy->header + proxy->header_len, buf, len);
	proxy->header_len += len;
	if (proxy->header_len < KSEAL_HEADER_LEN)
		return;
	proxy->header_len = 0;
	proxy->body_left = get_unaligned_be16(proxy->header + 3);
	if (proxy->header[1] != TLS_1_2_VERSION_MAJOR ||
	    proxy->body_left > KSEAL_MAX_CIPHERTEXT_1_2) {
		proxy->garbled = true;
		proxy->body_left = 0;
	}
}

static int proxy_pull(struct kseal_proxy *proxy, u8 *buf, int len, int flags)
{
	struct kvec vec = { .iov_base = buf };
	struct kseal_handshake *hs = proxy->hs;
	struct msghdr msg = {};
	int n;

	if (!hs)
		return -ESHUTDOWN;
	if (proxy->garbled)
		return -EPROTO;
	if (kseal_rx_keyed(&kseal_get(hs->sk)->rx))
		return -EBUSY;	/* the rest is the application's */
	vec.iov_len = proxy->body_left ?
		      min_t(unsigned int, len, proxy->body_left) :
		      min_t(unsigned int, len,
			    KSEAL_HEADER_LEN - proxy->header_len);
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &vec, 1, vec.iov_len);
	n = kseal_base_recvmsg(hs->family->base, hs->sk, &msg, vec.iov_len,
			       MSG_DONTWAIT | flags);
	if (n > 0 && !(flags & MSG_PEEK)) {
		hs->touched = true;
		proxy_advance(proxy, buf, n);
	}
	return n;
}

static int proxy_push(struct kseal_proxy *proxy, u8 *buf, int len,
		      const struct msghdr *from)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kseal_handshake *hs = proxy->hs;

	if (!hs)
		return -ESHUTDOWN;
	hs->touched = true;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, len);
	if (!kseal_tx_keyed(&kseal_get(hs->sk)->tx))
		return hs->family->base->sendmsg(hs->sk, &msg, len);

	/* Sealed by us from here on; the agent may name the record type. */
	msg.msg_control = from->msg_control;
	msg.msg_controllen = from->msg_controllen;
	return kseal_sendmsg(hs->sk, &msg, len);
}

/* Run @op until it gets something, or once if the caller won't wait. */
static int proxy_wait(struct kseal_proxy *proxy, struct socket *sock,
		      bool nonblock, u8 *buf, int len, int flags,
		      const struct msghdr *from)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo = MAX_SCHEDULE_TIMEOUT;
	int n;

	add_wait_queue(&sock->wq.wait, &wait);
	for (;;) {
		mutex_lock(&proxy->lock);
		n = from ? proxy_push(proxy, buf, len, from) :
			   proxy_pull(proxy, buf, len, flags);
		mutex_unlock(&proxy->lock);
		if (n != -EAGAIN || nonblock)
			break;
		if (signal_pending(current)) {
			n = sock_intr_errno(timeo);
			break;
		}
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(&sock->wq.wait, &wait);
	return n;
}

static int proxy_recvmsg(struct socket *sock, struct msghdr *msg, size_t size,
			 int flags)
{
	bool nonblock = flags & MSG_DONTWAIT;
	int len = min_t(size_t, size, PROXY_CHUNK);
	u8 *buf;
	int n;

	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK |
		      MSG_CMSG_CLOEXEC))
		return -EOPNOTSUPP;
	if (!len)
		return 0;
	buf = kmalloc(len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	n = proxy_wait(proxy_of(sock), sock, nonblock, buf, len,
		       flags & MSG_PEEK, NULL);
	if (n > 0 && copy_to_iter(buf, n, &msg->msg_iter) != n)
		n = -EFAULT;
	kfree_sensitive(buf);
	return n;
}

static int proxy_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
{
	bool nonblock = msg->msg_flags & MSG_DONTWAIT;
	int len = min_t(size_t, size, PROXY_CHUNK);
	u8 *buf;
	int n;

	if (msg->msg_flags & (MSG_OOB | MSG_FASTOPEN | MSG_ZEROCOPY))
		return -EOPNOTSUPP;
	buf = kmalloc(max(len, 1), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	if (copy_from_iter(buf, len, &msg->msg_iter) != len)
		n = -EFAULT;
	else
		n = proxy_wait(proxy_of(sock), sock, nonblock, buf, len, 0,
			       msg);
	kfree_sensitive(buf);
	return n;
}

static __poll_t proxy_poll(struct file *file, struct socket *sock,
			   struct poll_table_struct *wait)
{
	struct kseal_proxy *proxy = proxy_of(sock);
	struct kseal_handshake *hs;
	__poll_t mask = EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM |
			EPOLLRDHUP | EPOLLHUP;

	sock_poll_wait(file, sock, wait);
	mutex_lock(&proxy->lock);
	hs = proxy->hs;
	if (hs)	/* without a poll table: the waiters are on our own queue */
		mask = hs->family->base_ops->poll(file, hs->sk->sk_socket,
						  NULL);
	mutex_unlock(&proxy->lock);
	return mask;
}

static int proxy_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct kseal_proxy *proxy = proxy_of(sock);
	struct kseal_handshake *hs;
	int err = -ESHUTDOWN;

	mutex_lock(&proxy->lock);
	hs = proxy->hs;
	if (hs)
		err = hs->family->base_ops->getname(hs->sk->sk_socket, addr,
						    peer);
	mutex_unlock(&proxy->lock);
	return err;
}

static int proxy_tcp_option(struct kseal_proxy *proxy, int optname,
			    sockptr_t optval, unsigned int optlen)
{
	char name[TCP_ULP_NAME_MAX] = {};
	struct proto *base;

	if (!proxy->hs)
		return -ESHUTDOWN;
	base = proxy->hs->family->base;
	switch (optname) {
	case TCP_ULP:
		/* What a library's own kTLS support does first: done already. */
		memcpy(name, optval.kernel, min_t(size_t, optlen,
						  sizeof(name) - 1));
		return strcmp(name, "tls") && strcmp(name, KSEAL_ULP_NAME) ?
		       -ENOENT : 0;
	case TCP_NODELAY:
	case TCP_CORK:
		return base->setsockopt(proxy->hs->sk, SOL_TCP, optname, optval,
					optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static int proxy_tls_option(struct kseal_proxy *proxy, int optname,
			    sockptr_t optval, unsigned int optlen)
{
	struct sock *sk;
	int err;

	if (!proxy->hs)
		return -ESHUTDOWN;
	sk = proxy->hs->sk;
	lock_sock(sk);
	err = kseal_set_keys(sk, optname, optval, optlen);
	release_sock(sk);
	return err;
}

static int proxy_setsockopt(struct socket *sock, int level, int optname,
			    sockptr_t optval, unsigned int optlen)
{
	struct kseal_proxy *proxy = proxy_of(sock);
	u8 val[sizeof(union tls_crypto_context)];
	sockptr_t kval = KERNEL_SOCKPTR(val);
	int err;

	if (!optlen || optlen > sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(val, optval, optlen))
		return -EFAULT;

	mutex_lock(&proxy->lock);
	switch (level) {
	case SOL_TCP:
		err = proxy_tcp_option(proxy, optname, kval, optlen);
		break;
	case SOL_TLS:
		err = proxy_tls_option(proxy, optname, kval, optlen);
		break;
	default:
		err = -ENOPROTOOPT;
	}
	mutex_unlock(&proxy->lock);
	memzero_explicit(val, sizeof(val));
	return err;
}

static int proxy_getsockopt(struct socket *sock, int level, int optname,
			    char __user *optval, int __user *optlen)
{
	return -ENOPROTOOPT;
}

static int proxy_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	return -ENOIOCTLCMD;
}

static int proxy_shutdown(struct socket *sock, int how)
{
	return -EOPNOTSUPP;
}

static const struct proto_ops kseal_proxy_ops = {
	.family		= PF_INET,
	.owner		= THIS_MODULE,
	.release	= proxy_release,
	.bind		= sock_no_bind,
	.connect	= sock_no_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= proxy_getname,
	.poll		= proxy_poll,
	.ioctl		= proxy_ioctl,
	.listen		= sock_no_listen,
	.shutdown	= proxy_shutdown,
	.setsockopt	= proxy_setsockopt,
	.getsockopt	= proxy_getsockopt,
	.sendmsg	= proxy_sendmsg,
	.recvmsg	= proxy_recvmsg,
	.mmap		= sock_no_mmap,
};

/**
 * kseal_proxy_open() - make a proxy for a worker
 * @hs: handshake, given to a worker
 * @portid: that worker
 *
 * Context: process.
 * Return: file, or ERR_PTR: -ENOENT if the handshake is over, -ENOMEM, -ENFILE.
 */
struct file *kseal_proxy_open(struct kseal_handshake *hs, u32 portid)
{
	struct kseal_proxy *proxy;
	struct socket *sock;
	struct sock *sk;
	bool bound;

	sock = sock_alloc();
	if (!sock)
		return ERR_PTR(-ENFILE);
	sock->type = SOCK_STREAM;
	sk = sk_alloc(sock_net(hs->sk), hs->sk->sk_family, GFP_KERNEL,
		      &kseal_proxy_proto, 0);
	if (!sk) {
		sock_release(sock);
		return ERR_PTR(-ENOMEM);
	}
	__module_get(THIS_MODULE);	/* dropped by sock_release() */
	sock->ops = &kseal_proxy_ops;
	sock->state = SS_CONNECTED;
	sock_init_data(sock, sk);
	sk->sk_protocol = IPPROTO_TCP;

	proxy = proxy_of(sock);
	mutex_init(&proxy->lock);
	mutex_lock(&proxy->lock);	/* makes a revocation wait */
	bound = kseal_handshake_bind(hs, portid, proxy);
	if (bound) {
		refcount_inc(&hs->ref);
		proxy->hs = hs;
		kseal_proxy_attach(hs->sk, &proxy->sk);
	}
	mutex_unlock(&proxy->lock);
	if (!bound) {
		sock_release(sock);
		return ERR_PTR(-ENOENT);
	}
	return sock_alloc_file(sock, O_RDWR, NULL);	/* or releases it */
}

/**
 * kseal_proxy_init() - register the proto
 *
 * Context: process, module load.
 * Return: 0 or a negative errno.
 */
int kseal_proxy_init(void)
{
	return proto_register(&kseal_proxy_proto, 0);
}

/**
 * kseal_proxy_exit() - unregister the proto
 *
 * Context: process, module unload.
 */
void kseal_proxy_exit(void)
{
	proto_unregister(&kseal_proxy_proto);
}
