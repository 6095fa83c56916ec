// SPDX-License-Identifier: GPL-2.0
/*
 * See tls.h. Records: RFC 8446 section 5, RFC 5246 section 6.2, RFC 5288,
 * RFC 6655, RFC 7905. Keys: RFC 8446 section 7.
 */
#include <nettle/ccm.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>
#include <nettle/hmac.h>
#include <string.h>

#include "tls.h"

#define TAG 16

enum cipher {
	AES_GCM_128 = 51,
	AES_GCM_256,
	AES_CCM_128,
	CHACHA20_POLY1305,
};

const struct suite suites[] = {
	{ "tls12-aes128-gcm", TLS12, AES_GCM_128, 16, 32, 8 },
	{ "tls13-aes128-gcm", TLS13, AES_GCM_128, 16, 32, 0 },
	{ "tls12-aes256-gcm", TLS12, AES_GCM_256, 32, 48, 8 },
	{ "tls13-aes256-gcm", TLS13, AES_GCM_256, 32, 48, 0 },
	{ "tls12-chacha20-poly1305", TLS12, CHACHA20_POLY1305, 32, 32, 0 },
	{ "tls13-chacha20-poly1305", TLS13, CHACHA20_POLY1305, 32, 32, 0 },
	{ "tls12-aes128-ccm", TLS12, AES_CCM_128, 16, 32, 8 },
	{ "tls13-aes128-ccm", TLS13, AES_CCM_128, 16, 32, 0 },
};

const size_t nr_suites = sizeof(suites) / sizeof(suites[0]);

/* splitmix64 */
uint64_t roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

unsigned int below(struct dice *d, unsigned int n)
{
	return n ? roll(d) % n : 0;
}

bool chance(struct dice *d, unsigned int percent)
{
	return below(d, 100) < percent;
}

void fill(struct dice *d, void *buf, size_t len)
{
	uint8_t *p = buf;
	uint64_t r;

	for (; len >= 8; len -= 8, p += 8) {
		r = roll(d);
		memcpy(p, &r, 8);
	}
	r = roll(d);
	memcpy(p, &r, len);
}

static void hmac(const struct suite *s, const uint8_t *key, const uint8_t *data,
		 size_t len, uint8_t *out, size_t out_len)
{
	struct hmac_sha256_ctx c256;
	struct hmac_sha384_ctx c384;

	if (s->hash == 32) {
		hmac_sha256_set_key(&c256, s->hash, key);
		hmac_sha256_update(&c256, len, data);
		hmac_sha256_digest(&c256, out_len, out);
	} else {
		hmac_sha384_set_key(&c384, s->hash, key);
		hmac_sha384_update(&c384, len, data);
		hmac_sha384_digest(&c384, out_len, out);
	}
}

static void expand(const struct direction *dir, const char *label, uint8_t *out,
		   size_t len)
{
	uint8_t info[64];
	size_t n = 0, l = strlen(label);

	info[n++] = 0;
	info[n++] = len;
	info[n++] = 6 + l;
	memcpy(info + n, "tls13 ", 6);
	n += 6;
	memcpy(info + n, label, l);
	n += l;
	info[n++] = 0;
	info[n++] = 1;
	hmac(dir->suite, dir->secret, info, n, out, len);
}

static void derive(struct direction *dir)
{
	expand(dir, "key", dir->key, dir->suite->key);
	expand(dir, "iv", dir->iv, sizeof(dir->iv));
	dir->seq = 0;
}

void direction_init(struct direction *dir, const struct suite *suite,
		    struct dice *d)
{
	memset(dir, 0, sizeof(*dir));
	dir->suite = suite;
	fill(d, dir->secret, suite->hash);
	derive(dir);
}

/* After a KeyUpdate. */
void direction_update(struct direction *dir)
{
	uint8_t next[48];

	expand(dir, "traffic upd", next, dir->suite->hash);
	memcpy(dir->secret, next, dir->suite->hash);
	derive(dir);
}

static void put_be64(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = v >> (56 - 8 * i);
}

/* struct tls12_crypto_info_* of linux/tls.h; returns its size. */
size_t crypto_info(const struct direction *dir, void *buf)
{
	const struct suite *s = dir->suite;
	uint8_t *p = buf;

	memcpy(p, &s->version, 2);
	memcpy(p + 2, &s->cipher, 2);
	p += 4;
	if (s->cipher == CHACHA20_POLY1305) {
		memcpy(p, dir->iv, 12);
		p += 12;
		memcpy(p, dir->key, s->key);
		p += s->key;
	} else {
		memcpy(p, dir->iv + 4, 8);
		p += 8;
		memcpy(p, dir->key, s->key);
		p += s->key;
		memcpy(p, dir->iv, 4);
		p += 4;
	}
	put_be64(p, dir->seq);
	return p + 8 - (uint8_t *)buf;
}

/* Bytes that a record has beyond its header and its plaintext. */
size_t overhead(const struct suite *s)
{
	return s->version == TLS13 ? 1 + TAG : s->explicit_nonce + TAG;
}

struct aead {
	uint8_t nonce[12];
	uint8_t aad[13];
	size_t aad_len;
};

#define CIPHER(name, set_nonce)						\
static void run_##name(const struct direction *dir, const struct aead *a, bool seal, \
		       const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag) \
{									\
	struct name##_ctx ctx;						\
									\
	name##_set_key(&ctx, dir->key);					\
	set_nonce;							\
	name##_update(&ctx, a->aad_len, a->aad);			\
	if (seal)							\
		name##_encrypt(&ctx, len, out, in);			\
	else								\
		name##_decrypt(&ctx, len, out, in);			\
	name##_digest(&ctx, TAG, tag);					\
}

CIPHER(gcm_aes128, gcm_aes128_set_iv(&ctx, 12, a->nonce))
CIPHER(gcm_aes256, gcm_aes256_set_iv(&ctx, 12, a->nonce))
CIPHER(chacha_poly1305, chacha_poly1305_set_nonce(&ctx, a->nonce))

static bool run_ccm(const struct direction *dir, const struct aead *a, bool seal,
		    const uint8_t *in, size_t len, uint8_t *out)
{
	struct ccm_aes128_ctx ctx;

	ccm_aes128_set_key(&ctx, dir->key);
	if (!seal)
		return ccm_aes128_decrypt_message(&ctx, 12, a->nonce, a->aad_len, a->aad, TAG,
						  len, out, in);
	ccm_aes128_encrypt_message(&ctx, 12, a->nonce, a->aad_len, a->aad, TAG, len + TAG, out,
				   in);
	return true;
}

static bool aead(const struct direction *dir, const struct aead *a, bool seal,
		 const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t tag[TAG];

	switch (dir->suite->cipher) {
	case AES_GCM_128:
		run_gcm_aes128(dir, a, seal, in, len, out, tag);
		break;
	case AES_GCM_256:
		run_gcm_aes256(dir, a, seal, in, len, out, tag);
		break;
	case CHACHA20_POLY1305:
		run_chacha_poly1305(dir, a, seal, in, len, out, tag);
		break;
	default:
		return run_ccm(dir, a, seal, in, len, out);
	}
	if (seal)
		memcpy(out + len, tag, TAG);
	return seal || !memcmp(in + len, tag, TAG);
}

static void set_up(const struct direction *dir, struct aead *a, const uint8_t *header,
		   size_t plain)
{
	uint8_t seq[8];
	int i;

	put_be64(seq, dir->seq);
	memcpy(a->nonce, dir->iv, 12);
	if (dir->suite->explicit_nonce)
		memcpy(a->nonce + 4, header + HEADER, 8);
	else
		for (i = 0; i < 8; i++)
			a->nonce[4 + i] ^= seq[i];
	if (dir->suite->version == TLS13) {
		memcpy(a->aad, header, HEADER);
		a->aad_len = HEADER;
	} else {
		memcpy(a->aad, seq, 8);
		memcpy(a->aad + 8, header, 3);
		a->aad[11] = plain >> 8;
		a->aad[12] = plain;
		a->aad_len = 13;
	}
}

static void header(uint8_t *out, uint8_t type, size_t len)
{
	out[0] = type;
	out[1] = 3;
	out[2] = 3;
	out[3] = len >> 8;
	out[4] = len;
}

/* A TLS 1.3 record of a TLSInnerPlaintext, whatever is in it. */
size_t tls_seal_inner(struct direction *dir, const void *inner, size_t len,
		      uint8_t *out)
{
	struct aead a;

	header(out, TYPE_DATA, len + TAG);
	set_up(dir, &a, out, 0);
	aead(dir, &a, true, inner, len, out + HEADER);
	dir->seq++;
	return HEADER + len + TAG;
}

/* Returns bytes of the record. @padding: TLS 1.3; @nonce: TLS 1.2. */
size_t tls_seal(struct direction *dir, uint8_t type, const void *data,
		size_t len, size_t padding, uint64_t nonce, uint8_t *out)
{
	const struct suite *s = dir->suite;
	struct aead a;

	if (s->version == TLS13) {
		static __thread uint8_t inner[2 * MAX_RECORD];

		memcpy(inner, data, len);
		inner[len] = type;
		memset(inner + len + 1, 0, padding);
		return tls_seal_inner(dir, inner, len + 1 + padding, out);
	}
	header(out, type, s->explicit_nonce + len + TAG);
	if (s->explicit_nonce)
		put_be64(out + HEADER, nonce);
	set_up(dir, &a, out, len);
	aead(dir, &a, true, data, len, out + HEADER + s->explicit_nonce);
	dir->seq++;
	return HEADER + s->explicit_nonce + len + TAG;
}

/* Returns bytes that follow the header, or an enum verdict. */
int tls_header(const struct suite *s, const uint8_t *in)
{
	size_t len = in[3] << 8 | in[4];

	/* the order is that of the kernel's own TLS */
	if (len > MAX_PLAIN + overhead(s))
		return RECORD_LONG;
	if (s->version == TLS13 && in[0] != TYPE_DATA)
		return RECORD_TYPE;
	if (in[1] != 3 || in[2] != 3)
		return RECORD_VERSION;
	if (len < overhead(s))
		return RECORD_SHORT;
	return len;
}

/* A whole record: returns bytes of content, or an enum verdict. */
int tls_open(struct direction *dir, const uint8_t *record, uint8_t *type,
	     uint8_t *out)
{
	const struct suite *s = dir->suite;
	int len = tls_header(s, record);
	struct aead a;

	if (len < 0)
		return len;
	len -= s->explicit_nonce + TAG;
	set_up(dir, &a, record, len);
	if (!aead(dir, &a, false, record + HEADER + s->explicit_nonce, len, out))
		return RECORD_FORGED;
	*type = record[0];
	if (s->version == TLS13) {
		while (len && !out[len - 1])
			len--;
		if (!len)
			return RECORD_EMPTY;
		*type = out[--len];
	}
	dir->seq++;
	return len;
}
