// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of the explicit mode: they can be replaced and asked for, as those of the
 * "tls" ULP can. A key that an agent has set can be neither.
 */
#include <linux/unaligned.h>

#include "rig.h"
#include "suites.h"

static const u8 first_key[KSEAL_KEY_MAX] = { 1, 2, 3 };
static const u8 next_key[KSEAL_KEY_MAX] = { 21, 22, 23 };
static const u8 first_iv[KSEAL_NONCE_LEN] = { 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static const u8 next_iv[KSEAL_NONCE_LEN] = { 24, 25, 26, 27, 28, 29 };
static const u8 some_secret[KSEAL_SECRET_MAX] = { 10, 11, 12 };

/* One of each kind of nonce. */
struct kind {
	const char *name;
	u16 version;
	u16 cipher;
	bool counts;
};

static const struct kind kinds[] = {
	{ "tls12_gcm", TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128, true },
	{ "tls12_ccm", TLS_1_2_VERSION, TLS_CIPHER_AES_CCM_128, true },
	{ "tls12_chacha", TLS_1_2_VERSION, TLS_CIPHER_CHACHA20_POLY1305 },
	{ "tls12_aria256", TLS_1_2_VERSION, TLS_CIPHER_ARIA_GCM_256, true },
	{ "tls13_gcm256", TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_256 },
	{ "tls13_ccm", TLS_1_3_VERSION, TLS_CIPHER_AES_CCM_128 },
	{ "tls13_chacha", TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305 },
};

static void kind_name(const struct kind *k, char *name)
{
	strscpy(name, k->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, kind_name);

static int set(struct kseal_key *key, const struct rig_keys *keys)
{
	struct kseal_key none = {};
	union kseal_crypto_info u;
	unsigned int len = rig_info(&u, keys);

	return kseal_key_set_explicit(key, &none, KERNEL_SOCKPTR(&u), len);
}

static struct rig_keys first_of(const struct kind *k)
{
	return (struct rig_keys){ k->version, k->cipher, first_key, first_iv,
				  5 };
}

static struct rig_keys next_of(const struct kind *k)
{
	return (struct rig_keys){ k->version, k->cipher, next_key, next_iv, 0 };
}

static void free_key(void *key)
{
	kseal_key_free(key);
}

static struct rig explicit_rig(struct kunit *test, const struct rig_keys *keys)
{
	struct rig r;

	r.key = kunit_kzalloc(test, sizeof(*r.key), GFP_KERNEL);
	r.record = kunit_kzalloc(test, RIG_ROOM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r.key);
	KUNIT_ASSERT_NOT_NULL(test, r.record);
	KUNIT_ASSERT_EQ(test, 0, set(r.key, keys));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_key,
							   r.key));
	return r;
}

static void expect_is(struct kunit *test, const struct kseal_key *key,
		      const struct rig_keys *keys)
{
	union kseal_crypto_info got, expected;
	unsigned int len = rig_info(&expected, keys);

	memset(&got, 0, sizeof(got));
	KUNIT_ASSERT_EQ(test, 0, kseal_key_get(key, &got, len));
	KUNIT_EXPECT_MEMEQ(test, got.bytes, expected.bytes, len);
}

static void key_comes_back_as_it_is_now(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct rig_keys keys = first_of(k);
	struct rig tx = explicit_rig(test, &keys);
	struct rig rx = explicit_rig(test, &keys);
	unsigned int i, len, payload;
	u8 iv[KSEAL_NONCE_LEN];

	expect_is(test, tx.key, &keys);
	expect_is(test, rx.key, &keys);
	for (i = 0; i < 300; i++) {
		len = rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, "x", 1);
		memcpy(rx.record, tx.record, len);
		KUNIT_ASSERT_EQ(test, 0, rig_open(&rx, &payload));
	}
	memcpy(iv, first_iv, sizeof(iv));
	keys.iv = iv;
	keys.seq += 300;
	if (k->counts)
		put_unaligned_be64(get_unaligned_be64(iv + 4) + 300, iv + 4);
	expect_is(test, tx.key, &keys);
	expect_is(test, rx.key, &keys);

	/* And goes on from there. */
	rx = explicit_rig(test, &keys);
	len = rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, "go on", 5);
	memcpy(rx.record, tx.record, len);
	KUNIT_ASSERT_EQ(test, 0, rig_open(&rx, &payload));
	KUNIT_EXPECT_MEMEQ(test, rx.record + rx.key->format.prefix, "go on", 5);
}

static void key_of_another_length_is_not_given(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct rig_keys keys = first_of(k);
	struct rig r = explicit_rig(test, &keys);
	unsigned int info = kseal_cipher_find(k->cipher)->info, len;
	struct kseal_key none = {};
	union kseal_crypto_info u;

	for (len = 0; len < 100; len++)
		if (len != info)
			KUNIT_EXPECT_EQ(test, -EINVAL,
					kseal_key_get(r.key, &u, len));
	KUNIT_EXPECT_EQ(test, -EBUSY, kseal_key_get(&none, &u, info));
}

static void key_of_an_agent_never_comes_out(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct rig_keys keys = first_of(k);
	struct rig r = rig_make(test, &keys);
	union kseal_crypto_info u;
	unsigned int len;

	KUNIT_EXPECT_NULL(test, r.key->copy);
	for (len = 0; len < 100; len++)
		KUNIT_EXPECT_EQ(test, -EINVAL, kseal_key_get(r.key, &u, len));
	if (k->version != TLS_1_3_VERSION)
		return;
	KUNIT_ASSERT_EQ(test, 0,
			kseal_key_set_secret(r.key,
					     KERNEL_SOCKPTR((void *)some_secret),
					     r.key->cipher->hash));
	KUNIT_ASSERT_EQ(test, 0, kseal_key_update(r.key));
	KUNIT_EXPECT_NULL(test, r.key->copy);
}

static void next_key_takes_over_in_tls13(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct rig_keys first = first_of(k), next = next_of(k);
	struct rig tx = explicit_rig(test, &first);
	struct rig rx = explicit_rig(test, &next);
	unsigned int len, payload;

	rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, "old", 3);
	if (k->version != TLS_1_3_VERSION) {
		KUNIT_EXPECT_EQ(test, -EBUSY, set(tx.key, &next));
		KUNIT_EXPECT_EQ(test, tx.key->seq, first.seq + 1);
		return;
	}
	KUNIT_ASSERT_EQ(test, 0, set(tx.key, &next));
	expect_is(test, tx.key, &next);
	len = rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, "new", 3);
	memcpy(rx.record, tx.record, len);
	KUNIT_ASSERT_EQ(test, 0, rig_open(&rx, &payload));
	KUNIT_EXPECT_MEMEQ(test, rx.record + KSEAL_HEADER_LEN, "new", 3);
}

static void next_key_of_another_kind_changes_nothing(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct rig_keys first = first_of(k), other;
	struct rig r = explicit_rig(test, &first);
	union kseal_crypto_info u;
	unsigned int len;
	int i;

	if (k->version != TLS_1_3_VERSION)
		return;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (k == &kinds[i])
			continue;
		other = next_of(&kinds[i]);
		KUNIT_EXPECT_EQ(test, -EINVAL, set(r.key, &other));
	}
	other = next_of(k);
	len = rig_info(&u, &other);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_key_set_explicit(r.key, r.key, KERNEL_SOCKPTR(&u),
					       len - 1));
	expect_is(test, r.key, &first);
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
}

static void next_key_makes_a_spent_one_whole(struct kunit *test)
{
	struct rig_keys first = first_of(&kinds[4]), next = next_of(&kinds[4]);
	u64 limit = kseal_cipher_find(first.cipher)->limit;
	struct rig r;

	first.seq = limit - 1;
	r = explicit_rig(test, &first);
	KUNIT_EXPECT_EQ(test, 1, kseal_key_left(r.key));
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	KUNIT_EXPECT_EQ(test, 0, kseal_key_left(r.key));
	KUNIT_ASSERT_EQ(test, 0, set(r.key, &next));
	KUNIT_EXPECT_EQ(test, limit, kseal_key_left(r.key));
	r.key->spent = true;
	r.key->dead = true;
	KUNIT_ASSERT_EQ(test, 0, set(r.key, &next));
	KUNIT_EXPECT_EQ(test, limit, kseal_key_left(r.key));
}

/* Such numbers are the application's own; only they must not wrap. */
static void number_beyond_the_limit_starts_a_count(struct kunit *test)
{
	struct rig_keys keys = first_of(&kinds[4]);
	u64 limit = kseal_cipher_find(keys.cipher)->limit;
	struct rig r;

	keys.seq = limit;
	r = explicit_rig(test, &keys);
	KUNIT_EXPECT_EQ(test, limit, kseal_key_left(r.key));
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	KUNIT_EXPECT_EQ(test, limit - 1, kseal_key_left(r.key));
	keys.seq = U64_MAX - 1;
	r = explicit_rig(test, &keys);
	KUNIT_EXPECT_EQ(test, 1, kseal_key_left(r.key));
	rig_seal(test, &r, TLS_RECORD_TYPE_DATA, "x", 1);
	KUNIT_EXPECT_EQ(test, 0, kseal_key_left(r.key));
}

/* The secret of the key before would lead to other keys than the peer's. */
static void next_key_ends_the_secret(struct kunit *test)
{
	struct rig_keys first = first_of(&kinds[5]), next = next_of(&kinds[5]);
	struct rig r = explicit_rig(test, &first);
	sockptr_t secret = KERNEL_SOCKPTR((void *)some_secret);

	KUNIT_ASSERT_EQ(test, 0, kseal_key_set_secret(r.key, secret, 32));
	KUNIT_ASSERT_EQ(test, 0, set(r.key, &next));
	KUNIT_EXPECT_EQ(test, -ENOKEY, kseal_key_update(r.key));
	KUNIT_EXPECT_NULL(test, memchr_inv(r.key->secret, 0,
					   sizeof(r.key->secret)));
	KUNIT_EXPECT_EQ(test, 0, kseal_key_set_secret(r.key, secret, 32));
}

static void key_that_the_kernel_has_updated_comes_back(struct kunit *test)
{
	struct rig_keys first = first_of(&kinds[6]);
	struct rig tx = explicit_rig(test, &first), rx;
	unsigned int len, payload, info = tx.key->cipher->info;
	struct kseal_key none = {};
	union kseal_crypto_info u;

	KUNIT_ASSERT_EQ(test, 0,
			kseal_key_set_secret(tx.key,
					     KERNEL_SOCKPTR((void *)some_secret),
					     32));
	KUNIT_ASSERT_EQ(test, 0, kseal_key_update(tx.key));
	KUNIT_ASSERT_EQ(test, 0, kseal_key_get(tx.key, &u, info));

	rx = explicit_rig(test, &first);
	kseal_key_free(rx.key);
	KUNIT_ASSERT_EQ(test, 0,
			kseal_key_set_explicit(rx.key, &none,
					       KERNEL_SOCKPTR(&u), info));
	len = rig_seal(test, &tx, TLS_RECORD_TYPE_DATA, "new", 3);
	memcpy(rx.record, tx.record, len);
	KUNIT_ASSERT_EQ(test, 0, rig_open(&rx, &payload));
}

static struct kunit_case explicit_cases[] = {
	KUNIT_CASE_PARAM(key_comes_back_as_it_is_now, kind_gen_params),
	KUNIT_CASE_PARAM(key_of_another_length_is_not_given, kind_gen_params),
	KUNIT_CASE_PARAM(key_of_an_agent_never_comes_out, kind_gen_params),
	KUNIT_CASE_PARAM(next_key_takes_over_in_tls13, kind_gen_params),
	KUNIT_CASE_PARAM(next_key_of_another_kind_changes_nothing,
			 kind_gen_params),
	KUNIT_CASE(next_key_makes_a_spent_one_whole),
	KUNIT_CASE(number_beyond_the_limit_starts_a_count),
	KUNIT_CASE(next_key_ends_the_secret),
	KUNIT_CASE(key_that_the_kernel_has_updated_comes_back),
	{}
};

struct kunit_suite kseal_explicit_suite = {
	.name = "kseal_explicit",
	.test_cases = explicit_cases,
};
