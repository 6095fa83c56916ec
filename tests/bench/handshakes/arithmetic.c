// SPDX-License-Identifier: GPL-2.0
/*
 * handshakes arithmetic SECONDS: what the two libraries need for the public-key
 * operations of a server: signing, and a key share with its shared secret. GnuTLS
 * shows no key exchange of its own, so Nettle, on which it stands, is asked. Prints a
 * line of JSON: seconds (under -icount, 10^9 instructions) an operation.
 */
#define _GNU_SOURCE
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/curve25519.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handshakes.h"

static unsigned char text[130];		/* as long as what CertificateVerify signs */
static gnutls_privkey_t gnutls_key;
static EVP_PKEY *openssl_key;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "handshakes: %s failed\n", what);
	exit(1);
}

static void gnutls_sign(void)
{
	gnutls_datum_t data = { text, sizeof(text) }, signature;

	check(gnutls_privkey_sign_data(gnutls_key, GNUTLS_DIG_SHA256, 0, &data,
				       &signature) == 0, "GnuTLS signature");
	gnutls_free(signature.data);
}

static void openssl_sign(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[512];
	size_t len = sizeof(signature);

	check(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, openssl_key) == 1 &&
	      EVP_DigestSign(ctx, signature, &len, text, sizeof(text)) == 1,
	      "OpenSSL signature");
	EVP_MD_CTX_free(ctx);
}

static unsigned char share[32];

static void nettle_exchange(void)
{
	unsigned char private[32], public[32], secret[32];

	gnutls_rnd(GNUTLS_RND_KEY, private, sizeof(private));
	curve25519_mul_g(public, private);
	curve25519_mul(secret, private, share);
}

static void openssl_exchange(void)
{
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, share, 32);
	EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	unsigned char secret[32];
	size_t len = sizeof(secret);

	check(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	      EVP_PKEY_derive(ctx, secret, &len) == 1, "OpenSSL X25519");
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
}

static double seconds_each(void (*operation)(void), double limit)
{
	uint64_t begin, now;
	unsigned int n = 0;

	operation();
	begin = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	do {
		operation();
		n++;
		now = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	} while (now - begin < limit * 1e9);
	return (now - begin) / 1e9 / n;
}

static void make_keys(gnutls_pk_algorithm_t algorithm, unsigned int bits)
{
	gnutls_privkey_init(&gnutls_key);
	check(gnutls_privkey_generate(gnutls_key, algorithm, bits, 0) == 0, "a key");
	openssl_key = algorithm == GNUTLS_PK_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	check(!!openssl_key, "a key");
}

int arithmetic(char **args)
{
	double limit = atof(args[0]), ecdsa[2], rsa[2], exchange[2];
	unsigned char scalar[32] = { 9 };

	curve25519_mul_g(share, scalar);
	exchange[0] = seconds_each(nettle_exchange, limit);
	exchange[1] = seconds_each(openssl_exchange, limit);
	make_keys(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	ecdsa[0] = seconds_each(gnutls_sign, limit);
	ecdsa[1] = seconds_each(openssl_sign, limit);
	make_keys(GNUTLS_PK_RSA, 2048);
	rsa[0] = seconds_each(gnutls_sign, limit);
	rsa[1] = seconds_each(openssl_sign, limit);
	printf("{\"gnutls\": {\"x25519\": %.9f, \"ecdsa\": %.9f, \"rsa\": %.9f}, \"openssl\": {\"x25519\": %.9f, \"ecdsa\": %.9f, \"rsa\": %.9f}}\n",
	       exchange[0], ecdsa[0], rsa[0], exchange[1], ecdsa[1], rsa[1]);
	return 0;
}
