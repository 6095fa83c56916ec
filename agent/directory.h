/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Directories that a configuration names: of certificates, of revocation lists.
 */
#ifndef KSEALD_DIRECTORY_H
#define KSEALD_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

bool kseal_is_directory(const char *path);
int kseal_directory_read(const char *path, const char *suffix, char ***files, size_t *count,
			 char *why, size_t size);
void kseal_directory_free(char **files, size_t count);

#endif /* KSEALD_DIRECTORY_H */
