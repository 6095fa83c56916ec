// SPDX-License-Identifier: GPL-2.0
/*
 * Client certificates: which are taken, what is reported of them, and that a
 * resumed session is no way around their verification.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "server.h"

static void test_client_certificate(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		struct client c = { .priority = priorities[i], .cert = "client" };
		struct server s = { .profile = "require" };
		unsigned char zero[32] = { 0 };

		must_seal(&s, &c);
		CHECK(s.outcome.peer.present);
		CHECK(strcmp(s.outcome.peer.subject, "CN=client one,O=Test") == 0, "%s",
		      s.outcome.peer.subject);
		CHECK(strcmp(s.outcome.peer.names,
			     "DNS:client.test, URI:spiffe://test/client, IP:192.0.2.1") == 0,
		      "%s", s.outcome.peer.names);
		CHECK(memcmp(s.outcome.peer.fingerprint, zero, 32) != 0);
	}
}

static void test_request(void)
{
	struct client with = { .priority = PRIO_13, .cert = "client" };
	struct client without = { .priority = PRIO_13 };
	struct client bad = { .priority = PRIO_13, .cert = "stranger" };
	struct server s1 = { .profile = "request" }, s2 = s1, s3 = s1;

	must_seal(&s1, &with);
	CHECK(s1.outcome.peer.present);
	must_seal(&s2, &without);
	CHECK(!s2.outcome.peer.present);
	must_fail(&s3, &bad, EKEYREJECTED, "client certificate");
}

static void test_client_refused(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };
	static const struct {
		const char *cert;
		const char *reason;
		int alert;
	} cases[] = {
		{ NULL, "no certificate", 0 },
		{ "stranger", "issuer is unknown.", GNUTLS_A_UNKNOWN_CA },
		{ "expired-client", "expired", GNUTLS_A_CERTIFICATE_EXPIRED },
		{ "purpose", "client certificate", GNUTLS_A_BAD_CERTIFICATE },
	};

	for (int p = 0; p < 2; p++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			struct client c = { .priority = priorities[p], .cert = cases[i].cert };
			struct server s = { .profile = "require" };

			must_fail(&s, &c, EKEYREJECTED, cases[i].reason);
			CHECK(!cases[i].alert || c.alert == cases[i].alert, "%s %s: alert %d",
			      priorities[p], cases[i].cert, c.alert);
			CHECK(!s.outcome.peer.present);
		}
	}
}

static const char *resumption_priority;

static void test_resumption(void)
{
	struct client first = { .priority = resumption_priority, .cert = "client" };
	struct client second = first, third = first;
	struct server s1 = { .profile = "require" }, s2 = s1, s3 = { .profile = "request" };
	gnutls_datum_t ticket = { NULL, 0 };

	first.keep = &ticket;
	must_seal(&s1, &first);
	CHECK(!s1.outcome.resumed);

	second.resume = &ticket;
	must_seal(&s2, &second);
	CHECK(s2.outcome.resumed);
	CHECK(s2.outcome.peer.present);
	CHECK(strcmp(s2.outcome.peer.subject, s1.outcome.peer.subject) == 0, "%s",
	      s2.outcome.peer.subject);

	/* another profile's ticket is worth nothing */
	third.resume = &ticket;
	must_seal(&s3, &third);
	CHECK(!s3.outcome.resumed);
	gnutls_free(ticket.data);
}

time_t time_shift;

time_t __wrap_time(time_t *t)
{
	time_t now = __real_time(NULL) + time_shift;

	if (t)
		*t = now;
	return now;
}

static void test_resumption_verifies(void)
{
	struct client first = { .priority = resumption_priority, .cert = "short-client" };
	struct client second = first;
	struct server s1 = { .profile = "require" }, s2 = s1;
	gnutls_datum_t ticket = { NULL, 0 };

	first.keep = &ticket;
	must_seal(&s1, &first);
	second.resume = &ticket;
	time_shift = 3 * 3600;
	handshake(&s2, &second);
	time_shift = 0;
	CHECK(s2.outcome.status == EKEYREJECTED, "%d %s", s2.outcome.status, s2.outcome.reason);
	CHECK(strstr(s2.outcome.reason, "expired"), "%s", s2.outcome.reason);
	CHECK(s2.outcome.resumed, "no ticket was used: nothing was tested");
	CHECK(captures == 0);
	gnutls_free(ticket.data);
}

void test_peers(void)
{
	gnutls_global_set_time_function(__wrap_time);
	run_test("a required client certificate is reported", test_client_certificate);
	run_test("a requested client certificate", test_request);
	run_test("client certificates that are refused, with the right alert",
		 test_client_refused);
	resumption_priority = PRIO_13;
	run_test("TLS 1.3 resumption keeps the client's identity", test_resumption);
	run_test("TLS 1.3 resumption verifies the client anew", test_resumption_verifies);
	resumption_priority = PRIO_12;
	run_test("TLS 1.2 resumption keeps the client's identity", test_resumption);
	run_test("TLS 1.2 resumption verifies the client anew", test_resumption_verifies);
}
