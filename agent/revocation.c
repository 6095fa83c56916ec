// SPDX-License-Identifier: GPL-2.0
/*
 * How long revocation lists are in their time. GnuTLS looks for certificates in a list,
 * but not at its dates: a list that nobody has renewed would have everybody pass who was
 * revoked since. Filled by pem.c at a load, asked by verify.c from every worker.
 */
#include <stdlib.h>
#include <string.h>

#include "revocation.h"

/**
 * struct kseal_revocation - the revocation list of a CA
 * @issuer: its name, DER
 * @end: nextUpdate, of the newest list if there are several
 */
struct kseal_revocation {
	gnutls_datum_t issuer;
	time_t end;
};

static bool same_name(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/**
 * kseal_revocations_add() - there is such a list
 * @r: all zero at first; to be freed
 * @crl: with a nextUpdate
 *
 * Return: 0 or a GnuTLS error.
 */
int kseal_revocations_add(struct kseal_revocations *r, gnutls_x509_crl_t crl)
{
	time_t end = gnutls_x509_crl_get_next_update(crl);
	struct kseal_revocation *list;
	gnutls_datum_t issuer;
	int ret;

	ret = gnutls_x509_crl_get_raw_issuer_dn(crl, &issuer);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < r->count; i++) {
		if (!same_name(&r->list[i].issuer, &issuer))
			continue;
		if (r->list[i].end < end)
			r->list[i].end = end;
		gnutls_free(issuer.data);
		return 0;
	}
	list = realloc(r->list, (r->count + 1) * sizeof(*list));
	if (!list) {
		gnutls_free(issuer.data);
		return GNUTLS_E_MEMORY_ERROR;
	}
	r->list = list;
	list[r->count++] = (struct kseal_revocation){ issuer, end };
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
		is = same_name(&name, issuer);
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

/**
 * kseal_revocations_free() - free what is known of lists
 * @r: empty afterwards
 */
void kseal_revocations_free(struct kseal_revocations *r)
{
	for (size_t i = 0; i < r->count; i++)
		gnutls_free(r->list[i].issuer.data);
	free(r->list);
	r->list = NULL;
	r->count = 0;
}
