// SPDX-License-Identifier: GPL-2.0
/*
 * A session of the agent on a socket pair, for its unit tests: runs a handshake
 * against a client, takes the keys instead of the kernel, and goes on with them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "records.h"
#include "server.h"

struct kseal_config *test_config;
struct kseal_keys captured;
int captures;
int install_error;

static int capture(int fd, const struct kseal_keys *keys, const char **step)
{
	(void)fd;
	*step = "TLS_TX";
	captured = *keys;
	captures++;
	return install_error;
}

static void on_done(struct kseal_session *session, void *data, struct kseal_outcome *outcome)
{
	struct server *s = data;

	CHECK(!s->done, "done called twice");
	s->outcome = *outcome;
	if (outcome->preamble_size)
		memcpy(s->preamble, outcome->preamble, outcome->preamble_size);
	s->done = true;
	s->session = NULL;
	if (s->role == KSEAL_ROLE_CLIENT && !outcome->status && kseal_session_linger(session))
		s->session = session;
	else
		kseal_session_free(session);
}

static const struct kseal_session_ops ops = { .install = capture, .done = on_done };

void server_begin(struct server *s)
{
	const struct kseal_profile *profile;
	int err = socketpair(AF_UNIX, SOCK_STREAM, 0, s->fds);

	if (!s->role)
		s->role = KSEAL_ROLE_SERVER;
	profile = kseal_config_profile(test_config, s->role, s->profile);
	CHECK(err == 0 && profile, "%s", s->profile);
	if (!profile)
		exit(1);
	s->keep_fd = fcntl(s->fds[0], F_DUPFD_CLOEXEC, 0);
	if (!s->event)
		sd_event_new(&s->event);
	captures = 0;
	s->session = kseal_session_start(s->event, s->fds[0], test_config, profile, &s->conn,
					 s->timeout_ms ? s->timeout_ms : TIMEOUT_MS, &ops, s);
	CHECK(s->session);
}

void server_loop(struct server *s)
{
	while (!s->done) {
		if (sd_event_run(s->event, TIMEOUT_MS * 1000ULL * 2) <= 0) {
			CHECK(false, "the handshake does not end");
			break;
		}
	}
}

/* The record layer goes on where GnuTLS stopped. */
void carry_on(struct server *s, struct client *c)
{
	const char line[] = "line of the server";
	struct direction tx, rx;
	unsigned char type;
	char text[1024];
	int len;

	open_direction(&rx, &captured.rx);
	open_direction(&tx, &captured.tx);
	len = open_record(&rx, s->keep_fd, &type, text);
	if (c->after == AFTER_UPDATE) {
		CHECK(len == 5 && type == 22 && text[0] == 24, "%d", len);
		update_direction(&rx, &captured.rx, captured.secrets.read,
				 captured.secrets.read_size);
		len = open_record(&rx, s->keep_fd, &type, text);
	}
	CHECK(len > 0 && type == 23 && strcmp(text, "line of the client") == 0, "%d", len);
	seal_record(&tx, s->keep_fd, line, sizeof(line));
	if (captured.tx.info.version == TLS_1_3_VERSION) {
		check_secret(&captured.tx, captured.secrets.write, captured.secrets.write_size);
		check_secret(&captured.rx, captured.secrets.read, captured.secrets.read_size);
	} else {
		CHECK(!captured.secrets.read_size && !captured.secrets.write_size);
	}
	gnutls_aead_cipher_deinit(rx.aead);
	gnutls_aead_cipher_deinit(tx.aead);
}

void handshake(struct server *s, struct client *c)
{
	if (!s->profile)
		s->profile = "plain";
	server_begin(s);
	client_start(c, s->fds[1]);
	server_loop(s);
	if (s->done && !s->outcome.status && c->after != AFTER_NOTHING)
		carry_on(s, c);
	shutdown(s->keep_fd, SHUT_RDWR);
	client_join(c);
	close(s->keep_fd);
	s->event = sd_event_unref(s->event);
}

void must_seal(struct server *s, struct client *c)
{
	handshake(s, c);
	CHECK(s->outcome.status == 0, "%d %s", s->outcome.status, s->outcome.reason);
	CHECK(c->error == 0, "client: %s", gnutls_strerror(c->error));
	CHECK(captures == 1, "%d", captures);
	if (c->after != AFTER_NOTHING)
		CHECK(strcmp(c->answer, "line of the server") == 0, "%s", c->answer);
}

void must_fail(struct server *s, struct client *c, int status, const char *reason)
{
	handshake(s, c);
	CHECK(s->outcome.status == status, "%d %s", s->outcome.status, s->outcome.reason);
	CHECK(strstr(s->outcome.reason, reason), "%s", s->outcome.reason);
	CHECK(captures == 0 || install_error, "keys were handed out");
}

/* For tests without a client: runs the session, closes both ends. */
void server_end(struct server *s)
{
	server_loop(s);
	close(s->keep_fd);
	close(s->fds[1]);
	s->event = sd_event_unref(s->event);
}
