// SPDX-License-Identifier: GPL-2.0
/*
 * The endpoint for collectors: whose socket it may replace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../agent/endpoint.h"
#include "check.h"

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

void test_endpoints(void)
{
	run_test("endpoint: only a socket that nobody listens on is replaced", test_path);
}
