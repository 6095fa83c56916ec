/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is negotiated: versions, cipher suites, groups, signatures. Used by
 * credentials.c and config_value.c; worker.c says which ciphers there are.
 */
#ifndef KSEALD_PRIORITY_H
#define KSEALD_PRIORITY_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KSEAL_OFFERS	0x4	/* sets of ciphers that a kernel may have */

struct kseal_profile;

/**
 * struct kseal_priority - of a profile
 * @of_offer: one for each set of ciphers; NULL where nothing would be left
 */
struct kseal_priority {
	gnutls_priority_t of_offer[KSEAL_OFFERS];
};

bool kseal_priority_cipher(const char *name);
int kseal_priority_init(struct kseal_priority *p, const struct kseal_profile *profile,
			char *why, size_t size);
void kseal_priority_free(struct kseal_priority *p);
bool kseal_priority_usable(const struct kseal_priority *p);
int kseal_priority_set(const struct kseal_priority *p, gnutls_session_t session);
void kseal_priority_offer(const uint16_t *ciphers, size_t count);

#endif /* KSEALD_PRIORITY_H */
