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
 *
 * The other ciphers likewise: key, nonce, plaintext and ciphertext are published
 * (the beginning of them where they are long), the tag, and in TLS 1.3 the content
 * type before it, is of a record with sequence number 1. It was computed by GCM and
 * CCM written down in Python over the block ciphers of OpenSSL 3.0, which give the
 * published tags for the published additional data, and, for ChaCha20-Poly1305, by
 * OpenSSL's own.
 *
 *	AES-CCM			NIST SP 800-38C, appendix C, example 3
 *	ChaCha20-Poly1305	RFC 8439 §2.8.2
 *	SM4-GCM, SM4-CCM	RFC 8998 appendix A.1, A.2
 *	ARIA-GCM		RFC 8269 appendix A.2
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

/* SP 800-38C */
#define CCM_KEY		DIGITS("404142434445464748494a4b4c4d4e4f")
#define CCM_DATA							\
	DIGITS("202122232425262728292a2b2c2d2e2f3031323334353637")

/* RFC 8439 */
#define CHACHA_KEY							\
	DIGITS("808182838485868788898a8b8c8d8e8f",			\
	       "909192939495969798999a9b9c9d9e9f")
#define CHACHA_IV	DIGITS("070000004041424344454646")	/* XOR 1 */
#define CHACHA_DATA							\
	DIGITS("4c616469657320616e642047656e746c656d656e206f6620",	\
	       "74686520636c617373206f66202739393a20496620492063",	\
	       "6f756c64206f6666657220796f75206f")

/* RFC 8998 */
#define SM4_KEY		DIGITS("0123456789abcdeffedcba9876543210")
#define SM4_IV		DIGITS("00001234567800000000abcc")	/* XOR 1 */
#define SM4_DATA							\
	DIGITS("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccccccccccccccc",	\
	       "ddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffff",	\
	       "eeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa")

/* RFC 8269 */
#define ARIA_NONCE	DIGITS("000020e8f5eb00000000315e")
#define ARIA_DATA							\
	DIGITS("f57af5fd4ae19562976ec57a5a7ad55a5af5c5e5c5fdf5c5",	\
	       "5ad57a4a7272d57262e9729566ed66e97ac54a4a5a7ad5e1")

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
	}, {
		"tls12_aes128_ccm_example_3",
		TLS_1_2_VERSION, TLS_CIPHER_AES_CCM_128,
		CCM_KEY, DIGITS("101112131415161718191a1b"), 1,
		TLS_RECORD_TYPE_DATA, CCM_DATA,
		DIGITS("17 03 03 00 30 1415161718191a1b",
		       "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5",
		       "793f3b8be592fd25462a8fc12944ffb1"),
	}, {
		"tls13_aes128_ccm_example_3",
		TLS_1_3_VERSION, TLS_CIPHER_AES_CCM_128,
		CCM_KEY, DIGITS("101112131415161718191a1a"), 1,
		TLS_RECORD_TYPE_DATA, CCM_DATA,
		DIGITS("17 03 03 00 29",
		       "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5",
		       "7b a30f8af411e3887a7f9effaca65eee33"),
	}, {
		"tls12_chacha20_poly1305_rfc8439",
		TLS_1_2_VERSION, TLS_CIPHER_CHACHA20_POLY1305,
		CHACHA_KEY, CHACHA_IV, 1,
		TLS_RECORD_TYPE_DATA, CHACHA_DATA,
		DIGITS("17 03 03 00 50",
		       "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fe",
		       "a9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b",
		       "1a71de0a9e060b2905d6a5b67ecd3b36",
		       "486f5aedc94e386134027ba02fde33b6"),
	}, {
		"tls13_chacha20_poly1305_rfc8439",
		TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305,
		CHACHA_KEY, CHACHA_IV, 1,
		TLS_RECORD_TYPE_DATA, CHACHA_DATA,
		DIGITS("17 03 03 00 51",
		       "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fe",
		       "a9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b",
		       "1a71de0a9e060b2905d6a5b67ecd3b36",
		       "eb de5894455d4590b75a21fce1b1431075"),
	}, {
		"tls13_sm4_gcm_rfc8998",
		TLS_1_3_VERSION, TLS_CIPHER_SM4_GCM,
		SM4_KEY, SM4_IV, 1,
		TLS_RECORD_TYPE_DATA, SM4_DATA,
		DIGITS("17 03 03 00 51",
		       "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd375648906",
		       "9157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15",
		       "a56834cbcf98c397b4024a2691233b8d",
		       "39 9c18ed3575755546236b11fa73da6b29"),
	}, {
		"tls13_sm4_ccm_rfc8998",
		TLS_1_3_VERSION, TLS_CIPHER_SM4_CCM,
		SM4_KEY, SM4_IV, 1,
		TLS_RECORD_TYPE_DATA, SM4_DATA,
		DIGITS("17 03 03 00 51",
		       "48af93501fa62adbcd414cce6034d895dda1bf8f132f0420",
		       "98661572e7483094fd12e518ce062c98acee28d95df4416b",
		       "ed31a2f04476c18bb40c84a74b97dc5b",
		       "92 31baedde9240ce78a99fb2cbe9bf732c"),
	}, {
		"tls12_aria128_gcm_rfc8269",
		TLS_1_2_VERSION, TLS_CIPHER_ARIA_GCM_128,
		DIGITS("e91e5e75da65554a48181f3846349562"), ARIA_NONCE, 1,
		TLS_RECORD_TYPE_DATA, ARIA_DATA,
		DIGITS("17 03 03 00 48 f5eb00000000315e",
		       "4d8a9a0675550c704b17d8c9ddc81a5cd6f7da34f2fe1b3d",
		       "b7cb3dfb9697102ea0f3c1fc2dbc873d44bceeae8e444297",
		       "56176be820e4ad7577edcb56f4bb5962"),
	}, {
		"tls12_aria256_gcm_rfc8269",
		TLS_1_2_VERSION, TLS_CIPHER_ARIA_GCM_256,
		DIGITS("0c5ffd37a11edc42c325287fc0604f2e",
		       "3e8cd5671a00fe3216aa5eb105783b54"), ARIA_NONCE, 1,
		TLS_RECORD_TYPE_DATA, ARIA_DATA,
		DIGITS("17 03 03 00 48 f5eb00000000315e",
		       "6f9e4bcbc8c85fc0128fb1e4a0a20cb9932ff74581f54fc0",
		       "13dd054b19f99371425b352d97d3f337b90b63d1b082adee",
		       "ade6fa9edbcf967e7a6cb592950e4842"),
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
