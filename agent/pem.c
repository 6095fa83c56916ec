// SPDX-License-Identifier: GPL-2.0
/*
 * PEM files: certificates, private keys, revocation lists, with words for whatever
 * may be wrong with them: the file, what, and what to do. Called by credentials.c
 * when a configuration is loaded.
 */
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "file.h"
#include "log.h"
#include "pem.h"
#include "revocation.h"

#define EXPIRY_WARNING		(7 * 24 * 3600)		/* seconds */

/**
 * kseal_chain_free() - free the certificates of a file
 * @chain: empty afterwards
 */
void kseal_chain_free(struct kseal_chain *chain)
{
	for (unsigned int i = 0; i < chain->count; i++)
		gnutls_x509_crt_deinit(chain->list[i]);
	gnutls_free(chain->list);
	chain->list = NULL;
	chain->count = 0;
}

/**
 * kseal_time_format() - a date, for messages
 * @t: when
 * @to: "2026-01-31 12:00:00 UTC"
 * @size: of @to
 */
void kseal_time_format(time_t t, char *to, size_t size)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(to, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static int check_dates(const char *path, gnutls_x509_crt_t crt, unsigned int index,
		       char *why, size_t size)
{
	time_t now = time(NULL);
	time_t begin = gnutls_x509_crt_get_activation_time(crt);
	time_t end = gnutls_x509_crt_get_expiration_time(crt);
	char date[64];

	if (end != (time_t)-1 && now > end) {
		kseal_time_format(end, date, sizeof(date));
		snprintf(why, size, "%s: certificate %u expired on %s: renew it",
			 path, index + 1, date);
		return -1;
	}
	if (begin != (time_t)-1 && now < begin) {
		kseal_time_format(begin, date, sizeof(date));
		snprintf(why, size,
			 "%s: certificate %u is not valid before %s: check the clock, or wait",
			 path, index + 1, date);
		return -1;
	}
	if (end != (time_t)-1 && end - now < EXPIRY_WARNING) {
		kseal_time_format(end, date, sizeof(date));
		kseal_log(KSEAL_LOG_WARNING, "%s: certificate %u expires on %s: renew it",
			  path, index + 1, date);
	}
	return 0;
}

/**
 * kseal_pem_certificates() - read certificates that are valid today
 * @path: of the file
 * @chain: filled in; the caller frees it
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_pem_certificates(const char *path, struct kseal_chain *chain, char *why, size_t size)
{
	gnutls_datum_t pem;
	mode_t mode;
	int ret;

	if (kseal_file_read(path, &pem, &mode, why, size) < 0)
		return -1;
	ret = gnutls_x509_crt_list_import2(&chain->list, &chain->count, &pem,
					   GNUTLS_X509_FMT_PEM, 0);
	kseal_file_wipe(&pem);
	if (ret == GNUTLS_E_NO_CERTIFICATE_FOUND ||
	    ret == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR || (ret >= 0 && !chain->count)) {
		snprintf(why, size,
			 "%s: holds no certificate: name a PEM file with \"BEGIN CERTIFICATE\"",
			 path);
		goto fail;
	}
	if (ret < 0) {
		snprintf(why, size, "%s: cannot be parsed: %s: write it anew as PEM", path,
			 gnutls_strerror(ret));
		goto fail;
	}
	for (unsigned int i = 0; i < chain->count; i++) {
		if (check_dates(path, chain->list[i], i, why, size) < 0)
			goto fail;
	}
	return 0;

fail:
	if (ret >= 0)
		kseal_chain_free(chain);
	chain->list = NULL;
	chain->count = 0;
	return -1;
}

/**
 * kseal_pem_key() - read a private key that serves TLS
 * @path: of the file
 * @key: set on success; the caller frees it
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_pem_key(const char *path, gnutls_x509_privkey_t *key, char *why, size_t size)
{
	gnutls_datum_t pem;
	mode_t mode;
	int ret;

	if (kseal_file_read(path, &pem, &mode, why, size) < 0)
		return -1;
	if (strstr((char *)pem.data, "BEGIN ENCRYPTED PRIVATE KEY") ||
	    strstr((char *)pem.data, "Proc-Type: 4,ENCRYPTED")) {
		snprintf(why, size,
			 "%s: the key is protected by a passphrase: store it without (openssl pkey -in OLD -out NEW, mode 600)",
			 path);
		kseal_file_wipe(&pem);
		return -1;
	}
	if (strstr((char *)pem.data, "BEGIN TSS2 PRIVATE KEY")) {
		snprintf(why, size,
			 "%s: the key is of a TPM: name it by a pkcs11: URL of tpm2-pkcs11, see kseald.conf(5)",
			 path);
		kseal_file_wipe(&pem);
		return -1;
	}
	if (!strstr((char *)pem.data, "PRIVATE KEY-----")) {
		snprintf(why, size,
			 "%s: holds no private key: name a PEM file with \"BEGIN PRIVATE KEY\" with key = \"FILE\"",
			 path);
		kseal_file_wipe(&pem);
		return -1;
	}
	gnutls_x509_privkey_init(key);
	ret = gnutls_x509_privkey_import2(*key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	kseal_file_wipe(&pem);
	if (ret < 0) {
		snprintf(why, size,
			 "%s: holds no usable private key (%s): write it anew as PEM",
			 path, gnutls_strerror(ret));
		goto fail;
	}
	if (mode & S_IROTH)
		kseal_log(KSEAL_LOG_WARNING, "%s: every user can read this key: chmod o-r %s",
			  path, path);
	switch (gnutls_x509_privkey_get_pk_algorithm(*key)) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
	case GNUTLS_PK_ECDSA:
	case GNUTLS_PK_EDDSA_ED25519:
		return 0;
	default:
		snprintf(why, size, "%s: a %s key does not serve TLS: use ECDSA, Ed25519 or RSA",
			 path, gnutls_pk_get_name(gnutls_x509_privkey_get_pk_algorithm(*key)));
	}
fail:
	gnutls_x509_privkey_deinit(*key);
	*key = NULL;
	return -1;
}

static int check_crl(const char *path, gnutls_x509_crl_t crl, unsigned int index, char *why,
		     size_t size)
{
	time_t now = time(NULL);
	time_t begin = gnutls_x509_crl_get_this_update(crl);
	time_t end = gnutls_x509_crl_get_next_update(crl);
	char date[64];

	if (end == (time_t)-1) {
		snprintf(why, size, "%s: list %u says no nextUpdate: issue one that does",
			 path, index + 1);
		return -1;
	}
	if (now > end) {
		kseal_time_format(end, date, sizeof(date));
		snprintf(why, size, "%s: list %u expired on %s: fetch the CA's newest",
			 path, index + 1, date);
		return -1;
	}
	if (now < begin) {
		kseal_time_format(begin, date, sizeof(date));
		snprintf(why, size, "%s: list %u is of the future, %s: check the clock",
			 path, index + 1, date);
		return -1;
	}
	return 0;
}

/*
 * Lists are fetched in the clear, as they are signed: nobody else may take a name off.
 * Whether the CA is known at all is told in @known.
 */
static int check_signature(const char *path, gnutls_x509_crl_t crl, unsigned int index,
			   gnutls_certificate_credentials_t x509, bool *known, char *why,
			   size_t size)
{
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_x509_trust_list_t trusted;
	bool good = false;
	gnutls_x509_crt_t ca;

	*known = false;
	gnutls_certificate_get_trust_list(x509, &trusted);
	/* To the end, which frees the iterator; a CA may have several keys. */
	while (gnutls_x509_trust_list_iter_get_ca(trusted, &iter, &ca) == 0) {
		if (gnutls_x509_crl_check_issuer(crl, ca)) {
			*known = true;
			good = good || kseal_revocation_signed_by(crl, ca);
		}
		gnutls_x509_crt_deinit(ca);
	}
	if (good || !*known)
		return 0;
	snprintf(why, size, "%s: list %u is not signed by the CA whose name it has: fetch it anew",
		 path, index + 1);
	return -1;
}

/**
 * kseal_pem_crls() - read revocation lists and give them to credentials
 * @path: of the file
 * @x509: knows the CAs that have issued the lists already
 * @revocations: what is to be asked at each verification
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_pem_crls(const char *path, gnutls_certificate_credentials_t x509,
		   struct kseal_revocations *revocations, char *why, size_t size)
{
	gnutls_x509_crl_t *list = NULL;
	unsigned int count = 0;
	gnutls_datum_t pem;
	mode_t mode;
	bool known;
	int ret;

	if (kseal_file_read(path, &pem, &mode, why, size) < 0)
		return -1;
	ret = gnutls_x509_crl_list_import2(&list, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
	kseal_file_wipe(&pem);
	if (ret < 0 || !count) {
		snprintf(why, size,
			 "%s: holds no revocation list: name a PEM file with \"BEGIN X509 CRL\"",
			 path);
		return -1;
	}
	ret = gnutls_certificate_set_x509_crl(x509, list, count);
	if (ret < 0)
		snprintf(why, size, "%s: %s", path, gnutls_strerror(ret));
	for (unsigned int i = 0; i < count && ret >= 0; i++) {
		ret = check_crl(path, list[i], i, why, size);
		if (ret == 0)
			ret = check_signature(path, list[i], i, x509, &known, why, size);
		if (ret < 0)
			break;
		ret = kseal_revocations_add(revocations, &list[i], known, path, i);
		if (ret < 0)
			snprintf(why, size, "%s: %s", path, gnutls_strerror(ret));
	}
	for (unsigned int i = 0; i < count; i++) {
		if (list[i])
			gnutls_x509_crl_deinit(list[i]);
	}
	gnutls_free(list);
	return ret < 0 ? -1 : 0;
}
