// SPDX-License-Identifier: GPL-2.0
/*
 * What a profile says of versions, ciphers, groups, protocols and records: that it is
 * what is agreed on, and that peers without it are refused.
 */
#include <errno.h>
#include <linux/tls.h>
#include <stdio.h>
#include <string.h>

#include "../../agent/credentials.h"
#include "../../agent/named_group.h"
#include "../../agent/priority.h"
#include "check.h"
#include "origin.h"
#include "server.h"

#define GROUP(name)	":-GROUP-ALL:+GROUP-" name
#define KX(name)	":-KX-ALL:+" name

static const char *const both[] = { PRIO_13, PRIO_12 };

static void test_alpn_required(void)
{
	for (int i = 0; i < 2; i++) {
		struct client good = { .priority = both[i], .alpn = "http/1.1" };
		struct client other = { .priority = both[i], .alpn = "h2" };
		struct client none = { .priority = both[i] };
		struct server s1 = { .profile = "alpn-required" }, s2 = s1, s3 = s1;

		must_seal(&s1, &good);
		CHECK(strcmp(s1.outcome.alpn, "http/1.1") == 0, "%s", s1.outcome.alpn);
		must_fail(&s2, &other, EPROTO, "");
		CHECK(other.alert == GNUTLS_A_NO_APPLICATION_PROTOCOL, "%d", other.alert);
		must_fail(&s3, &none, EPROTO, "which alpn-mode requires");
		CHECK(none.alert == GNUTLS_A_NO_APPLICATION_PROTOCOL, "%d", none.alert);
	}
}

/* A ticket does not bring a protocol with it. */
static void test_alpn_required_resumed(void)
{
	for (int i = 0; i < 2; i++) {
		gnutls_datum_t ticket = { NULL, 0 };
		struct client first = { .priority = both[i], .alpn = "http/1.1" };
		struct client second = { .priority = both[i], .resume = &ticket };
		struct server s1 = { .profile = "alpn-required" }, s2 = s1;

		first.keep = &ticket;
		must_seal(&s1, &first);
		must_fail(&s2, &second, EPROTO, "which alpn-mode requires");
		gnutls_free(ticket.data);
	}
}

static void test_alpn_optional(void)
{
	struct client other = { .priority = PRIO_13, .alpn = "h2" };
	struct client good = { .priority = PRIO_13, .alpn = "http/1.1" };
	struct server s1 = { .profile = "alpn-optional" }, s2 = s1;

	must_seal(&s1, &other);
	CHECK(!s1.outcome.alpn[0], "%s", s1.outcome.alpn);
	must_seal(&s2, &good);
	CHECK(strcmp(s2.outcome.alpn, "http/1.1") == 0, "%s", s2.outcome.alpn);
}

static void test_ciphers(void)
{
	struct client both_gcm = { .priority = "NORMAL:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM" };
	struct client chacha = { .priority = PRIO_13 ONLY("CHACHA20-POLY1305") };
	struct server s1 = { .profile = "ciphers" }, s2 = s1;

	must_seal(&s1, &both_gcm);
	CHECK(strcmp(s1.outcome.cipher, "AES-256-GCM") == 0, "%s", s1.outcome.cipher);
	must_fail(&s2, &chacha, EPROTO, "");
}

/* A profile whose only cipher the kernel does not have must not fall back to another. */
static void test_ciphers_of_the_kernel(void)
{
	static const uint16_t all[] = { TLS_CIPHER_CHACHA20_POLY1305, TLS_CIPHER_AES_CCM_128 };
	const struct kseal_profile *p = kseal_config_profile(test_config, KSEAL_ROLE_SERVER,
							     "only-chacha");
	struct client c = { .priority = PRIO_13 };
	struct server s = { .profile = "only-chacha" };

	kseal_priority_offer(NULL, 0);
	CHECK(!kseal_credentials_usable(p->credentials));
	kseal_priority_offer(all, 2);
	CHECK(kseal_credentials_usable(p->credentials));
	must_seal(&s, &c);
	CHECK(strcmp(s.outcome.cipher, "CHACHA20-POLY1305") == 0, "%s", s.outcome.cipher);
	kseal_priority_offer(NULL, 0);
}

static void test_groups(void)
{
	struct client preferred = { .priority = PRIO_13 GROUP("X25519:+GROUP-SECP384R1") };
	struct client second = { .priority = PRIO_13 GROUP("X25519") };
	struct client other = { .priority = PRIO_13 GROUP("SECP256R1") };
	struct server s1 = { .profile = "groups" }, s2 = s1, s3 = s1;

	must_seal(&s1, &preferred);
	CHECK(s1.outcome.group == 0x0018, "%#x", s1.outcome.group);
	must_seal(&s2, &second);
	CHECK(s2.outcome.group == 0x001d, "%#x", s2.outcome.group);
	must_fail(&s3, &other, EPROTO, "");
}

/* With a profile that is there only if GnuTLS has the group. */
static void test_hybrid(void)
{
	struct client good = { .priority = PRIO_13 GROUP("X25519-MLKEM768") };
	struct client other = { .priority = PRIO_13 GROUP("X25519") };
	struct server s1 = { .profile = "hybrid" }, s2 = s1;

	must_seal(&s1, &good);
	CHECK(s1.outcome.group == 0x11ec, "%#x", s1.outcome.group);
	must_fail(&s2, &other, EPROTO, "");
}

static void try_hybrid(void)
{
	static const char name[] = "named-groups: X25519MLKEM768, and no other";
	char reason[64];

	snprintf(reason, sizeof(reason), "GnuTLS %s does not have it", gnutls_check_version(NULL));
	if (kseal_named_group_usable(kseal_named_group_find("X25519MLKEM768")))
		run_test(name, test_hybrid);
	else
		skip_test(name, reason);
}

static void test_priority(void)
{
	struct client x448 = { .priority = PRIO_13 GROUP("X448") };
	struct client x25519 = { .priority = PRIO_13 GROUP("X25519") };
	struct client old = { .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1" };
	struct client cbc = { .priority = PRIO_12 ONLY("AES-128-CBC") ":+SHA1" };
	struct client rsa = { .priority = PRIO_12 KX("RSA") };
	struct server s1 = { .profile = "priority" }, s2 = s1, s3 = s1, s4 = s1, s5 = s1;

	must_seal(&s1, &x448);
	CHECK(s1.outcome.group == 0x001e, "%#x", s1.outcome.group);
	must_fail(&s2, &x25519, EPROTO, "");
	/* what NORMAL has, and kseal has not */
	must_fail(&s3, &old, EPROTO, "");
	must_fail(&s4, &cbc, EPROTO, "");
	must_fail(&s5, &rsa, EPROTO, "");
}

static void test_legacy(void)
{
	struct client rsa = { .priority = PRIO_12 KX("RSA") };
	struct client dhe = { .priority = PRIO_12 KX("DHE-RSA") };
	struct client unnamed = { .priority = PRIO_12 KX("DHE-RSA") ":-GROUP-ALL" };
	struct client good = { .priority = PRIO_12 };
	struct client bare = { .priority = PRIO_12 KX("RSA") ":%NO_EXTENSIONS" };
	struct server s1 = { .profile = "legacy" }, s2 = s1, s3 = s1, s4 = s1, s5 = s1;

	must_seal(&s1, &rsa);
	CHECK(rsa.kx == GNUTLS_KX_RSA, "%s", gnutls_kx_get_name(rsa.kx));
	must_seal(&s2, &dhe);
	CHECK(dhe.kx == GNUTLS_KX_DHE_RSA, "%s", gnutls_kx_get_name(dhe.kx));
	must_seal(&s3, &unnamed);
	/* who can do better gets better */
	must_seal(&s4, &good);
	CHECK(good.kx == GNUTLS_KX_ECDHE_RSA, "%s", gnutls_kx_get_name(good.kx));
	/* RFC 5246 section 7.4.1.2: a ClientHello may end before its extensions */
	must_seal(&s5, &bare);
}

static void test_no_legacy(void)
{
	struct client rsa = { .priority = PRIO_12 KX("RSA") };
	struct client dhe = { .priority = PRIO_12 KX("DHE-RSA") };
	struct server s1 = { .profile = "rsa" }, s2 = s1;

	must_fail(&s1, &rsa, EPROTO, "");
	must_fail(&s2, &dhe, EPROTO, "");
}

static void test_record_size(void)
{
	for (int i = 0; i < 2; i++) {
		struct client c = { .priority = both[i] }, any = c;
		struct server s1 = { .profile = "records" }, s2 = { .profile = "plain" };

		must_seal(&s1, &c);
		CHECK(c.send_size == 1024, "%s: %zu", both[i], c.send_size);
		CHECK(captured.rx_max_payload == 1024, "%u", captured.rx_max_payload);
		must_seal(&s2, &any);
		CHECK(any.send_size == 0, "%s: %zu", both[i], any.send_size);
		CHECK(!captured.rx_max_payload, "%u", captured.rx_max_payload);
	}
}

static struct kseal_connection to_origin(void)
{
	return (struct kseal_connection){ .role = KSEAL_ROLE_CLIENT,
					  .server_name = "example.test" };
}

static void test_client_alpn(void)
{
	for (int i = 0; i < 2; i++) {
		struct origin good = { .priority = both[i], .alpn = "http/1.1" };
		struct origin none = { .priority = both[i] };
		struct server s1 = { .profile = "alpn-required", .conn = to_origin() }, s2 = s1;

		must_reach(&s1, &good);
		CHECK(strcmp(s1.outcome.alpn, "http/1.1") == 0, "%s", s1.outcome.alpn);
		must_not_reach(&s2, &none, EPROTO, "the server agrees on none");
		CHECK(none.alert == GNUTLS_A_NO_APPLICATION_PROTOCOL, "%d", none.alert);
	}
}

static void test_client_groups(void)
{
	struct origin good = { .priority = PRIO_13 }, bad = { .priority = PRIO_13 GROUP("X25519") };
	struct server s1 = { .profile = "groups", .conn = to_origin() }, s2 = s1;

	must_reach(&s1, &good);
	CHECK(s1.outcome.group == 0x0018, "%#x", s1.outcome.group);
	must_not_reach(&s2, &bad, EPROTO, "");
}

static void test_client_record_size(void)
{
	for (int i = 0; i < 2; i++) {
		struct origin o = { .priority = both[i] }, any = o;
		struct server s1 = { .profile = "records", .conn = to_origin() };
		struct server s2 = { .profile = "trust", .conn = to_origin() };

		must_reach(&s1, &o);
		/* A ClientHello is of both versions: it counts the content type of 1.3. */
		CHECK(o.send_size == 1024U + i, "%s: %zu", both[i], o.send_size);
		CHECK(captured.rx_max_payload == o.send_size, "%u", captured.rx_max_payload);
		must_reach(&s2, &any);
		CHECK(any.send_size == 0, "%s: %zu", both[i], any.send_size);
		CHECK(!captured.rx_max_payload, "%u", captured.rx_max_payload);
	}
}

void test_negotiation(void)
{
	run_test("alpn-mode required: clients without a protocol in common are refused",
		 test_alpn_required);
	run_test("alpn-mode required: resumed sessions are no way around it",
		 test_alpn_required_resumed);
	run_test("alpn-mode optional: they go on without", test_alpn_optional);
	run_test("ciphers: the first in common, and no other", test_ciphers);
	run_test("ciphers that the kernel does not have are not replaced by others",
		 test_ciphers_of_the_kernel);
	run_test("named-groups: the first in common, and no other", test_groups);
	try_hybrid();
	run_test("priority: what it says, less what kseal can't do", test_priority);
	run_test("legacy: static RSA and finite fields, for clients that have nothing better",
		 test_legacy);
	run_test("without legacy they are refused", test_no_legacy);
	run_test("record-size-limit is announced", test_record_size);
	run_test("client: alpn-mode required", test_client_alpn);
	run_test("client: named-groups", test_client_groups);
	run_test("client: record-size-limit is announced", test_client_record_size);
}
