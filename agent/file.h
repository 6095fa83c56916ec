/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that a configuration names: certificates, keys, lists. Not thread-safe: one
 * thread loads configurations.
 */
#ifndef KSEALD_FILE_H
#define KSEALD_FILE_H

#include <gnutls/gnutls.h>
#include <stddef.h>
#include <sys/types.h>

int kseal_file_read(const char *path, gnutls_datum_t *d, mode_t *mode, char *why,
		    size_t size);
int kseal_file_note(const char *path);
char **kseal_file_noted(unsigned int *count);
void kseal_file_wipe(gnutls_datum_t *d);

#endif /* KSEALD_FILE_H */
