// SPDX-License-Identifier: GPL-2.0
/*
 * Directories that a configuration names. Called at a load, by certificates.c and
 * credentials.c.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "directory.h"
#include "file.h"

#define FILES_MAX	4096

/**
 * kseal_is_directory() - what a path is
 * @path: may not exist
 *
 * Return: whether it is a directory.
 */
bool kseal_is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);

	return name[0] != '.' && len > end && strcmp(name + len - end, suffix) == 0;
}

/* The entries that count, as paths; the rest is freed. */
static char **pick(const char *path, const char *suffix, struct dirent **entries, int n,
		   size_t *count)
{
	char **files = calloc(n + 1, sizeof(*files));
	bool failed = !files;

	*count = 0;
	for (int i = 0; i < n; i++) {
		if (!failed && has_suffix(entries[i]->d_name, suffix)) {
			if (asprintf(&files[*count], "%s/%s", path, entries[i]->d_name) < 0)
				failed = true;
			else
				++*count;
		}
		free(entries[i]);
	}
	free(entries);
	if (!failed)
		return files;
	if (files)
		kseal_directory_free(files, *count);
	return NULL;
}

/**
 * kseal_directory_read() - the files of a directory
 * @path: of the directory
 * @suffix: that their names end with
 * @files: result, in alphabetical order, for kseal_directory_free()
 * @count: result: at least 1
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_directory_read(const char *path, const char *suffix, char ***files, size_t *count,
			 char *why, size_t size)
{
	struct dirent **entries;
	int n;

	if (kseal_file_note(path) < 0) {
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
		return -1;
	}
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0) {
		snprintf(why, size, "%s: %s: correct the path, or let kseald read it", path,
			 strerror(errno));
		return -1;
	}
	*files = pick(path, suffix, entries, n, count);
	if (!*files) {
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
		return -1;
	}
	if (*count && *count <= FILES_MAX)
		return 0;
	snprintf(why, size, "%s: %s NAME%s", path, *count ? "too many files" : "holds no file",
		 suffix);
	kseal_directory_free(*files, *count);
	return -1;
}

/**
 * kseal_directory_free() - free what kseal_directory_read() returned
 * @files: of @count
 * @count: how many
 */
void kseal_directory_free(char **files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i]);
	free(files);
}
