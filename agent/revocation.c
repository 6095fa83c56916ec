// SPDX-License-Identifier: GPL-2.0
/*
 * Revocation lists. GnuTLS looks for certificates in the lists of their issuer's name, but
 * neither at a list's dates nor at who has signed it: one that nobody has renewed would
 * have everybody pass who was revoked since, and so would one that somebody else has made.
 * Filled by pem.c and credentials.c at a load, asked by verify.c from every worker.
 *
 * Whoever is trusted is known at the load, and has signed his list or it is refused. An
 * intermediate CA is known when a peer shows its certificate, and not before.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "revocation.h"

#define OID_MAX		128

/* Extensions that tell lists in one name apart (RFC 5280 section 5.2). */
static const char *const scopes[] = {
	"2.5.29.35",	/* authority key identifier: a CA with several keys */
	"2.5.29.28",	/* issuing distribution point: a part of its certificates */
	"2.5.29.27",	/* delta CRL indicator: what is new since another list */
};

#define SCOPES		(sizeof(scopes) / sizeof(*scopes))

/**
 * struct kseal_revocation - a revocation list of a CA
 * @issuer: its name, DER
 * @scope: values of the extensions @scopes, DER, empty where there is none
 * @end: nextUpdate, of the newest list if there are several
 * @unverified: the list, if nobody who could have signed it was known at the load; else NULL
 * @name: of one that is @unverified, for messages: its file, and whose it is
 */
struct kseal_revocation {
	gnutls_datum_t issuer;
	gnutls_datum_t scope[SCOPES];
	time_t end;
	gnutls_x509_crl_t unverified;
	char *name;
};

static bool same_data(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

/**
 * kseal_revocation_signed_by() - has this CA signed that list?
 * @crl: the list
 * @ca: who may have
 *
 * Whether the CA's certificate allows it to sign lists is not asked, as many don't say so.
 *
 * Context: any thread.
 * Return: whether it has.
 */
bool kseal_revocation_signed_by(gnutls_x509_crl_t crl, gnutls_x509_crt_t ca)
{
	const unsigned int bad = GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_FOUND |
				 GNUTLS_CERT_INSECURE_ALGORITHM;
	unsigned int status;

	return gnutls_x509_crl_verify(crl, &ca, 1, GNUTLS_VERIFY_DISABLE_CA_SIGN |
				      GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1, &status) == 0 &&
	       !(status & bad);
}

static char *name_of(gnutls_x509_crl_t crl, const char *path, unsigned int index)
{
	gnutls_datum_t issuer = { NULL, 0 };
	char *name = NULL;

	if (gnutls_x509_crl_get_issuer_dn3(crl, &issuer, 0) < 0 ||
	    asprintf(&name, "%s: list %u is of %s", path, index + 1, issuer.data) < 0)
		name = NULL;
	gnutls_free(issuer.data);
	return name;
}

static int read_scope(gnutls_x509_crl_t crl, const char *scope, gnutls_datum_t *value)
{
	char oid[OID_MAX];
	size_t size;
	int ret;

	for (unsigned int i = 0;; i++) {
		size = sizeof(oid);
		ret = gnutls_x509_crl_get_extension_info(crl, i, oid, &size, NULL);
		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (ret == 0 && strcmp(oid, scope) == 0)
			return gnutls_x509_crl_get_extension_data2(crl, i, value);
		/* longer than those that are asked for */
		if (ret < 0 && ret != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return ret;
	}
}

static void free_list(struct kseal_revocation *list)
{
	for (size_t i = 0; i < SCOPES; i++)
		gnutls_free(list->scope[i].data);
	gnutls_free(list->issuer.data);
	if (list->unverified)
		gnutls_x509_crl_deinit(list->unverified);
	free(list->name);
}

/* GnuTLS looks into all lists in a name; each has to be in its time, not the newest alone. */
static bool same_list(const struct kseal_revocation *a, const struct kseal_revocation *b)
{
	bool same = same_data(&a->issuer, &b->issuer);

	for (size_t i = 0; i < SCOPES && same; i++)
		same = same_data(&a->scope[i], &b->scope[i]);
	return same;
}

/*
 * Of several files with the same list the newest is what counts, unless one of them is
 * verified and the other is not: then both do.
 */
static struct kseal_revocation *find(const struct kseal_revocations *r,
				     const struct kseal_revocation *list)
{
	for (size_t i = 0; i < r->count; i++) {
		if (same_list(&r->list[i], list) &&
		    !r->list[i].unverified == !list->unverified)
			return &r->list[i];
	}
	return NULL;
}

/**
 * kseal_revocations_add() - there is such a list
 * @r: all zero at first; to be freed
 * @crl: with a nextUpdate; set to NULL if it is kept
 * @known: its CA is, and has signed it
 * @path: of the file
 * @index: in the file, from 0
 *
 * Return: 0 or a GnuTLS error.
 */
int kseal_revocations_add(struct kseal_revocations *r, gnutls_x509_crl_t *crl, bool known,
			  const char *path, unsigned int index)
{
	struct kseal_revocation list = { .end = gnutls_x509_crl_get_next_update(*crl) };
	struct kseal_revocation *old, *more;
	int ret;

	ret = gnutls_x509_crl_get_raw_issuer_dn(*crl, &list.issuer);
	for (size_t i = 0; i < SCOPES && ret >= 0; i++)
		ret = read_scope(*crl, scopes[i], &list.scope[i]);
	if (ret < 0)
		goto fail;
	if (!known) {
		list.name = name_of(*crl, path, index);
		if (!list.name) {
			ret = GNUTLS_E_MEMORY_ERROR;
			goto fail;
		}
		list.unverified = *crl;
		*crl = NULL;
	}
	old = find(r, &list);
	if (old) {
		if (old->end < list.end) {
			free_list(old);
			*old = list;
		} else {
			free_list(&list);
		}
		return 0;
	}
	more = realloc(r->list, (r->count + 1) * sizeof(*more));
	if (!more) {
		ret = GNUTLS_E_MEMORY_ERROR;
		goto fail;
	}
	r->list = more;
	more[r->count++] = list;
	return 0;

fail:
	free_list(&list);
	return ret;
}

/**
 * kseal_revocations_know() - lists that this CA has signed are as good as any
 * @r: all lists have been added
 * @ca: is trusted, or was issued by one that is
 */
void kseal_revocations_know(struct kseal_revocations *r, gnutls_x509_crt_t ca)
{
	for (size_t i = 0; i < r->count; i++) {
		struct kseal_revocation *list = &r->list[i];

		if (!list->unverified || !gnutls_x509_crl_check_issuer(list->unverified, ca) ||
		    !kseal_revocation_signed_by(list->unverified, ca))
			continue;
		gnutls_x509_crl_deinit(list->unverified);
		list->unverified = NULL;
	}
}

/**
 * kseal_revocations_check() - is any of the lists of a CA that is known?
 * @r: all lists have been added
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * If none is, somebody has been given the wrong lists, or a wrong list in their place.
 * The others are told by the log.
 *
 * Return: 0, or -1 with @why.
 */
int kseal_revocations_check(const struct kseal_revocations *r, char *why, size_t size)
{
	size_t unknown = 0;

	for (size_t i = 0; i < r->count; i++)
		unknown += r->list[i].unverified ? 1 : 0;
	if (unknown && unknown == r->count) {
		snprintf(why, size,
			 "%s, and no list is of a CA that is trusted here: fetch that of the CA; if this one is an intermediate CA, add its certificate to those of the trusted ones",
			 r->list[0].name);
		return -1;
	}
	for (size_t i = 0; i < r->count; i++) {
		if (r->list[i].unverified)
			kseal_log(KSEAL_LOG_WARNING,
				  "%s, a CA that is unknown here: where a peer shows its certificate, that must have signed the list",
				  r->list[i].name);
	}
	return 0;
}

static bool issued_by(const gnutls_datum_t *der, const gnutls_datum_t *issuer)
{
	gnutls_datum_t name = { NULL, 0 };
	gnutls_x509_crt_t crt;
	bool is = true;

	/* What can't be read is of no CA that is known to be current. */
	if (gnutls_x509_crt_init(&crt) < 0)
		return is;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_raw_issuer_dn(crt, &name) == 0)
		is = same_data(&name, issuer);
	gnutls_free(name.data);
	gnutls_x509_crt_deinit(crt);
	return is;
}

/**
 * kseal_revocations_current() - are the lists of those who issued a chain in their time?
 * @r: may be NULL
 * @certs: DER
 * @count: of @certs
 * @end: result, if one is not: until when it was
 *
 * Context: any thread.
 * Return: whether they are, as far as there are any.
 */
bool kseal_revocations_current(const struct kseal_revocations *r, const gnutls_datum_t *certs,
			       unsigned int count, time_t *end)
{
	time_t now = time(NULL);

	for (size_t i = 0; r && i < r->count; i++) {
		if (r->list[i].end >= now)
			continue;
		for (unsigned int j = 0; j < count; j++) {
			if (issued_by(&certs[j], &r->list[i].issuer)) {
				*end = r->list[i].end;
				return false;
			}
		}
	}
	return true;
}

/* Of a list and a certificate that say it: are they of the same key? */
static bool same_key(gnutls_x509_crl_t crl, gnutls_x509_crt_t ca)
{
	unsigned char a[128], b[128];
	size_t a_size = sizeof(a), b_size = sizeof(b);

	if (gnutls_x509_crl_get_authority_key_id(crl, a, &a_size, NULL) < 0 ||
	    gnutls_x509_crt_get_subject_key_id(ca, b, &b_size, NULL) < 0)
		return true;
	return a_size == b_size && memcmp(a, b, a_size) == 0;
}

/*
 * All lists in the name of a CA that are of this key, and at least one of them: a CA may
 * have several keys, and a list for each.
 */
static bool vouches(const struct kseal_revocations *r, const gnutls_datum_t *issuer,
		    gnutls_x509_crt_t ca)
{
	bool good = false;

	for (size_t i = 0; i < r->count; i++) {
		gnutls_x509_crl_t crl = r->list[i].unverified;

		if (!crl || !same_data(&r->list[i].issuer, issuer))
			continue;
		if (kseal_revocation_signed_by(crl, ca))
			good = true;
		else if (same_key(crl, ca))
			return false;
	}
	return good;
}

/*
 * Each certificate of that name that has been shown, and at least one: the chain is good,
 * so the one that counts is among them; another beside it does not help.
 */
static bool vouched_for(const struct kseal_revocations *r, const gnutls_datum_t *issuer,
			const gnutls_datum_t *certs, unsigned int count)
{
	bool shown = false, good = true;

	for (unsigned int i = 0; i < count && good; i++) {
		gnutls_datum_t name = { NULL, 0 };
		gnutls_x509_crt_t crt;

		if (gnutls_x509_crt_init(&crt) < 0)
			return false;
		if (gnutls_x509_crt_import(crt, &certs[i], GNUTLS_X509_FMT_DER) == 0 &&
		    gnutls_x509_crt_get_raw_dn(crt, &name) == 0 && same_data(&name, issuer)) {
			shown = true;
			good = vouches(r, issuer, crt);
		}
		gnutls_free(name.data);
		gnutls_x509_crt_deinit(crt);
	}
	return shown && good;
}

/**
 * kseal_revocations_signed() - are the lists of those who issued a chain signed by them?
 * @r: may be NULL
 * @certs: DER; they have been verified
 * @count: of @certs
 * @name: result, if one is not: which, "FILE: list 1 is of CN=Name"
 *
 * Those of CAs that were known at the load have been verified there.
 *
 * Context: any thread.
 * Return: whether they are, as far as there are any.
 */
bool kseal_revocations_signed(const struct kseal_revocations *r, const gnutls_datum_t *certs,
			      unsigned int count, const char **name)
{
	for (size_t i = 0; r && i < r->count; i++) {
		const struct kseal_revocation *list = &r->list[i];
		bool concerned = false;

		if (!list->unverified)
			continue;
		for (unsigned int j = 0; j < count && !concerned; j++)
			concerned = issued_by(&certs[j], &list->issuer);
		if (concerned && !vouched_for(r, &list->issuer, certs, count)) {
			*name = list->name;
			return false;
		}
	}
	return true;
}

/**
 * kseal_revocations_free() - free what is known of lists
 * @r: empty afterwards
 */
void kseal_revocations_free(struct kseal_revocations *r)
{
	for (size_t i = 0; i < r->count; i++)
		free_list(&r->list[i]);
	free(r->list);
	r->list = NULL;
	r->count = 0;
}
