/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A key with a buffer for one record, for the suites that seal and open.
 */
#ifndef _KSEAL_KUNIT_RIG_H
#define _KSEAL_KUNIT_RIG_H

#include <kunit/test.h>

#include "../cipher.h"

#define RIG_ROOM (KSEAL_HEADER_LEN + 8 + KSEAL_MAX_PLAINTEXT + 1 + \
		  KSEAL_TAG_MAX)

/**
 * struct rig - one direction of a connection, without the connection
 * @key: its key
 * @record: the record in work, in place
 */
struct rig {
	struct kseal_key *key;
	u8 *record;
};

/**
 * struct rig_keys - what a handshake agrees on
 * @version: TLS_1_2_VERSION or TLS_1_3_VERSION
 * @cipher: TLS_CIPHER_*
 * @key: as long as the cipher wants
 * @iv: KSEAL_NONCE_LEN bytes: write_iv, or salt and first explicit nonce
 * @seq: first sequence number
 */
struct rig_keys {
	u16 version;
	u16 cipher;
	const u8 *key;
	const u8 *iv;
	u64 seq;
};

struct rig rig_make(struct kunit *test, const struct rig_keys *keys);
unsigned int rig_info(union kseal_crypto_info *u, const struct rig_keys *keys);
int rig_set_key(struct kseal_key *key, const struct kseal_key *other,
		const struct rig_keys *keys);
unsigned int rig_seal(struct kunit *test, struct rig *r, u8 type,
		      const void *data, unsigned int len);
int rig_open(struct rig *r, unsigned int *payload);

#endif /* _KSEAL_KUNIT_RIG_H */
