// SPDX-License-Identifier: GPL-2.0
/*
 * A TLS record layer by hand, keyed by what the agent would give to the kernel, for
 * its unit tests: independent of GnuTLS's own record layer and of the module's.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "records.h"

uint64_t read_be64(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void write_be64(unsigned char *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = v;
}

/* The fields of a struct tls12_crypto_info_*. */
struct fields {
	gnutls_cipher_algorithm_t algorithm;
	unsigned char *key, *salt, *iv, *number;
	size_t key_size, salt_size;
	size_t hash;
	bool explicit_nonce;
};

static struct fields fields_of(union kseal_crypto_info *info)
{
	bool tls12 = info->info.version == TLS_1_2_VERSION;

	switch (info->info.cipher_type) {
	case TLS_CIPHER_AES_GCM_256:
		return (struct fields){
			GNUTLS_CIPHER_AES_256_GCM, info->gcm256.key, info->gcm256.salt,
			info->gcm256.iv, info->gcm256.rec_seq, 32, 4, 48, tls12,
		};
	case TLS_CIPHER_AES_CCM_128:
		return (struct fields){
			GNUTLS_CIPHER_AES_128_CCM, info->ccm128.key, info->ccm128.salt,
			info->ccm128.iv, info->ccm128.rec_seq, 16, 4, 32, tls12,
		};
	case TLS_CIPHER_CHACHA20_POLY1305:
		return (struct fields){
			GNUTLS_CIPHER_CHACHA20_POLY1305, info->chacha20.key, info->chacha20.salt,
			info->chacha20.iv, info->chacha20.rec_seq, 32, 0, 32, false,
		};
	default:
		return (struct fields){
			GNUTLS_CIPHER_AES_128_GCM, info->gcm128.key, info->gcm128.salt,
			info->gcm128.iv, info->gcm128.rec_seq, 16, 4, 32, tls12,
		};
	}
}

void open_direction(struct direction *d, const union kseal_crypto_info *given)
{
	union kseal_crypto_info copy = *given;
	struct fields f = fields_of(&copy);
	gnutls_datum_t key = { f.key, f.key_size };

	d->version = copy.info.version;
	d->explicit_nonce = f.explicit_nonce;
	memcpy(d->nonce, f.salt, f.salt_size);
	memcpy(d->nonce + f.salt_size, f.iv, 12 - f.salt_size);
	d->number = read_be64(f.number);
	CHECK(gnutls_aead_cipher_init(&d->aead, f.algorithm, &key) == 0);
}

/* RFC 8446 section 5.3; RFC 5288 section 3 with the record number as nonce. */
static void make_nonce(const struct direction *d, unsigned char *nonce)
{
	unsigned char number[8];

	memcpy(nonce, d->nonce, 12);
	write_be64(number, d->number);
	if (d->explicit_nonce) {
		memcpy(nonce + 4, number, 8);
		return;
	}
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= number[i];
}

static size_t make_aad(const struct direction *d, unsigned char *aad, unsigned char type,
		       size_t len)
{
	unsigned char header[5] = { type, 3, 3, len >> 8, len };

	if (d->version == TLS_1_3_VERSION) {
		memcpy(aad, header, 5);
		return 5;
	}
	write_be64(aad, d->number);
	memcpy(aad + 8, header, 5);
	return 13;
}

static int read_all(int fd, unsigned char *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, buf + done, len - done, 0);

		if (n <= 0)
			return -1;
		done += n;
	}
	return 0;
}

/* The next record of the client: its length, -1 if it does not open. */
int open_record(struct direction *d, int fd, unsigned char *type, char *text)
{
	unsigned char header[5], body[RECORD_MAX], aad[13], nonce[12], plain[RECORD_MAX];
	size_t len, skip = 0, plain_len = sizeof(plain), aad_len;

	if (read_all(fd, header, 5) < 0)
		return -1;
	len = header[3] << 8 | header[4];
	if (read_all(fd, body, len) < 0)
		return -1;
	make_nonce(d, nonce);
	if (d->explicit_nonce) {
		skip = 8;
		memcpy(nonce + 4, body, 8);
	}
	aad_len = make_aad(d, aad, header[0],
			   d->version == TLS_1_2_VERSION ? len - skip - 16 : len);
	if (gnutls_aead_cipher_decrypt(d->aead, nonce, 12, aad, aad_len, 16, body + skip,
				       len - skip, plain, &plain_len) < 0)
		return -1;
	d->number++;
	*type = header[0];
	if (d->version == TLS_1_3_VERSION) {
		while (plain_len && !plain[plain_len - 1])
			plain_len--;
		*type = plain[--plain_len];
	}
	memcpy(text, plain, plain_len);
	return plain_len;
}

void seal_record(struct direction *d, int fd, const char *text, size_t len)
{
	unsigned char out[RECORD_MAX], plain[1024], aad[13], nonce[12];
	size_t skip = 0, sealed = sizeof(out) - 13, aad_len;

	memcpy(plain, text, len);
	make_nonce(d, nonce);
	if (d->version == TLS_1_3_VERSION) {
		plain[len++] = 23;
		aad_len = make_aad(d, aad, 23, len + 16);
	} else {
		aad_len = make_aad(d, aad, 23, len);
	}
	if (d->explicit_nonce) {
		memcpy(out + 5, nonce + 4, 8);
		skip = 8;
	}
	CHECK(gnutls_aead_cipher_encrypt(d->aead, nonce, 12, aad, aad_len, 16, plain, len,
					 out + 5 + skip, &sealed) == 0);
	sealed += skip;
	out[0] = 23;
	out[1] = 3;
	out[2] = 3;
	out[3] = sealed >> 8;
	out[4] = sealed;
	CHECK(send(fd, out, sealed + 5, MSG_NOSIGNAL) == (ssize_t)sealed + 5);
	d->number++;
}

/* HKDF-Expand-Label with an empty context (RFC 8446 section 7.1) */
static void expand(const unsigned char *secret, size_t secret_len, const char *label,
		   unsigned char *out, size_t len)
{
	gnutls_mac_algorithm_t mac = secret_len == 48 ? GNUTLS_MAC_SHA384 : GNUTLS_MAC_SHA256;
	gnutls_datum_t key = { (unsigned char *)secret, secret_len };
	unsigned char info[64];
	gnutls_datum_t info_datum = { info, 0 };
	size_t n = 0;

	info[n++] = len >> 8;
	info[n++] = len;
	info[n++] = 6 + strlen(label);
	memcpy(info + n, "tls13 ", 6);
	n += 6;
	memcpy(info + n, label, strlen(label));
	n += strlen(label);
	info[n++] = 0;
	info_datum.size = n;
	CHECK(gnutls_hkdf_expand(mac, &key, &info_datum, out, len) == 0);
}

void check_secret(const union kseal_crypto_info *given, const unsigned char *secret,
		  size_t size)
{
	union kseal_crypto_info copy = *given;
	struct fields f = fields_of(&copy);
	unsigned char key[32], iv[12];

	CHECK(size == f.hash, "%zu", size);
	expand(secret, size, "key", key, f.key_size);
	expand(secret, size, "iv", iv, sizeof(iv));
	CHECK(memcmp(key, f.key, f.key_size) == 0);
	CHECK(memcmp(iv, f.salt, f.salt_size) == 0);
	CHECK(memcmp(iv + f.salt_size, f.iv, 12 - f.salt_size) == 0);
}

/* The keys after a KeyUpdate (RFC 8446 section 7.2) */
void update_direction(struct direction *d, const union kseal_crypto_info *given,
		      const unsigned char *secret, size_t size)
{
	union kseal_crypto_info next = *given;
	struct fields f = fields_of(&next);
	unsigned char secret_next[48], iv[12];

	expand(secret, size, "traffic upd", secret_next, size);
	expand(secret_next, size, "key", f.key, f.key_size);
	expand(secret_next, size, "iv", iv, sizeof(iv));
	memcpy(f.salt, iv, f.salt_size);
	memcpy(f.iv, iv + f.salt_size, 12 - f.salt_size);
	memset(f.number, 0, 8);
	gnutls_aead_cipher_deinit(d->aead);
	open_direction(d, &next);
}
