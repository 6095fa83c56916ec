/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Session tickets of a profile's server: which secret seals them. Part of the
 * profile's credentials.
 */
#ifndef KSEALD_TICKETS_H
#define KSEALD_TICKETS_H

#include <gnutls/gnutls.h>
#include <stddef.h>

struct kseal_profile;
struct kseal_tickets;

int kseal_tickets_load(struct kseal_tickets **result, const struct kseal_profile *profile,
		       char *why, size_t size);
void kseal_tickets_free(struct kseal_tickets *t);
int kseal_tickets_apply(struct kseal_tickets *t, gnutls_session_t session);

#endif /* KSEALD_TICKETS_H */
