// SPDX-License-Identifier: GPL-2.0
/*
 * Limits on handshakes: what is admitted, what waits, what is refused, at times that the
 * test makes up.
 */
#include <arpa/inet.h>
#include <string.h>

#include "../../agent/limits.h"
#include "check.h"

#define MS	1000ULL
#define SECOND	1000000ULL
#define NOON	(1000 * SECOND)

static struct sockaddr_storage from(const char *address)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
	} else {
		CHECK(inet_pton(AF_INET6, address, &in6->sin6_addr) == 1, "%s", address);
		in6->sin6_family = AF_INET6;
	}
	return ss;
}

static enum kseal_admission enter(struct kseal_limits *l, const char *address, uint64_t now)
{
	struct sockaddr_storage peer = from(address);

	return kseal_limits_enter(l, &peer, now);
}

static void leave(struct kseal_limits *l, const char *address)
{
	struct sockaddr_storage peer = from(address);

	kseal_limits_leave(l, &peer, false);
}

static void test_active(void)
{
	struct kseal_limit_values v = { .active = 2, .queue = 1 };
	struct sockaddr_storage third = from("192.0.2.3");
	struct kseal_limits *l = kseal_limits_new("test", &v);

	CHECK(enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "192.0.2.2", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "192.0.2.3", NOON) == KSEAL_ADMIT_LATER);
	CHECK(enter(l, "192.0.2.4", NOON) == KSEAL_ADMIT_NEVER);
	CHECK(!kseal_limits_again(l, NOON + SECOND));
	leave(l, "192.0.2.1");
	/* a newcomer does not overtake who waits */
	CHECK(enter(l, "192.0.2.5", NOON) == KSEAL_ADMIT_NEVER);
	CHECK(kseal_limits_again(l, NOON));
	leave(l, "192.0.2.3");
	CHECK(enter(l, "192.0.2.5", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "192.0.2.3", NOON) == KSEAL_ADMIT_LATER);
	/* who waits no longer leaves its place */
	kseal_limits_leave(l, &third, true);
	CHECK(enter(l, "192.0.2.6", NOON) == KSEAL_ADMIT_LATER);
	kseal_limits_free(l);
}

static void test_active_a_source(void)
{
	struct kseal_limit_values v = { .active_a_source = 2, .queue = 100 };
	struct kseal_limits *l = kseal_limits_new("test", &v);

	CHECK(enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "::ffff:192.0.2.1", NOON) == KSEAL_ADMIT, "mapped addresses are the same");
	CHECK(enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT_NEVER, "it must not fill the queue");
	CHECK(enter(l, "192.0.2.2", NOON) == KSEAL_ADMIT, "another address");
	CHECK(enter(l, "2001:db8::1", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "2001:db8::2:3:4", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "2001:db8::5", NOON) == KSEAL_ADMIT_NEVER, "the same network");
	CHECK(enter(l, "2001:db8:0:1::5", NOON) == KSEAL_ADMIT, "another network");
	leave(l, "192.0.2.1");
	CHECK(enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT);
	kseal_limits_free(l);
}

static void test_rate(void)
{
	struct kseal_limit_values v = { .rate_a_source = 10 };
	struct kseal_limits *l = kseal_limits_new("test", &v);
	unsigned int admitted = 0;

	for (int i = 0; i < 20; i++)
		admitted += enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT;
	CHECK(admitted == 10, "%u at once", admitted);
	CHECK(enter(l, "192.0.2.2", NOON) == KSEAL_ADMIT, "another address");
	CHECK(enter(l, "192.0.2.1", NOON + 99 * MS) == KSEAL_ADMIT_NEVER);
	CHECK(enter(l, "192.0.2.1", NOON + 100 * MS) == KSEAL_ADMIT);
	CHECK(enter(l, "192.0.2.1", NOON + 100 * MS) == KSEAL_ADMIT_NEVER);
	/* once a handshake is over it counts all the same */
	for (int i = 0; i < 11; i++)
		leave(l, "192.0.2.1");
	CHECK(enter(l, "192.0.2.1", NOON + 100 * MS) == KSEAL_ADMIT_NEVER);

	/* over ten seconds, ten a second, and those that were saved */
	admitted = 0;
	for (int i = 0; i < 10000; i++)
		admitted += enter(l, "192.0.2.9", NOON + i * MS) == KSEAL_ADMIT;
	CHECK(admitted >= 108 && admitted <= 110, "%u in ten seconds", admitted);
	kseal_limits_free(l);
}

static void test_rate_queue(void)
{
	struct kseal_limit_values v = { .rate = 2, .queue = 10 };
	struct kseal_limits *l = kseal_limits_new("test", &v);

	CHECK(enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "192.0.2.2", NOON) == KSEAL_ADMIT);
	CHECK(enter(l, "192.0.2.3", NOON) == KSEAL_ADMIT_LATER);
	CHECK(enter(l, "192.0.2.4", NOON) == KSEAL_ADMIT_LATER);
	CHECK(!kseal_limits_again(l, NOON + 499 * MS));
	CHECK(kseal_limits_again(l, NOON + 500 * MS));
	CHECK(!kseal_limits_again(l, NOON + 500 * MS));
	CHECK(kseal_limits_again(l, NOON + 1000 * MS));
	kseal_limits_free(l);
}

/* Of a flood from everywhere nothing is left, and nothing that counts is lost. */
static void test_many_sources(void)
{
	struct kseal_limit_values v = { .active_a_source = 1, .rate_a_source = 1 };
	struct kseal_limits *l = kseal_limits_new("test", &v);
	unsigned int admitted = 0;

	CHECK(enter(l, "192.0.2.1", NOON) == KSEAL_ADMIT);
	for (uint32_t i = 0; i < 300000; i++) {
		struct sockaddr_storage ss = { .ss_family = AF_INET };
		uint64_t now = NOON + i * 10;

		((struct sockaddr_in *)&ss)->sin_addr.s_addr = htonl(0x0a000000 + i);
		if (kseal_limits_enter(l, &ss, now) != KSEAL_ADMIT)
			continue;
		admitted++;
		kseal_limits_leave(l, &ss, false);
	}
	CHECK(admitted > 150000, "%u", admitted);
	CHECK(enter(l, "192.0.2.1", NOON + 100 * SECOND) == KSEAL_ADMIT_NEVER,
	      "a handshake in flight was forgotten");
	kseal_limits_free(l);
}

void test_limits(void)
{
	run_test("limits: handshakes at a time, and a queue", test_active);
	run_test("limits: of one address, or network", test_active_a_source);
	run_test("limits: new ones a second", test_rate);
	run_test("limits: a queue for those beyond the rate", test_rate_queue);
	run_test("limits: of a flood from everywhere nothing is left", test_many_sources);
}
