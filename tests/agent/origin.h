/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TLS server in a thread, for the agent's unit tests of its client role.
 */
#ifndef KSEAL_TEST_ORIGIN_H
#define KSEAL_TEST_ORIGIN_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>

#include "server.h"

/**
 * struct origin - what a server is to do, and what it saw
 * @priority: GnuTLS priority string
 * @cert: its certificate and key are CERT.pem and CERT.key of the directory; "server"
 *	if NULL
 * @staple: file of the directory with the OCSP response to show, or NULL
 * @alpn: one protocol, or NULL
 * @ask: ask for a certificate of the client, and refuse a client without one
 * @tickets: seals tickets with this key; NULL: none are given
 * @record_size: bytes of plaintext that it takes in a record, if not all
 * @quiet: nothing follows the handshake
 * @fd: its end
 * @error: GnuTLS error of its handshake
 * @alert: last alert it received
 * @name: that the client asked for, or empty
 * @resumed: the session was
 * @client: the client showed a certificate
 * @limit: what the client announces of records
 * @send_size: the plaintext that a record of its may have, 0: any
 * @answer: the line that it received
 * @thread: to join
 */
struct origin {
	const char *priority;
	const char *cert;
	const char *staple;
	const char *alpn;
	bool ask;
	const gnutls_datum_t *tickets;
	size_t record_size;
	bool quiet;
	int fd;
	int error;
	int alert;
	char name[256];
	bool resumed;
	bool client;
	struct kseal_record_limit limit;
	size_t send_size;
	char answer[64];
	pthread_t thread;
};

void connect_to(struct server *s, struct origin *o);
void must_reach(struct server *s, struct origin *o);
void must_not_reach(struct server *s, struct origin *o, int status, const char *reason);

extern bool corrupt_tickets;	/* what arrives of a ticket is not whole */
extern int tickets_taken;	/* of the last connection */

#endif /* KSEAL_TEST_ORIGIN_H */
