// SPDX-License-Identifier: GPL-2.0
/*
 * kseal_kunit.ko: KUnit suites for kseal.ko: its parts that know no sockets, and
 * the incoming direction on sockets over loopback. Built only for kernels with
 * CONFIG_KUNIT; loading it runs the suites, the results are in
 * /sys/kernel/debug/kunit/.
 */
#include <linux/ctype.h>
#include <linux/hex.h>
#include <linux/module.h>

#include "suites.h"

/**
 * kseal_hex() - read hexadecimal digits
 * @test: test that owns the result
 * @digits: pairs of digits, with white space between them
 *
 * Return: the bytes; the test ends if @digits is malformed.
 */
struct hex kseal_hex(struct kunit *test, const struct digits *digits)
{
	struct hex h = {};
	unsigned int i;
	const char *p;

	h.data = kunit_kzalloc(test, 256, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, h.data);
	for (i = 0; i < HEX_LINES && digits->line[i]; i++) {
		p = skip_spaces(digits->line[i]);
		for (; *p; p = skip_spaces(p + 2)) {
			KUNIT_ASSERT_LT(test, h.len, 256);
			KUNIT_ASSERT_EQ(test, 0, hex2bin(&h.data[h.len++], p,
							 1));
		}
	}
	return h;
}

kunit_test_suites(&kseal_record_suite, &kseal_schedule_suite,
		  &kseal_cipher_suite, &kseal_vectors_suite,
		  &kseal_stream_suite, &kseal_explicit_suite,
		  &kseal_socket_suite, &kseal_flood_suite,
		  &kseal_pages_suite);

MODULE_DESCRIPTION("KUnit tests of kseal");
MODULE_LICENSE("GPL");
/* What MODULE_IMPORT_NS() says; its argument changed in Linux 6.13. */
MODULE_INFO(import_ns, "EXPORTED_FOR_KUNIT_TESTING");
