/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys that are not files: in a PKCS#11 token, or a TPM, named by a URL (RFC 7512).
 * Used by certificates.c, and by main.c, which confines an agent with such keys less.
 */
#ifndef KSEALD_TOKEN_H
#define KSEALD_TOKEN_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stddef.h>

#define KSEAL_TOKEN_NAME_MAX	512

void kseal_token_give_up(void);
bool kseal_token_is_url(const char *text);
const char *kseal_token_name(const char *url, char *name, size_t size);
int kseal_token_key(const char *url, gnutls_privkey_t *key, char *why, size_t size);

#endif /* KSEALD_TOKEN_H */
