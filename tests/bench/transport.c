// SPDX-License-Identifier: GPL-2.0
/*
 * Connections over loopback or through cards (cards.c), and the transports whose record
 * layer is in the kernel: none, kseal, keyed as the agent keys it, and the kernel's own
 * tls. Called by measure.c and floors.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/kseal.h>
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

	if (options.cards) {
		in.sin_addr.s_addr = inet_addr("10.77.0.2");
		cards_enter("b");
	}
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&in, sizeof(in)) ||
	    listen(listener, 16) || getsockname(listener, (struct sockaddr *)&in, &len))
		die("listening: %s", strerror(errno));
	if (options.cards)
		cards_enter("a");
	for (i = 0; i < n; i++) {
		a[i] = (struct end){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
		if (a[i].fd < 0 || connect(a[i].fd, (struct sockaddr *)&in, sizeof(in)))
			die("connecting: %s", strerror(errno));
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

/* Of the keys that are there: as the agent does, so that they can be renewed. */
static const char *set_secrets(int fd, bool tx, bool rx)
{
	static const uint8_t secret[48] = { 1 };
	unsigned int len = options.key_bits == 128 ? 32 : 48;

	if ((tx && setsockopt(fd, SOL_TLS, KSEAL_TX_SECRET, secret, len)) ||
	    (rx && setsockopt(fd, SOL_TLS, KSEAL_RX_SECRET, secret, len)))
		return "the traffic secrets are refused";
	return NULL;
}

static const char *kseal_open(struct end *a, struct end *b, enum ends ends)
{
	const char *error = ulp_open("kseal", a, b, ends);

	if (!error && options.tls13 && ends != RX)
		error = set_secrets(a->fd, true, ends == BOTH);
	if (!error && options.tls13 && ends != TX)
		error = set_secrets(b->fd, ends == BOTH, true);
	return error;
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

#define KERNEL_TRANSPORT(_id, _name, _open, _in_card)	\
const struct transport _id##_transport = {		\
	.name		= (_name),			\
	.in_kernel	= true,				\
	.in_card	= (_in_card),			\
	.open		= (_open),			\
	.send		= socket_send,			\
	.recv		= socket_recv,			\
}

KERNEL_TRANSPORT(plain, "plain", plain_open, false);
KERNEL_TRANSPORT(kseal, "kseal", kseal_open, false);
KERNEL_TRANSPORT(tls, "tls.ko", tls_open, false);
KERNEL_TRANSPORT(kseal_card, "kseal hw", kseal_open, true);
KERNEL_TRANSPORT(tls_card, "tls.ko hw", tls_open, true);
