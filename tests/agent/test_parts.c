// SPDX-License-Identifier: GPL-2.0
/*
 * Parts of the agent that need no handshake: identities, the policy, escaping.
 */
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../agent/config.h"
#include "../../agent/identity.h"
#include "../../agent/log.h"
#include "../../agent/policy.h"
#include "check.h"

/* Appends a GeneralName of DER (RFC 5280 section 4.2.1.6), at most 64 KiB long. */
static size_t put_name(unsigned char *der, size_t at, unsigned char tag, const char *value,
		       size_t len)
{
	der[at++] = 0x80 | tag;
	der[at++] = 0x82;
	der[at++] = len >> 8;
	der[at++] = len;
	memcpy(der + at, value, len);
	return at + len;
}

/* By hand: GnuTLS itself would not write such names. */
static void set_names(gnutls_x509_crt_t crt)
{
	const char uri[] = "spiffe://a/b, DNS:admin.test\\";
	unsigned char der[4096];
	char long_name[900];
	size_t n = 4;

	memset(long_name, 'x', sizeof(long_name));
	n = put_name(der, n, 6, uri, strlen(uri));
	n = put_name(der, n, 2, "a\0b", 3);
	n = put_name(der, n, 6, long_name, sizeof(long_name));
	n = put_name(der, n, 6, long_name, sizeof(long_name));
	n = put_name(der, n, 2, "end.test", 8);
	der[0] = 0x30;
	der[1] = 0x82;
	der[2] = (n - 4) >> 8;
	der[3] = n - 4;
	CHECK(gnutls_x509_crt_set_extension_by_oid(crt, GNUTLS_X509EXT_OID_SAN, der, n, 0) == 0);
}

static void test_identity(void)
{
	struct kseal_identity id;
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;

	gnutls_x509_privkey_init(&key);
	gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
				     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_dn(crt, "CN=a\\,b", NULL);
	gnutls_x509_crt_set_activation_time(crt, time(NULL));
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_key(crt, key);
	set_names(crt);
	CHECK(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0);

	CHECK(kseal_identity_read(&id, &der) == 0);
	CHECK(strcmp(id.subject, "CN=a\\,b") == 0, "%s", id.subject);
	CHECK(strncmp(id.names, "URI:spiffe://a/b\\2C DNS:admin.test\\5C, DNS:a\\00b, URI:xxx",
		      57) == 0, "%s", id.names);
	/* the second long one was left out whole, what came after it was not */
	CHECK(strlen(id.names) > 20 &&
	      strcmp(id.names + strlen(id.names) - 14, ", DNS:end.test") == 0, "%s", id.names);
	CHECK(strlen(id.names) < 1024);
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void test_policy(void)
{
	uint16_t ports[] = { 443, 8443 };
	uid_t users[] = { 33 };
	gid_t groups[] = { 50 };
	struct kseal_profile p = { .role = KSEAL_ROLE_SERVER, .name = (char *)"web" };
	char why[512];

	CHECK(kseal_policy_check(&p, 0, 0, 443, why, sizeof(why)) == 0);
	CHECK(kseal_policy_check(&p, 33, 33, 443, why, sizeof(why)) < 0);
	CHECK(strstr(why, "uid 33") && strstr(why, "users of the profile"), "%s", why);
	/* no group is allowed unless named, root's included */
	CHECK(kseal_policy_check(&p, 1000, 0, 443, why, sizeof(why)) < 0);

	p.users = users;
	p.user_count = 1;
	CHECK(kseal_policy_check(&p, 33, 33, 443, why, sizeof(why)) == 0);
	CHECK(kseal_policy_check(&p, 34, 33, 443, why, sizeof(why)) < 0);
	p.groups = groups;
	p.group_count = 1;
	CHECK(kseal_policy_check(&p, 34, 50, 443, why, sizeof(why)) == 0);
	/* an owner without a number here is nobody */
	CHECK(kseal_policy_check(&p, -1, 50, 443, why, sizeof(why)) < 0);
	CHECK(kseal_policy_check(&p, 34, -1, 443, why, sizeof(why)) < 0);

	p.ports = ports;
	p.port_count = 2;
	CHECK(kseal_policy_check(&p, 33, 33, 8443, why, sizeof(why)) == 0);
	CHECK(kseal_policy_check(&p, 0, 0, 80, why, sizeof(why)) < 0);
	CHECK(strstr(why, "port 80") && strstr(why, "ports of the profile"), "%s", why);
}

static void test_escape(void)
{
	char to[64], tiny[6];

	CHECK(strcmp(kseal_log_escape(to, sizeof(to), "a.test"), "a.test") == 0);
	CHECK(strcmp(kseal_log_escape(to, sizeof(to), "a\n\" \\\x7f\xc3"),
		     "a\\x0a\\x22\\x20\\x5c\\x7f\\xc3") == 0, "%s", to);
	CHECK(strcmp(kseal_log_escape(tiny, sizeof(tiny), "abc\n"), "abc") == 0, "%s", tiny);
}

void test_parts(void)
{
	run_test("no name of a certificate can pose as two", test_identity);
	run_test("who may use a profile", test_policy);
	run_test("what the peer chose is escaped in the log", test_escape);
}
