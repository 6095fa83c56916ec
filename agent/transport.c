// SPDX-License-Identifier: GPL-2.0
/*
 * What carries a session's bytes. Called by session.c to set a session up, and by
 * GnuTLS from gnutls_handshake().
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "transport.h"

static ssize_t pull(gnutls_transport_ptr_t ptr, void *buf, size_t size)
{
	struct kseal_transport *t = ptr;
	ssize_t n;

	if (t->muted) {
		gnutls_transport_set_errno(t->tls, EAGAIN);
		return -1;
	}
	n = recv(t->fd, buf, size, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			t->error = errno;
		gnutls_transport_set_errno(t->tls, errno);
	}
	return n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int count)
{
	struct kseal_transport *t = ptr;
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = count,
	};
	size_t size = 0;
	ssize_t n;

	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	n = sendmsg(t->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	t->unsent = n < 0 || (size_t)n < size;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			t->error = errno;
		gnutls_transport_set_errno(t->tls, errno);
	}
	return n;
}

/**
 * kseal_transport_set() - have a session send and receive here
 * @t: all zero; must outlive @tls
 * @tls: not yet handshaken
 * @fd: connected stream
 */
void kseal_transport_set(struct kseal_transport *t, gnutls_session_t tls, int fd)
{
	t->tls = tls;
	t->fd = fd;
	gnutls_transport_set_ptr(tls, t);
	gnutls_transport_set_pull_function(tls, pull);
	gnutls_transport_set_vec_push_function(tls, push);
}
