// SPDX-License-Identifier: GPL-2.0
/*
 * The option "allow": what each kind of rule matches, and what it does not.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "../../agent/rules.h"
#include "check.h"
#include "origin.h"

/* The certificate of the test directory as DER. */
static gnutls_datum_t read_der(const char *name)
{
	gnutls_datum_t pem, der = { NULL, 0 };
	gnutls_x509_crt_t crt;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.pem", test_directory, name);
	CHECK(gnutls_load_file(path, &pem) == 0, "%s", path);
	gnutls_x509_crt_init(&crt);
	CHECK(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) == 0);
	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_free(pem.data);
	return der;
}

static bool allows(const char *text, const gnutls_datum_t *der)
{
	struct kseal_rule rule;
	bool allowed;

	CHECK(kseal_rule_parse(&rule, text) == 0, "%s", text);
	allowed = kseal_rules_allow(&rule, 1, der);
	kseal_rule_free(&rule);
	return allowed;
}

static void test_matches(void)
{
	static const char *const good[] = {
		"cn:client one", "CN:client one", "dns:client.test", "dns:CLIENT.test",
		"dns:*.test", "uri:spiffe://test/client", "uri:spiffe://test/*", "ip:192.0.2.1",
		"ip:192.0.2.0/24", "ip:192.0.2.1/32", "ip:0.0.0.0/0", "ip:192.0.2.2/30",
		"email:Someone@client.test", "email:Someone@CLIENT.test",
		"email:@client.test", "issuer:CN=clients",
	}, *const bad[] = {
		"cn:client", "cn:client one ", "cn:Client one", "cn:*", "dns:client.tes",
		"dns:client.test.", "dns:a.client.test", "dns:*.client.test", "dns:other.test",
		"uri:spiffe://test/clien", "uri:spiffe://test/client/*", "uri:spiffe://TEST/client",
		"uri:spiffe://tes/*", "ip:192.0.2.2", "ip:192.0.2.2/31", "ip:2001:db8::/32",
		"ip:::/0", "email:someone@client.test", "email:@other.test", "email:client.test",
		"issuer:CN=client", "issuer:CN=ca", "issuer:*",
		"fingerprint:0000000000000000000000000000000000000000000000000000000000000000",
	};
	gnutls_datum_t der = read_der("allowed");

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK(allows(good[i], &der), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(!allows(bad[i], &der), "%s", bad[i]);
	CHECK(kseal_rules_allow(NULL, 0, &der));
	gnutls_free(der.data);
}

/*
 * A certificate with one name, in which # is a zero byte: the extension is made by hand,
 * as GnuTLS would end the name there. @tag is that of GeneralName (RFC 5280 section 4.2.1.6).
 */
static gnutls_datum_t with_name(unsigned char tag, const char *name)
{
	size_t size = strlen(name);
	gnutls_datum_t pem, der = { NULL, 0 };
	unsigned char san[64] = { 0x30, 2 + size, 0x80 | tag, size };
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	char path[512];

	snprintf(path, sizeof(path), "%s/client.key", test_directory);
	CHECK(gnutls_load_file(path, &pem) == 0, "%s", path);
	gnutls_x509_privkey_init(&key);
	CHECK(gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM) == 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL));
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_key(crt, key);
	for (size_t i = 0; i < size; i++)
		san[4 + i] = name[i] == '#' ? '\0' : name[i];
	CHECK(gnutls_x509_crt_set_extension_by_oid(crt, GNUTLS_X509EXT_OID_SAN, san, 4 + size,
						   0) == 0);
	CHECK(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	gnutls_free(pem.data);
	return der;
}

/* A CA that reads names as C strings has checked no more than what is before the zero. */
static void test_zero_bytes(void)
{
	enum { EMAIL = 1, DNS = 2, URI = 6 };
	static const struct {
		unsigned char tag;
		const char *name;
		const char *rules[3];
	} cases[] = {
		{ DNS, "evil#.client.test", { "dns:*.client.test" } },
		{ DNS, "client.test#.evil.test",
		  { "dns:client.test", "dns:*.test", "dns:*.evil.test" } },
		{ EMAIL, "a@evil.test#@client.test",
		  { "email:@client.test", "email:@evil.test", "email:a@evil.test" } },
		{ EMAIL, "a@client.test#.evil.test",
		  { "email:@client.test", "email:a@client.test" } },
		{ URI, "spiffe://test/a#b", { "uri:spiffe://test/a", "uri:spiffe://test/*" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		gnutls_datum_t der = with_name(cases[i].tag, cases[i].name);

		for (int j = 0; j < 3 && cases[i].rules[j]; j++)
			CHECK(!allows(cases[i].rules[j], &der), "%zu %s", i, cases[i].rules[j]);
		gnutls_free(der.data);
	}
}

static void test_fingerprint(void)
{
	gnutls_datum_t der = read_der("allowed"), other = read_der("client");
	char plain[128] = "fingerprint:", colons[128] = "fingerprint:";
	unsigned char digest[32];
	size_t p = strlen(plain), c = p;

	gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest);
	for (int i = 0; i < 32; i++) {
		p += snprintf(plain + p, sizeof(plain) - p, "%02x", digest[i]);
		c += snprintf(colons + c, sizeof(colons) - c, "%s%02X", i ? ":" : "", digest[i]);
	}
	CHECK(allows(plain, &der) && allows(colons, &der));
	CHECK(!allows(plain, &other) && !allows(colons, &other));
	gnutls_free(der.data);
	gnutls_free(other.data);
}

static void test_malformed(void)
{
	static const char *const rules[] = {
		"", "client.test", "dns", "dns:", "host:client.test", "dns:*", "dns:*.",
		"dns:a.*.test", "dns:*.*.test", "dns:a*.test", "uri:*", "uri:spiffe://*/a",
		"uri:spiffe://test*", "ip:192.0.2", "ip:192.0.2.1/33", "ip:192.0.2.1/", "ip:::1/-1",
		"ip:192.0.2.1/3x", "email:*@client.test", "fingerprint:00",
		"fingerprint:zz00000000000000000000000000000000000000000000000000000000000000",
		"fingerprint:000000000000000000000000000000000000000000000000000000000000000000",
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct kseal_rule rule;

		CHECK(kseal_rule_parse(&rule, rules[i]) < 0, "%s", rules[i]);
	}
}

static void test_clients_ruled(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		struct client good = { .priority = priorities[i], .cert = "client" };
		struct client other = { .priority = priorities[i], .cert = "short-client" };
		struct client none = { .priority = priorities[i] };
		struct server s1 = { .profile = "allow" }, s2 = s1, s3 = s1;

		must_seal(&s1, &good);
		must_fail(&s2, &other, EKEYREJECTED, "no rule of allow matches");
		CHECK(other.alert == GNUTLS_A_ACCESS_DENIED, "alert %d", other.alert);
		CHECK(!s2.outcome.peer.present);
		/* requested, not required: a client without a certificate is anonymous */
		must_seal(&s3, &none);
		CHECK(!s3.outcome.peer.present);
	}
}

static void test_servers_ruled(void)
{
	struct origin good = { .priority = PRIO_13 }, bad = { .priority = PRIO_13, .cert = "rsa" };
	struct server s1 = { .profile = "allow" }, s2 = s1;

	snprintf(s1.conn.server_name, sizeof(s1.conn.server_name), "example.test");
	s2.conn = s1.conn;
	must_reach(&s1, &good);
	must_not_reach(&s2, &bad, EKEYREJECTED, "certificate for example.test: good, but no rule");
	CHECK(bad.alert == GNUTLS_A_ACCESS_DENIED, "alert %d", bad.alert);
}

/* What raw public keys are for: a self-signed certificate, and no other of that name. */
static void test_pinned(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		struct client good = { .priority = priorities[i], .cert = "pinned" };
		struct client bad = { .priority = priorities[i], .cert = "unpinned" };
		struct origin server = { .priority = priorities[i], .cert = "pinned-server" };
		struct origin other = { .priority = priorities[i], .cert = "unpinned-server" };
		struct server s1 = { .profile = "pinned" }, s2 = s1, s3 = s1, s4;

		must_seal(&s1, &good);
		must_fail(&s2, &bad, EKEYREJECTED, "");
		snprintf(s3.conn.server_name, sizeof(s3.conn.server_name), "example.test");
		s4 = s3;
		must_reach(&s3, &server);
		must_not_reach(&s4, &other, EKEYREJECTED, "The certificate is NOT trusted");
	}
}

void test_rule_kinds(void)
{
	run_test("rules: each kind matches its names and no others", test_matches);
	run_test("rules: a name with a zero byte in it matches nothing", test_zero_bytes);
	run_test("rules: fingerprints", test_fingerprint);
	run_test("rules: what is none", test_malformed);
	run_test("rules: clients, allowed and not", test_clients_ruled);
	run_test("rules: servers, allowed and not", test_servers_ruled);
	run_test("a self-signed certificate in place of a CA pins a key", test_pinned);
}
