/* SPDX-License-Identifier: GPL-2.0 */
/*
 * OCSP responses that a server staples to its certificates. Used by certificates.c.
 */
#ifndef KSEALD_STAPLE_H
#define KSEALD_STAPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "pem.h"

bool kseal_must_staple(gnutls_x509_crt_t crt);
bool kseal_staple_is_for(const gnutls_datum_t *der, gnutls_x509_crt_t crt);
int kseal_staple_read(const char *path, gnutls_datum_t *der, char *why, size_t size);
int kseal_staple_check(const char *path, const gnutls_datum_t *der,
		       const struct kseal_chain *chain, bool *current, char *why, size_t size);

#endif /* KSEALD_STAPLE_H */
