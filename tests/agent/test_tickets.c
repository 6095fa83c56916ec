// SPDX-License-Identifier: GPL-2.0
/*
 * Session tickets: who may resume what, and for how long.
 */
#include <stdio.h>
#include <time.h>

#include "check.h"
#include "server.h"

#define ROTATION	(18 * 3600)	/* seconds: of GnuTLS's keys, see tickets.c */

static const char *priority;

/* A handshake on one agent, then one with what the client kept on another. */
static bool resumes(struct kseal_config *one, const char *profile,
		    struct kseal_config *other, const char *other_profile)
{
	struct client first = { .priority = priority }, second = first;
	struct server s1 = { .profile = profile }, s2 = { .profile = other_profile };
	struct kseal_config *own = test_config;
	gnutls_datum_t ticket = { NULL, 0 };

	first.keep = &ticket;
	second.resume = &ticket;
	test_config = one;
	must_seal(&s1, &first);
	CHECK(!s1.outcome.resumed);
	test_config = other;
	must_seal(&s2, &second);
	test_config = own;
	gnutls_free(ticket.data);
	return s2.outcome.resumed;
}

static struct kseal_config *load(const char *name)
{
	char path[512], error[KSEAL_ERROR_MAX];
	struct kseal_config *config;

	snprintf(path, sizeof(path), "%s/%s", test_directory, name);
	config = kseal_config_load(path, error, sizeof(error));
	CHECK(config, "%s", error);
	return config;
}

static void test_fleet(void)
{
	struct kseal_config *same = load("sessions.conf"), *other = load("other-fleet.conf");

	if (!same || !other)
		return;
	CHECK(resumes(test_config, "fleet", test_config, "fleet"));
	CHECK(resumes(test_config, "fleet", same, "fleet"));
	CHECK(!resumes(test_config, "fleet", same, "fleet2"), "another profile's ticket was taken");
	CHECK(!resumes(test_config, "fleet", other, "fleet"), "another fleet's ticket was taken");
	/* without a file each load has a secret of its own */
	CHECK(resumes(test_config, "plain", test_config, "plain"));
	CHECK(!resumes(test_config, "plain", same, "plain"), "the secret is not random");
	kseal_config_put(same);
	kseal_config_put(other);
}

static void test_off(void)
{
	struct client c = { .priority = priority };
	struct server s = { .profile = "no-tickets" };
	gnutls_datum_t kept = { NULL, 0 };

	c.keep = &kept;
	must_seal(&s, &c);
	gnutls_free(kept.data);
	CHECK(!resumes(test_config, "no-tickets", test_config, "no-tickets"));
}

/* Both ends are on the agent's clock: a ticket is good for six hours. */
static void test_rotation(void)
{
	struct client first = { .priority = priority }, second = first, third = first;
	struct server s1 = { .profile = "fleet" }, s2 = s1, s3 = s1;
	gnutls_datum_t ticket = { NULL, 0 };
	time_t left = ROTATION - time(NULL) % ROTATION;

	first.keep = &ticket;
	second.resume = &ticket;
	third.resume = &ticket;
	time_shift = left - 600;
	must_seal(&s1, &first);
	time_shift = left + 600;
	must_seal(&s2, &second);
	CHECK(s2.outcome.resumed, "the key before is not known any more");
	time_shift = left + ROTATION + 600;
	must_seal(&s3, &third);
	CHECK(!s3.outcome.resumed, "a ticket lives for ever");
	time_shift = 0;
	gnutls_free(ticket.data);
}

void test_resumption_tickets(void)
{
	priority = PRIO_13;
	run_test("agents that share a file resume each other's sessions, TLS 1.3", test_fleet);
	run_test("the keys of tickets change with time, TLS 1.3", test_rotation);
	run_test("no tickets where a profile wants none, TLS 1.3", test_off);
	priority = PRIO_12;
	run_test("agents that share a file resume each other's sessions, TLS 1.2", test_fleet);
	run_test("the keys of tickets change with time, TLS 1.2", test_rotation);
	run_test("no tickets where a profile wants none, TLS 1.2", test_off);
}
