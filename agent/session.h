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

#include "identity.h"
#include "keys.h"

struct kseal_config;
struct kseal_connection;
struct kseal_profile;
struct kseal_session;

/**
 * struct kseal_outcome - how a handshake ended
 * @status: 0 for sealed, else a positive errno
 * @reason: if not sealed: why
 * @version: "TLS1.3", NULL if none was agreed on
 * @cipher: "AES-128-GCM", NULL if none was agreed on
 * @group: of the key exchange, NamedGroup (RFC 8446 section 4.2.7), 0 if none
 * @server_name: that the client asked for, or empty
 * @alpn: agreed protocol, or empty
 * @resumed: from an earlier session
 * @peer: of a verified certificate
 * @tolerate_truncation: a FIN without close_notify is an end of file
 * @preamble: what the application reads first, of the session
 * @preamble_size: 0 for none
 * @milliseconds: since the start
 */
struct kseal_outcome {
	int status;
	char reason[512];
	const char *version;
	const char *cipher;
	uint16_t group;
	char server_name[KSEAL_NAME_MAX];
	char alpn[KSEAL_ALPN_MAX];
	bool resumed;
	struct kseal_identity peer;
	bool tolerate_truncation;
	const unsigned char *preamble;
	size_t preamble_size;
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
					  const struct kseal_connection *conn,
					  unsigned int timeout_ms,
					  const struct kseal_session_ops *ops, void *data);
bool kseal_session_linger(struct kseal_session *session);
bool kseal_session_ticket(struct kseal_session *session, const unsigned char *message,
			  size_t size);
void kseal_session_free(struct kseal_session *session);

#endif /* KSEALD_SESSION_H */
