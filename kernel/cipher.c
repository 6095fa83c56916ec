// SPDX-License-Identifier: GPL-2.0
/*
 * The cipher table, and the protection of one direction with one key at a time:
 * RFC 5288 (GCM), RFC 6655 (CCM), RFC 7905 (ChaCha20-Poly1305), RFC 6209 (ARIA),
 * RFC 8998 (SM4) and RFC 8446 §5.2 on top of the kernel's AEADs. Called by tx.c
 * and rx.c in process context, under the socket lock.
 *
 * Every operation is complete when its call returns. That leaves nothing in
 * flight to race with a socket's death, whatever the implementation does: before
 * Linux 6.16 the fastest one on x86 calls itself asynchronous, only because it
 * has to defer work in contexts that this code is never in.
 */
#include <crypto/hash.h>
#include <kunit/visibility.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "cipher.h"
#include "schedule.h"

/*
 * What a key may protect. The bounds for AES depend on the size of its blocks and
 * not on how it works inside, so those of SM4 and ARIA, with blocks as large, are
 * the same:
 *
 *	GCM	2^24.5 full-size records, RFC 8446 §5.5
 *	CCM	2^23, RFC 9147 §4.5.3 and appendix B.1; RFC 8446 has no number
 *	ChaCha20-Poly1305	the record number would wrap first, RFC 8446 §5.5
 */
#define GCM_RECORDS	23726566
#define CCM_RECORDS	BIT(23)
#define CHACHA_RECORDS	U64_MAX

/* RFC 3610 §2.3: L' = L - 1, with L = 15 - 12 bytes of nonce. */
#define CCM_B0		2

static ulong max_records;
module_param(max_records, ulong, 0644);
MODULE_PARM_DESC(max_records, "records that one key may protect, if fewer than its cipher allows (0: as the cipher)");

/* Enough that a KeyUpdate and an alert never use up a fresh key. */
#define MIN_RECORDS	16

#define CIPHER(_type, _info, _aead, _explicit, _b0, _hmac, _hash, _limit) { \
	.type = TLS_CIPHER_##_type,					\
	.aead = (_aead),						\
	.hmac = (_hmac),						\
	.hash = (_hash),						\
	.key = TLS_CIPHER_##_type##_KEY_SIZE,				\
	.salt = TLS_CIPHER_##_type##_SALT_SIZE,				\
	.iv = TLS_CIPHER_##_type##_IV_SIZE,				\
	.explicit_nonce = (_explicit),					\
	.b0 = (_b0),							\
	.tag = TLS_CIPHER_##_type##_TAG_SIZE,				\
	.info = sizeof(struct tls12_crypto_info_##_info),		\
	.iv_off = offsetof(struct tls12_crypto_info_##_info, iv),	\
	.key_off = offsetof(struct tls12_crypto_info_##_info, key),	\
	.salt_off = offsetof(struct tls12_crypto_info_##_info, salt),	\
	.seq_off = offsetof(struct tls12_crypto_info_##_info, rec_seq),	\
	.limit = (_limit),						\
}

static const struct kseal_cipher kseal_ciphers[] = {
	CIPHER(AES_GCM_128, aes_gcm_128, "gcm(aes)", 8, 0,
	       "hmac(sha256)", 32, GCM_RECORDS),
	CIPHER(AES_GCM_256, aes_gcm_256, "gcm(aes)", 8, 0,
	       "hmac(sha384)", 48, GCM_RECORDS),
	CIPHER(AES_CCM_128, aes_ccm_128, "ccm(aes)", 8, CCM_B0,
	       "hmac(sha256)", 32, CCM_RECORDS),
	CIPHER(CHACHA20_POLY1305, chacha20_poly1305,
	       "rfc7539(chacha20,poly1305)", 0, 0,
	       "hmac(sha256)", 32, CHACHA_RECORDS),
	CIPHER(SM4_GCM, sm4_gcm, "gcm(sm4)", 8, 0,
	       "hmac(sm3)", 32, GCM_RECORDS),
	CIPHER(SM4_CCM, sm4_ccm, "ccm(sm4)", 8, CCM_B0,
	       "hmac(sm3)", 32, CCM_RECORDS),
	/* No suites of TLS 1.3. */
	CIPHER(ARIA_GCM_128, aria_gcm_128, "gcm(aria)", 8, 0,
	       NULL, 0, GCM_RECORDS),
	CIPHER(ARIA_GCM_256, aria_gcm_256, "gcm(aria)", 8, 0,
	       NULL, 0, GCM_RECORDS),
};

/**
 * kseal_cipher_find() - look a cipher up
 * @type: TLS_CIPHER_*
 *
 * Context: any.
 * Return: its row, or NULL.
 */
const struct kseal_cipher *kseal_cipher_find(u16 type)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kseal_ciphers); i++)
		if (kseal_ciphers[i].type == type)
			return &kseal_ciphers[i];
	return NULL;
}
EXPORT_SYMBOL_GPL(kseal_cipher_find);

/**
 * kseal_cipher_next() - walk the table
 * @c: a row, or NULL for the first
 *
 * Context: any.
 * Return: the next row, or NULL.
 */
const struct kseal_cipher *kseal_cipher_next(const struct kseal_cipher *c)
{
	c = c ? c + 1 : kseal_ciphers;
	return c < kseal_ciphers + ARRAY_SIZE(kseal_ciphers) ? c : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_cipher_next);

/**
 * kseal_cipher_available() - has this kernel what a cipher needs?
 * @c: row of the table
 *
 * Loads the modules that it is made of.
 *
 * Context: process.
 * Return: whether it has, the hash for KeyUpdates included.
 */
bool kseal_cipher_available(const struct kseal_cipher *c)
{
	return crypto_has_alg(c->aead, CRYPTO_ALG_TYPE_AEAD,
			      CRYPTO_ALG_TYPE_MASK) &&
	       (!c->hmac || crypto_has_alg(c->hmac, CRYPTO_ALG_TYPE_SHASH,
					   CRYPTO_ALG_TYPE_MASK));
}
EXPORT_SYMBOL_IF_KUNIT(kseal_cipher_available);

/*
 * Not the drivers of crypto engines: one record at a time, waited for, is the
 * worst that can be asked of them.
 */
static int alloc_cipher(struct kseal_key *key, const struct kseal_cipher *c)
{
	int err;

	key->tfm = crypto_alloc_aead(c->aead, 0, CRYPTO_ALG_KERN_DRIVER_ONLY);
	if (IS_ERR(key->tfm)) {
		err = PTR_ERR(key->tfm);
		key->tfm = NULL;
		return err;
	}
	err = crypto_aead_setauthsize(key->tfm, c->tag);
	if (err)
		return err;
	key->req = aead_request_alloc(key->tfm, GFP_KERNEL);
	return key->req ? 0 : -ENOMEM;
}

/*
 * Read and judge what setsockopt() was given. Judges as the "tls" ULP does.
 * @same: a key that version and cipher have to be those of; NULL if any will do.
 */
static int read_info(union kseal_crypto_info *u, const struct kseal_cipher **row,
		     const struct kseal_key *same, sockptr_t optval,
		     unsigned int optlen)
{
	const struct kseal_cipher *c;

	if (copy_from_sockptr(&u->info, optval, sizeof(u->info)))
		return -EFAULT;
	if (u->info.version != TLS_1_2_VERSION &&
	    u->info.version != TLS_1_3_VERSION)
		return -EINVAL;
	c = kseal_cipher_find(u->info.cipher_type);
	if (!c || (!c->hmac && u->info.version == TLS_1_3_VERSION))
		return -EINVAL;
	if (same->cipher && (same->cipher != c ||
			     same->format.version != u->info.version))
		return -EINVAL;
	if (optlen != c->info)
		return -EINVAL;
	if (copy_from_sockptr_offset(u->bytes + sizeof(u->info), optval,
				     sizeof(u->info),
				     optlen - sizeof(u->info)))
		return -EFAULT;
	*row = c;
	return 0;
}

/* Nonce and number of the next record. */
static void start_records(struct kseal_key *key, const struct kseal_cipher *c,
			  const union kseal_crypto_info *u)
{
	memcpy(key->iv, u->bytes + c->salt_off, c->salt);
	memcpy(key->iv + c->salt, u->bytes + c->iv_off, c->iv);
	key->explicit_nonce = get_unaligned_be64(key->iv + KSEAL_NONCE_LEN - 8);
	key->seq = get_unaligned_be64(u->bytes + c->seq_off);
	key->base = 0;
	key->spent = false;
	key->dead = false;
}

static int set_first(struct kseal_key *key, const struct kseal_cipher *c,
		     const union kseal_crypto_info *u)
{
	int err;

	err = alloc_cipher(key, c);
	if (!err)
		err = crypto_aead_setkey(key->tfm, u->bytes + c->key_off,
					 c->key);
	if (err) {
		kseal_key_free(key);
		return err;
	}
	start_records(key, c, u);
	kseal_format_init(&key->format, u->info.version, c->explicit_nonce,
			  c->tag);
	key->cipher = c;
	return 0;
}

static void drop_secret(struct kseal_key *key)
{
	key->hmac = NULL;
	memzero_explicit(key->secret, sizeof(key->secret));
}

static int set_next(struct kseal_key *key, const struct kseal_cipher *c,
		    const union kseal_crypto_info *u)
{
	int err;

	err = crypto_aead_setkey(key->tfm, u->bytes + c->key_off, c->key);
	if (err)
		return err;
	start_records(key, c, u);
	drop_secret(key);
	return 0;
}

static int take_key(struct kseal_key *key, const struct kseal_key *other,
		    sockptr_t optval, unsigned int optlen,
		    union kseal_crypto_info *u)
{
	const struct kseal_cipher *c;
	int err;

	if (sockptr_is_null(optval) || optlen < sizeof(u->info))
		return -EINVAL;
	if (key->cipher)
		return -EBUSY;
	err = read_info(u, &c, other, optval, optlen);
	return err ?: set_first(key, c, u);
}

static int take_key_explicit(struct kseal_key *key,
			     const struct kseal_key *other, sockptr_t optval,
			     unsigned int optlen, union kseal_crypto_info *u)
{
	const struct kseal_cipher *c;
	bool next = key->cipher;
	u8 *copy = key->copy;
	int err;

	if (sockptr_is_null(optval) || optlen < sizeof(u->info))
		return -EINVAL;
	if (next && key->format.version != TLS_1_3_VERSION)
		return -EBUSY;
	err = read_info(u, &c, next ? key : other, optval, optlen);
	if (err)
		return err;
	if (!copy)
		copy = kmalloc(c->key, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	err = next ? set_next(key, c, u) : set_first(key, c, u);
	if (!err) {
		memcpy(copy, u->bytes + c->key_off, c->key);
		key->copy = copy;
		/* No count of records, but numbers of its own. */
		if (key->seq >= c->limit)
			key->base = key->seq;
	} else if (copy != key->copy) {
		kfree(copy);
	}
	return err;
}

/**
 * kseal_key_take() - kseal_key_set() or kseal_key_set_explicit(), with the key for
 *	a device
 * @key: see there
 * @other: see there
 * @optval: see there
 * @optlen: see there
 * @explicit: which of the two
 * @u: the key as it was given; to be wiped
 *
 * Context: process.
 * Return: see there.
 */
int kseal_key_take(struct kseal_key *key, const struct kseal_key *other,
		   sockptr_t optval, unsigned int optlen, bool explicit,
		   union kseal_crypto_info *u)
{
	return explicit ? take_key_explicit(key, other, optval, optlen, u) :
			  take_key(key, other, optval, optlen, u);
}

/**
 * kseal_key_set() - take the key of a direction, which never comes out again
 * @key: key, all zeros or freed
 * @other: key of the other direction
 * @optval: struct tls12_crypto_info_*
 * @optlen: its bytes
 *
 * Context: process.
 * Return: 0; -EBUSY if there is a key; -EINVAL for a version, cipher or length
 * that is not known, or not that of @other; -EFAULT; -ENOENT if the kernel
 * lacks the cipher; -ENOMEM.
 */
int kseal_key_set(struct kseal_key *key, const struct kseal_key *other,
		  sockptr_t optval, unsigned int optlen)
{
	union kseal_crypto_info u;
	int err = take_key(key, other, optval, optlen, &u);

	memzero_explicit(&u, sizeof(u));
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_set);

/**
 * kseal_key_set_explicit() - take a key from an application that has its own
 * @key: key, all zeros or freed; or one of TLS 1.3, to be replaced by the next
 *	after a KeyUpdate (RFC 8446 §4.6.3)
 * @other: key of the other direction
 * @optval: struct tls12_crypto_info_*
 * @optlen: its bytes
 *
 * kseal_key_get() gives it out again. A secret of the key before is forgotten. The
 * number of the next record counts those that the key has protected already, as
 * it does in TLS, unless it is beyond the limit.
 *
 * Context: process.
 * Return: 0; -EBUSY if there is a key of TLS 1.2; what kseal_key_set() says,
 * -EINVAL also for another version or cipher than that of the key before, which
 * stays in use then.
 */
int kseal_key_set_explicit(struct kseal_key *key, const struct kseal_key *other,
			   sockptr_t optval, unsigned int optlen)
{
	union kseal_crypto_info u;
	int err = take_key_explicit(key, other, optval, optlen, &u);

	memzero_explicit(&u, sizeof(u));
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_set_explicit);

/**
 * kseal_key_set_secret() - take the traffic secret that a key came from
 * @key: TLS 1.3 key
 * @optval: the secret
 * @optlen: its bytes: as many as the hash of the cipher suite has
 *
 * Context: process.
 * Return: 0; -EBUSY if there is a secret; -EINVAL without a TLS 1.3 key or for
 * a wrong length; -EFAULT; -ENOENT if the kernel lacks the hash; -ENOMEM.
 */
int kseal_key_set_secret(struct kseal_key *key, sockptr_t optval,
			 unsigned int optlen)
{
	u8 secret[KSEAL_SECRET_MAX];
	struct crypto_shash *hmac;
	int err;

	if (!key->cipher || key->format.version != TLS_1_3_VERSION ||
	    sockptr_is_null(optval) || optlen != key->cipher->hash)
		return -EINVAL;
	if (key->hmac)
		return -EBUSY;
	hmac = kseal_hmac(key->cipher->hmac);
	if (IS_ERR(hmac))
		return PTR_ERR(hmac);
	/* By way of the stack: the context is no place for usercopy. */
	err = copy_from_sockptr(secret, optval, optlen);
	if (!err) {
		memcpy(key->secret, secret, optlen);
		key->hmac = hmac;
	}
	memzero_explicit(secret, sizeof(secret));
	return err ? -EFAULT : 0;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_set_secret);

/**
 * kseal_key_update() - go on to the next key (RFC 8446 §7.2)
 * @key: key with a secret
 *
 * Context: process.
 * Return: 0, or a negative errno; then @key protects nothing any more.
 */
int kseal_key_update(struct kseal_key *key)
{
	const struct kseal_cipher *c = key->cipher;
	u8 next[KSEAL_KEY_MAX];
	int err;

	if (!key->hmac || key->dead)
		return -ENOKEY;
	err = kseal_next_secret(key->hmac, key->secret);
	if (!err)
		err = kseal_traffic_keys(key->hmac, key->secret, next, c->key,
					 key->iv, KSEAL_NONCE_LEN);
	if (!err)
		err = crypto_aead_setkey(key->tfm, next, c->key);
	if (!err && key->copy)
		memcpy(key->copy, next, c->key);
	memzero_explicit(next, sizeof(next));
	key->seq = 0;
	key->base = 0;
	key->spent = false;
	key->dead = err;
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_update);

/**
 * kseal_key_info() - version and cipher
 * @key: key
 * @info: result
 *
 * Context: any.
 * Return: false if there is no key.
 */
bool kseal_key_info(const struct kseal_key *key, struct tls_crypto_info *info)
{
	if (!key->cipher)
		return false;
	info->version = key->format.version;
	info->cipher_type = key->cipher->type;
	return true;
}

/**
 * kseal_key_get() - a key as it would have to be set now
 * @key: key
 * @u: result, to be wiped
 * @len: bytes wanted of it
 *
 * Context: any; under the socket lock.
 * Return: 0; -EBUSY if there is no key; -EINVAL if @len is not right for its
 * cipher or if it is not given out.
 */
int kseal_key_get(const struct kseal_key *key, union kseal_crypto_info *u,
		  unsigned int len)
{
	const struct kseal_cipher *c = key->cipher;

	if (!c)
		return -EBUSY;
	if (!key->copy || len != c->info)
		return -EINVAL;
	kseal_key_info(key, &u->info);
	memcpy(u->bytes + c->salt_off, key->iv, c->salt);
	if (key->format.prefix != KSEAL_HEADER_LEN)
		put_unaligned_be64(key->explicit_nonce, u->bytes + c->iv_off);
	else
		memcpy(u->bytes + c->iv_off, key->iv + c->salt, c->iv);
	memcpy(u->bytes + c->key_off, key->copy, c->key);
	put_unaligned_be64(key->seq, u->bytes + c->seq_off);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_get);

static u64 left_of(const struct kseal_key *key, u64 limit)
{
	if (key->dead || key->spent || key->seq - key->base >= limit)
		return 0;
	return min(limit - (key->seq - key->base), U64_MAX - key->seq);
}

/**
 * kseal_key_left() - how many more records a key may protect
 * @key: key
 *
 * If @max_records has just been lowered, it may have protected more. Then it seals
 * the KeyUpdate or the alert that ends it all the same.
 *
 * Context: any.
 * Return: their number, 0 if none.
 */
u64 kseal_key_left(const struct kseal_key *key)
{
	u64 limit = key->cipher->limit;
	ulong set = READ_ONCE(max_records);

	if (set)
		limit = clamp_t(u64, set, MIN_RECORDS, limit);
	return left_of(key, limit);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_left);

/**
 * kseal_key_seals() - may a key protect another record at all?
 * @key: key
 *
 * Context: any.
 * Return: whether its cipher lets it, be it by @max_records to be replaced or not.
 */
bool kseal_key_seals(const struct kseal_key *key)
{
	return left_of(key, key->cipher->limit);
}

static void advance(struct kseal_key *key)
{
	key->explicit_nonce++;
	if (!kseal_seq_next(&key->seq))
		key->spent = true;
}

/* The cipher's IV for a record. */
static void build_iv(struct kseal_key *key, const u8 *explicit_nonce)
{
	u8 *iv = key->nonce;

	if (key->cipher->b0)
		*iv++ = key->cipher->b0;
	kseal_nonce_build(&key->format, key->iv, key->seq, explicit_nonce, iv);
}

static int run_cipher(struct kseal_key *key, struct scatterlist *src,
		      struct scatterlist *dst, unsigned int len, bool seal)
{
	DECLARE_CRYPTO_WAIT(wait);

	aead_request_set_callback(key->req, CRYPTO_TFM_REQ_MAY_BACKLOG |
				  CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done,
				  &wait);
	aead_request_set_ad(key->req, key->format.aad);
	aead_request_set_crypt(key->req, src, dst, len, key->nonce);
	return crypto_wait_req(seal ? crypto_aead_encrypt(key->req) :
				      crypto_aead_decrypt(key->req), &wait);
}

/**
 * kseal_key_frame() - header and explicit nonce of a record that a device protects
 * @key: key, which the device has too
 * @type: content type
 * @prefix: where they go
 * @payload: bytes of plaintext
 *
 * Context: process.
 * Return: 0; -EKEYEXPIRED if the key has reached its cipher's limit. Its sequence
 * number is used up by success.
 */
int kseal_key_frame(struct kseal_key *key, u8 type, u8 *prefix,
		    unsigned int payload)
{
	const struct kseal_format *f = &key->format;

	if (!kseal_key_seals(key))
		return -EKEYEXPIRED;
	kseal_header_build(f, type, payload, prefix);
	if (f->prefix != KSEAL_HEADER_LEN)
		put_unaligned_be64(key->explicit_nonce,
				   prefix + KSEAL_HEADER_LEN);
	advance(key);
	return 0;
}

/**
 * kseal_key_seal() - protect a record
 * @key: key
 * @type: content type
 * @prefix: where the header and the explicit nonce go
 * @src: @key->aad, the plaintext and, in TLS 1.3, a byte with @type
 * @dst: @key->aad, then room for the ciphertext and the tag
 * @payload: bytes of plaintext, without the type
 *
 * Context: process.
 * Return: 0; -EKEYEXPIRED if the key has reached its cipher's limit; an error of the
 * crypto API. Its sequence number is used up only by success.
 */
int kseal_key_seal(struct kseal_key *key, u8 type, u8 *prefix,
		   struct scatterlist *src, struct scatterlist *dst,
		   unsigned int payload)
{
	const struct kseal_format *f = &key->format;
	u8 *nonce = prefix + KSEAL_HEADER_LEN;
	int err;

	if (!kseal_key_seals(key))
		return -EKEYEXPIRED;
	kseal_header_build(f, type, payload, prefix);
	if (f->prefix != KSEAL_HEADER_LEN)
		put_unaligned_be64(key->explicit_nonce, nonce);
	build_iv(key, nonce);
	kseal_aad_build(f, prefix, key->seq, payload, key->aad);
	err = run_cipher(key, src, dst, payload + f->tail, true);
	if (err)
		return err;
	advance(key);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_seal);

/**
 * kseal_key_open() - authenticate and decrypt a record
 * @key: key
 * @prefix: header and explicit nonce
 * @src: @key->aad, the ciphertext and the tag
 * @dst: @key->aad, then room for the plaintext and, in TLS 1.3, the type
 * @payload: bytes of plaintext, without the type
 *
 * May be repeated for the same record; kseal_key_opened() takes the next one.
 *
 * Context: process.
 * Return: 0; -EBADMSG if it does not authenticate, or no sequence number is
 * left; an error of the crypto API.
 */
int kseal_key_open(struct kseal_key *key, const u8 *prefix,
		   struct scatterlist *src, struct scatterlist *dst,
		   unsigned int payload)
{
	const struct kseal_format *f = &key->format;

	if (key->dead || key->spent)
		return -EBADMSG;
	build_iv(key, prefix + KSEAL_HEADER_LEN);
	kseal_aad_build(f, prefix, key->seq, payload, key->aad);
	return run_cipher(key, src, dst, payload + f->tail + f->tag, false);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_open);

/**
 * kseal_key_reseal() - run the cipher the other way over the record to be opened
 * @key: key
 * @prefix: the record's header and explicit nonce
 * @sg: @key->aad, then content and room for a tag
 * @payload: bytes of content
 *
 * In counter mode what was decrypted becomes what it was before. The tag is not the
 * record's unless all of it was.
 *
 * Context: process.
 * Return: 0 or an error of the crypto API.
 */
int kseal_key_reseal(struct kseal_key *key, const u8 *prefix,
		     struct scatterlist *sg, unsigned int payload)
{
	const struct kseal_format *f = &key->format;

	build_iv(key, prefix + KSEAL_HEADER_LEN);
	kseal_aad_build(f, prefix, key->seq, payload, key->aad);
	return run_cipher(key, sg, sg, payload + f->tail, true);
}

/**
 * kseal_key_opened() - a record has been opened, the next one follows
 * @key: key
 *
 * Context: process.
 */
void kseal_key_opened(struct kseal_key *key)
{
	advance(key);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_opened);

/**
 * kseal_key_free() - wipe and free a key
 * @key: key, or all zeros
 *
 * Context: process.
 */
void kseal_key_free(struct kseal_key *key)
{
	drop_secret(key);
	aead_request_free(key->req);
	crypto_free_aead(key->tfm);
	kfree_sensitive(key->copy);
	memzero_explicit(key, sizeof(*key));
}
EXPORT_SYMBOL_IF_KUNIT(kseal_key_free);
