// SPDX-License-Identifier: GPL-2.0
/*
 * Connections over loopback, and the transports whose record layer is in the
 * kernel: none, kseal in its explicit mode, and the kernel's own tls. Called by
 * measure.c and floors.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#ifndef SOL_TLS
#define SOL_TLS	282
#endif

/* @n connections: @a is the end that connected, @b the one that was accepted. */
void connect_pairs(struct end *a, struct end *b, int n)
{
	struct sockaddr_in in = {
		.sin_family		= AF_INET,
		.sin_addr.s_addr	= htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(in);
	int listener, i;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&in, sizeof(in)) ||
	    listen(listener, 16) || getsockname(listener, (struct sockaddr *)&in, &len))
		die("listening on loopback: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		a[i] = (struct end){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
		if (a[i].fd < 0 || connect(a[i].fd, (struct sockaddr *)&in, sizeof(in)))
			die("connecting over loopback: %s", strerror(errno));
		b[i] = (struct end){ .fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC) };
		if (b[i].fd < 0)
			die("accept: %s", strerror(errno));
	}
	close(listener);
}

/* Abort, so that no connection lingers into the next measurement. */
static void abort_end(const struct transport *t, struct end *e)
{
	struct linger linger = { .l_onoff = 1 };

	if (t->close)
		t->close(e);
	setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(e->fd);
}

void close_pairs(const struct transport *t, struct end *a, struct end *b, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		abort_end(t, &a[i]);
		abort_end(t, &b[i]);
	}
}

static const char *set_ulp(int fd, const char *ulp)
{
	static char reason[80];

	if (!setsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, strlen(ulp)))
		return NULL;
	snprintf(reason, sizeof(reason), "setsockopt(TCP_ULP, \"%s\"): %s", ulp, strerror(errno));
	return reason;
}

static const char *set_key(int fd, int option, int direction)
{
	static char reason[80];
	unsigned int len;
	const void *key = records_key(direction, &len);

	if (!setsockopt(fd, SOL_TLS, option, key, len))
		return NULL;
	snprintf(reason, sizeof(reason), "setsockopt(%s): %s", option == TLS_TX ? "TLS_TX" : "TLS_RX",
		 strerror(errno));
	return reason;
}

static const char *ulp_open(const char *ulp, struct end *a, struct end *b, enum ends ends)
{
	const char *error = NULL;

	if (ends != RX) {
		error = set_ulp(a->fd, ulp);
		if (!error)
			error = set_key(a->fd, TLS_TX, TO_B);
		if (!error && ends == BOTH)
			error = set_key(a->fd, TLS_RX, TO_A);
	}
	if (!error && ends != TX) {
		error = set_ulp(b->fd, ulp);
		if (!error)
			error = set_key(b->fd, TLS_RX, TO_B);
		if (!error && ends == BOTH)
			error = set_key(b->fd, TLS_TX, TO_A);
	}
	return error;
}

static const char *plain_open(struct end *a, struct end *b, enum ends ends)
{
	(void)a;
	(void)b;
	(void)ends;
	return NULL;
}

static const char *kseal_open(struct end *a, struct end *b, enum ends ends)
{
	return ulp_open("kseal", a, b, ends);
}

static const char *tls_open(struct end *a, struct end *b, enum ends ends)
{
	return ulp_open("tls", a, b, ends);
}

static ssize_t socket_send(struct end *e, const void *data, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = send(e->fd, data + done, len - done, MSG_NOSIGNAL);
		if (n < 0)
			return -1;
		done += n;
	}
	return done;
}

static ssize_t socket_recv(struct end *e, void *data, size_t len)
{
	return recv(e->fd, data, len, 0);
}

#define KERNEL_TRANSPORT(_id, _name)			\
const struct transport _id##_transport = {		\
	.name		= (_name),			\
	.in_kernel	= true,				\
	.open		= _id##_open,			\
	.send		= socket_send,			\
	.recv		= socket_recv,			\
}

KERNEL_TRANSPORT(plain, "plain");
KERNEL_TRANSPORT(kseal, "kseal");
KERNEL_TRANSPORT(tls, "tls.ko");
