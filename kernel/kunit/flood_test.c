// SPDX-License-Identifier: GPL-2.0
/*
 * How much a peer may send that is no application data: what honest peers do passes
 * for ever, what an attacker does is found out.
 */
#include <linux/jiffies.h>

#include "../flood.h"
#include "suites.h"

#define ALLOWANCE	32
#define START		(-10 * HZ)	/* jiffies wrap on the way */

static void idle_records_in_a_row_are_limited(struct kunit *test)
{
	struct kseal_flood f = {};
	unsigned int i;

	for (i = 0; i < ALLOWANCE; i++)
		KUNIT_EXPECT_TRUE(test, kseal_flood_idle(&f, 7, START));
	KUNIT_EXPECT_FALSE(test, kseal_flood_idle(&f, 7, START));
}

static void a_byte_makes_good_all_idle_records(struct kunit *test)
{
	struct kseal_flood f = {};
	unsigned int i;

	for (i = 0; i < 100 * ALLOWANCE; i++)
		KUNIT_ASSERT_TRUE(test, kseal_flood_idle(&f, i / ALLOWANCE,
							 START));
}

static void a_key_update_a_minute_is_no_flood(struct kunit *test)
{
	struct kseal_flood idle = {}, updates = {};
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		unsigned long now = START + i * 60UL * HZ;

		KUNIT_ASSERT_TRUE(test, kseal_flood_idle(&idle, 0, now));
		KUNIT_ASSERT_TRUE(test, kseal_flood_update(&updates, 0, now));
	}
	/* and its allowance is still there */
	for (i = 0; i < ALLOWANCE - 1; i++)
		KUNIT_ASSERT_TRUE(test, kseal_flood_update(&updates, 0, START));
}

static void key_updates_under_load_are_no_flood(struct kunit *test)
{
	struct kseal_flood f = {};
	unsigned int i;

	for (i = 0; i < 100000; i++)
		KUNIT_ASSERT_TRUE(test, kseal_flood_update(&f, i * 128, START));
}

/* A byte between any two does not help. */
static void key_updates_have_to_be_earned(struct kunit *test)
{
	static const unsigned int pieces[] = { 0, 1, 16, 64, 127 };
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct kseal_flood f = {};

		for (n = 0; n < 100000; n++)
			if (!kseal_flood_update(&f, n * pieces[i], START))
				break;
		KUNIT_EXPECT_LE(test, n, 1 + ALLOWANCE * 128 /
					 (128 - pieces[i]));
		KUNIT_EXPECT_GE(test, n, ALLOWANCE);
	}
}

/* Data of long ago is no credit. */
static void what_is_earned_is_not_saved(struct kunit *test)
{
	struct kseal_flood f = {};
	unsigned int i;

	for (i = 0; i < ALLOWANCE; i++)
		KUNIT_EXPECT_TRUE(test, kseal_flood_update(&f, 1ULL << 40,
							   START));
	KUNIT_EXPECT_FALSE(test, kseal_flood_update(&f, 1ULL << 40, START));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(idle_records_in_a_row_are_limited),
	KUNIT_CASE(a_byte_makes_good_all_idle_records),
	KUNIT_CASE(a_key_update_a_minute_is_no_flood),
	KUNIT_CASE(key_updates_under_load_are_no_flood),
	KUNIT_CASE(key_updates_have_to_be_earned),
	KUNIT_CASE(what_is_earned_is_not_saved),
	{}
};

struct kunit_suite kseal_flood_suite = {
	.name = "kseal_flood",
	.test_cases = cases,
};
