/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys that the kernel's consumers of TLS name by serial number (keyrings(7)). Used by
 * consumers.c, from its thread alone: keyrings belong to threads.
 */
#ifndef KSEALD_KEYRING_H
#define KSEALD_KEYRING_H

#include <gnutls/gnutls.h>
#include <stdint.h>

int32_t kseal_keyring_add(const gnutls_datum_t *certificate);

#endif /* KSEALD_KEYRING_H */
