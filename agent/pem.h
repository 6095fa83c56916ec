/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PEM files: certificates, private keys, revocation lists, with words for whatever
 * may be wrong with them. Used by credentials.c.
 */
#ifndef KSEALD_PEM_H
#define KSEALD_PEM_H

#include <gnutls/x509.h>
#include <stddef.h>
#include <time.h>

struct kseal_revocations;

/**
 * struct kseal_chain - certificates of a file, in its order
 * @list: of @count, allocated by GnuTLS
 * @count: how many
 */
struct kseal_chain {
	gnutls_x509_crt_t *list;
	unsigned int count;
};

int kseal_pem_certificates(const char *path, struct kseal_chain *chain, char *why, size_t size);
int kseal_pem_key(const char *path, gnutls_x509_privkey_t *key, char *why, size_t size);
int kseal_pem_crls(const char *path, gnutls_certificate_credentials_t x509,
		   struct kseal_revocations *revocations, char *why, size_t size);
void kseal_time_format(time_t t, char *to, size_t size);
void kseal_chain_free(struct kseal_chain *chain);

#endif /* KSEALD_PEM_H */
