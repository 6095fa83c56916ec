// SPDX-License-Identifier: GPL-2.0
/*
 * handshakes client PORT VERSION full|resumed COUNT PROCESSES: handshakes and
 * nothing else, with OpenSSL, the same for every server. Prints a line of JSON: what
 * was done, the time that it took, how much of it was idle and how much the client's
 * own.
 *
 * After its handshake a client says close_notify and FIN and waits for the server's
 * end: the server has then done all of its work.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handshakes.h"

/**
 * struct counts - of one process, or of all
 * @done: handshakes
 * @failed: that did not end well
 * @resumed: from the first session
 */
struct counts {
	unsigned int done;
	unsigned int failed;
	unsigned int resumed;
};

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	if (kept)
		return 0;
	kept = session;
	return 1;
}

static int connect_to(int port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int on = 1;

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void one(SSL_CTX *ctx, int port, SSL_SESSION *session, struct counts *c)
{
	int fd = connect_to(port);
	char rest[4096];
	SSL *ssl;

	c->done++;
	if (fd < 0) {
		c->failed++;
		return;
	}
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	SSL_set_tlsext_host_name(ssl, "example.test");
	/* a copy: OpenSSL takes a session of TLS 1.3 once only */
	if (session) {
		session = SSL_SESSION_dup(session);
		SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
	if (SSL_connect(ssl) == 1) {
		c->resumed += SSL_session_reused(ssl);
		SSL_shutdown(ssl);
		shutdown(fd, SHUT_WR);
		while (SSL_read(ssl, rest, sizeof(rest)) > 0)
			;
		while (read(fd, rest, sizeof(rest)) > 0)
			;
	} else {
		c->failed++;
	}
	SSL_free(ssl);
	close(fd);
}

/* Seconds since the start that all processors together were idle. */
static double idle_seconds(void)
{
	double up = 0, idle = 0;
	FILE *f = fopen("/proc/uptime", "r");

	if (!f || fscanf(f, "%lf %lf", &up, &idle) != 2)
		die("/proc/uptime");
	fclose(f);
	return idle;
}

static double own_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_CHILDREN, &ru);
	return ru.ru_utime.tv_sec + ru.ru_stime.tv_sec +
	       (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* The loop of a process; its counts go through the pipe. */
static void work(SSL_CTX *ctx, int port, SSL_SESSION *session, unsigned int count, int to)
{
	struct counts c = { 0 };

	while (c.done < count)
		one(ctx, port, session, &c);
	if (write(to, &c, sizeof(c)) != sizeof(c))
		die("write");
	_exit(0);
}

static struct counts run_processes(SSL_CTX *ctx, int port, SSL_SESSION *session,
				   unsigned int count, unsigned int processes)
{
	struct counts sum = { 0 }, c;
	int pipes[2];

	if (pipe(pipes) < 0)
		die("pipe");
	for (unsigned int i = 0; i < processes; i++) {
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			work(ctx, port, session, count / processes, pipes[1]);
		}
	}
	close(pipes[1]);
	while (read(pipes[0], &c, sizeof(c)) == sizeof(c)) {
		sum.done += c.done;
		sum.failed += c.failed;
		sum.resumed += c.resumed;
	}
	close(pipes[0]);
	while (wait(NULL) > 0)
		;
	return sum;
}

int client(char **args)
{
	int version = strcmp(args[1], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned int count = atoi(args[3]), processes = atoi(args[4]);
	SSL_SESSION *session = NULL;
	int port = atoi(args[0]);
	struct counts c = { 0 };
	uint64_t begin, end;
	double idle, own;

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	/* P-256 for the certificate: TLS 1.2 asks for its curve, too */
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
	SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);

	/* The first ones warm up, and leave the session to resume. */
	for (int i = 0; i < 3; i++)
		one(ctx, port, NULL, &c);
	SSL_CTX_sess_set_new_cb(ctx, NULL);
	if (strcmp(args[2], "resumed") == 0)
		session = kept;

	idle = idle_seconds();
	own = own_seconds();
	begin = nanoseconds(CLOCK_MONOTONIC);
	c = run_processes(ctx, port, session, count, processes);
	end = nanoseconds(CLOCK_MONOTONIC);
	own = own_seconds() - own;
	idle = idle_seconds() - idle;
	printf("{\"done\": %u, \"failed\": %u, \"resumed\": %u, \"elapsed\": %.9f, \"idle\": %.2f, \"own\": %.6f}\n",
	       c.done, c.failed, c.resumed, (end - begin) / 1e9, idle, own);
	return 0;
}
