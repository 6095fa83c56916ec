// SPDX-License-Identifier: GPL-2.0
/*
 * Revocation lists: who has to have signed them. Handshakes with them are in test_client.c,
 * configurations in configuration.py.
 */
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "../../agent/revocation.h"
#include "check.h"

static gnutls_datum_t read_file(const char *name)
{
	gnutls_datum_t data = { NULL, 0 };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", test_directory, name);
	CHECK(gnutls_load_file(path, &data) == 0, "%s", path);
	return data;
}

/* The first certificate of a file, as DER. */
static gnutls_datum_t read_certificate(const char *name)
{
	gnutls_datum_t pem = read_file(name), der = { NULL, 0 };
	gnutls_x509_crt_t crt;

	gnutls_x509_crt_init(&crt);
	CHECK(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) == 0, "%s", name);
	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0, "%s", name);
	gnutls_x509_crt_deinit(crt);
	gnutls_free(pem.data);
	return der;
}

/* A list of a CA that was not known when it was loaded. */
static void add_unknown(struct kseal_revocations *r, const char *name)
{
	gnutls_datum_t pem = read_file(name);
	gnutls_x509_crl_t crl;

	gnutls_x509_crl_init(&crl);
	CHECK(gnutls_x509_crl_import(crl, &pem, GNUTLS_X509_FMT_PEM) == 0, "%s", name);
	CHECK(kseal_revocations_add(r, &crl, false, name, 0) == 0);
	if (crl)
		gnutls_x509_crl_deinit(crl);
	gnutls_free(pem.data);
}

/* What a peer can show beside the chain that is verified. */
static void test_shown(void)
{
	static const struct {
		const char *list, *shown[4];
		bool good;
	} cases[] = {
		{ "between.crl", { "here-client.pem", "between.pem" }, true },
		{ "between.crl", { "here-client.pem", "between.pem", "ca.pem" }, true },
		{ "between.crl", { "here-client.pem", "between.pem", "between.pem" }, true },
		{ "between.crl", { "client-of-ca.pem", "ca.pem" }, true },
		{ "between.crl", { "here-client.pem" }, false },
		{ "forged-between.crl", { "here-client.pem", "between.pem" }, false },
		{ "forged-between.crl", { "here-client.pem", "between.pem",
					  "forged/between.pem" }, false },
		{ "forged-between.crl", { "here-client.pem", "forged/between.pem",
					  "between.pem" }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kseal_revocations r = { NULL, 0 };
		const char *name = "none";
		gnutls_datum_t certs[4];
		unsigned int count = 0;

		add_unknown(&r, cases[i].list);
		while (count < 4 && cases[i].shown[count]) {
			certs[count] = read_certificate(cases[i].shown[count]);
			count++;
		}
		CHECK(kseal_revocations_signed(&r, certs, count, &name) == cases[i].good,
		      "case %zu: %s", i, name);
		while (count--)
			gnutls_free(certs[count].data);
		kseal_revocations_free(&r);
	}
}

void test_revocations(void)
{
	run_test("a revocation list is of the CA that the chain shows", test_shown);
}
