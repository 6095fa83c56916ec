// SPDX-License-Identifier: GPL-2.0
/*
 * Which certificate a client is shown: by the name that it asks for, and by what it can
 * verify.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "server.h"

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

void test_certificates(void)
{
	run_test("certificates: exact name, wildcard, default", test_names);
	run_test("certificates: what the client can verify", test_algorithms);
	run_test("certificates: nothing that the client can verify", test_no_algorithm);
	run_test("certificates: sni = strict", test_strict);
}
