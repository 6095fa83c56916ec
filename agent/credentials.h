/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The certificates, keys and TLS settings of a profile as GnuTLS wants them.
 * Loaded by config.c, used by session.c from every worker.
 */
#ifndef KSEALD_CREDENTIALS_H
#define KSEALD_CREDENTIALS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

struct kseal_connection;
struct kseal_profile;
struct kseal_credentials;
struct kseal_revocations;

/**
 * enum kseal_credentials_status - what a load came to, and which option is to blame
 */
enum kseal_credentials_status {
	KSEAL_CREDENTIALS_OK,
	KSEAL_CREDENTIALS_CERTIFICATE,
	KSEAL_CREDENTIALS_KEY,
	KSEAL_CREDENTIALS_DIRECTORY,
	KSEAL_CREDENTIALS_STAPLE,
	KSEAL_CREDENTIALS_CA,
	KSEAL_CREDENTIALS_CRL,
	KSEAL_CREDENTIALS_TICKET_KEYS,
	KSEAL_CREDENTIALS_PRIORITY,
};

enum kseal_credentials_status kseal_credentials_load(struct kseal_credentials **result,
						     const struct kseal_profile *profile,
						     char *why, size_t size);
void kseal_credentials_free(struct kseal_credentials *c);
bool kseal_credentials_usable(const struct kseal_credentials *c);
const struct kseal_revocations *kseal_credentials_revocations(const struct kseal_credentials *c);
int kseal_credentials_apply(struct kseal_credentials *c,
			    const struct kseal_profile *profile,
			    const struct kseal_connection *conn, gnutls_session_t session);
int kseal_credentials_choose(const struct kseal_credentials *c,
			     const struct kseal_profile *profile,
			     gnutls_session_t session, const char *name);

#endif /* KSEALD_CREDENTIALS_H */
