/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The groups of key exchanges: their names and numbers in the RFCs, and GnuTLS's. Used
 * by the configuration, by priority.c and by outcome.c.
 */
#ifndef KSEALD_NAMED_GROUP_H
#define KSEALD_NAMED_GROUP_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct kseal_named_group - NamedGroup (RFC 8446 section 4.2.7)
 * @name: in the registry of IANA
 * @gnutls: GnuTLS's name
 * @number: likewise in the registry
 */
struct kseal_named_group {
	const char *name;
	const char *gnutls;
	uint16_t number;
};

const struct kseal_named_group *kseal_named_group_find(const char *name);
bool kseal_named_group_usable(const struct kseal_named_group *group);
const char *kseal_named_group_list(char *list, size_t size);
uint16_t kseal_named_group_number(gnutls_group_t group);

#endif /* KSEALD_NAMED_GROUP_H */
