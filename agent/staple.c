// SPDX-License-Identifier: GPL-2.0
/*
 * OCSP responses that a server staples to its certificates (RFC 6066 section 8, RFC
 * 6960), and whether a certificate demands one (RFC 7633). Called by certificates.c at
 * a load: a response that every client would refuse is better not shown.
 */
#include <gnutls/ocsp.h>
#include <gnutls/x509-ext.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "file.h"
#include "log.h"
#include "staple.h"

#define STATUS_REQUEST	5	/* the TLS extension */

/**
 * kseal_must_staple() - does a certificate demand a stapled response?
 * @crt: of the server
 *
 * Return: whether it has the TLS feature status_request.
 */
bool kseal_must_staple(gnutls_x509_crt_t crt)
{
	gnutls_x509_tlsfeatures_t features;
	unsigned int feature;
	bool found = false;

	if (gnutls_x509_tlsfeatures_init(&features) < 0)
		return false;
	if (gnutls_x509_crt_get_tlsfeatures(crt, features, 0, NULL) == 0) {
		for (unsigned int i = 0; !found &&
		     gnutls_x509_tlsfeatures_get(features, i, &feature) == 0; i++)
			found = feature == STATUS_REQUEST;
	}
	gnutls_x509_tlsfeatures_deinit(features);
	return found;
}

static gnutls_ocsp_resp_t import(const gnutls_datum_t *der)
{
	gnutls_ocsp_resp_t resp;

	if (gnutls_ocsp_resp_init(&resp) < 0)
		return NULL;
	if (gnutls_ocsp_resp_import(resp, der) == 0 &&
	    gnutls_ocsp_resp_get_status(resp) == GNUTLS_OCSP_RESP_SUCCESSFUL)
		return resp;
	gnutls_ocsp_resp_deinit(resp);
	return NULL;
}

/**
 * kseal_staple_is_for() - is a response about this certificate?
 * @der: from kseal_staple_read()
 * @crt: of the server
 *
 * Return: whether it is.
 */
bool kseal_staple_is_for(const gnutls_datum_t *der, gnutls_x509_crt_t crt)
{
	gnutls_ocsp_resp_t resp = import(der);
	bool is = resp && gnutls_ocsp_resp_check_crt(resp, 0, crt) == 0;

	if (resp)
		gnutls_ocsp_resp_deinit(resp);
	return is;
}

/**
 * kseal_staple_read() - read a response
 * @path: of the file, DER
 * @der: result, for kseal_file_wipe()
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_staple_read(const char *path, gnutls_datum_t *der, char *why, size_t size)
{
	gnutls_ocsp_resp_t resp;
	mode_t mode;

	if (kseal_file_read(path, der, &mode, why, size) < 0)
		return -1;
	resp = import(der);
	if (resp) {
		gnutls_ocsp_resp_deinit(resp);
		return 0;
	}
	snprintf(why, size, "%s: is no successful OCSP response: fetch one (openssl ocsp -respout)",
		 path);
	kseal_file_wipe(der);
	return -1;
}

static int check(const char *path, gnutls_ocsp_resp_t resp, const struct kseal_chain *chain,
		 bool *current, char *why, size_t size)
{
	time_t now = time(NULL), begin, end;
	unsigned int status, verdict;
	char date[64];
	int ret;

	ret = gnutls_ocsp_resp_get_single(resp, 0, NULL, NULL, NULL, NULL, &status, &begin, &end,
					  NULL, NULL);
	if (ret < 0) {
		snprintf(why, size, "%s: %s", path, gnutls_strerror(ret));
		return -1;
	}
	if (status != GNUTLS_OCSP_CERT_GOOD) {
		snprintf(why, size, "%s: says that the certificate is %s: get another one", path,
			 status == GNUTLS_OCSP_CERT_REVOKED ? "revoked" : "unknown");
		return -1;
	}
	if (chain->count > 1 &&
	    (gnutls_ocsp_resp_verify_direct(resp, chain->list[1], &verdict, 0) < 0 || verdict)) {
		snprintf(why, size, "%s: its signature is not that of the certificate's issuer: fetch it anew",
			 path);
		return -1;
	}
	*current = now >= begin && end != (time_t)-1 && now < end;
	if (!*current) {
		kseal_time_format(end == (time_t)-1 ? begin : end, date, sizeof(date));
		snprintf(why, size, "%s: is not current (%s): fetch it anew", path, date);
	}
	return 0;
}

/**
 * kseal_staple_check() - would clients take a response?
 * @path: of the file, for messages
 * @der: from kseal_staple_read()
 * @chain: its certificate first
 * @current: result: it is in its time; if not, @why says so
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why if it never would be.
 */
int kseal_staple_check(const char *path, const gnutls_datum_t *der,
		       const struct kseal_chain *chain, bool *current, char *why, size_t size)
{
	gnutls_ocsp_resp_t resp = import(der);
	int ret = -1;

	if (resp) {
		ret = check(path, resp, chain, current, why, size);
		gnutls_ocsp_resp_deinit(resp);
	}
	return ret;
}
