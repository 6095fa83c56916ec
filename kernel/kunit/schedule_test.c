// SPDX-License-Identifier: GPL-2.0
/*
 * The key schedule: keys from the secrets of RFC 8448 §3, and the chain of
 * secrets that KeyUpdates make. No RFC prints such a chain; the expected values
 * were computed with Python's hmac module from RFC 8446 §7.1 and §7.2.
 */
#include <crypto/hash.h>

#include "../cipher.h"
#include "../schedule.h"
#include "suites.h"

struct generation {
	struct digits secret;
	struct digits key;
	struct digits iv;
};

/* RFC 8448 §3: server_application_traffic_secret_0 and what follows from it. */
static const struct generation server_chain[] = {
	{
		DIGITS("a11af9f05531f856ad47116b45a95032",
		       "8204b4f44bfb6b3a4b4f1f3fcb631643"),
		DIGITS("9f02283b6c9c07efc26bb9f2ac92e356"),
		DIGITS("cf782b88dd83549aadf1e984"),
	}, {
		DIGITS("51921b8aa3001976eb401d0a4319a851",
		       "6416a6c56001a357e5d162031e84f916"),
		DIGITS("2e63be99d67b39097feb9786cf7a15a0"),
		DIGITS("628a0a8298ac953baef4255a"),
	}, {
		DIGITS("6418ddd5d277cde37bfaae96363a805a",
		       "95abfaa55ccd80713848de187fb082f6"),
		DIGITS("65b9c2b0f1a857bc47aac35f79d007c8"),
		DIGITS("3945073c176791288c5d8ce5"),
	},
	{}
};

/* The same for client_application_traffic_secret_0. */
static const struct generation client_chain[] = {
	{
		DIGITS("9e40646ce79a7f9dc05af8889bce6552",
		       "875afa0b06df0087f792ebb7c17504a5"),
		DIGITS("17422dda596ed5d9acd890e3c63f5051"),
		DIGITS("5b78923dee08579033e523d9"),
	}, {
		DIGITS("fcdfcc72725aaee48bf64e4fd8b749cd",
		       "bdbab39d90da0b26e2245ca6ea167207"),
		DIGITS("3879d82f5f14056e623f2ce5bfc66fce"),
		DIGITS("5dfb2c5938c3379b6cc5d1f2"),
	}, {
		DIGITS("68474fe58c172143d0a009a76edd231b",
		       "0d934f3058588ea0852662279e54a573"),
		DIGITS("215f086ece93c88043a7d492b236c774"),
		DIGITS("f3c0ed95225a0800394de786"),
	},
	{}
};

/* TLS_AES_256_GCM_SHA384, from the secret 00 01 02 ... 2f. */
static const struct generation sha384_chain[] = {
	{
		DIGITS("000102030405060708090a0b0c0d0e0f",
		       "101112131415161718191a1b1c1d1e1f",
		       "202122232425262728292a2b2c2d2e2f"),
		DIGITS("6877d022f1c61d24ebb7487c16752d9a",
		       "4798e40431c75b39320e537c90e23225"),
		DIGITS("42822531a0fe88648fc09e9f"),
	}, {
		DIGITS("401331b63e9d59f202e8f041042d9516",
		       "f4cd7fa2e2ee14631d3b49fc340d7af3",
		       "7fc2c0c9f252d8036f81ec5b85cbe5db"),
		DIGITS("eb354f3b48924ed78de34dd8aa6a6a0a",
		       "51d857ddad1454d5cfa7b69f60712911"),
		DIGITS("8478ffbe4f2e5450789775b3"),
	},
	{}
};

/*
 * TLS_SM4_GCM_SM3 (RFC 8998 §3.2): 30 31 ... 4f is updated once. Computed with the
 * HMAC and the SM3 of OpenSSL 3.0.
 */
static const struct digits sm3_secret =
	DIGITS("303132333435363738393a3b3c3d3e3f",
	       "404142434445464748494a4b4c4d4e4f");
static const struct generation sm3_chain[] = {
	{
		DIGITS("4e56c51a11d9517a7efe6b953d09a55e",
		       "d1e582ae5aa025a7bdf9a94c45d15118"),
		DIGITS("d1d94c605bccba63dd396ca052abb431"),
		DIGITS("1f4e3ba4dcdb270a8b6d2098"),
	},
	{}
};

/* RFC 8448 §3: the server's handshake traffic secret and its Finished key. */
static const struct digits handshake_secret =
	DIGITS("b67b7d690cc16c4e75e54213cb2d37b4",
	       "e9c912bcded9105d42befd59d391ad38");
static const struct digits finished_key =
	DIGITS("008d3b66f816ea559f96b537e885c31f",
	       "c068bf492c652f01f288a1d8cdc19fc8");

static void free_shash(void *hmac)
{
	crypto_free_shash(hmac);
}

static struct crypto_shash *hmac_of(struct kunit *test, const char *name)
{
	struct crypto_shash *hmac = crypto_alloc_shash(name, 0, 0);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, hmac);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_shash,
							   hmac));
	return hmac;
}

static void check_chain(struct kunit *test, const char *name,
			const struct generation *g)
{
	struct crypto_shash *hmac = hmac_of(test, name);
	struct hex secret = kseal_hex(test, &g->secret);
	u8 out_key[KSEAL_KEY_MAX], out_iv[KSEAL_NONCE_LEN];

	for (;;) {
		struct hex key = kseal_hex(test, &g->key);
		struct hex iv = kseal_hex(test, &g->iv);

		KUNIT_ASSERT_EQ(test, iv.len, KSEAL_NONCE_LEN);
		KUNIT_ASSERT_EQ(test, 0,
				kseal_traffic_keys(hmac, secret.data, out_key,
						   key.len, out_iv, iv.len));
		KUNIT_EXPECT_MEMEQ(test, out_key, key.data, key.len);
		KUNIT_EXPECT_MEMEQ(test, out_iv, iv.data, iv.len);

		if (!(++g)->secret.line[0])
			return;
		KUNIT_ASSERT_EQ(test, 0, kseal_next_secret(hmac, secret.data));
		KUNIT_EXPECT_MEMEQ(test, secret.data,
				   kseal_hex(test, &g->secret).data,
				   secret.len);
	}
}

static void keys_of_rfc8448_server_and_their_updates(struct kunit *test)
{
	check_chain(test, "hmac(sha256)", server_chain);
}

static void keys_of_rfc8448_client_and_their_updates(struct kunit *test)
{
	check_chain(test, "hmac(sha256)", client_chain);
}

static void keys_of_a_sha384_suite_and_their_updates(struct kunit *test)
{
	check_chain(test, "hmac(sha384)", sha384_chain);
}

static void keys_of_an_sm3_suite_after_an_update(struct kunit *test)
{
	struct hex secret = kseal_hex(test, &sm3_secret);

	KUNIT_ASSERT_EQ(test, 0,
			kseal_next_secret(hmac_of(test, "hmac(sm3)"),
					  secret.data));
	KUNIT_EXPECT_MEMEQ(test, secret.data,
			   kseal_hex(test, &sm3_chain->secret).data,
			   secret.len);
	check_chain(test, "hmac(sm3)", sm3_chain);
}

/* A label that the kernel has no use for. */
static void expand_label_is_not_only_for_keys(struct kunit *test)
{
	struct crypto_shash *hmac = hmac_of(test, "hmac(sha256)");
	struct hex secret = kseal_hex(test, &handshake_secret);
	struct hex finished = kseal_hex(test, &finished_key);
	u8 out[32];

	KUNIT_ASSERT_EQ(test, 0, kseal_expand_label(hmac, secret.data,
						    "finished", out,
						    sizeof(out)));
	KUNIT_EXPECT_MEMEQ(test, out, finished.data, sizeof(out));
}

static void too_much_is_not_expanded(struct kunit *test)
{
	struct crypto_shash *hmac = hmac_of(test, "hmac(sha256)");
	u8 secret[32] = {}, out[64] = {};

	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_expand_label(hmac, secret, "key", out, 33));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kseal_expand_label(hmac, secret,
					   "a label that has no room left", out,
					   16));
	KUNIT_EXPECT_NULL(test, memchr_inv(out, 0, sizeof(out)));
}

static struct kunit_case schedule_cases[] = {
	KUNIT_CASE(keys_of_rfc8448_server_and_their_updates),
	KUNIT_CASE(keys_of_rfc8448_client_and_their_updates),
	KUNIT_CASE(keys_of_a_sha384_suite_and_their_updates),
	KUNIT_CASE(keys_of_an_sm3_suite_after_an_update),
	KUNIT_CASE(expand_label_is_not_only_for_keys),
	KUNIT_CASE(too_much_is_not_expanded),
	{}
};

struct kunit_suite kseal_schedule_suite = {
	.name = "kseal_schedule",
	.test_cases = schedule_cases,
};
