/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The certificates of a profile with their keys: read, checked, and given to GnuTLS.
 * Used by credentials.c and sni.c.
 */
#ifndef KSEALD_CERTIFICATES_H
#define KSEALD_CERTIFICATES_H

#include <stddef.h>

#include "credentials.h"
#include "pem.h"

/**
 * struct kseal_certificate - a certificate and its key
 * @path: file of the certificate, for messages
 * @key_path: file or URL of the key
 * @chain: the certificate first
 * @key: NULL if @key_path is a URL: the key stays where it is
 * @staple: OCSP response to show with it, empty if there is none
 * @names: DNS names that the certificate is for, in lower case
 * @name_count: how many
 */
struct kseal_certificate {
	char *path;
	char *key_path;
	struct kseal_chain chain;
	gnutls_x509_privkey_t key;
	gnutls_datum_t staple;
	char **names;
	size_t name_count;
};

/**
 * struct kseal_certificates - of a profile, the preferred first
 * @list: of @count
 * @count: how many
 */
struct kseal_certificates {
	struct kseal_certificate *list;
	size_t count;
};

enum kseal_credentials_status kseal_certificates_load(struct kseal_certificates *c,
						      const struct kseal_profile *profile,
						      char *why, size_t size);
int kseal_certificate_give(const struct kseal_certificate *c,
			   gnutls_certificate_credentials_t x509, char *why, size_t size);
void kseal_certificates_free(struct kseal_certificates *c);

#endif /* KSEALD_CERTIFICATES_H */
