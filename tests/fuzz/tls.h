/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TLS records in userspace, written from the RFCs and with nettle's ciphers, so
 * that what it says about the module is a second opinion. Used by the fuzzers
 * (tests/fuzz) and by the fault injection (tests/faults).
 */
#ifndef TESTS_FUZZ_TLS_H
#define TESTS_FUZZ_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOL_TLS		282
#define TCP_ULP		31
#define TLS_TX		1
#define TLS_RX		2
#define TLS_SET_RECORD_TYPE	1
#define TLS_GET_RECORD_TYPE	2

#define TLS12		0x0303
#define TLS13		0x0304

#define TYPE_CCS	20
#define TYPE_ALERT	21
#define TYPE_HANDSHAKE	22
#define TYPE_DATA	23

#define HEADER		5
#define MAX_PLAIN	16384
#define MAX_RECORD	(HEADER + 8 + MAX_PLAIN + 1 + 16)
#define KEY_UPDATE_LEN	5

/**
 * struct suite - a version and a cipher
 * @name: for messages
 * @version: TLS12 or TLS13
 * @cipher: TLS_CIPHER_* of linux/tls.h
 * @key: bytes of the key
 * @hash: bytes of the hash
 * @explicit_nonce: bytes of nonce in a record
 */
struct suite {
	const char *name;
	uint16_t version;
	uint16_t cipher;
	uint8_t key;
	uint8_t hash;
	uint8_t explicit_nonce;
};

extern const struct suite suites[];
extern const size_t nr_suites;

/**
 * struct direction - the keys of one direction
 * @suite: what they are for
 * @secret: traffic secret
 * @key: write key
 * @iv: write IV; with an explicit nonce its first four bytes are the salt
 * @seq: number of the next record
 */
struct direction {
	const struct suite *suite;
	uint8_t secret[48];
	uint8_t key[32];
	uint8_t iv[12];
	uint64_t seq;
};

/* What tls_open() and tls_header() say of a record that is not good. */
enum verdict {
	RECORD_TYPE = -1,	/* a type that has no place here */
	RECORD_VERSION = -2,
	RECORD_LONG = -3,
	RECORD_SHORT = -4,
	RECORD_FORGED = -5,
	RECORD_EMPTY = -6,	/* nothing but padding */
};

/* Numbers from a seed. */
struct dice {
	uint64_t state;
};

uint64_t roll(struct dice *d);
unsigned int below(struct dice *d, unsigned int n);
bool chance(struct dice *d, unsigned int percent);
void fill(struct dice *d, void *buf, size_t len);

void direction_init(struct direction *dir, const struct suite *suite,
		    struct dice *d);
void direction_update(struct direction *dir);
size_t crypto_info(const struct direction *dir, void *buf);
size_t overhead(const struct suite *s);

size_t tls_seal(struct direction *dir, uint8_t type, const void *data,
		size_t len, size_t padding, uint64_t nonce, uint8_t *out);
size_t tls_seal_inner(struct direction *dir, const void *inner, size_t len,
		      uint8_t *out);
int tls_header(const struct suite *s, const uint8_t *in);
int tls_open(struct direction *dir, const uint8_t *record, uint8_t *type,
	     uint8_t *out);

#endif
