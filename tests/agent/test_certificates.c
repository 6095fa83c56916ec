// SPDX-License-Identifier: GPL-2.0
/*
 * Which certificate a client is shown: by the name that it asks for, and by what it can
 * verify.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "origin.h"

#define SIGNATURES(list)	":-SIGN-ALL:" list

static void shows(const char *profile, const char *priority, const char *name, const char *want)
{
	struct client c = { .priority = priority, .name = name };
	struct server s = { .profile = profile };

	must_seal(&s, &c);
	CHECK(strcmp(c.shown, want) == 0, "%s: shown %s, not %s", name ? name : "no name", c.shown,
	      want);
}

static void test_names(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		const char *p = priorities[i];

		shows("several", p, "example.test", "example.test EC/ECDSA");
		shows("several", p, "EXAMPLE.Test", "example.test EC/ECDSA");
		shows("several", p, "a.example.test", "*.example.test EC/ECDSA");
		/* the exact name wins, though the wildcard comes first */
		shows("several", p, "x.example.test", "x.example.test EC/ECDSA");
		shows("several", p, "a.x.example.test", "example.test EC/ECDSA");
		shows("several", p, "other.test", "example.test EC/ECDSA");
		shows("several", p, NULL, "example.test EC/ECDSA");
		shows("directory", p, "x.example.test", "x.example.test EC/ECDSA");
		shows("directory", p, "y.example.test", "*.example.test EC/ECDSA");
		shows("directory", p, "other.test", "x.example.test EC/ECDSA");
	}
}

static void test_algorithms(void)
{
	const char *rsa13 = PRIO_13 SIGNATURES("+SIGN-RSA-PSS-RSAE-SHA256");
	const char *rsa12 = PRIO_12 SIGNATURES("+SIGN-RSA-SHA256");
	const char *ed = PRIO_13 SIGNATURES("+SIGN-EDDSA-ED25519");

	shows("several", rsa13, "example.test", "example.test RSA");
	shows("several", rsa12, "example.test", "example.test RSA");
	shows("several", PRIO_12 ":-KX-ALL:+ECDHE-RSA", "example.test", "example.test RSA");
	shows("several", ed, "example.test", "example.test EdDSA (Ed25519)");
	shows("several", rsa13, NULL, "example.test RSA");
}

/* Another's certificate is no answer to a client that cannot verify the right one. */
static void test_no_algorithm(void)
{
	struct client c = { .priority = PRIO_13 SIGNATURES("+SIGN-RSA-PSS-RSAE-SHA256"),
			    .name = "x.example.test" };
	struct server s = { .profile = "several" };

	must_fail(&s, &c, EPROTO, "");
	CHECK(c.alert, "%s", gnutls_strerror(c.error));
}

static void test_strict(void)
{
	static const char *const profiles[] = { "strict", "strict-one" };
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 4; i++) {
		struct client known = { .priority = priorities[i % 2], .name = "Example.test" };
		struct client other = { .priority = priorities[i % 2], .name = "other.test" };
		struct client none = { .priority = priorities[i % 2] };
		struct server s1 = { .profile = profiles[i / 2] }, s2 = s1, s3 = s1;

		must_seal(&s1, &known);
		must_fail(&s2, &other, EPROTO, "the name that the client asks for");
		CHECK(other.alert == GNUTLS_A_UNRECOGNIZED_NAME, "alert %d", other.alert);
		CHECK(strcmp(s2.outcome.server_name, "other.test") == 0);
		must_fail(&s3, &none, EPROTO, "asks for no name");
		CHECK(none.alert == GNUTLS_A_UNRECOGNIZED_NAME, "alert %d", none.alert);
	}
}

static void test_staples(void)
{
	static const char *const priorities[] = { PRIO_13, PRIO_12 };

	for (int i = 0; i < 2; i++) {
		struct client with = { .priority = priorities[i] }, without = with, old = with;
		struct client chosen = { .priority = priorities[i], .name = "example.test" };
		struct server s1 = { .profile = "staple" }, s2 = { .profile = "plain" };
		struct server s3 = { .profile = "old-staple" }, s4 = { .profile = "directory" };

		must_seal(&s1, &with);
		CHECK(with.stapled);
		must_seal(&s2, &without);
		CHECK(!without.stapled);
		must_seal(&s3, &old);
		CHECK(!old.stapled, "a response that is not current");
		must_seal(&s4, &chosen);
		CHECK(chosen.stapled);

		time_shift = 8 * 24 * 3600;
		with = without;
		s1 = (struct server){ .profile = "staple" };
		must_seal(&s1, &with);
		time_shift = 0;
		CHECK(!with.stapled, "a response that was current at the load");
	}
}

/* As client: what a server staples counts, and what its certificate demands. */
static void test_staples_of_servers(void)
{
	static const struct {
		const char *cert, *staple, *refusal;
	} cases[] = {
		{ "server", "server.ocsp", NULL },
		{ "server", "revoked.ocsp", "revoked" },
		{ "must-staple", "must-staple.ocsp", NULL },
		{ "must-staple", NULL, "OCSP status is missing" },
		{ "must-staple", "must-staple-revoked.ocsp", "revoked" },
		{ "must-staple", "server.ocsp", "OCSP status response is invalid" },
	};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct origin o = { .priority = i % 2 ? PRIO_12 : PRIO_13,
				    .cert = cases[i / 2].cert, .staple = cases[i / 2].staple };
		struct server s = { .profile = "trust", .conn = { .server_name = "example.test" } };

		if (cases[i / 2].refusal)
			must_not_reach(&s, &o, EKEYREJECTED, cases[i / 2].refusal);
		else
			must_reach(&s, &o);
	}
}

void test_certificates(void)
{
	run_test("certificates: exact name, wildcard, default", test_names);
	run_test("certificates: what the client can verify", test_algorithms);
	run_test("certificates: nothing that the client can verify", test_no_algorithm);
	run_test("certificates: sni = strict", test_strict);
	run_test("OCSP: responses are stapled while they are current", test_staples);
	run_test("OCSP: as client, what a server staples and must staple",
		 test_staples_of_servers);
}
