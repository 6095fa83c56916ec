// SPDX-License-Identifier: GPL-2.0
/*
 * How handshakes end badly: silence, nonsense, departure, refusal, and many at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "server.h"

static void test_timeout(void)
{
	struct server s = { .profile = "plain", .timeout_ms = 300 };

	server_begin(&s);
	server_end(&s);
	CHECK(s.outcome.status == ETIMEDOUT, "%d", s.outcome.status);
	CHECK(s.outcome.milliseconds >= 299 && s.outcome.milliseconds < 1500, "%u",
	      s.outcome.milliseconds);
}

static void *dribble(void *data)
{
	/* a record header, then a ClientHello that never ends */
	const unsigned char begin[] = { 22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3 };
	int fd = *(int *)data;

	for (size_t i = 0; i < 200; i++) {
		unsigned char byte = i < sizeof(begin) ? begin[i] : 0;

		if (send(fd, &byte, 1, MSG_NOSIGNAL) < 0)
			break;
		usleep(10000);
	}
	return NULL;
}

static void test_dribble(void)
{
	struct server s = { .profile = "plain", .timeout_ms = 300 };
	pthread_t thread;
	int fd;

	server_begin(&s);
	fd = s.fds[1];
	pthread_create(&thread, NULL, dribble, &fd);
	server_loop(&s);
	close(s.keep_fd);
	pthread_join(thread, NULL);
	close(s.fds[1]);
	sd_event_unref(s.event);
	CHECK(s.outcome.status == ETIMEDOUT, "%d", s.outcome.status);
}

static void test_not_tls(void)
{
	const char request[] = "GET / HTTP/1.1\r\nHost: example.test\r\n\r\n";
	struct server s = { .profile = "plain" };

	server_begin(&s);
	CHECK(send(s.fds[1], request, strlen(request), 0) > 0);
	server_end(&s);
	CHECK(s.outcome.status == EPROTO, "%d %s", s.outcome.status, s.outcome.reason);
}

static void test_early_close(void)
{
	struct server s = { .profile = "plain" };

	server_begin(&s);
	shutdown(s.fds[1], SHUT_RDWR);
	server_end(&s);
	CHECK(s.outcome.status == ECONNRESET, "%d %s", s.outcome.status, s.outcome.reason);
}

static void test_client_alert(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		struct client c = { .priority = priorities[i], .distrust = true };
		struct server s = { 0 };

		must_fail(&s, &c, ECONNABORTED, "alert");
	}
}

static void test_install_refused(void)
{
	struct client c = { .priority = PRIO_13 };
	struct server s = { 0 };

	install_error = -ENOMEM;
	must_fail(&s, &c, ENOMEM, "TLS_TX");
	install_error = -ESHUTDOWN;
	s = (struct server){ 0 };
	c = (struct client){ .priority = PRIO_12 };
	must_fail(&s, &c, ESHUTDOWN, "withdrawn");
	install_error = 0;
}

static void test_many(void)
{
	enum { MANY = 40 };
	struct client *clients = calloc(MANY, sizeof(*clients));
	struct server *servers = calloc(MANY, sizeof(*servers));
	sd_event *event;
	int open = MANY;

	sd_event_new(&event);
	for (int i = 0; i < MANY; i++) {
		servers[i].profile = "plain";
		servers[i].event = event;
		server_begin(&servers[i]);
		clients[i].priority = i % 2 ? PRIO_13 : PRIO_12;
		clients[i].after = AFTER_NOTHING;
		client_start(&clients[i], servers[i].fds[1]);
	}
	while (open && sd_event_run(event, TIMEOUT_MS * 1000ULL) > 0) {
		open = 0;
		for (int i = 0; i < MANY; i++)
			open += !servers[i].done;
	}
	for (int i = 0; i < MANY; i++) {
		CHECK(servers[i].done && !servers[i].outcome.status, "%d: %s", i,
		      servers[i].outcome.reason);
		shutdown(servers[i].keep_fd, SHUT_RDWR);
		client_join(&clients[i]);
		CHECK(clients[i].error == 0);
		close(servers[i].keep_fd);
	}
	sd_event_unref(event);
	free(clients);
	free(servers);
}

void test_ends(void)
{
	run_test("a silent client times out", test_timeout);
	run_test("a dribbling client times out", test_dribble);
	run_test("plain HTTP is a protocol error", test_not_tls);
	run_test("a client that leaves", test_early_close);
	run_test("a client's alert", test_client_alert);
	run_test("keys that the kernel refuses end the handshake", test_install_refused);
	run_test("forty handshakes in one loop", test_many);
}
