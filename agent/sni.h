/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which certificates serve the name that a client asks for. Used by credentials.c.
 */
#ifndef KSEALD_SNI_H
#define KSEALD_SNI_H

#include <stddef.h>

struct kseal_certificates;
struct kseal_sni;

/**
 * struct kseal_sni_set - certificates that serve the same names
 * @members: indices, the preferred first
 * @count: of @members
 */
struct kseal_sni_set {
	size_t *members;
	size_t count;
};

struct kseal_sni *kseal_sni_new(const struct kseal_certificates *certificates);
void kseal_sni_free(struct kseal_sni *sni);
size_t kseal_sni_sets(const struct kseal_sni *sni, const struct kseal_sni_set **sets);
int kseal_sni_find(const struct kseal_sni *sni, const char *name, size_t *set);

#endif /* KSEALD_SNI_H */
