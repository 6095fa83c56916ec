/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TLS client in a thread, for the agent's unit tests.
 */
#ifndef KSEAL_TEST_CLIENT_H
#define KSEAL_TEST_CLIENT_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>

#include "../../agent/record_limit.h"

#define PRIO_13		"NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define PRIO_12		"NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY(cipher)	":-CIPHER-ALL:+" cipher
#define CLIENT_BUFFER	65536

enum after {
	AFTER_TALK,		/* send a line, expect a line */
	AFTER_UPDATE,		/* the same behind a KeyUpdate of the client's */
	AFTER_COALESCED,	/* the line travels with the Finished */
	AFTER_NOTHING,
};

/**
 * struct client - what a client is to do, and what it saw
 * @priority: GnuTLS priority string
 * @name: server name, or NULL
 * @alpn: one protocol, or NULL
 * @cert: its certificate and key are CERT.pem and CERT.key of the directory, or NULL
 * @resume: session data of an earlier handshake
 * @keep: receives session data at the end
 * @after: what follows the handshake
 * @slow_read: read little at a time
 * @distrust: verify the server, and trust nobody
 * @record_size: bytes of plaintext that it takes in a record, if not all
 * @fd: its end
 * @error: GnuTLS error of its handshake
 * @alert: last alert it received
 * @limit: what the server announces of records
 * @send_size: the plaintext that a record of its may have, 0: any
 * @kx: how the key was agreed on
 * @shown: the server's certificate: its first name and the kind of its key
 * @stapled: a good OCSP response came with it
 * @answer: the line that it received
 * @out: not yet sent
 * @out_len: of @out
 * @thread: to join
 */
struct client {
	const char *priority;
	const char *name;
	const char *alpn;
	const char *cert;
	const gnutls_datum_t *resume;
	gnutls_datum_t *keep;
	enum after after;
	bool slow_read;
	bool distrust;
	size_t record_size;
	int fd;
	int error;
	int alert;
	struct kseal_record_limit limit;
	size_t send_size;
	gnutls_kx_algorithm_t kx;
	char shown[320];
	bool stapled;
	char answer[64];
	unsigned char out[CLIENT_BUFFER];
	size_t out_len;
	pthread_t thread;
};

int note_limit(gnutls_session_t tls, unsigned int type, unsigned int when,
	       unsigned int incoming, const gnutls_datum_t *msg);
void client_start(struct client *c, int fd);
void client_join(struct client *c);

#endif /* KSEAL_TEST_CLIENT_H */
