/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The KUnit suites of kseal_kunit.ko and what they share.
 */
#ifndef _KSEAL_KUNIT_SUITES_H
#define _KSEAL_KUNIT_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite kseal_record_suite;
extern struct kunit_suite kseal_schedule_suite;
extern struct kunit_suite kseal_flood_suite;
extern struct kunit_suite kseal_pages_suite;
extern struct kunit_suite kseal_cipher_suite;
extern struct kunit_suite kseal_vectors_suite;
extern struct kunit_suite kseal_stream_suite;
extern struct kunit_suite kseal_socket_suite;
extern struct kunit_suite kseal_explicit_suite;

/* Bytes written as lines of hexadecimal digits, as the RFCs print them. */
#define HEX_LINES	5

struct digits {
	const char *line[HEX_LINES];
};

#define DIGITS(...)	{ { __VA_ARGS__ } }

struct hex {
	u8 *data;
	unsigned int len;
};

struct hex kseal_hex(struct kunit *test, const struct digits *digits);

#endif /* _KSEAL_KUNIT_SUITES_H */
