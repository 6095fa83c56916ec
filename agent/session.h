/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One TLS handshake in flight, as server or as client: a GnuTLS session on a
 * non-blocking file descriptor, driven by the event loop of its worker. Knows nothing
 * of netlink, so that it can be tested on any stream socket.
 */
#ifndef KSEALD_SESSION_H
#define KSEALD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "keys.h"
#include "outcome.h"

struct kseal_config;
struct kseal_connection;
struct kseal_profile;
struct kseal_session;

/**
 * struct kseal_session_ops - what the owner of a session provides
 * @install: hand the keys to the kernel; 0 or a negative errno with @step
 * @done: the handshake is over; called once, from the event loop. The owner
 *	frees the session, here or later.
 */
struct kseal_session_ops {
	int (*install)(int fd, const struct kseal_keys *keys, const char **step);
	void (*done)(struct kseal_session *session, void *data,
		     struct kseal_outcome *outcome);
};

struct kseal_session *kseal_session_start(sd_event *event, int fd,
					  struct kseal_config *config,
					  const struct kseal_profile *profile,
					  const struct kseal_connection *conn,
					  unsigned int timeout_ms,
					  const struct kseal_session_ops *ops, void *data);
bool kseal_session_linger(struct kseal_session *session);
bool kseal_session_ticket(struct kseal_session *session, const unsigned char *message,
			  size_t size);
const gnutls_datum_t *kseal_session_certificate(const struct kseal_session *session);
void kseal_session_free(struct kseal_session *session);

#endif /* KSEALD_SESSION_H */
