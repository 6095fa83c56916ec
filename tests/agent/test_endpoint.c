// SPDX-License-Identifier: GPL-2.0
/*
 * The endpoint for collectors: whose socket it may replace, and what is left for others
 * when one of them keeps connections open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../agent/endpoint.h"
#include "check.h"

#define GREEDY	16	/* connections: as many as an endpoint has in all */

static bool reaches(const char *path, int listener)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), conn = -1;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		conn = accept(listener, NULL, NULL);
	close(fd);
	if (conn >= 0)
		close(conn);
	return conn >= 0;
}

static void test_path(void)
{
	char directory[] = "/tmp/kseal-endpoint.XXXXXX", path[64];
	int first, second, fd;

	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/metrics", directory);
	first = kseal_endpoint_open(path);
	CHECK(first >= 0, "%s", strerror(-first));
	second = kseal_endpoint_open(path);
	CHECK(second == -EADDRINUSE, "%d", second);
	/* the second has come and gone in its queue */
	fd = accept(first, NULL, NULL);
	if (fd >= 0)
		close(fd);
	CHECK(reaches(path, first));
	close(first);
	second = kseal_endpoint_open(path);
	CHECK(second >= 0, "%s", strerror(-second));
	CHECK(reaches(path, second));
	close(second);
	unlink(path);
	fd = fileno(fopen(path, "w"));
	first = kseal_endpoint_open(path);
	CHECK(first == -EADDRINUSE, "%d", first);
	close(fd);
	CHECK(unlink(path) == 0, "%s", strerror(errno));
	rmdir(directory);
}

/* A connection to the endpoint on which @said has been sent. */
static int ask(const char *source, uint16_t port, const char *said)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, source, &from.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	to.sin_port = htons(port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	CHECK(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0, "%s", strerror(errno));
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "%s", strerror(errno));
	/* it may have been closed already */
	send(fd, said, strlen(said), MSG_NOSIGNAL);
	return fd;
}

static uint16_t free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	bind(fd, (struct sockaddr *)&in, size);
	getsockname(fd, (struct sockaddr *)&in, &size);
	close(fd);
	return ntohs(in.sin_port);
}

static void test_greedy(void)
{
	char where[32], answer[16] = "";
	struct MHD_Daemon *endpoint;
	uint16_t port = free_port();
	int fds[GREEDY], fd;

	snprintf(where, sizeof(where), "127.0.0.1:%u", port);
	fd = kseal_endpoint_open(where);
	CHECK(fd >= 0, "%s", strerror(-fd));
	CHECK(kseal_endpoint_open(where) == -EADDRINUSE);
	endpoint = kseal_endpoint_start(fd);
	CHECK(endpoint);
	for (int i = 0; i < GREEDY; i++)
		fds[i] = ask("127.0.0.1", port, "GET /metrics HTTP/1.1\r\nHost: ");
	fd = ask("127.0.0.2", port, "GET /metrics HTTP/1.0\r\n\r\n");
	CHECK(recv(fd, answer, 12, MSG_WAITALL) == 12 && strncmp(answer + 8, " 200", 4) == 0,
	      "%s: %s", answer, strerror(errno));
	close(fd);
	for (int i = 0; i < GREEDY; i++)
		close(fds[i]);
	kseal_endpoint_stop(endpoint);
}

void test_endpoints(void)
{
	run_test("endpoint: only a socket that nobody listens on is replaced", test_path);
	run_test("endpoint: one client does not use up its connections", test_greedy);
}
