// SPDX-License-Identifier: GPL-2.0
/*
 * The certificates of a profile with their keys. Called by credentials.c at a load.
 * What would fail with every peer is better said then: a chain in the wrong order, a
 * key of another certificate, a certificate that serves another purpose.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificates.h"
#include "config.h"
#include "directory.h"
#include "file.h"
#include "log.h"
#include "staple.h"
#include "token.h"

#define CHAIN_MAX	16

static int check_chain(const char *path, const struct kseal_chain *chain, enum kseal_role role,
		       char *why, size_t size)
{
	bool client = role == KSEAL_ROLE_CLIENT;
	gnutls_x509_crt_t leaf = chain->list[0];
	unsigned int usage, critical;

	if (chain->count > CHAIN_MAX) {
		snprintf(why, size, "%s: %u certificates: keep the chain, leaf first, and no more",
			 path, chain->count);
		return -1;
	}
	for (unsigned int i = 0; i + 1 < chain->count; i++) {
		if (!gnutls_x509_crt_check_issuer(chain->list[i], chain->list[i + 1])) {
			snprintf(why, size,
				 "%s: certificate %u was not issued by certificate %u: order the chain leaf first",
				 path, i + 1, i + 2);
			return -1;
		}
	}
	if (gnutls_x509_crt_get_key_usage(leaf, &usage, &critical) == 0 &&
	    !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE)) {
		snprintf(why, size,
			 "%s: its key usage lacks digitalSignature, which TLS with forward secrecy needs: issue another",
			 path);
		return -1;
	}
	if (!gnutls_x509_crt_check_key_purpose(leaf, client ? GNUTLS_KP_TLS_WWW_CLIENT :
							      GNUTLS_KP_TLS_WWW_SERVER, 0)) {
		snprintf(why, size,
			 "%s: its extended key usage lacks %s: issue one for a TLS %s", path,
			 client ? "clientAuth" : "serverAuth", client ? "client" : "server");
		return -1;
	}
	return 0;
}

static bool key_matches(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof(a), b_len = sizeof(b);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, a, &a_len) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, b, &b_len) == 0 &&
	       a_len == b_len && memcmp(a, b, a_len) == 0;
}

static int add_name(struct kseal_certificate *c, const gnutls_datum_t *value)
{
	char **names;

	if (!value->size || memchr(value->data, '\0', value->size))
		return 0;
	names = realloc(c->names, (c->name_count + 1) * sizeof(*names));
	if (!names)
		return -1;
	c->names = names;
	names[c->name_count] = strndup((char *)value->data, value->size);
	if (!names[c->name_count])
		return -1;
	for (char *p = names[c->name_count]; *p; p++)
		*p = tolower((unsigned char)*p);
	c->name_count++;
	return 0;
}

static int read_names(struct kseal_certificate *c)
{
	gnutls_subject_alt_names_t names = NULL;
	gnutls_datum_t ext = { NULL, 0 }, value;
	unsigned int type, critical;
	int ret = 0;

	if (gnutls_x509_crt_get_extension_by_oid2(c->chain.list[0], GNUTLS_X509EXT_OID_SAN, 0,
						  &ext, &critical) < 0)
		return 0;
	if (gnutls_subject_alt_names_init(&names) == 0 &&
	    gnutls_x509_ext_import_subject_alt_names(&ext, names, 0) == 0) {
		for (unsigned int i = 0; ret == 0 &&
		     gnutls_subject_alt_names_get(names, i, &type, &value, NULL) == 0; i++) {
			if (type == GNUTLS_SAN_DNSNAME)
				ret = add_name(c, &value);
		}
	}
	if (names)
		gnutls_subject_alt_names_deinit(names);
	gnutls_free(ext.data);
	return ret;
}

static enum kseal_credentials_status load_one(struct kseal_certificate *c, enum kseal_role role,
					      char *why, size_t size)
{
	if (kseal_pem_certificates(c->path, &c->chain, why, size) < 0 ||
	    check_chain(c->path, &c->chain, role, why, size) < 0)
		return KSEAL_CREDENTIALS_CERTIFICATE;
	if (read_names(c) < 0) {
		snprintf(why, size, "%s: %s", c->path, strerror(ENOMEM));
		return KSEAL_CREDENTIALS_CERTIFICATE;
	}
	/* A key elsewhere is compared when it is given to GnuTLS. */
	if (kseal_token_is_url(c->key_path)) {
		if (kseal_file_note(c->key_path) < 0) {
			snprintf(why, size, "%s", strerror(ENOMEM));
			return KSEAL_CREDENTIALS_KEY;
		}
		return KSEAL_CREDENTIALS_OK;
	}
	if (kseal_pem_key(c->key_path, &c->key, why, size) < 0)
		return KSEAL_CREDENTIALS_KEY;
	if (!key_matches(c->chain.list[0], c->key)) {
		snprintf(why, size, "%s: is not the key of the certificate in %s: name the right pair",
			 c->key_path, c->path);
		return KSEAL_CREDENTIALS_KEY;
	}
	return KSEAL_CREDENTIALS_OK;
}

/* Adds an entry; its paths are copied. */
static struct kseal_certificate *add(struct kseal_certificates *c, const char *path,
				     const char *key_path)
{
	struct kseal_certificate *list, *new;

	list = realloc(c->list, (c->count + 1) * sizeof(*list));
	if (!list)
		return NULL;
	c->list = list;
	new = &list[c->count++];
	memset(new, 0, sizeof(*new));
	new->path = strdup(path);
	new->key_path = strdup(key_path);
	return new->path && new->key_path ? new : NULL;
}

/*
 * A response goes to the certificate that it is about. One whose time has passed is
 * shown no more, which only must-staple certificates mind.
 */
static enum kseal_credentials_status load_staple(struct kseal_certificates *c, const char *path,
						 char *why, size_t size)
{
	gnutls_datum_t der;
	bool current;

	if (kseal_staple_read(path, &der, why, size) < 0)
		return KSEAL_CREDENTIALS_STAPLE;
	for (size_t i = 0; i < c->count; i++) {
		struct kseal_certificate *one = &c->list[i];

		if (!kseal_staple_is_for(&der, one->chain.list[0]))
			continue;
		if (kseal_staple_check(path, &der, &one->chain, &current, why, size) < 0)
			goto fail;
		if (!current) {
			if (kseal_must_staple(one->chain.list[0]))
				goto fail;
			kseal_log(KSEAL_LOG_WARNING, "%s", why);
			kseal_file_wipe(&der);
			return KSEAL_CREDENTIALS_OK;
		}
		kseal_file_wipe(&one->staple);
		one->staple = der;
		return KSEAL_CREDENTIALS_OK;
	}
	snprintf(why, size, "%s: is about none of the certificates: fetch the response to one of them",
		 path);
fail:
	kseal_file_wipe(&der);
	return KSEAL_CREDENTIALS_STAPLE;
}

/* NAME.pem with its key in NAME.key, or in itself, and perhaps a response NAME.ocsp. */
static enum kseal_credentials_status load_entry(struct kseal_certificates *c, const char *path,
						enum kseal_role role, char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_DIRECTORY;
	int stem = strlen(path) - strlen(".pem");
	struct kseal_certificate *new;
	char *key = NULL, *staple = NULL;

	if (asprintf(&key, "%.*s.key", stem, path) < 0 ||
	    asprintf(&staple, "%.*s.ocsp", stem, path) < 0) {
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
		goto out;
	}
	new = add(c, path, access(key, F_OK) == 0 ? key : path);
	if (!new)
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
	else
		status = load_one(new, role, why, size);
	if (status == KSEAL_CREDENTIALS_OK && access(staple, F_OK) == 0)
		status = load_staple(c, staple, why, size);
out:
	free(key);
	free(staple);
	return status;
}

static enum kseal_credentials_status load_directory(struct kseal_certificates *c,
						    const struct kseal_profile *p,
						    char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_OK;
	char **files;
	size_t count;

	if (kseal_directory_read(p->directory, ".pem", &files, &count, why, size) < 0)
		return KSEAL_CREDENTIALS_DIRECTORY;
	for (size_t i = 0; i < count && status == KSEAL_CREDENTIALS_OK; i++)
		status = load_entry(c, files[i], p->role, why, size);
	kseal_directory_free(files, count);
	/* Not the options of single files: the directory has them. */
	return status == KSEAL_CREDENTIALS_OK ? status : KSEAL_CREDENTIALS_DIRECTORY;
}

static enum kseal_credentials_status check_staples(const struct kseal_certificates *c,
						   char *why, size_t size)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct kseal_certificate *one = &c->list[i];

		if (one->staple.size || !kseal_must_staple(one->chain.list[0]))
			continue;
		snprintf(why, size,
			 "%s: demands a stapled OCSP response (must-staple): name a current one with ocsp = \"FILE\"",
			 one->path);
		return KSEAL_CREDENTIALS_CERTIFICATE;
	}
	return KSEAL_CREDENTIALS_OK;
}

/**
 * kseal_certificates_load() - read and check what a profile names
 * @c: all zero; to be freed even on failure
 * @p: role, certificates, keys, directory and staples are set
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: KSEAL_CREDENTIALS_OK, or which option is to blame, with @why.
 */
enum kseal_credentials_status kseal_certificates_load(struct kseal_certificates *c,
						      const struct kseal_profile *p,
						      char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_OK;
	struct kseal_certificate *new;

	for (size_t i = 0; i < p->certificate_count && status == KSEAL_CREDENTIALS_OK; i++) {
		new = add(c, p->certificates[i],
			  p->key_count ? p->keys[i] : p->certificates[i]);
		if (!new) {
			snprintf(why, size, "%s: %s", p->certificates[i], strerror(ENOMEM));
			return KSEAL_CREDENTIALS_CERTIFICATE;
		}
		status = load_one(new, p->role, why, size);
	}
	if (p->directory && status == KSEAL_CREDENTIALS_OK)
		status = load_directory(c, p, why, size);
	for (size_t i = 0; i < p->staple_count && status == KSEAL_CREDENTIALS_OK; i++)
		status = load_staple(c, p->staples[i], why, size);
	if (status == KSEAL_CREDENTIALS_OK && p->role == KSEAL_ROLE_SERVER)
		status = check_staples(c, why, size);
	return status;
}

/* A GnuTLS error, or with @why what is wrong with the URL. */
static int give_url(const struct kseal_certificate *c, gnutls_certificate_credentials_t x509,
		    char *why, size_t size)
{
	unsigned int count = c->chain.count;
	gnutls_pcert_st certs[CHAIN_MAX];
	gnutls_privkey_t key;
	int ret;

	if (kseal_token_key(c->key_path, &key, why, size) < 0)
		return GNUTLS_E_PKCS11_ERROR;
	ret = gnutls_pcert_import_x509_list(certs, c->chain.list, &count, 0);
	if (ret == 0) {
		ret = gnutls_certificate_set_key(x509, NULL, 0, certs, count, key);
		if (ret >= 0)
			return ret;
		for (unsigned int i = 0; i < count; i++)
			gnutls_pcert_deinit(&certs[i]);
	}
	gnutls_privkey_deinit(key);
	return ret;
}

/**
 * kseal_certificate_give() - give a certificate and its key to credentials
 * @c: loaded
 * @x509: takes a copy, or another handle of a key elsewhere
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_certificate_give(const struct kseal_certificate *c,
			   gnutls_certificate_credentials_t x509, char *why, size_t size)
{
	char name[KSEAL_TOKEN_NAME_MAX];
	int ret;

	why[0] = '\0';
	gnutls_certificate_set_flags(x509, GNUTLS_CERTIFICATE_API_V2);
	if (c->key)
		ret = gnutls_certificate_set_x509_key(x509, c->chain.list, c->chain.count, c->key);
	else
		ret = give_url(c, x509, why, size);
	/* Thanks to GNUTLS_CERTIFICATE_API_V2, the number of the certificate. */
	if (ret >= 0 && c->staple.size)
		ret = gnutls_certificate_set_ocsp_status_request_mem(x509, &c->staple, ret,
								     GNUTLS_X509_FMT_DER);
	if (ret >= 0)
		return 0;
	if (why[0])
		return -1;
	kseal_token_name(c->key_path, name, sizeof(name));
	if (ret == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		snprintf(why, size, "%s: is not the key of the certificate in %s: name the right pair",
			 name, c->path);
	else
		snprintf(why, size, "%s: %s", name, gnutls_strerror(ret));
	return -1;
}

/**
 * kseal_certificates_free() - free certificates and wipe their keys
 * @c: loaded, or partly so
 */
void kseal_certificates_free(struct kseal_certificates *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct kseal_certificate *one = &c->list[i];

		for (size_t j = 0; j < one->name_count; j++)
			free(one->names[j]);
		if (one->key)
			gnutls_x509_privkey_deinit(one->key);
		kseal_file_wipe(&one->staple);
		kseal_chain_free(&one->chain);
		free(one->names);
		free(one->key_path);
		free(one->path);
	}
	free(c->list);
	c->list = NULL;
	c->count = 0;
}
