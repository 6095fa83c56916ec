// SPDX-License-Identifier: GPL-2.0
/*
 * HKDF-Expand-Label and what a KeyUpdate needs of it (RFC 8446 §7.1 to §7.3,
 * RFC 5869 §2.3). Called by cipher.c with the HMAC of the cipher suite's hash.
 */
#include <crypto/hash.h>
#include <kunit/visibility.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <uapi/linux/kseal.h>

#include "schedule.h"

/*
 * A KeyUpdate is rare and an HMAC large: one for each hash serves all sockets. Its key
 * is that of the last caller, so each sets its own, under the lock, and leaves none.
 */
static DEFINE_MUTEX(hmac_mutex);
static struct {
	const char *name;
	struct crypto_shash *tfm;
} hmacs[] = {
	{ "hmac(sha256)" },
	{ "hmac(sha384)" },
	{ "hmac(sm3)" },
};

static const u8 no_secret[KSEAL_SECRET_MAX];

#define LABEL_PREFIX	"tls13 "
#define LABEL_MAX	32	/* all of HkdfLabel and the counter */

/**
 * kseal_hmac() - the HMAC of a cipher suite
 * @name: in the kernel's crypto API
 *
 * Context: process; takes hmac_mutex.
 * Return: it, until kseal_schedule_exit(); or -ENOENT if the kernel lacks it, -ENOMEM.
 */
struct crypto_shash *kseal_hmac(const char *name)
{
	struct crypto_shash *tfm = ERR_PTR(-ENOENT);
	int i;

	for (i = 0; i < ARRAY_SIZE(hmacs) && strcmp(hmacs[i].name, name); i++)
		;
	if (WARN_ON_ONCE(i == ARRAY_SIZE(hmacs)))
		return tfm;
	mutex_lock(&hmac_mutex);
	tfm = hmacs[i].tfm ?: crypto_alloc_shash(name, 0, 0);
	if (!IS_ERR(tfm))
		hmacs[i].tfm = tfm;
	mutex_unlock(&hmac_mutex);
	return tfm;
}

/**
 * kseal_schedule_exit() - free every HMAC
 *
 * Context: process, when no key is left.
 */
void kseal_schedule_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hmacs); i++)
		if (hmacs[i].tfm)
			crypto_free_shash(hmacs[i].tfm);
}

/**
 * kseal_expand_label() - HKDF-Expand-Label with an empty context
 * @hmac: HMAC with the hash of the cipher suite
 * @secret: as many bytes as the hash has
 * @label: without its "tls13 "
 * @out: result; may be @secret
 * @len: bytes of it, not more than the hash has: one round of HKDF-Expand
 *
 * Context: process; takes hmac_mutex.
 * Return: 0, -EINVAL for a label or a length that is too long, or an error of
 * the crypto API.
 */
int kseal_expand_label(struct crypto_shash *hmac, const u8 *secret,
		       const char *label, u8 *out, unsigned int len)
{
	SHASH_DESC_ON_STACK(desc, hmac);
	unsigned int hash = crypto_shash_digestsize(hmac);
	size_t label_len = strlen(LABEL_PREFIX) + strlen(label);
	u8 info[LABEL_MAX], block[KSEAL_SECRET_MAX];
	unsigned int n = 0;
	int err;

	if (len > hash || hash > sizeof(block) ||
	    2 + 1 + label_len + 1 + 1 > sizeof(info))
		return -EINVAL;

	put_unaligned_be16(len, info);
	n += 2;
	info[n++] = label_len;
	memcpy(info + n, LABEL_PREFIX, strlen(LABEL_PREFIX));
	n += strlen(LABEL_PREFIX);
	memcpy(info + n, label, strlen(label));
	n += strlen(label);
	info[n++] = 0;		/* context */
	info[n++] = 1;		/* T(1) */

	mutex_lock(&hmac_mutex);
	err = crypto_shash_setkey(hmac, secret, hash);
	if (!err) {
		desc->tfm = hmac;
		err = crypto_shash_digest(desc, info, n, block);
		shash_desc_zero(desc);
		crypto_shash_setkey(hmac, no_secret, hash);
	}
	mutex_unlock(&hmac_mutex);
	if (!err)
		memcpy(out, block, len);
	memzero_explicit(block, sizeof(block));
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_expand_label);

/**
 * kseal_next_secret() - application_traffic_secret_N+1 (RFC 8446 §7.2)
 * @hmac: HMAC with the hash of the cipher suite
 * @secret: application_traffic_secret_N, replaced
 *
 * Context: process.
 * Return: 0 or an error of the crypto API; then @secret is unchanged.
 */
int kseal_next_secret(struct crypto_shash *hmac, u8 *secret)
{
	return kseal_expand_label(hmac, secret, "traffic upd", secret,
				  crypto_shash_digestsize(hmac));
}
EXPORT_SYMBOL_IF_KUNIT(kseal_next_secret);

/**
 * kseal_traffic_keys() - write_key and write_iv of a secret (RFC 8446 §7.3)
 * @hmac: HMAC with the hash of the cipher suite
 * @secret: traffic secret
 * @key: result
 * @key_len: its bytes
 * @iv: result
 * @iv_len: its bytes
 *
 * Context: process.
 * Return: 0 or an error of the crypto API.
 */
int kseal_traffic_keys(struct crypto_shash *hmac, const u8 *secret, u8 *key,
		       unsigned int key_len, u8 *iv, unsigned int iv_len)
{
	int err;

	err = kseal_expand_label(hmac, secret, "key", key, key_len);
	if (!err)
		err = kseal_expand_label(hmac, secret, "iv", iv, iv_len);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_traffic_keys);
