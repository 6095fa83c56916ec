/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One TLS handshake in flight: a GnuTLS server session on a non-blocking file
 * descriptor, driven by the event loop of its worker. Knows nothing of netlink, so
 * that it can be tested on any stream socket.
 */
#ifndef KSEALD_SESSION_H
#define KSEALD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "identity.h"
#include "keys.h"

struct kseal_config;
struct kseal_profile;
struct kseal_session;

/**
 * struct kseal_outcome - how a handshake ended
 * @status: 0 for sealed, else a positive errno
 * @reason: if not sealed: why, for the log
 * @version: "TLS1.3", NULL if none was agreed on
 * @cipher: "AES-128-GCM", NULL if none was agreed on
 * @server_name: that the client asked for, or empty
 * @alpn: agreed protocol, or empty
 * @resumed: by a ticket
 * @peer: of a verified client certificate
 * @milliseconds: since the start
 */
struct kseal_outcome {
	int status;
	char reason[512];
	const char *version;
	const char *cipher;
	char server_name[KSEAL_NAME_MAX];
	char alpn[KSEAL_ALPN_MAX];
	bool resumed;
	struct kseal_identity peer;
	unsigned int milliseconds;
};

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
					  unsigned int timeout_ms,
					  const struct kseal_session_ops *ops, void *data);
void kseal_session_free(struct kseal_session *session);

#endif /* KSEALD_SESSION_H */
