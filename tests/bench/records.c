// SPDX-License-Identifier: GPL-2.0
/*
 * TLS records with libcrypto alone (RFC 8446 §5.2; RFC 5246 §6.2.3.3 with
 * RFC 5288), under fixed keys: ciphertext to be replayed to a receiver, and a judge
 * of what a sender puts on the wire that shares nothing with any transport.
 */
#include <linux/tls.h>
#include <openssl/evp.h>
#include <string.h>

#include "bench.h"

#define HEADER		5
#define TAG		16
#define TYPE_DATA	23

union key_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 gcm_128;
	struct tls12_crypto_info_aes_gcm_256 gcm_256;
};

static const uint8_t *key_of(int direction)
{
	static uint8_t keys[2][32];
	size_t i;

	for (i = 0; i < sizeof(keys[0]); i++)
		keys[direction][i] = 17 * (i + 1) + 101 * direction;
	return keys[direction];
}

static const uint8_t *iv_of(int direction)
{
	static uint8_t ivs[2][12];
	size_t i;

	for (i = 0; i < sizeof(ivs[0]); i++)
		ivs[direction][i] = 29 * (i + 1) + 7 * direction;
	return ivs[direction];
}

/* What setsockopt(SOL_TLS, TLS_TX or TLS_RX) takes. */
const void *records_key(int direction, unsigned int *len)
{
	static union key_info u;
	const uint8_t *iv = iv_of(direction);

	memset(&u, 0, sizeof(u));
	u.info.version = options.tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
	if (options.key_bits == 128) {
		u.info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(u.gcm_128.key, key_of(direction), sizeof(u.gcm_128.key));
		memcpy(u.gcm_128.salt, iv, sizeof(u.gcm_128.salt));
		memcpy(u.gcm_128.iv, iv + 4, sizeof(u.gcm_128.iv));
		*len = sizeof(u.gcm_128);
	} else {
		u.info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(u.gcm_256.key, key_of(direction), sizeof(u.gcm_256.key));
		memcpy(u.gcm_256.salt, iv, sizeof(u.gcm_256.salt));
		memcpy(u.gcm_256.iv, iv + 4, sizeof(u.gcm_256.iv));
		*len = sizeof(u.gcm_256);
	}
	return &u;
}

static void put_be(uint8_t *to, uint64_t value, int bytes)
{
	while (bytes--) {
		to[bytes] = value;
		value >>= 8;
	}
}

static EVP_CIPHER_CTX *cipher_new(int direction, bool seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx || !EVP_CipherInit_ex(ctx, options.key_bits == 128 ? EVP_aes_128_gcm() :
				       EVP_aes_256_gcm(), NULL, key_of(direction), NULL, seal))
		die("libcrypto has no AES-GCM");
	return ctx;
}

/* Set up for a record with @len bytes of plaintext. */
static bool record_begin(EVP_CIPHER_CTX *ctx, int direction, uint64_t seq,
			 const uint8_t *header, size_t len)
{
	uint8_t nonce[12], aad[13];
	int i, n;

	memcpy(nonce, iv_of(direction), sizeof(nonce));
	if (options.tls13) {
		for (i = 0; i < 8; i++)
			nonce[4 + i] ^= seq >> (56 - 8 * i);
		memcpy(aad, header, HEADER);
	} else {
		memcpy(nonce + 4, header + HEADER, 8);
		put_be(aad, seq, 8);
		memcpy(aad + 8, header, 3);
		put_be(aad + 11, len, 2);
	}
	return EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, -1) &&
	       EVP_CipherUpdate(ctx, NULL, &n, aad, options.tls13 ? HEADER : sizeof(aad));
}

/* Append @len bytes of the data, in records of @record bytes, to @out. */
void records_seal(int direction, size_t record, size_t len, struct buffer *out)
{
	EVP_CIPHER_CTX *ctx = cipher_new(direction, true);
	uint8_t wire[HEADER + 8 + MAX_RECORD + 1 + TAG];
	size_t prefix = options.tls13 ? HEADER : HEADER + 8;
	size_t tail = options.tls13 ? 1 : 0, pos, n;
	const uint8_t type = TYPE_DATA;
	uint64_t seq;
	int m;

	for (pos = 0, seq = 0; pos < len; pos += n, seq++) {
		n = len - pos < record ? len - pos : record;
		wire[0] = TYPE_DATA;
		wire[1] = 3;
		wire[2] = 3;
		put_be(wire + 3, prefix - HEADER + n + tail + TAG, 2);
		if (!options.tls13)
			put_be(wire + HEADER, seq, 8);
		if (!record_begin(ctx, direction, seq, wire, n) ||
		    !EVP_CipherUpdate(ctx, wire + prefix, &m, data_at(pos), n) ||
		    (tail && !EVP_CipherUpdate(ctx, wire + prefix + n, &m, &type, 1)) ||
		    !EVP_CipherFinal_ex(ctx, wire + prefix + n + tail, &m) ||
		    !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
					 wire + prefix + n + tail))
			die("libcrypto: sealing a record failed");
		buffer_add(out, wire, prefix + n + tail + TAG);
	}
	EVP_CIPHER_CTX_free(ctx);
}

/*
 * The same with nothing sealed, as a network card of the receiver's hands it on that has
 * opened it. TLS 1.2 only.
 */
void records_frame(size_t record, size_t len, struct buffer *out)
{
	uint8_t prefix[HEADER + 8] = { TYPE_DATA, 3, 3 }, tag[TAG] = {};
	uint64_t seq;
	size_t pos, n;

	for (pos = 0, seq = 0; pos < len; pos += n, seq++) {
		n = len - pos < record ? len - pos : record;
		put_be(prefix + 3, 8 + n + TAG, 2);
		put_be(prefix + HEADER, seq, 8);
		buffer_add(out, prefix, sizeof(prefix));
		buffer_add(out, data_at(pos), n);
		buffer_add(out, tag, sizeof(tag));
	}
}

static const char *open_one(EVP_CIPHER_CTX *ctx, int direction, uint64_t seq, uint8_t *wire,
			    size_t len, struct buffer *plain)
{
	size_t prefix = options.tls13 ? HEADER : HEADER + 8, n = len - prefix - TAG;
	uint8_t inner[MAX_RECORD + 256];
	uint8_t type = wire[0];
	int m;

	if (len < prefix + TAG || n > sizeof(inner))
		return "a record has an impossible length";
	if (!record_begin(ctx, direction, seq, wire, n) ||
	    !EVP_CipherUpdate(ctx, inner, &m, wire + prefix, n) ||
	    !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, wire + prefix + n) ||
	    EVP_CipherFinal_ex(ctx, inner + m, &m) <= 0)
		return "a record does not authenticate";
	if (options.tls13) {
		while (n && !inner[n - 1])
			n--;
		if (!n)
			return "a record has no content type";
		type = inner[--n];
	}
	if (type != TYPE_DATA)
		return "a record is not application data";
	buffer_add(plain, inner, n);
	return NULL;
}

/* Returns NULL and the plaintext of all of @wire, or what is wrong with it. */
const char *records_open(int direction, const struct buffer *wire, struct buffer *plain)
{
	EVP_CIPHER_CTX *ctx = cipher_new(direction, false);
	const char *error = NULL;
	uint64_t seq = 0;
	size_t pos, n;

	for (pos = 0; pos < wire->len && !error; pos += n, seq++) {
		if (wire->len - pos < HEADER)
			error = "a header is cut off";
		else
			n = HEADER + wire->data[pos + 3] * 256 + wire->data[pos + 4];
		if (!error && n > wire->len - pos)
			error = "a record is cut off";
		if (!error)
			error = open_one(ctx, direction, seq, wire->data + pos, n, plain);
	}
	EVP_CIPHER_CTX_free(ctx);
	return error;
}
