// SPDX-License-Identifier: GPL-2.0
/*
 * Keys: what is taken and what is refused, limits, KeyUpdate, wiping, and records
 * of every size in pieces of every size.
 */
#include <linux/random.h>
#include <linux/unaligned.h>

#include "rig.h"
#include "suites.h"

#define GCM_RECORDS	23726566	/* 2^24.5, RFC 8446 §5.5 */
#define CCM_RECORDS	8388608		/* 2^23, RFC 9147 §4.5.3 */

static const u8 some_key[KSEAL_KEY_MAX] = { 1, 2, 3 };
static const u8 some_iv[KSEAL_NONCE_LEN] = { 4, 5, 6, 7, 8, 9 };
static const u8 some_secret[KSEAL_SECRET_MAX] = { 10, 11, 12 };

struct suite_param {
	const char *name;
	u16 version;
	u16 cipher;
};

static const struct suite_param suites[] = {
	{ "tls12_aes128", TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128 },
	{ "tls12_aes256", TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256 },
	{ "tls13_aes128", TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128 },
	{ "tls13_aes256", TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_256 },
	{ "tls12_ccm", TLS_1_2_VERSION, TLS_CIPHER_AES_CCM_128 },
	{ "tls13_ccm", TLS_1_3_VERSION, TLS_CIPHER_AES_CCM_128 },
	{ "tls12_chacha", TLS_1_2_VERSION, TLS_CIPHER_CHACHA20_POLY1305 },
	{ "tls13_chacha", TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305 },
	{ "tls12_sm4_gcm", TLS_1_2_VERSION, TLS_CIPHER_SM4_GCM },
	{ "tls13_sm4_gcm", TLS_1_3_VERSION, TLS_CIPHER_SM4_GCM },
	{ "tls12_sm4_ccm", TLS_1_2_VERSION, TLS_CIPHER_SM4_CCM },
	{ "tls13_sm4_ccm", TLS_1_3_VERSION, TLS_CIPHER_SM4_CCM },
	{ "tls12_aria128", TLS_1_2_VERSION, TLS_CIPHER_ARIA_GCM_128 },
	{ "tls12_aria256", TLS_1_2_VERSION, TLS_CIPHER_ARIA_GCM_256 },
};

static void suite_name(const struct suite_param *p, char *name)
{
	strscpy(name, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(suite, suites, suite_name);

static struct rig_keys keys_of(u16 version, u16 cipher, u64 seq)
{
	return (struct rig_keys){ version, cipher, some_key, some_iv, seq };
}

static struct rig param_rig(struct kunit *test, u64 seq)
{
	const struct suite_param *p = test->param_value;
	struct rig_keys keys = keys_of(p->version, p->cipher, seq);

	return rig_make(test, &keys);
}

static struct rig tls13_rig(struct kunit *test, u64 seq)
{
	struct rig_keys keys = keys_of(TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
				       seq);

	return rig_make(test, &keys);
}

static int set_secret(struct kseal_key *key, unsigned int len)
{
	return kseal_key_set_secret(key, KERNEL_SOCKPTR((void *)some_secret),
				    len);
}

struct row {
	u16 type;
	u8 key;
	u8 hash;
	u8 info;
	u64 limit;
};

#define ROW(type, name, hash, limit)					\
	{ TLS_CIPHER_##type, TLS_CIPHER_##type##_KEY_SIZE, (hash),	\
	  sizeof(struct tls12_crypto_info_##name), (limit) }

static const struct row rows[] = {
	ROW(AES_GCM_128, aes_gcm_128, 32, GCM_RECORDS),
	ROW(AES_GCM_256, aes_gcm_256, 48, GCM_RECORDS),
	ROW(AES_CCM_128, aes_ccm_128, 32, CCM_RECORDS),
	ROW(CHACHA20_POLY1305, chacha20_poly1305, 32, U64_MAX),
	ROW(SM4_GCM, sm4_gcm, 32, GCM_RECORDS),
	ROW(SM4_CCM, sm4_ccm, 32, CCM_RECORDS),
	ROW(ARIA_GCM_128, aria_gcm_128, 0, GCM_RECORDS),
	ROW(ARIA_GCM_256, aria_gcm_256, 0, GCM_RECORDS),
};

static void cipher_table_knows_what_the_kernel_has(struct kunit *test)
{
	const struct kseal_cipher *c;
	int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		c = kseal_cipher_find(rows[i].type);
		KUNIT_ASSERT_NOT_NULL(test, c);
		KUNIT_EXPECT_EQ(test, c->key, rows[i].key);
		KUNIT_EXPECT_EQ(test, c->hash, rows[i].hash);
		KUNIT_EXPECT_EQ(test, c->info, rows[i].info);
		KUNIT_EXPECT_EQ(test, c->limit, rows[i].limit);
		KUNIT_EXPECT_EQ(test, c->salt + c->iv, KSEAL_NONCE_LEN);
		KUNIT_EXPECT_TRUE(test, kseal_cipher_available(c));
	}
	KUNIT_EXPECT_NULL(test, kseal_cipher_find(0));
	KUNIT_EXPECT_NULL(test, kseal_cipher_find(U16_MAX));
	for (c = kseal_cipher_next(NULL); c; c = kseal_cipher_next(c))
		n++;
	KUNIT_EXPECT_EQ(test, n, ARRAY_SIZE(rows));
}

static void missing_algorithm_is_not_available(struct kunit *test)
{
	struct kseal_cipher c = *kseal_cipher_find(TLS_CIPHER_AES_GCM_128);

	c.aead = "gcm(none)";
	KUNIT_EXPECT_FALSE(test, kseal_cipher_available(&c));
	c.aead = "gcm(aes)";
	KUNIT_EXPECT_TRUE(test, kseal_cipher_available(&c));
	c.hmac = "hmac(none)";
	KUNIT_EXPECT_FALSE(test, kseal_cipher_available(&c));
}

/* RFC 6209 has suites of TLS 1.2 only. */
static void aria_is_not_for_tls13(struct kunit *test)
{
	struct rig_keys keys = keys_of(TLS_1_3_VERSION, TLS_CIPHER_ARIA_GCM_128,
				       0);
	struct kseal_key *key, none = {};

	key = kunit_kzalloc(test, sizeof(*key), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_EQ(test, -EINVAL, rig_set_key(key, &none, &keys));
	keys.cipher = TLS_CIPHER_ARIA_GCM_256;
	KUNIT_EXPECT_EQ(test, -EINVAL, rig_set_key(key, &none, &keys));
	KUNIT_EXPECT_FALSE(test, kseal_key_ready(key));
}

static void malformed_key_is_refused(struct kunit *test)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	struct kseal_key *key, *other;
	sockptr_t p = KERNEL_SOCKPTR(&info);
	unsigned int len;

	key = kunit_kzalloc(test, sizeof(*key), GFP_KERNEL);
	other = kunit_kzalloc(test, sizeof(*key), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_ASSERT_NOT_NULL(test, other);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_key_set(key, other, KERNEL_SOCKPTR(NULL),
				      sizeof(info)));
	for (len = 0; len < sizeof(info); len++)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				kseal_key_set(key, other, p, len));
	info.info.version = 0x0302;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_key_set(key, other, p, sizeof(info)));
	info.info.version = 0x0305;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_key_set(key, other, p, sizeof(info)));
	info.info.version = TLS_1_3_VERSION;
	info.info.cipher_type = TLS_CIPHER_AES_GCM_256;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_key_set(key, other, p, sizeof(info)));
	info.info.cipher_type = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_key_set(key, other, p, sizeof(info)));
	KUNIT_EXPECT_NULL(test, memchr_inv(key, 0, sizeof(*key)));
	KUNIT_EXPECT_FALSE(test, kseal_key_ready(key));
}

static void directions_agree_on_version_and_cipher(struct kunit *test)
{
	const struct suite_param *p = test->param_value;
	struct rig r = param_rig(test, 0);
	struct kseal_key *key;
	int i, ret;

	key = kunit_kzalloc(test, sizeof(*key), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, key);
	for (i = 0; i < ARRAY_SIZE(suites); i++) {
		struct rig_keys keys = keys_of(suites[i].version,
					       suites[i].cipher, 0);

		ret = rig_set_key(key, r.key, &keys);
		KUNIT_EXPECT_EQ(test, ret, p == &suites[i] ? 0 : -EINVAL);
		kseal_key_free(key);
	}
}

static void second_key_is_refused(struct kunit *test)
{
	const struct suite_param *p = test->param_value;
	struct rig_keys keys = keys_of(p->version, p->cipher, 9);
	struct rig r = param_rig(test, 3);
	struct kseal_key none = {};

	KUNIT_EXPECT_EQ(test, -EBUSY, rig_set_key(r.key, &none, &keys));
	KUNIT_EXPECT_EQ(test, r.key->seq, 3);
}

static void secret_is_for_tls13_and_as_long_as_the_hash(struct kunit *test)
{
	const struct suite_param *p = test->param_value;
	unsigned int hash = kseal_cipher_find(p->cipher)->hash, len;
	bool tls13 = p->version == TLS_1_3_VERSION;
	struct rig r = param_rig(test, 0);
	struct kseal_key none = {};

	KUNIT_EXPECT_EQ(test, -EINVAL, set_secret(&none, hash));
	for (len = 0; len <= KSEAL_SECRET_MAX; len++)
		if (len != hash)
			KUNIT_EXPECT_EQ(test, -EINVAL, set_secret(r.key, len));
	KUNIT_EXPECT_EQ(test, tls13 ? 0 : -EINVAL, set_secret(r.key, hash));
	if (tls13)
		KUNIT_EXPECT_EQ(test, -EBUSY, set_secret(r.key, hash));
}

static void key_is_wiped_when_freed(struct kunit *test)
{
	struct rig r = tls13_rig(test, 5);

	KUNIT_ASSERT_EQ(test, 0, set_secret(r.key, 32));
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	kseal_key_free(r.key);
	KUNIT_EXPECT_NULL(test, memchr_inv(r.key, 0, sizeof(*r.key)));
}

static bool holds(const struct kseal_key *key, const u8 *what, size_t len)
{
	const u8 *p = (const u8 *)key;
	size_t i;

	for (i = 0; i + len <= sizeof(*key); i++) {
		if (!memcmp(p + i, what, len))
			return true;
	}
	return false;
}

static void key_is_wiped_when_replaced(struct kunit *test)
{
	struct rig r = tls13_rig(test, 5);
	u8 secret[16], iv[8];

	KUNIT_ASSERT_EQ(test, 0, set_secret(r.key, 32));
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	memcpy(secret, r.key->secret, sizeof(secret));
	memcpy(iv, r.key->iv, sizeof(iv));
	KUNIT_ASSERT_TRUE(test, holds(r.key, secret, sizeof(secret)));
	KUNIT_ASSERT_EQ(test, 0, kseal_key_update(r.key));
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	KUNIT_EXPECT_FALSE(test, holds(r.key, secret, sizeof(secret)));
	KUNIT_EXPECT_FALSE(test, holds(r.key, iv, sizeof(iv)));
	KUNIT_EXPECT_NULL(test, r.key->copy);
}

static void key_retires_before_its_limit(struct kunit *test)
{
	const struct suite_param *p = test->param_value;
	u64 limit = kseal_cipher_find(p->cipher)->limit;
	struct rig r = param_rig(test, limit - 2);
	struct scatterlist sg[2];

	KUNIT_EXPECT_EQ(test, kseal_key_left(r.key), 2);
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	KUNIT_EXPECT_EQ(test, kseal_key_left(r.key), 1);
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	KUNIT_EXPECT_EQ(test, kseal_key_left(r.key), 0);

	sg_init_table(sg, 2);
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED,
			kseal_key_seal(r.key, TLS_RECORD_TYPE_DATA, r.record,
				       sg, sg, 1));
	KUNIT_EXPECT_EQ(test, r.key->seq, limit);
}

static void key_beyond_its_limit_seals_nothing(struct kunit *test)
{
	struct rig r = param_rig(test, U64_MAX);
	struct scatterlist sg[2];

	sg_init_table(sg, 2);
	KUNIT_EXPECT_EQ(test, kseal_key_left(r.key), 0);
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED,
			kseal_key_seal(r.key, TLS_RECORD_TYPE_DATA, r.record,
				       sg, sg, 1));
}

/* The last number may be used, and nothing after it. */
static void nothing_is_opened_after_the_last_number(struct kunit *test)
{
	struct rig r = tls13_rig(test, 0);
	unsigned int payload, len;
	u8 copy[64];

	r.key->seq = U64_MAX;
	len = KSEAL_HEADER_LEN + 2 + 1 + 16;
	/* Seal it as the peer would: the same sum, without the limit. */
	{
		const struct kseal_format *f = &r.key->format;
		struct scatterlist sg[2];
		DECLARE_CRYPTO_WAIT(wait);

		memcpy(r.record + f->prefix, "ab\x17", 3);
		kseal_header_build(f, TLS_RECORD_TYPE_DATA, 2, r.record);
		kseal_nonce_build(f, r.key->iv, U64_MAX, NULL, r.key->nonce);
		kseal_aad_build(f, r.record, U64_MAX, 2, r.key->aad);
		sg_init_table(sg, 2);
		sg_set_buf(&sg[0], r.key->aad, f->aad);
		sg_set_buf(&sg[1], r.record + f->prefix, 3 + 16);
		aead_request_set_callback(r.key->req, CRYPTO_TFM_REQ_MAY_SLEEP,
					  crypto_req_done, &wait);
		aead_request_set_ad(r.key->req, f->aad);
		aead_request_set_crypt(r.key->req, sg, sg, 3, r.key->nonce);
		KUNIT_ASSERT_EQ(test, 0,
				crypto_wait_req(crypto_aead_encrypt(r.key->req),
						&wait));
	}
	memcpy(copy, r.record, len);
	KUNIT_EXPECT_EQ(test, 0, rig_open(&r, &payload));
	KUNIT_EXPECT_MEMEQ(test, r.record + KSEAL_HEADER_LEN, "ab", 2);
	KUNIT_EXPECT_TRUE(test, r.key->spent);
	memcpy(r.record, copy, len);
	KUNIT_EXPECT_EQ(test, -EBADMSG, rig_open(&r, &payload));
}

static void update_starts_afresh_and_both_sides_follow(struct kunit *test)
{
	struct rig tx = tls13_rig(test, GCM_RECORDS);
	struct rig rx = tls13_rig(test, 77);
	unsigned int payload, len, i;

	KUNIT_EXPECT_EQ(test, -ENOKEY, kseal_key_update(tx.key));
	KUNIT_ASSERT_EQ(test, 0, set_secret(tx.key, 32));
	KUNIT_ASSERT_EQ(test, 0, set_secret(rx.key, 32));
	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_EQ(test, 0, kseal_key_update(tx.key));
		KUNIT_ASSERT_EQ(test, tx.key->seq, 0);
		KUNIT_ASSERT_EQ(test, kseal_key_left(tx.key), GCM_RECORDS);
		len = rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, "new", 3);

		memcpy(rx.record, tx.record, len);
		KUNIT_ASSERT_EQ(test, -EBADMSG, rig_open(&rx, &payload));
		KUNIT_ASSERT_EQ(test, 0, kseal_key_update(rx.key));
		memcpy(rx.record, tx.record, len);
		KUNIT_ASSERT_EQ(test, 0, rig_open(&rx, &payload));
		KUNIT_ASSERT_MEMEQ(test, rx.record + KSEAL_HEADER_LEN, "new",
				   3);
	}
}

/* RFC 5288 §3: "MUST be distinct for each invocation". */
static void explicit_nonce_counts_on_from_what_was_given(struct kunit *test)
{
	static const u8 iv[KSEAL_NONCE_LEN] = {
		1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
	};
	struct rig_keys keys = {
		TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128, some_key, iv, 12,
	};
	struct rig r = rig_make(test, &keys);
	u64 expected = U64_MAX - 1;
	int i;

	for (i = 0; i < 4; i++, expected++) {
		rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
		KUNIT_EXPECT_EQ(test, expected,
				get_unaligned_be64(r.record +
						   KSEAL_HEADER_LEN));
	}
}

static void every_size_survives_a_round_trip(struct kunit *test)
{
	static const unsigned int sizes[] = {
		0, 1, 15, 16, 17, 255, 256, 4095, 4096, 4097, 16383, 16384,
	};
	struct rig tx = param_rig(test, 0), rx = param_rig(test, 0);
	unsigned int i, len, payload;
	u8 *data;

	data = kunit_kzalloc(test, KSEAL_MAX_PLAINTEXT, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, data);
	get_random_bytes(data, KSEAL_MAX_PLAINTEXT);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		len = rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, data, sizes[i]);
		memcpy(rx.record, tx.record, len);
		KUNIT_ASSERT_EQ(test, 0, rig_open(&rx, &payload));
		KUNIT_EXPECT_EQ(test, payload, sizes[i]);
		KUNIT_EXPECT_MEMEQ(test, rx.record + rx.key->format.prefix,
				   data, sizes[i]);
	}
	KUNIT_EXPECT_EQ(test, tx.key->seq, ARRAY_SIZE(sizes));
}

/* Cut @len bytes at @buf into pieces of random sizes. */
static void scatter(struct kseal_key *key, struct scatterlist *sg,
		    unsigned int max, u8 *buf, unsigned int len)
{
	unsigned int i, n;

	sg_init_table(sg, max);
	sg_set_buf(&sg[0], key->aad, key->format.aad);
	for (i = 1; len && i < max - 1; i++) {
		n = min(len, get_random_u32_inclusive(1, 300));
		sg_set_buf(&sg[i], buf, n);
		buf += n;
		len -= n;
	}
	if (len)
		sg_set_buf(&sg[i++], buf, len);
	sg_mark_end(&sg[i - 1]);
}

/* As it comes from an application and goes to TCP. */
static void scattered_pieces_make_the_same_record(struct kunit *test)
{
	const unsigned int len = 3000, pieces = 40;
	struct rig whole = param_rig(test, 0), cut = param_rig(test, 0);
	const struct kseal_format *f = &cut.key->format;
	struct scatterlist *src, *dst;
	unsigned int total, i;
	u8 *data;

	data = kunit_kzalloc(test, len + 1, GFP_KERNEL);
	src = kunit_kcalloc(test, pieces, sizeof(*src), GFP_KERNEL);
	dst = kunit_kcalloc(test, pieces, sizeof(*dst), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, data);
	KUNIT_ASSERT_NOT_NULL(test, src);
	KUNIT_ASSERT_NOT_NULL(test, dst);

	for (i = 0; i < 20; i++) {
		get_random_bytes(data, len);
		data[len] = TLS_RECORD_TYPE_DATA;
		total = rig_seal(test, &whole, TLS_RECORD_TYPE_DATA, data, len);
		scatter(cut.key, src, pieces, data, len + f->tail);
		scatter(cut.key, dst, pieces, cut.record + f->prefix,
			len + f->tail + f->tag);
		KUNIT_ASSERT_EQ(test, 0,
				kseal_key_seal(cut.key, TLS_RECORD_TYPE_DATA,
					       cut.record, src, dst, len));
		KUNIT_ASSERT_MEMEQ(test, cut.record, whole.record, total);
	}
}

static struct kunit_case cipher_cases[] = {
	KUNIT_CASE(cipher_table_knows_what_the_kernel_has),
	KUNIT_CASE(missing_algorithm_is_not_available),
	KUNIT_CASE(aria_is_not_for_tls13),
	KUNIT_CASE(malformed_key_is_refused),
	KUNIT_CASE_PARAM(directions_agree_on_version_and_cipher,
			 suite_gen_params),
	KUNIT_CASE_PARAM(second_key_is_refused, suite_gen_params),
	KUNIT_CASE_PARAM(secret_is_for_tls13_and_as_long_as_the_hash,
			 suite_gen_params),
	KUNIT_CASE(key_is_wiped_when_freed),
	KUNIT_CASE(key_is_wiped_when_replaced),
	KUNIT_CASE_PARAM(key_retires_before_its_limit, suite_gen_params),
	KUNIT_CASE_PARAM(key_beyond_its_limit_seals_nothing, suite_gen_params),
	KUNIT_CASE(nothing_is_opened_after_the_last_number),
	KUNIT_CASE(update_starts_afresh_and_both_sides_follow),
	KUNIT_CASE(explicit_nonce_counts_on_from_what_was_given),
	KUNIT_CASE_PARAM(every_size_survives_a_round_trip, suite_gen_params),
	KUNIT_CASE_PARAM(scattered_pieces_make_the_same_record,
			 suite_gen_params),
	{}
};

struct kunit_suite kseal_cipher_suite = {
	.name = "kseal_cipher",
	.test_cases = cipher_cases,
};
