// SPDX-License-Identifier: GPL-2.0
/*
 * Record arithmetic: headers, nonces, additional data, inner types, sequence
 * numbers.
 */
#include <linux/unaligned.h>

#include "../record.h"
#include "suites.h"

#define GCM_NONCE	8
#define GCM_TAG		16

static struct kseal_format format_of(u16 version)
{
	struct kseal_format f;

	kseal_format_init(&f, version, GCM_NONCE, GCM_TAG);
	return f;
}

static void format_counts_every_byte(struct kunit *test)
{
	struct kseal_format f12 = format_of(TLS_1_2_VERSION);
	struct kseal_format f13 = format_of(TLS_1_3_VERSION);

	KUNIT_EXPECT_EQ(test, f12.prefix, 5 + 8);
	KUNIT_EXPECT_EQ(test, f12.tail, 0);
	KUNIT_EXPECT_EQ(test, f12.tag, 16);
	KUNIT_EXPECT_EQ(test, f12.aad, 13);
	KUNIT_EXPECT_EQ(test, f13.prefix, 5);
	KUNIT_EXPECT_EQ(test, f13.tail, 1);
	KUNIT_EXPECT_EQ(test, f13.tag, 16);
	KUNIT_EXPECT_EQ(test, f13.aad, 5);
}

static void header_of_tls13_hides_the_type(struct kunit *test)
{
	static const u8 expected[] = { 23, 3, 3, 0, 2 + 1 + 16 };
	struct kseal_format f = format_of(TLS_1_3_VERSION);
	u8 out[KSEAL_HEADER_LEN];

	kseal_header_build(&f, TLS_RECORD_TYPE_ALERT, 2, out);
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(expected));
}

static void header_of_tls12_shows_the_type(struct kunit *test)
{
	static const u8 expected[] = { 21, 3, 3, 0, 8 + 2 + 16 };
	struct kseal_format f = format_of(TLS_1_2_VERSION);
	u8 out[KSEAL_HEADER_LEN];

	kseal_header_build(&f, TLS_RECORD_TYPE_ALERT, 2, out);
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(expected));
}

static int parse(const struct kseal_format *f, const u8 *in,
		 struct kseal_header *h)
{
	return kseal_header_parse(f, KSEAL_MAX_PLAINTEXT, in, h);
}

static void header_survives_a_round_trip(struct kunit *test)
{
	static const u16 versions[] = { TLS_1_2_VERSION, TLS_1_3_VERSION };
	u8 buf[KSEAL_HEADER_LEN];
	struct kseal_header h;
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		struct kseal_format f = format_of(versions[i]);

		for (len = 0; len <= KSEAL_MAX_PLAINTEXT; len++) {
			kseal_header_build(&f, TLS_RECORD_TYPE_DATA, len, buf);
			KUNIT_ASSERT_EQ(test, 0, parse(&f, buf, &h));
			KUNIT_ASSERT_EQ(test, h.payload, len);
			KUNIT_ASSERT_EQ(test, h.type, TLS_RECORD_TYPE_DATA);
			KUNIT_ASSERT_EQ(test, KSEAL_HEADER_LEN + h.len,
					f.prefix + len + f.tail + f.tag);
		}
	}
}

/* Every length that a header can name, in both versions; RFC 8449 §4. */
static void header_length_is_judged(struct kunit *test)
{
	static const u16 versions[] = { TLS_1_2_VERSION, TLS_1_3_VERSION };
	static const u16 limits[] = { 63, 512, KSEAL_MAX_PLAINTEXT };
	u8 buf[KSEAL_HEADER_LEN] = { TLS_RECORD_TYPE_DATA, 3, 3 };
	unsigned int i, max, least, len;
	struct kseal_header h;
	int ret;

	for (i = 0; i < 2 * ARRAY_SIZE(limits); i++) {
		struct kseal_format f = format_of(versions[i % 2]);

		least = versions[i % 2] == TLS_1_3_VERSION ? 17 : 24;
		max = limits[i / 2];
		for (len = 0; len <= U16_MAX; len++) {
			put_unaligned_be16(len, buf + 3);
			ret = kseal_header_parse(&f, max, buf, &h);
			if (len < least)
				KUNIT_ASSERT_EQ(test, ret,
						TLS_ALERT_DESC_BAD_RECORD_MAC);
			else if (len > max + least)
				KUNIT_ASSERT_EQ(test, ret,
						TLS_ALERT_DESC_RECORD_OVERFLOW);
			else
				KUNIT_ASSERT_EQ(test, ret, 0);
		}
	}
}

/* RFC 8446 §5.2: legacy_record_version is always 0x0303. */
static void header_version_is_judged(struct kunit *test)
{
	static const u16 versions[] = { TLS_1_2_VERSION, TLS_1_3_VERSION };
	u8 buf[KSEAL_HEADER_LEN] = { TLS_RECORD_TYPE_DATA, 0, 0, 0, 100 };
	struct kseal_header h;
	unsigned int i, v;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		struct kseal_format f = format_of(versions[i]);

		for (v = 0; v <= U16_MAX; v++) {
			put_unaligned_be16(v, buf + 1);
			KUNIT_ASSERT_EQ(test, parse(&f, buf, &h),
					v == 0x0303 ? 0 :
					TLS_ALERT_DESC_PROTOCOL_VERSION);
		}
	}
}

/* RFC 8446 §5.1, §5.2: change_cipher_spec too has had its time. */
static void header_type_is_judged_in_tls13(struct kunit *test)
{
	struct kseal_format f = format_of(TLS_1_3_VERSION);
	u8 buf[KSEAL_HEADER_LEN] = { 0, 3, 3, 0, 100 };
	struct kseal_header h;
	unsigned int type;

	for (type = 0; type <= U8_MAX; type++) {
		buf[0] = type;
		KUNIT_EXPECT_EQ(test, parse(&f, buf, &h),
				type == TLS_RECORD_TYPE_DATA ? 0 :
				TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
	}
}

static void header_type_is_passed_on_in_tls12(struct kunit *test)
{
	struct kseal_format f = format_of(TLS_1_2_VERSION);
	u8 buf[KSEAL_HEADER_LEN] = { TLS_RECORD_TYPE_HANDSHAKE, 3, 3, 0, 100 };
	struct kseal_header h;

	KUNIT_EXPECT_EQ(test, 0, parse(&f, buf, &h));
	KUNIT_EXPECT_EQ(test, h.type, TLS_RECORD_TYPE_HANDSHAKE);
}

static void bad_header_leaves_the_result_alone(struct kunit *test)
{
	struct kseal_format f = format_of(TLS_1_3_VERSION);
	static const u8 http[] = "GET / HTTP/1.1";
	struct kseal_header h = { .len = 1234 };

	KUNIT_EXPECT_NE(test, 0, parse(&f, http, &h));
	KUNIT_EXPECT_EQ(test, h.len, 1234);
}

/* RFC 8446 §5.3 */
static void nonce_of_tls13_is_iv_xor_sequence_number(struct kunit *test)
{
	static const u8 iv[KSEAL_NONCE_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0,
	};
	static const u8 expected[KSEAL_NONCE_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xfe, 2, 0xfc, 4, 0xfa, 6, 0xf8, 8,
	};
	struct kseal_format f = format_of(TLS_1_3_VERSION);
	u8 out[KSEAL_NONCE_LEN];

	kseal_nonce_build(&f, iv, 0x0102030405060708, NULL, out);
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(out));
	kseal_nonce_build(&f, iv, 0, NULL, out);
	KUNIT_EXPECT_MEMEQ(test, out, iv, sizeof(out));
}

/* RFC 5288 §3 */
static void nonce_of_tls12_is_salt_and_explicit_part(struct kunit *test)
{
	static const u8 salt[KSEAL_NONCE_LEN] = { 1, 2, 3, 4, 99, 99, 99 };
	static const u8 explicit_nonce[8] = { 5, 6, 7, 8, 9, 10, 11, 12 };
	static const u8 expected[KSEAL_NONCE_LEN] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	};
	struct kseal_format f = format_of(TLS_1_2_VERSION);
	u8 out[KSEAL_NONCE_LEN];

	kseal_nonce_build(&f, salt, U64_MAX, explicit_nonce, out);
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(out));
}

/* RFC 7905 §2: TLS 1.2 without an explicit nonce. */
static void nonce_without_explicit_part_is_mixed(struct kunit *test)
{
	static const u8 iv[KSEAL_NONCE_LEN] = { 1, 2, 3, 4 };
	static const u8 expected[KSEAL_NONCE_LEN] = {
		1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 7,
	};
	struct kseal_format f;
	u8 out[KSEAL_NONCE_LEN];

	kseal_format_init(&f, TLS_1_2_VERSION, 0, GCM_TAG);
	KUNIT_EXPECT_EQ(test, f.prefix, KSEAL_HEADER_LEN);
	kseal_nonce_build(&f, iv, 7, NULL, out);
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(out));
}

/* RFC 8446 §5.2 */
static void aad_of_tls13_is_the_header(struct kunit *test)
{
	static const u8 header[KSEAL_HEADER_LEN] = { 23, 3, 3, 0x12, 0x34 };
	struct kseal_format f = format_of(TLS_1_3_VERSION);
	u8 out[KSEAL_AAD_MAX + 1] = { [KSEAL_HEADER_LEN] = 0xaa };

	kseal_aad_build(&f, header, 77, 1000, out);
	KUNIT_EXPECT_MEMEQ(test, out, header, sizeof(header));
	KUNIT_EXPECT_EQ(test, out[KSEAL_HEADER_LEN], 0xaa);
}

/* RFC 5246 §6.2.3.3: the length is that of the plaintext. */
static void aad_of_tls12_has_sequence_number_and_length(struct kunit *test)
{
	static const u8 header[KSEAL_HEADER_LEN] = { 22, 3, 3, 0x12, 0x34 };
	static const u8 expected[KSEAL_AAD_MAX] = {
		1, 2, 3, 4, 5, 6, 7, 8, 22, 3, 3, 0x03, 0xe8,
	};
	struct kseal_format f = format_of(TLS_1_2_VERSION);
	u8 out[KSEAL_AAD_MAX + 1] = { [KSEAL_AAD_MAX] = 0xaa };

	kseal_aad_build(&f, header, 0x0102030405060708, 1000, out);
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(expected));
	KUNIT_EXPECT_EQ(test, out[KSEAL_AAD_MAX], 0xaa);
}

/* RFC 8446 §5.4 */
static void inner_type_is_found_behind_padding(struct kunit *test)
{
	static const u8 plain[] = { 'a', 'b', 23 };
	static const u8 padded[] = { 'a', 'b', 22, 0, 0, 0, 0 };
	static const u8 zeros_in_content[] = { 0, 0, 0, 23, 0 };
	static const u8 type_alone[] = { 21 };
	u8 type = 0;

	KUNIT_EXPECT_EQ(test, 2, kseal_inner_strip(plain, sizeof(plain),
						   &type));
	KUNIT_EXPECT_EQ(test, type, 23);
	KUNIT_EXPECT_EQ(test, 2, kseal_inner_strip(padded, sizeof(padded),
						   &type));
	KUNIT_EXPECT_EQ(test, type, 22);
	KUNIT_EXPECT_EQ(test, 3, kseal_inner_strip(zeros_in_content,
						   sizeof(zeros_in_content),
						   &type));
	KUNIT_EXPECT_EQ(test, type, 23);
	KUNIT_EXPECT_EQ(test, 0, kseal_inner_strip(type_alone,
						   sizeof(type_alone), &type));
	KUNIT_EXPECT_EQ(test, type, 21);
}

static void padding_alone_has_no_type(struct kunit *test)
{
	unsigned int len;
	u8 type = 99;
	u8 *zeros;

	zeros = kunit_kzalloc(test, KSEAL_MAX_PLAINTEXT + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, zeros);
	for (len = 0; len <= KSEAL_MAX_PLAINTEXT + 1; len++)
		KUNIT_ASSERT_EQ(test, -ENODATA,
				kseal_inner_strip(zeros, len, &type));
	KUNIT_EXPECT_EQ(test, type, 99);
}

/* RFC 8446 §5.3: "sequence numbers ... MUST NOT wrap" */
static void sequence_number_does_not_wrap(struct kunit *test)
{
	u64 seq = 0;

	KUNIT_EXPECT_TRUE(test, kseal_seq_next(&seq));
	KUNIT_EXPECT_EQ(test, seq, 1);
	seq = U32_MAX;
	KUNIT_EXPECT_TRUE(test, kseal_seq_next(&seq));
	KUNIT_EXPECT_EQ(test, seq, 1ULL << 32);
	seq = U64_MAX - 1;
	KUNIT_EXPECT_TRUE(test, kseal_seq_next(&seq));
	KUNIT_EXPECT_EQ(test, seq, U64_MAX);
	KUNIT_EXPECT_FALSE(test, kseal_seq_next(&seq));
	KUNIT_EXPECT_EQ(test, seq, U64_MAX);
}

static struct kunit_case record_cases[] = {
	KUNIT_CASE(format_counts_every_byte),
	KUNIT_CASE(header_of_tls13_hides_the_type),
	KUNIT_CASE(header_of_tls12_shows_the_type),
	KUNIT_CASE(header_survives_a_round_trip),
	KUNIT_CASE(header_length_is_judged),
	KUNIT_CASE(header_version_is_judged),
	KUNIT_CASE(header_type_is_judged_in_tls13),
	KUNIT_CASE(header_type_is_passed_on_in_tls12),
	KUNIT_CASE(bad_header_leaves_the_result_alone),
	KUNIT_CASE(nonce_of_tls13_is_iv_xor_sequence_number),
	KUNIT_CASE(nonce_of_tls12_is_salt_and_explicit_part),
	KUNIT_CASE(nonce_without_explicit_part_is_mixed),
	KUNIT_CASE(aad_of_tls13_is_the_header),
	KUNIT_CASE(aad_of_tls12_has_sequence_number_and_length),
	KUNIT_CASE(inner_type_is_found_behind_padding),
	KUNIT_CASE(padding_alone_has_no_type),
	KUNIT_CASE(sequence_number_does_not_wrap),
	{}
};

struct kunit_suite kseal_record_suite = {
	.name = "kseal_record",
	.test_cases = record_cases,
};
