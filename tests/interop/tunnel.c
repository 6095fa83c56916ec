// SPDX-License-Identifier: GPL-2.0
/*
 * Usage: tunnel PORT NAME CA SUITE CHUNK MILLISECONDS
 *
 * Sends its standard input in pieces of up to CHUNK bytes. Before a piece goes a
 * KeyUpdate, every other one with a request for an answer, if MILLISECONDS have
 * passed since the last (0: always, -1: never). Sends close_notify at the end of its
 * input and ends at the server's.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tunnel.h"

#define CHUNK_MAX	65536

static unsigned long updates;

void tunnel_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Return: false at the end of the stream. */
static bool receive(void)
{
	char data[CHUNK_MAX];
	ssize_t n, put, done;

	n = tls_read(data, sizeof(data));
	for (done = 0; done < n; done += put) {
		put = write(1, data + done, n - done);
		if (put < 0)
			tunnel_die("standard output: %m");
	}
	return n;
}

/* Return: false at the end of the input. */
static bool send_some(size_t chunk, long interval)
{
	static long last;
	char data[CHUNK_MAX];
	ssize_t n = read(0, data, chunk);

	if (n < 0)
		tunnel_die("standard input: %m");
	if (!n) {
		tls_end();
		return false;
	}
	if (interval >= 0 && now() - last >= interval) {
		tls_update(updates++ % 2);
		last = now();
	}
	tls_write(data, n);
	return true;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct pollfd polls[2] = { { .fd = 0, .events = POLLIN }, { .events = POLLIN } };
	size_t chunk;
	long interval;
	int fd;

	if (argc != 7)
		tunnel_die("usage: tunnel PORT NAME CA SUITE CHUNK MILLISECONDS");
	chunk = strtoul(argv[5], NULL, 10);
	interval = strtol(argv[6], NULL, 10);
	if (!chunk || chunk > CHUNK_MAX)
		tunnel_die("CHUNK: 1 to %d", CHUNK_MAX);
	to.sin_port = htons(atoi(argv[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		tunnel_die("connect: %m");
	tls_open(fd, argv[2], argv[3], argv[4]);
	polls[1].fd = fd;
	for (;;) {
		if (!tls_pending() && poll(polls, 2, -1) < 0)
			tunnel_die("poll: %m");
		/* What has come goes first: the server may have to get rid of it. */
		if (tls_pending() || polls[1].revents) {
			if (!receive())
				break;
		} else if (polls[0].revents) {
			if (!send_some(chunk, interval))
				polls[0].fd = -1;
		}
	}
	fprintf(stderr, "%lu updates\n", updates);
	return 0;
}
