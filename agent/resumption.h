/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What servers have given us to resume from: sessions of TLS 1.3 tickets and of TLS
 * 1.2. One store for each client section of a configuration: a reload, and with it
 * another identity or another trust, begins with none. Used by session.c.
 */
#ifndef KSEALD_RESUMPTION_H
#define KSEALD_RESUMPTION_H

#include <gnutls/gnutls.h>
#include <linux/kseal.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define KSEAL_RESUMPTION_MAX	1024	/* of a store */
#define KSEAL_RESUMPTION_A_SERVER	4	/* of the same key */

struct kseal_resumption;

/**
 * struct kseal_resumption_key - for which connections a ticket is good
 * @server: the name that the certificate was verified for, or the address as text
 * @port: of the server
 * @uid: owner of the connector: a server must not learn that two users of a machine
 *	are on the same
 */
struct kseal_resumption_key {
	char server[KSEAL_NAME_MAX];
	uint16_t port;
	uid_t uid;
};

struct kseal_resumption *kseal_resumption_new(void);
void kseal_resumption_free(struct kseal_resumption *t);
void kseal_resumption_put(struct kseal_resumption *t,
			  const struct kseal_resumption_key *key, gnutls_datum_t *data,
			  time_t until);
int kseal_resumption_take(struct kseal_resumption *t,
			  const struct kseal_resumption_key *key, gnutls_datum_t *data);
void kseal_resumption_wipe(gnutls_datum_t *data);

#endif /* KSEALD_RESUMPTION_H */
