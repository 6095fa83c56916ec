/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long revocation lists are in their time. Filled by pem.c at a load, asked by
 * verify.c.
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
 * @list: one for each CA
 * @count: of @list
 */
struct kseal_revocations {
	struct kseal_revocation *list;
	size_t count;
};

int kseal_revocations_add(struct kseal_revocations *r, gnutls_x509_crl_t crl);
bool kseal_revocations_current(const struct kseal_revocations *r, const gnutls_datum_t *certs,
			       unsigned int count, time_t *end);
void kseal_revocations_free(struct kseal_revocations *r);

#endif /* KSEALD_REVOCATION_H */
