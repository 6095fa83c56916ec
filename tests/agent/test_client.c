// SPDX-License-Identifier: GPL-2.0
/*
 * The agent as client: what it negotiates, whom it believes, whom it does not, and
 * what it says of that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../../agent/priority.h"
#include "check.h"
#include "origin.h"

static const uint16_t all_ciphers[] = {
	TLS_CIPHER_AES_GCM_128, TLS_CIPHER_AES_GCM_256, TLS_CIPHER_CHACHA20_POLY1305,
	TLS_CIPHER_AES_CCM_128,
};

static struct kseal_connection to_name(const char *name)
{
	struct kseal_connection conn = { .role = KSEAL_ROLE_CLIENT };

	snprintf(conn.server_name, sizeof(conn.server_name), "%s", name);
	return conn;
}

static struct kseal_connection to_address(const char *address)
{
	struct kseal_connection conn = { .role = KSEAL_ROLE_CLIENT };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&conn.peer;
	struct sockaddr_in *in = (struct sockaddr_in *)&conn.peer;

	if (inet_pton(AF_INET, address, &in->sin_addr) == 1)
		in->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1)
		in6->sin6_family = AF_INET6;
	return conn;
}

static void test_suites(void)
{
	static const char *const versions[] = { PRIO_12, PRIO_13 };
	static const char *const ciphers[] = {
		"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM",
	};
	char priority[128];

	kseal_priority_offer(all_ciphers, 4);
	for (int i = 0; i < 8; i++) {
		struct origin o = { .priority = priority };
		struct server s = { .conn = to_name("example.test") };

		snprintf(priority, sizeof(priority), "%s:-CIPHER-ALL:+%s:-GROUP-ALL:+GROUP-SECP256R1",
			 versions[i / 4], ciphers[i % 4]);
		must_reach(&s, &o);
		CHECK(s.outcome.cipher && strcmp(s.outcome.cipher, ciphers[i % 4]) == 0);
		CHECK(strcmp(s.outcome.version, i < 4 ? "TLS1.2" : "TLS1.3") == 0);
		CHECK(s.outcome.group == 0x0017, "%#x", s.outcome.group);
		CHECK(strcmp(o.name, "example.test") == 0, "%s", o.name);
		CHECK(strcmp(s.outcome.server_name, "example.test") == 0);
		CHECK(s.outcome.peer.present && !s.outcome.resumed && !o.client);
		CHECK(strcmp(s.outcome.peer.names, "DNS:example.test") == 0, "%s",
		      s.outcome.peer.names);
		CHECK(!s.outcome.tolerate_truncation && !s.outcome.preamble_size);
	}
	kseal_priority_offer(NULL, 0);
}

static void test_names(void)
{
	static const struct {
		const char *name, *cert, *sni;
	} good[] = {
		{ "EXAMPLE.test", NULL, "EXAMPLE.test" },
		{ "example.test.", NULL, "example.test" },
		{ "a.example.test", "wildcard", "a.example.test" },
		{ "192.0.2.7", "address", "" },
		{ "2001:db8::7", "address", "" },
	}, bad[] = {
		{ "other.test", NULL, "other.test" },
		{ "a.b.example.test", "wildcard", "a.b.example.test" },
		{ "example.test", "wildcard", "example.test" },
		{ "192.0.2.8", "address", "" },
		{ "192.0.2.7", NULL, "" },
		{ "example.test", "address", "example.test" },
		{ "example.test", "common-name", "example.test" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct origin o = { .priority = i % 2 ? PRIO_12 : PRIO_13, .cert = good[i].cert };
		struct server s = { .conn = to_name(good[i].name) };

		must_reach(&s, &o);
		CHECK(strcmp(o.name, good[i].sni) == 0, "%s: %s", good[i].name, o.name);
	}
	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(*bad); i++) {
		const char *name = bad[i / 2].name;
		struct origin o = { .priority = i % 2 ? PRIO_12 : PRIO_13,
				    .cert = bad[i / 2].cert };
		struct server s = { .conn = to_name(name) };

		must_not_reach(&s, &o, EKEYREJECTED, name);
		CHECK(strcmp(o.name, bad[i / 2].sni) == 0, "%s: %s", name, o.name);
		CHECK(o.alert == GNUTLS_A_BAD_CERTIFICATE, "%s: alert %d", name, o.alert);
	}
}

static void test_addresses(void)
{
	static const char *const good[] = { "192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7" };
	static const char *const bad[] = { "192.0.2.8", "2001:db8::8", "" };

	for (size_t i = 0; i < 3; i++) {
		struct origin o = { .priority = PRIO_13, .cert = "address" };
		struct server s = { .conn = to_address(good[i]) };

		must_reach(&s, &o);
		CHECK(!o.name[0] && !s.outcome.server_name[0]);
	}
	for (size_t i = 0; i < 3; i++) {
		struct origin o = { .priority = PRIO_13, .cert = "address" };
		struct server s = { .conn = to_address(bad[i]) };

		must_not_reach(&s, &o, EKEYREJECTED, bad[i]);
	}
}

static void test_impossible_names(void)
{
	static const char *const names[] = {
		"*.example.test", "example test", ".", "ex\xc3\xa4mple.test",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct origin o = { .priority = PRIO_13 };
		struct server s = { .conn = to_name(names[i]) };

		must_not_reach(&s, &o, EKEYREJECTED, "server name");
		CHECK(o.error == GNUTLS_E_PREMATURE_TERMINATION, "%s", gnutls_strerror(o.error));
	}
}

static void test_profile_name(void)
{
	struct origin o = { .priority = PRIO_13 };
	struct server s = { .profile = "named", .conn = to_name("other.test") };

	must_reach(&s, &o);
	CHECK(strcmp(o.name, "example.test") == 0, "%s", o.name);
	CHECK(strcmp(s.outcome.server_name, "example.test") == 0);
	CHECK(s.outcome.tolerate_truncation);
}

static void test_untrusted(void)
{
	static const struct {
		const char *profile, *cert, *reason;
		int alert;
	} cases[] = {
		{ "trust", "strange-server", "issuer is unknown", GNUTLS_A_UNKNOWN_CA },
		{ "default", "server", "issuer is unknown", GNUTLS_A_UNKNOWN_CA },
		{ "trust", "expired", "expired", GNUTLS_A_CERTIFICATE_EXPIRED },
		{ "trust", "future", "not yet valid", GNUTLS_A_BAD_CERTIFICATE },
		{ "trust", "for-clients", "purpose", GNUTLS_A_BAD_CERTIFICATE },
		{ "crls", "revoked", "revoked", GNUTLS_A_CERTIFICATE_REVOKED },
		{ "crl", "revoked", "revoked", GNUTLS_A_CERTIFICATE_REVOKED },
	};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct origin o = { .priority = i % 2 ? PRIO_12 : PRIO_13,
				    .cert = cases[i / 2].cert };
		struct server s = { .profile = cases[i / 2].profile,
				    .conn = to_name("example.test") };

		must_not_reach(&s, &o, EKEYREJECTED, cases[i / 2].reason);
		CHECK(strstr(s.outcome.reason, "certificate for example.test: ") ==
		      s.outcome.reason, "%s", s.outcome.reason);
		CHECK(o.alert == cases[i / 2].alert, "%s: alert %d", cases[i / 2].cert, o.alert);
		CHECK(!s.outcome.peer.present);
	}
}

static void test_not_revoked(void)
{
	struct origin o = { .priority = PRIO_13 };
	struct server s = { .profile = "crl", .conn = to_name("example.test") };

	must_reach(&s, &o);
}

/* A list that nobody has renewed says nothing of those who were revoked since. */
static void test_old_revocations(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		struct server s1 = { .profile = "short-crl", .conn = to_name("example.test") };
		struct server s2 = s1, s3 = { .profile = "short-crl" }, s4 = s3;
		struct origin o1 = { .priority = priorities[i] }, o2 = o1;
		struct client c1 = { .priority = priorities[i], .cert = "client-of-ca" }, c2 = c1;

		must_reach(&s1, &o1);
		must_seal(&s3, &c1);
		time_shift = 3 * 3600;
		must_not_reach(&s2, &o2, EKEYREJECTED, "certificate for example.test: the revocation list of its CA expired on");
		must_fail(&s4, &c2, EKEYREJECTED, "client certificate: the revocation list");
		time_shift = 0;
		CHECK(o2.alert == GNUTLS_A_CERTIFICATE_UNKNOWN, "alert %d", o2.alert);
	}
}

/* All lists in the CA's name have to be in their time; of the same list, the newest. */
static void test_old_parts(void)
{
	static const struct {
		const char *profile;
		bool old;
	} cases[] = {
		{ "renewed", false }, { "parts", true }, { "delta", true }, { "keys", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct server s1 = { .profile = cases[i].profile }, s2 = s1;
		struct client c1 = { .priority = PRIO_13, .cert = "client-of-ca" }, c2 = c1;

		must_seal(&s1, &c1);
		time_shift = 3 * 3600;
		if (cases[i].old)
			must_fail(&s2, &c2, EKEYREJECTED,
				  "client certificate: the revocation list of its CA expired on");
		else
			must_seal(&s2, &c2);
		time_shift = 0;
	}
}

/*
 * An intermediate CA is known when a peer shows it: what is given out as its list counts if
 * it has signed it.
 */
static void test_lists_of_intermediate_cas(void)
{
	static const char not_signed[] = "list 1 is of CN=between, which has not signed it";
	static const char *const priorities[] = { PRIO_13, PRIO_12 };
	static const struct {
		const char *profile, *cert, *reason;
	} clients[] = {
		{ "between", "here-client", NULL },
		{ "between", "gone-client", "revoked" },
		{ "between", "client-of-ca", NULL },
		{ "forged", "client-of-ca", NULL },
		{ "forged", "gone-client", not_signed },
		{ "two-keys", "here-client", NULL },
		{ "two-keys", "other-client", NULL },
		{ "two-keys", "gone-client", "revoked" },
		{ "other-key", "other-client", NULL },
		{ "other-key", "here-client", not_signed },
	};

	for (size_t i = 0; i < 2 * sizeof(clients) / sizeof(*clients); i++) {
		struct client c = { .priority = priorities[i % 2], .cert = clients[i / 2].cert };
		struct server s = { .profile = clients[i / 2].profile };

		if (clients[i / 2].reason)
			must_fail(&s, &c, EKEYREJECTED, clients[i / 2].reason);
		else
			must_seal(&s, &c);
	}
	for (int i = 0; i < 2; i++) {
		struct origin o1 = { .priority = priorities[i], .cert = "here-server" }, o2 = o1;
		struct origin o3 = { .priority = priorities[i], .cert = "gone-server" };
		struct server s1 = { .profile = "between", .conn = to_name("example.test") };
		struct server s2 = s1, s3 = s1;

		s2.profile = "forged";
		must_reach(&s1, &o1);
		must_not_reach(&s2, &o2, EKEYREJECTED, not_signed);
		must_not_reach(&s3, &o3, EKEYREJECTED, "revoked");
		CHECK(o2.alert == GNUTLS_A_CERTIFICATE_UNKNOWN, "alert %d", o2.alert);
	}
}

static void test_own_certificate(void)
{
	struct origin with12 = { .priority = PRIO_12, .ask = true };
	struct origin with13 = { .priority = PRIO_13, .ask = true };
	struct origin without12 = with12;
	struct server s1 = { .profile = "mtls", .conn = to_name("example.test") };
	struct server s2 = s1, s3 = { .conn = to_name("example.test") };

	must_reach(&s1, &with12);
	CHECK(with12.client);
	must_reach(&s2, &with13);
	CHECK(with13.client);
	/* In TLS 1.3 the server says so only after the handshake. */
	must_not_reach(&s3, &without12, EPROTO, "the server refuses: alert");
}

static void test_nothing_in_common(void)
{
	struct origin o13 = { .priority = PRIO_13 };
	struct origin cbc = { .priority = PRIO_12 ":-CIPHER-ALL:+AES-128-CBC" };
	struct origin rsa = { .priority = PRIO_12 ":-KX-ALL:+RSA", .cert = "rsa" };
	struct origin old = { .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1" };
	struct server s1 = { .profile = "only12", .conn = to_name("example.test") };
	struct server s2 = { .conn = to_name("example.test") }, s3 = s2, s4 = s2;

	must_not_reach(&s1, &o13, EPROTO, "the server refuses: alert");
	must_not_reach(&s2, &cbc, EPROTO, "the server refuses: alert");
	must_not_reach(&s3, &rsa, EPROTO, "the server refuses: alert");
	must_not_reach(&s4, &old, EPROTO, "");
}

static void test_alpn(void)
{
	struct origin http = { .priority = PRIO_12, .alpn = "http/1.1" };
	struct origin none = { .priority = PRIO_12 };
	struct server s1 = { .profile = "only12", .conn = to_name("example.test") }, s2 = s1;

	must_reach(&s1, &http);
	CHECK(strcmp(s1.outcome.alpn, "http/1.1") == 0, "%s", s1.outcome.alpn);
	must_reach(&s2, &none);
	CHECK(!s2.outcome.alpn[0]);
}

static void test_record_size(void)
{
	static const char *const versions[] = { PRIO_12, PRIO_13 };

	for (int i = 0; i < 2; i++) {
		struct origin small = { .priority = versions[i], .record_size = 700 };
		struct origin any = { .priority = versions[i] };
		struct server s1 = { .conn = to_name("example.test") }, s2 = s1;

		must_reach(&s1, &small);
		CHECK(captured.tx_max_payload == 700, "%u", captured.tx_max_payload);
		must_reach(&s2, &any);
		CHECK(!captured.tx_max_payload, "%u", captured.tx_max_payload);
	}
}

static void say(struct server *s, const char *text)
{
	char buf[1024];

	s->role = KSEAL_ROLE_CLIENT;
	s->profile = "trust";
	s->conn = to_name("example.test");
	server_begin(s);
	if (text) {
		CHECK(send(s->fds[1], text, strlen(text), 0) >= 0);
		shutdown(s->fds[1], SHUT_WR);
	}
	server_loop(s);
	/* a ClientHello and nothing else */
	CHECK(recv(s->fds[1], buf, sizeof(buf), MSG_DONTWAIT) > 5 && buf[0] == 22);
	server_end(s);
}

static void test_bad_servers(void)
{
	struct server quiet = { .timeout_ms = 300 }, gone = { 0 }, plain = { 0 };

	say(&quiet, NULL);
	CHECK(quiet.outcome.status == ETIMEDOUT, "%s", quiet.outcome.reason);
	say(&gone, "");
	CHECK(gone.outcome.status == ECONNRESET, "%d %s", gone.outcome.status,
	      gone.outcome.reason);
	CHECK(strstr(gone.outcome.reason, "the server left"), "%s", gone.outcome.reason);
	say(&plain, "220 example.test ESMTP\r\n");
	CHECK(plain.outcome.status == EPROTO, "%d %s", plain.outcome.status,
	      plain.outcome.reason);
}

void test_clients(void)
{
	run_test("as client: the record layer goes on with the keys of every suite", test_suites);
	run_test("as client: the name, or the address, is that of the certificate", test_names);
	run_test("as client: without a name it is the peer's address that counts", test_addresses);
	run_test("as client: names that no certificate can have", test_impossible_names);
	run_test("as client: the profile's server-name has the last word", test_profile_name);
	run_test("as client: servers that are not trusted are told so", test_untrusted);
	run_test("as client: a revocation list that does not name the server", test_not_revoked);
	run_test("a revocation list whose time has passed", test_old_revocations);
	run_test("a revocation list whose time has passed, beside others of the same CA",
		 test_old_parts);
	run_test("a revocation list of an intermediate CA, real and forged",
		 test_lists_of_intermediate_cas);
	run_test("as client: a certificate of our own", test_own_certificate);
	run_test("as client: nothing in common is a protocol error", test_nothing_in_common);
	run_test("as client: ALPN, answered and not", test_alpn);
	run_test("as client: the server's limit on records", test_record_size);
	run_test("as client: a server that is silent, leaves, or speaks no TLS", test_bad_servers);
}
