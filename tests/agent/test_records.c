// SPDX-License-Identifier: GPL-2.0
/*
 * What the agent hands to the kernel is what the client uses: versions, ciphers,
 * record numbers, secrets, and where the kernel's first record begins.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../agent/priority.h"
#include "check.h"
#include "records.h"
#include "server.h"

static const struct {
	const char *label;
	const char *priority;
	const char *version;
	const char *cipher;
} suites[] = {
	{ "TLS 1.3 AES-128-GCM", PRIO_13 ONLY("AES-128-GCM"), "TLS1.3", "AES-128-GCM" },
	{ "TLS 1.3 AES-256-GCM", PRIO_13 ONLY("AES-256-GCM"), "TLS1.3", "AES-256-GCM" },
	{ "TLS 1.2 AES-128-GCM", PRIO_12 ONLY("AES-128-GCM"), "TLS1.2", "AES-128-GCM" },
	{ "TLS 1.2 AES-256-GCM", PRIO_12 ONLY("AES-256-GCM"), "TLS1.2", "AES-256-GCM" },
	{ "TLS 1.3 ChaCha20", PRIO_13 ONLY("CHACHA20-POLY1305"), "TLS1.3", "CHACHA20-POLY1305" },
	{ "TLS 1.2 ChaCha20", PRIO_12 ONLY("CHACHA20-POLY1305"), "TLS1.2", "CHACHA20-POLY1305" },
	{ "TLS 1.3 AES-128-CCM", PRIO_13 ONLY("AES-128-CCM"), "TLS1.3", "AES-128-CCM" },
	{ "TLS 1.2 AES-128-CCM", PRIO_12 ONLY("AES-128-CCM"), "TLS1.2", "AES-128-CCM" },
};

static size_t suite;

static const uint16_t all_ciphers[] = {
	TLS_CIPHER_AES_GCM_128, TLS_CIPHER_AES_GCM_256, TLS_CIPHER_CHACHA20_POLY1305,
	TLS_CIPHER_AES_CCM_128,
};

static void test_suite(void)
{
	struct client c = { .priority = suites[suite].priority, .name = "example.test" };
	struct server s = { .profile = "plain" };

	must_seal(&s, &c);
	CHECK(s.outcome.version && strcmp(s.outcome.version, suites[suite].version) == 0);
	CHECK(s.outcome.cipher && strcmp(s.outcome.cipher, suites[suite].cipher) == 0);
	CHECK(strcmp(s.outcome.server_name, "example.test") == 0);
	CHECK(!s.outcome.resumed && !s.outcome.peer.present);
}

static void test_preference(void)
{
	struct client c = {
		.priority = PRIO_13 ":-CIPHER-ALL:+AES-128-CCM:+CHACHA20-POLY1305:+AES-256-GCM",
	};
	struct server s = { 0 };

	must_seal(&s, &c);
	CHECK(strcmp(s.outcome.cipher, "AES-256-GCM") == 0, "%s", s.outcome.cipher);
}

/* All but CCM are there. */
static void test_lacking(void)
{
	struct client c = { .priority = PRIO_13 ONLY("AES-128-CCM") };
	struct client other = { .priority = PRIO_13 ONLY("AES-128-CCM:+CHACHA20-POLY1305") };
	struct server s1 = { 0 }, s2 = { 0 };

	must_fail(&s1, &c, EPROTO, "");
	must_seal(&s2, &other);
	CHECK(strcmp(s2.outcome.cipher, "CHACHA20-POLY1305") == 0, "%s", s2.outcome.cipher);
}

/* RFC 8449; what it counts in TLS 1.3 is one more. */
static void test_record_size(void)
{
	static const char *const versions[] = { PRIO_12, PRIO_13 };

	for (size_t i = 0; i < 2; i++) {
		struct client small = { .priority = versions[i], .record_size = 700 };
		struct client any = { .priority = versions[i] };
		struct server s1 = { 0 }, s2 = { 0 };

		must_seal(&s1, &small);
		CHECK(captured.tx_max_payload == 700, "%u", captured.tx_max_payload);
		must_seal(&s2, &any);
		CHECK(!captured.tx_max_payload, "%u", captured.tx_max_payload);
	}
}

static void test_tickets(void)
{
	struct client c = { .priority = PRIO_13 ONLY("AES-128-GCM") };
	struct server s = { 0 };

	/* Both NewSessionTickets are records of their own under the new keys. */
	must_seal(&s, &c);
	CHECK(read_be64(captured.tx.gcm128.rec_seq) == 2);
	CHECK(read_be64(captured.rx.gcm128.rec_seq) == 0);
}

static void test_key_update(void)
{
	struct client c = { .priority = PRIO_13, .after = AFTER_UPDATE };
	struct server s = { 0 };

	must_seal(&s, &c);
}

static void test_coalesced(void)
{
	struct client c13 = { .priority = PRIO_13, .after = AFTER_COALESCED };
	struct client c12 = { .priority = PRIO_12, .after = AFTER_COALESCED };
	struct server s13 = { 0 }, s12 = { 0 };

	must_seal(&s13, &c13);
	must_seal(&s12, &c12);
}

static void test_small_buffer(void)
{
	struct client c = { .priority = PRIO_13, .slow_read = true, .cert = "client" };
	struct server s = { .profile = "large" };
	int size = 1;

	/* socketpair's buffers hold less than the flight of the long chain */
	server_begin(&s);
	setsockopt(s.fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(s.fds[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	client_start(&c, s.fds[1]);
	server_loop(&s);
	CHECK(s.outcome.status == 0, "%s", s.outcome.reason);
	if (s.done && !s.outcome.status)
		carry_on(&s, &c);
	shutdown(s.keep_fd, SHUT_RDWR);
	client_join(&c);
	CHECK(strcmp(c.answer, "line of the server") == 0);
	close(s.keep_fd);
	sd_event_unref(s.event);
}

static void test_retry_request(void)
{
	struct client c = {
		.priority = PRIO_13 ":-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1",
	};
	struct server s = { 0 };

	must_seal(&s, &c);
}

static void test_refused_suites(void)
{
	static const char *const offers[] = {
		PRIO_13 ONLY("CHACHA20-POLY1305"),
		PRIO_13 ONLY("AES-128-CCM"),
		PRIO_12 ONLY("CHACHA20-POLY1305"),
		PRIO_12 ONLY("AES-128-CBC"),
		PRIO_12 ONLY("AES-128-CCM"),
		PRIO_12 ":-KX-ALL:+RSA",
		PRIO_12 ":-KX-ALL:+DHE-RSA",
		"NORMAL:-VERS-ALL:+VERS-TLS1.1",
		"NORMAL:-VERS-ALL:+VERS-TLS1.0",
		PRIO_13 ":-GROUP-ALL:+GROUP-FFDHE2048",
	};

	for (size_t i = 0; i < sizeof(offers) / sizeof(*offers); i++) {
		struct client c = { .priority = offers[i] };
		struct server s = { .profile = strstr(offers[i], "RSA") ? "rsa" : "plain" };

		must_fail(&s, &c, EPROTO, "");
		CHECK(c.error == GNUTLS_E_FATAL_ALERT_RECEIVED, "%s: %s", offers[i],
		      gnutls_strerror(c.error));
	}
}

static void test_versions(void)
{
	struct client old = { .priority = PRIO_12 }, new = { .priority = PRIO_13 };
	struct server only13 = { .profile = "only13" }, only12 = { .profile = "only12" };

	must_fail(&only13, &old, EPROTO, "");
	CHECK(old.alert, "%s", gnutls_strerror(old.error));
	must_fail(&only12, &new, EPROTO, "");
	CHECK(new.alert, "%s", gnutls_strerror(new.error));
}

static void test_alpn(void)
{
	struct client match = { .priority = PRIO_13, .alpn = "http/1.1" };
	struct client other = { .priority = PRIO_13, .alpn = "h2" };
	struct client none = { .priority = PRIO_13 };
	struct server s1 = { .profile = "alpn" }, s2 = s1, s3 = s1;

	must_seal(&s1, &match);
	CHECK(strcmp(s1.outcome.alpn, "http/1.1") == 0, "%s", s1.outcome.alpn);
	must_fail(&s2, &other, EPROTO, "");
	CHECK(other.alert == GNUTLS_A_NO_APPLICATION_PROTOCOL, "%d", other.alert);
	must_seal(&s3, &none);
	CHECK(!s3.outcome.alpn[0]);
}

void test_records(void)
{
	char name[128];

	kseal_priority_offer(all_ciphers, sizeof(all_ciphers) / sizeof(*all_ciphers));
	for (suite = 0; suite < sizeof(suites) / sizeof(*suites); suite++) {
		snprintf(name, sizeof(name), "the record layer goes on with the keys: %s",
			 suites[suite].label);
		run_test(name, test_suite);
	}
	run_test("of all ciphers AES-GCM is preferred", test_preference);
	kseal_priority_offer(all_ciphers, 3);
	run_test("a cipher that this kernel lacks is not offered", test_lacking);
	kseal_priority_offer(NULL, 0);
	run_test("the peer's limit on records goes to the kernel", test_record_size);
	run_test("both session tickets count as records of ours", test_tickets);
	run_test("the secrets open what follows a KeyUpdate", test_key_update);
	run_test("data that travels with the Finished is left in the socket", test_coalesced);
	run_test("a flight larger than the socket's buffer", test_small_buffer);
	run_test("a client that must retry with another group", test_retry_request);
	run_test("what the kernel has no record layer for is refused", test_refused_suites);
	run_test("versions of the profile", test_versions);
	run_test("ALPN: match, no match, not offered", test_alpn);
}
