/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the TLS 1.3 key schedule (RFC 8446 §7) that is needed after the
 * handshake. Used by cipher.c.
 */
#ifndef _KSEAL_SCHEDULE_H
#define _KSEAL_SCHEDULE_H

#include <linux/types.h>

struct crypto_shash;

struct crypto_shash *kseal_hmac(const char *name);
void kseal_schedule_exit(void);
int kseal_expand_label(struct crypto_shash *hmac, const u8 *secret,
		       const char *label, u8 *out, unsigned int len);
int kseal_next_secret(struct crypto_shash *hmac, u8 *secret);
int kseal_traffic_keys(struct crypto_shash *hmac, const u8 *secret, u8 *key,
		       unsigned int key_len, u8 *iv, unsigned int iv_len);

#endif /* _KSEAL_SCHEDULE_H */
