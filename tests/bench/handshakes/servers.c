// SPDX-License-Identifier: GPL-2.0
/*
 * handshakes accept PORT: a server that knows no TLS, closes what it accepts once
 * the client has: what kseal serves, and what stands behind hitch and stunnel.
 *
 * handshakes fork PORT CERTIFICATE KEY: the model of ktls-utils' tlshd, where that is
 * not packaged: a process for each handshake, which reads its files and does it with
 * GnuTLS.
 */
#define _GNU_SOURCE
#include <gnutls/gnutls.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshakes.h"

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

int accepting(char **args)
{
	int fd = listen_on(atoi(args[0])), epoll = epoll_create1(EPOLL_CLOEXEC), new;
	struct epoll_event events[64];
	char rest[4096];
	int n;

	signal(SIGPIPE, SIG_IGN);
	watch(epoll, fd);
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == fd) {
				new = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
				if (new >= 0)
					watch(epoll, new);
			} else if (read(events[i].data.fd, rest, sizeof(rest)) <= 0) {
				close(events[i].data.fd);
			}
		}
	}
}

static void serve(int fd, const char *certificate, const char *key)
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t tls;
	char rest[4096];
	int ret;

	gnutls_certificate_allocate_credentials(&cred);
	if (gnutls_certificate_set_x509_key_file(cred, certificate, key,
						 GNUTLS_X509_FMT_PEM) < 0)
		die(certificate);
	gnutls_init(&tls, GNUTLS_SERVER);
	gnutls_set_default_priority(tls);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(tls, fd);
	do {
		ret = gnutls_handshake(tls);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	if (ret == 0) {
		while (gnutls_record_recv(tls, rest, sizeof(rest)) > 0)
			;
		gnutls_bye(tls, GNUTLS_SHUT_WR);
	}
	_exit(0);
}

int forking(char **args)
{
	int fd = listen_on(atoi(args[0])), new;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		new = accept(fd, NULL, NULL);
		if (new < 0)
			continue;
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			serve(new, args[1], args[2]);
		}
		close(new);
	}
}
