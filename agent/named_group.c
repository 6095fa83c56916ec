// SPDX-License-Identifier: GPL-2.0
/*
 * The groups of key exchanges. Called by config_value.c, priority.c and outcome.c, from
 * any thread. GnuTLS is asked by name, as its constants depend on its version: the
 * hybrid ones came with 3.8.8 and 3.8.9.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "named_group.h"

/* RFC 8446 section 4.2.7, RFC 7919, draft-ietf-tls-ecdhe-mlkem. */
static const struct kseal_named_group groups[] = {
	{ "x25519", "X25519", 0x001d },
	{ "secp256r1", "SECP256R1", 0x0017 },
	{ "secp384r1", "SECP384R1", 0x0018 },
	{ "secp521r1", "SECP521R1", 0x0019 },
	{ "x448", "X448", 0x001e },
	{ "ffdhe2048", "FFDHE2048", 0x0100 },
	{ "ffdhe3072", "FFDHE3072", 0x0101 },
	{ "ffdhe4096", "FFDHE4096", 0x0102 },
	{ "ffdhe6144", "FFDHE6144", 0x0103 },
	{ "ffdhe8192", "FFDHE8192", 0x0104 },
	{ "X25519MLKEM768", "X25519-MLKEM768", 0x11ec },
	{ "SecP256r1MLKEM768", "SECP256R1-MLKEM768", 0x11eb },
	{ "SecP384r1MLKEM1024", "SECP384R1-MLKEM1024", 0x11ed },
};

#define GROUPS (sizeof(groups) / sizeof(*groups))

/**
 * kseal_named_group_find() - the group of a name
 * @name: in the registry of IANA, in any case
 *
 * Return: the group, or NULL.
 */
const struct kseal_named_group *kseal_named_group_find(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++) {
		if (strcasecmp(name, groups[i].name) == 0)
			return &groups[i];
	}
	return NULL;
}

/**
 * kseal_named_group_usable() - does the installed GnuTLS have it?
 * @group: of kseal_named_group_find()
 *
 * Return: whether it has.
 */
bool kseal_named_group_usable(const struct kseal_named_group *group)
{
	return gnutls_group_get_id(group->gnutls) != GNUTLS_GROUP_INVALID;
}

/**
 * kseal_named_group_list() - the groups that the installed GnuTLS has
 * @list: for the result: their names, with commas
 * @size: of @list; what does not fit is left out
 *
 * Return: @list.
 */
const char *kseal_named_group_list(char *list, size_t size)
{
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < GROUPS && used < size; i++) {
		if (kseal_named_group_usable(&groups[i]))
			used += snprintf(list + used, size - used, "%s%s", used ? ", " : "",
					 groups[i].name);
	}
	return list;
}

/**
 * kseal_named_group_number() - the number of a group that was agreed on
 * @group: of gnutls_group_get()
 *
 * Return: the number, 0 if there is none.
 */
uint16_t kseal_named_group_number(gnutls_group_t group)
{
	const char *name = gnutls_group_get_name(group);

	for (size_t i = 0; name && i < GROUPS; i++) {
		if (strcmp(name, groups[i].gnutls) == 0)
			return groups[i].number;
	}
	return 0;
}
