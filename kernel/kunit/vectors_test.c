// SPDX-License-Identifier: GPL-2.0
/*
 * Whole records, byte for byte, sealed and opened.
 *
 * TLS 1.3: RFC 8448 §3, "Simple 1-RTT Handshake": the application data and the
 * alerts of both sides.
 *
 * TLS 1.2: no RFC prints a GCM record. Key, nonce, plaintext and ciphertext are
 * test cases 4 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation"
 * (those of NIST's submission); their additional data are not TLS's, so the tags
 * were computed with OpenSSL 3.0 for a record of application data with sequence
 * number 1.
 */
#include "rig.h"
#include "suites.h"

/* RFC 8448 §3 */
#define SERVER_KEY	DIGITS("9f02283b6c9c07efc26bb9f2ac92e356")
#define SERVER_IV	DIGITS("cf782b88dd83549aadf1e984")
#define CLIENT_KEY	DIGITS("17422dda596ed5d9acd890e3c63f5051")
#define CLIENT_IV	DIGITS("5b78923dee08579033e523d9")

#define RFC8448_DATA							\
	DIGITS("000102030405060708090a0b0c0d0e0f",			\
	       "101112131415161718191a1b1c1d1e1f",			\
	       "202122232425262728292a2b2c2d2e2f3031")
#define CLOSE_NOTIFY	DIGITS("0100")

/* McGrew and Viega */
#define GCM_KEY		"feffe9928665731c6d6a8f9467308308"
#define GCM_NONCE	DIGITS("cafebabefacedbaddecaf888")
#define GCM_DATA							\
	DIGITS("d9313225f88406e5a55909c5aff5269a",			\
	       "86a7a9531534f7da2e4c303d8a318a72",			\
	       "1c3c0c95956809532fcf0e2449a6b525",			\
	       "b16aedf5aa0de657ba637b39")

struct vector {
	const char *name;
	u16 version;
	u16 cipher;
	struct digits key;
	struct digits iv;
	u64 seq;
	u8 type;
	struct digits content;
	struct digits record;
};

static const struct vector vectors[] = {
	{
		/* The server's record 0 is its NewSessionTicket. */
		"rfc8448_server_application_data",
		TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
		SERVER_KEY, SERVER_IV, 1,
		TLS_RECORD_TYPE_DATA, RFC8448_DATA,
		DIGITS("17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad",
		       "36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36",
		       "e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8",
		       "fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54",
		       "0d d0 32 e1 67 c2 95 5d"),
	}, {
		"rfc8448_server_close_notify",
		TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
		SERVER_KEY, SERVER_IV, 2,
		TLS_RECORD_TYPE_ALERT, CLOSE_NOTIFY,
		DIGITS("17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20",
		       "cf be 7e fa 7a 88 64 a9"),
	}, {
		"rfc8448_client_application_data",
		TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
		CLIENT_KEY, CLIENT_IV, 0,
		TLS_RECORD_TYPE_DATA, RFC8448_DATA,
		DIGITS("17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe",
		       "82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f",
		       "2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b",
		       "62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6",
		       "3a ee bb 21 69 49 15 e4"),
	}, {
		"rfc8448_client_close_notify",
		TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
		CLIENT_KEY, CLIENT_IV, 1,
		TLS_RECORD_TYPE_ALERT, CLOSE_NOTIFY,
		DIGITS("17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1",
		       "15 3e fd 6d b6 d0 b0 e3"),
	}, {
		"tls12_aes128_gcm_test_case_4",
		TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128,
		DIGITS(GCM_KEY), GCM_NONCE, 1,
		TLS_RECORD_TYPE_DATA, GCM_DATA,
		DIGITS("17 03 03 00 54 facedbaddecaf888",
		       "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e0",
		       "35c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05",
		       "1ba30b396a0aac973d58e091",
		       "35e9fed38e653dee245e26eb1ca2db29"),
	}, {
		"tls12_aes256_gcm_test_case_16",
		TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256,
		DIGITS(GCM_KEY, GCM_KEY), GCM_NONCE, 1,
		TLS_RECORD_TYPE_DATA, GCM_DATA,
		DIGITS("17 03 03 00 54 facedbaddecaf888",
		       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c9",
		       "7598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838",
		       "c5f61e6393ba7a0abcc9f662",
		       "17de10b9d500c4dff75d24e9c7138eb9"),
	},
};

static void vector_name(const struct vector *v, char *name)
{
	strscpy(name, v->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vector, vectors, vector_name);

static struct rig vector_rig(struct kunit *test, const struct vector *v)
{
	struct hex key = kseal_hex(test, &v->key);
	struct hex iv = kseal_hex(test, &v->iv);
	struct rig_keys keys = {
		.version = v->version,
		.cipher = v->cipher,
		.key = key.data,
		.iv = iv.data,
		.seq = v->seq,
	};

	KUNIT_ASSERT_EQ(test, key.len, kseal_cipher_find(v->cipher)->key);
	KUNIT_ASSERT_EQ(test, iv.len, KSEAL_NONCE_LEN);
	return rig_make(test, &keys);
}

static void record_is_sealed_byte_for_byte(struct kunit *test)
{
	const struct vector *v = test->param_value;
	struct hex content = kseal_hex(test, &v->content);
	struct hex record = kseal_hex(test, &v->record);
	struct rig r = vector_rig(test, v);

	KUNIT_ASSERT_EQ(test, record.len,
			rig_seal(test, &r, v->type, content.data, content.len));
	KUNIT_EXPECT_MEMEQ(test, r.record, record.data, record.len);
	KUNIT_EXPECT_EQ(test, r.key->seq, v->seq + 1);
}

static void record_is_opened_byte_for_byte(struct kunit *test)
{
	const struct vector *v = test->param_value;
	struct hex content = kseal_hex(test, &v->content);
	struct hex record = kseal_hex(test, &v->record);
	struct rig r = vector_rig(test, v);
	u8 *plain = r.record + r.key->format.prefix;
	u8 type = r.key->format.tail ? 0 : record.data[0];
	unsigned int payload;
	int n;

	memcpy(r.record, record.data, record.len);
	KUNIT_ASSERT_EQ(test, 0, rig_open(&r, &payload));
	n = payload;
	if (r.key->format.tail)
		n = kseal_inner_strip(plain, payload + 1, &type);
	KUNIT_EXPECT_EQ(test, n, content.len);
	KUNIT_EXPECT_EQ(test, type, v->type);
	KUNIT_EXPECT_MEMEQ(test, plain, content.data, content.len);
	KUNIT_EXPECT_EQ(test, r.key->seq, v->seq + 1);
}

/* Whatever bit of a record is not as it was sent, it is not accepted. */
static void no_flipped_bit_is_accepted(struct kunit *test)
{
	const struct vector *v = test->param_value;
	struct hex record = kseal_hex(test, &v->record);
	struct rig r = vector_rig(test, v);
	unsigned int bit, payload, length = 8 * 3;
	int ret;

	for (bit = 0; bit < 8 * record.len; bit++) {
		/* A longer record would be waited for. */
		if (bit >= length && bit < length + 16)
			continue;
		memcpy(r.record, record.data, record.len);
		r.record[bit / 8] ^= BIT(bit % 8);
		ret = rig_open(&r, &payload);
		if (bit < length)	/* type or version */
			KUNIT_EXPECT_NE_MSG(test, ret, 0, "bit %u", bit);
		else
			KUNIT_EXPECT_EQ_MSG(test, ret, -EBADMSG, "bit %u", bit);
		KUNIT_ASSERT_EQ(test, r.key->seq, v->seq);
	}
	memcpy(r.record, record.data, record.len);
	KUNIT_EXPECT_EQ(test, 0, rig_open(&r, &payload));
}

static void record_out_of_sequence_is_not_accepted(struct kunit *test)
{
	const struct vector *v = test->param_value;
	struct hex record = kseal_hex(test, &v->record);
	struct rig r = vector_rig(test, v);
	unsigned int payload;

	memcpy(r.record, record.data, record.len);
	KUNIT_ASSERT_EQ(test, 0, rig_open(&r, &payload));
	memcpy(r.record, record.data, record.len);
	KUNIT_EXPECT_EQ(test, -EBADMSG, rig_open(&r, &payload));
	r.key->seq = v->seq + 2;
	memcpy(r.record, record.data, record.len);
	KUNIT_EXPECT_EQ(test, -EBADMSG, rig_open(&r, &payload));
	r.key->seq = v->seq;
	memcpy(r.record, record.data, record.len);
	KUNIT_EXPECT_EQ(test, 0, rig_open(&r, &payload));
}

static struct kunit_case vectors_cases[] = {
	KUNIT_CASE_PARAM(record_is_sealed_byte_for_byte, vector_gen_params),
	KUNIT_CASE_PARAM(record_is_opened_byte_for_byte, vector_gen_params),
	KUNIT_CASE_PARAM(no_flipped_bit_is_accepted, vector_gen_params),
	KUNIT_CASE_PARAM(record_out_of_sequence_is_not_accepted,
			 vector_gen_params),
	{}
};

struct kunit_suite kseal_vectors_suite = {
	.name = "kseal_vectors",
	.test_cases = vectors_cases,
};
