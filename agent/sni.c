// SPDX-License-Identifier: GPL-2.0
/*
 * Which certificates serve the name that a client asks for (RFC 6066 section 3): those
 * that have it, and those that have a wildcard for its first label (RFC 9525 section
 * 6.3). Which of them a client gets GnuTLS decides, by what the client can verify.
 *
 * Every name of every certificate is an entry; entries with the same certificates share
 * a set. Made at a load, read-only afterwards.
 */
#include <ctype.h>
#include <linux/kseal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "certificates.h"
#include "sni.h"

struct entry {
	const char *name;
	size_t set;
};

/**
 * struct kseal_sni - see the file's head
 * @entries: sorted by name, each name once
 * @count: of @entries
 * @sets: that entries refer to
 * @set_count: of @sets
 */
struct kseal_sni {
	struct entry *entries;
	size_t count;
	struct kseal_sni_set *sets;
	size_t set_count;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static bool has_name(const struct kseal_certificate *c, const char *name)
{
	for (size_t i = 0; i < c->name_count; i++) {
		if (strcmp(c->names[i], name) == 0)
			return true;
	}
	return false;
}

/* "*.example.test" of "www.example.test", NULL if it has a single label. */
static const char *wildcard_of(const char *name, char *to, size_t size)
{
	const char *dot = strchr(name, '.');

	if (!dot || dot == name || !dot[1] || strlen(dot) + 2 > size)
		return NULL;
	to[0] = '*';
	strcpy(to + 1, dot);
	return to;
}

/* The set of @members is the caller's, or one that exists already. */
static int share_set(struct kseal_sni *sni, size_t *members, size_t count, size_t *set)
{
	struct kseal_sni_set *sets;

	for (size_t i = 0; i < sni->set_count; i++) {
		if (sni->sets[i].count == count &&
		    memcmp(sni->sets[i].members, members, count * sizeof(*members)) == 0) {
			free(members);
			*set = i;
			return 0;
		}
	}
	sets = realloc(sni->sets, (sni->set_count + 1) * sizeof(*sets));
	if (!sets) {
		free(members);
		return -1;
	}
	sni->sets = sets;
	*set = sni->set_count++;
	sets[*set].members = members;
	sets[*set].count = count;
	return 0;
}

static int find_members(struct kseal_sni *sni, const struct kseal_certificates *certs,
			struct entry *e)
{
	char buf[KSEAL_NAME_MAX];
	const char *wildcard = wildcard_of(e->name, buf, sizeof(buf));
	size_t *members = calloc(certs->count, sizeof(*members));
	size_t count = 0;

	if (!members)
		return -1;
	for (size_t i = 0; i < certs->count; i++) {
		if (has_name(&certs->list[i], e->name))
			members[count++] = i;
	}
	for (size_t i = 0; wildcard && i < certs->count; i++) {
		if (has_name(&certs->list[i], wildcard) && !has_name(&certs->list[i], e->name))
			members[count++] = i;
	}
	return share_set(sni, members, count, &e->set);
}

static int collect(struct kseal_sni *sni, const struct kseal_certificates *certs)
{
	size_t total = 0, kept = 0;

	for (size_t i = 0; i < certs->count; i++)
		total += certs->list[i].name_count;
	sni->entries = calloc(total + 1, sizeof(*sni->entries));
	if (!sni->entries)
		return -1;
	for (size_t i = 0; i < certs->count; i++) {
		for (size_t j = 0; j < certs->list[i].name_count; j++)
			sni->entries[sni->count++].name = certs->list[i].names[j];
	}
	qsort(sni->entries, sni->count, sizeof(*sni->entries), compare);
	for (size_t i = 0; i < sni->count; i++) {
		if (kept && compare(&sni->entries[kept - 1], &sni->entries[i]) == 0)
			continue;
		sni->entries[kept++] = sni->entries[i];
	}
	sni->count = kept;
	return 0;
}

/**
 * kseal_sni_new() - sort certificates by their names
 * @certs: must outlive the result
 *
 * Return: the result, or NULL when memory is short.
 */
struct kseal_sni *kseal_sni_new(const struct kseal_certificates *certs)
{
	struct kseal_sni *sni = calloc(1, sizeof(*sni));

	if (!sni)
		return NULL;
	if (collect(sni, certs) < 0)
		goto fail;
	for (size_t i = 0; i < sni->count; i++) {
		if (find_members(sni, certs, &sni->entries[i]) < 0)
			goto fail;
	}
	return sni;

fail:
	kseal_sni_free(sni);
	return NULL;
}

/**
 * kseal_sni_free() - free it
 * @sni: may be NULL
 */
void kseal_sni_free(struct kseal_sni *sni)
{
	if (!sni)
		return;
	for (size_t i = 0; i < sni->set_count; i++)
		free(sni->sets[i].members);
	free(sni->sets);
	free(sni->entries);
	free(sni);
}

/**
 * kseal_sni_sets() - all sets of certificates that names refer to
 * @sni: made
 * @sets: result
 *
 * Return: how many.
 */
size_t kseal_sni_sets(const struct kseal_sni *sni, const struct kseal_sni_set **sets)
{
	*sets = sni->sets;
	return sni->set_count;
}

/**
 * kseal_sni_find() - the certificates for a name
 * @sni: made
 * @name: of the client, in any case
 * @set: result, an index of kseal_sni_sets()
 *
 * Context: any thread.
 * Return: 0, or -1 if no certificate has the name.
 */
int kseal_sni_find(const struct kseal_sni *sni, const char *name, size_t *set)
{
	char lower[KSEAL_NAME_MAX], buf[KSEAL_NAME_MAX];
	struct entry key = { .name = lower };
	const struct entry *found;
	size_t len = strlen(name);

	if (!len || len >= sizeof(lower))
		return -1;
	for (size_t i = 0; i <= len; i++)
		lower[i] = tolower((unsigned char)name[i]);
	found = bsearch(&key, sni->entries, sni->count, sizeof(key), compare);
	if (!found) {
		key.name = wildcard_of(lower, buf, sizeof(buf));
		if (key.name)
			found = bsearch(&key, sni->entries, sni->count, sizeof(key), compare);
	}
	if (!found)
		return -1;
	*set = found->set;
	return 0;
}
