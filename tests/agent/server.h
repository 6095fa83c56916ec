/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session of the agent on a socket pair, for its unit tests.
 */
#ifndef KSEAL_TEST_SERVER_H
#define KSEAL_TEST_SERVER_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "../../agent/config.h"
#include "../../agent/connection.h"
#include "../../agent/session.h"
#include "client.h"

#define TIMEOUT_MS	5000

/**
 * struct server - one session of the agent's; in spite of the name it may be a client's
 * @role: 0 for KSEAL_ROLE_SERVER
 * @profile: of sessions.conf
 * @conn: addresses and names
 * @timeout_ms: 0 for TIMEOUT_MS
 * @event: its loop
 * @fds: the connection: the session's end, the client's end
 * @keep_fd: a copy of the session's end, which the session closes
 * @session: until it is done, a client's as long as it lingers
 * @outcome: how it ended
 * @preamble: of @outcome, copied
 * @done: it has ended
 */
struct server {
	enum kseal_role role;
	const char *profile;
	struct kseal_connection conn;
	unsigned int timeout_ms;
	sd_event *event;
	int fds[2];
	int keep_fd;
	struct kseal_session *session;
	struct kseal_outcome outcome;
	unsigned char preamble[KSEAL_PREAMBLE_MAX];
	bool done;
};

extern struct kseal_config *test_config;
extern struct kseal_keys captured;	/* of the last session */
extern int captures;
extern int install_error;		/* what installing keys answers */

void server_begin(struct server *s);
void server_loop(struct server *s);
void server_end(struct server *s);
void carry_on(struct server *s, struct client *c);
void handshake(struct server *s, struct client *c);
void must_seal(struct server *s, struct client *c);
void must_fail(struct server *s, struct client *c, int status, const char *reason);

#endif /* KSEAL_TEST_SERVER_H */
