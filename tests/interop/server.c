// SPDX-License-Identifier: GPL-2.0
/*
 * A plaintext HTTP server that knows nothing of TLS: a PUT is answered with the
 * body that came, once all of it has. One request a connection, which it then
 * closes; a process each. Usage: server PORT. Run by the interoperability tests.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_MAX	16384

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static void write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = write(fd, data, len);
		if (n < 0)
			die("write");
	}
}

/* Reads until @have is @want; more than there is, is an error. */
static void read_until(int fd, char *to, size_t have, size_t want)
{
	ssize_t n;

	for (; have < want; have += n) {
		n = read(fd, to + have, want - have);
		if (n < 0)
			die("read");
		if (!n) {
			fprintf(stderr, "the body ends after %zu of %zu bytes\n", have, want);
			_exit(1);
		}
	}
}

static void serve(int fd)
{
	char header[HEADER_MAX + 1], answer[128], *end, *field, *body;
	size_t have = 0, len = 0, rest;
	ssize_t n;

	do {
		n = read(fd, header + have, HEADER_MAX - have);
		if (n < 0)
			die("read");
		if (!n)		/* a health check, or somebody who has changed their mind */
			return;
		have += n;
		header[have] = 0;
		end = strstr(header, "\r\n\r\n");
	} while (!end);
	end += 4;
	field = strcasestr(header, "\r\nContent-Length:");
	if (field && field < end)
		len = strtoull(strchr(field + 2, ':') + 1, NULL, 10);
	body = malloc(len + 1);
	if (!body)
		die("malloc");
	rest = header + have - end;
	if (rest > len) {
		fprintf(stderr, "%zu bytes too many\n", rest - len);
		_exit(1);
	}
	memcpy(body, end, rest);
	read_until(fd, body, rest, len);
	n = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
		     "Content-Length: %zu\r\nConnection: close\r\n\r\n", len);
	write_all(fd, answer, n);
	write_all(fd, body, len);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener, fd, one = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: server PORT\n");
		return 2;
	}
	address.sin_port = htons(atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 128))
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			die("accept");
		if (!fork()) {
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
}
