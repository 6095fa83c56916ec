/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ciphers and keys: the table of what is supported, and the protection of one
 * direction of a connection with one key at a time. Used by tx.c and rx.c.
 */
#ifndef _KSEAL_CIPHER_H
#define _KSEAL_CIPHER_H

#include <crypto/aead.h>
#include <linux/scatterlist.h>
#include <linux/sockptr.h>
#include <linux/tls.h>
#include <uapi/linux/kseal.h>

#include "record.h"

#define KSEAL_KEY_MAX		32

struct crypto_shash;

/**
 * struct kseal_cipher - a row of the cipher table
 * @type: TLS_CIPHER_* of <linux/tls.h>
 * @aead: its name in the kernel's crypto API
 * @hmac: likewise, HMAC with the hash of its TLS 1.3 suite; NULL if it has none
 * @hash: bytes of that hash
 * @key: bytes of the key
 * @salt: bytes of the part of the nonce that never shows
 * @iv: bytes of the rest of the nonce in the tls12_crypto_info_*
 * @explicit_nonce: bytes of nonce in a TLS 1.2 record
 * @b0: CCM: the first byte of the cipher's IV, ahead of the nonce; else 0
 * @tag: bytes of the authentication tag
 * @info: bytes of its struct tls12_crypto_info_*
 * @iv_off: offset of iv in it
 * @key_off: offset of key in it
 * @salt_off: offset of salt in it
 * @seq_off: offset of rec_seq in it
 * @limit: records that one key may protect (RFC 8446 §5.5)
 */
struct kseal_cipher {
	u16 type;
	const char *aead;
	const char *hmac;
	u8 hash;
	u8 key;
	u8 salt;
	u8 iv;
	u8 explicit_nonce;
	u8 b0;
	u8 tag;
	u8 info;
	u8 iv_off;
	u8 key_off;
	u8 salt_off;
	u8 seq_off;
	u64 limit;
};

/**
 * struct kseal_key - the key of one direction
 * @cipher: row of the table; NULL while there is no key
 * @format: of its records
 * @dead: setting the next key failed; nothing is protected any more
 * @spent: the last sequence number has been used
 * @seq: sequence number of the next record
 * @base: sequence number that the records protected with this key are counted
 *	from
 * @tfm: holds the key itself
 * @req: reused for every record
 * @hmac: for the next key, shared (schedule.c); NULL without a secret
 * @iv: nonce material, see kseal_nonce_build()
 * @explicit_nonce: of the next TLS 1.2 record sent; what it would be for one
 *	received
 * @aad: additional data of the record in work; the first entry of its
 *	scatterlists
 * @nonce: the cipher's IV for the record in work
 * @secret: TLS 1.3 application traffic secret, if @hmac
 * @copy: the key itself, for an application that set it and asks for it; NULL if
 *	it is never given out
 *
 * Guarded by the socket lock. Not on the stack: the cipher reads @aad by page.
 */
struct kseal_key {
	const struct kseal_cipher *cipher;
	struct kseal_format format;
	bool dead;
	bool spent;
	u64 seq;
	u64 base;
	struct crypto_aead *tfm;
	struct aead_request *req;
	struct crypto_shash *hmac;
	u8 iv[KSEAL_NONCE_LEN];
	u64 explicit_nonce;
	u8 aad[16];
	u8 nonce[16];
	u8 secret[KSEAL_SECRET_MAX];
	u8 *copy;
};

/* struct tls12_crypto_info_* of any cipher */
union kseal_crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes_gcm_128;
	struct tls12_crypto_info_aes_gcm_256 aes_gcm_256;
	struct tls12_crypto_info_aes_ccm_128 aes_ccm_128;
	struct tls12_crypto_info_chacha20_poly1305 chacha20_poly1305;
	struct tls12_crypto_info_sm4_gcm sm4_gcm;
	struct tls12_crypto_info_sm4_ccm sm4_ccm;
	struct tls12_crypto_info_aria_gcm_128 aria_gcm_128;
	struct tls12_crypto_info_aria_gcm_256 aria_gcm_256;
	DECLARE_FLEX_ARRAY(u8, bytes);
};

const struct kseal_cipher *kseal_cipher_find(u16 type);
const struct kseal_cipher *kseal_cipher_next(const struct kseal_cipher *c);
bool kseal_cipher_available(const struct kseal_cipher *c);
int kseal_key_set(struct kseal_key *key, const struct kseal_key *other,
		  sockptr_t optval, unsigned int optlen);
int kseal_key_set_explicit(struct kseal_key *key, const struct kseal_key *other,
			   sockptr_t optval, unsigned int optlen);
int kseal_key_take(struct kseal_key *key, const struct kseal_key *other,
		   sockptr_t optval, unsigned int optlen, bool explicit,
		   union kseal_crypto_info *u);
int kseal_key_set_secret(struct kseal_key *key, sockptr_t optval,
			 unsigned int optlen);
int kseal_key_update(struct kseal_key *key);
bool kseal_key_info(const struct kseal_key *key, struct tls_crypto_info *info);
int kseal_key_get(const struct kseal_key *key, union kseal_crypto_info *u,
		  unsigned int len);
u64 kseal_key_left(const struct kseal_key *key);
bool kseal_key_seals(const struct kseal_key *key);
int kseal_key_frame(struct kseal_key *key, u8 type, u8 *prefix,
		    unsigned int payload);
int kseal_key_seal(struct kseal_key *key, u8 type, u8 *prefix,
		   struct scatterlist *src, struct scatterlist *dst,
		   unsigned int payload);
int kseal_key_open(struct kseal_key *key, const u8 *prefix,
		   struct scatterlist *src, struct scatterlist *dst,
		   unsigned int payload);
int kseal_key_reseal(struct kseal_key *key, const u8 *prefix,
		     struct scatterlist *sg, unsigned int payload);
void kseal_key_opened(struct kseal_key *key);
void kseal_key_free(struct kseal_key *key);

static inline bool kseal_key_ready(const struct kseal_key *key)
{
	return key->cipher;
}

#endif /* _KSEAL_CIPHER_H */
