// SPDX-License-Identifier: GPL-2.0
/*
 * See rig.h.
 */
#include <linux/unaligned.h>

#include "rig.h"

static void free_key(void *key)
{
	kseal_key_free(key);
}

/**
 * rig_info() - what setsockopt() would be given
 * @u: result
 * @keys: what it is made of
 *
 * Return: its bytes.
 */
unsigned int rig_info(union kseal_crypto_info *u, const struct rig_keys *keys)
{
	const struct kseal_cipher *c = kseal_cipher_find(keys->cipher);

	memset(u, 0, sizeof(*u));
	u->info.version = keys->version;
	u->info.cipher_type = keys->cipher;
	memcpy(u->bytes + c->salt_off, keys->iv, c->salt);
	memcpy(u->bytes + c->iv_off, keys->iv + c->salt, c->iv);
	memcpy(u->bytes + c->key_off, keys->key, c->key);
	put_unaligned_be64(keys->seq, u->bytes + c->seq_off);
	return c->info;
}

/**
 * rig_set_key() - hand a key over as an agent does
 * @key: key to set
 * @other: key of the other direction
 * @keys: what it is made of
 *
 * Return: what kseal_key_set() says.
 */
int rig_set_key(struct kseal_key *key, const struct kseal_key *other,
		const struct rig_keys *keys)
{
	union kseal_crypto_info u;
	unsigned int len = rig_info(&u, keys);

	return kseal_key_set(key, other, KERNEL_SOCKPTR(&u), len);
}

/**
 * rig_make() - make a rig that the test frees
 * @test: test
 * @keys: what its key is made of
 *
 * Return: the rig; the test ends if there is none.
 */
struct rig rig_make(struct kunit *test, const struct rig_keys *keys)
{
	struct kseal_key none = {};
	struct rig r;

	r.key = kunit_kzalloc(test, sizeof(*r.key), GFP_KERNEL);
	r.record = kunit_kzalloc(test, RIG_ROOM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r.key);
	KUNIT_ASSERT_NOT_NULL(test, r.record);
	KUNIT_ASSERT_EQ(test, 0, rig_set_key(r.key, &none, keys));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_key,
							   r.key));
	return r;
}

static void map(struct rig *r, struct scatterlist *sg, unsigned int len)
{
	const struct kseal_format *f = &r->key->format;

	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], r->key->aad, f->aad);
	sg_set_buf(&sg[1], r->record + f->prefix, len);
}

/**
 * rig_seal() - seal into @record
 * @test: test
 * @r: rig
 * @type: content type
 * @data: plaintext
 * @len: its bytes
 *
 * Return: bytes of the record; the test ends on failure.
 */
unsigned int rig_seal(struct kunit *test, struct rig *r, u8 type,
		      const void *data, unsigned int len)
{
	const struct kseal_format *f = &r->key->format;
	struct scatterlist sg[2];

	memmove(r->record + f->prefix, data, len);
	if (f->tail)
		r->record[f->prefix + len] = type;
	map(r, sg, len + f->tail + f->tag);
	KUNIT_ASSERT_EQ(test, 0, kseal_key_seal(r->key, type, r->record, sg,
						sg, len));
	return f->prefix + len + f->tail + f->tag;
}

/**
 * rig_open() - open what is in @record, in place
 * @r: rig
 * @payload: bytes of plaintext, in TLS 1.3 without the type but with padding
 *
 * Return: 0; a negative errno of kseal_key_open(); a positive alert for a bad
 * header.
 */
int rig_open(struct rig *r, unsigned int *payload)
{
	const struct kseal_format *f = &r->key->format;
	struct scatterlist sg[2];
	struct kseal_header h;
	int ret;

	ret = kseal_header_parse(f, KSEAL_MAX_PLAINTEXT, r->record, &h);
	if (ret)
		return ret;
	map(r, sg, h.len + KSEAL_HEADER_LEN - f->prefix);
	ret = kseal_key_open(r->key, r->record, sg, sg, h.payload);
	if (ret)
		return ret;
	kseal_key_opened(r->key);
	*payload = h.payload;
	return 0;
}
