/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TLS record layer by hand, keyed by what the agent would give to the kernel, for
 * its unit tests.
 */
#ifndef KSEAL_TEST_RECORDS_H
#define KSEAL_TEST_RECORDS_H

#include <gnutls/crypto.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../agent/keys.h"

#define RECORD_MAX	65536

/**
 * struct direction - one direction's keys
 * @version: TLS_1_2_VERSION or TLS_1_3_VERSION
 * @explicit_nonce: its records carry a part of their nonce
 * @aead: its cipher
 * @nonce: salt and iv of the socket option
 * @number: of the next record
 */
struct direction {
	uint16_t version;
	bool explicit_nonce;
	gnutls_aead_cipher_hd_t aead;
	unsigned char nonce[12];
	uint64_t number;
};

uint64_t read_be64(const unsigned char *p);
void open_direction(struct direction *d, const union kseal_crypto_info *info);
void update_direction(struct direction *d, const union kseal_crypto_info *info,
		      const unsigned char *secret, size_t size);
int open_record(struct direction *d, int fd, unsigned char *type, char *text);
void seal_record(struct direction *d, int fd, const char *text, size_t len);
void check_secret(const union kseal_crypto_info *info, const unsigned char *secret,
		  size_t size);

#endif /* KSEAL_TEST_RECORDS_H */
