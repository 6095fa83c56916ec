/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a handshake ended: what the kernel is told of it, and the line of the log. Used by
 * session.c, which finds it out, and by worker.c, which reports it.
 */
#ifndef KSEALD_OUTCOME_H
#define KSEALD_OUTCOME_H

#include <gnutls/gnutls.h>
#include <linux/kseal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity.h"

struct kseal_connection;

/**
 * struct kseal_outcome - how a handshake ended
 * @role: ours
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
	enum kseal_role role;
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

int kseal_outcome_set(struct kseal_outcome *o, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int kseal_outcome_withdrawn(struct kseal_outcome *o);
void kseal_outcome_describe(struct kseal_outcome *o, gnutls_session_t session);
bool kseal_outcome_explain(struct kseal_outcome *o, gnutls_session_t session, int error,
			   int io_error);
void kseal_outcome_log(const struct kseal_outcome *o, const struct kseal_connection *conn,
		       const char *profile);
const char *kseal_outcome_peer(const struct kseal_outcome *o);

#endif /* KSEALD_OUTCOME_H */
