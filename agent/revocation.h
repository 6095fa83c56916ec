/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Revocation lists: how long they are in their time, and whether it is their CA that has
 * signed them. Filled by pem.c and credentials.c at a load, asked by verify.c.
 */
#ifndef KSEALD_REVOCATION_H
#define KSEALD_REVOCATION_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct kseal_revocation;

/**
 * struct kseal_revocations - the revocation lists of a profile
 * @list: one for each CA and each part that it keeps a list of
 * @count: of @list
 */
struct kseal_revocations {
	struct kseal_revocation *list;
	size_t count;
};

bool kseal_revocation_signed_by(gnutls_x509_crl_t crl, gnutls_x509_crt_t ca);
int kseal_revocations_add(struct kseal_revocations *r, gnutls_x509_crl_t *crl, bool known,
			  const char *path, unsigned int index);
void kseal_revocations_know(struct kseal_revocations *r, gnutls_x509_crt_t ca);
int kseal_revocations_check(const struct kseal_revocations *r, char *why, size_t size);
bool kseal_revocations_current(const struct kseal_revocations *r, const gnutls_datum_t *certs,
			       unsigned int count, time_t *end);
bool kseal_revocations_signed(const struct kseal_revocations *r, const gnutls_datum_t *certs,
			      unsigned int count, const char **name);
void kseal_revocations_free(struct kseal_revocations *r);

#endif /* KSEALD_REVOCATION_H */
