// SPDX-License-Identifier: GPL-2.0
/*
 * Files that a configuration names: certificates, keys, lists. Called by
 * credentials.c and its like, at a load. Everything that can be wrong is told with
 * what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"

#define FILE_MAX	(4 * 1024 * 1024)

/* What has been named so far. */
static char **noted;
static unsigned int noted_count;

/**
 * kseal_file_note() - remember that the configuration names a path
 * @path: of a file or a directory, or the URL of a key (pkcs11:, tpmkey:)
 *
 * Once the agent has confined itself, it may read these, their neighbours, and what
 * confine.c allows besides. kseal_file_read() notes by itself.
 *
 * Return: 0, or -1 when memory is short.
 */
int kseal_file_note(const char *path)
{
	char **more, *copy;

	for (unsigned int i = 0; i < noted_count; i++) {
		if (strcmp(noted[i], path) == 0)
			return 0;
	}
	copy = strdup(path);
	more = copy ? realloc(noted, (noted_count + 1) * sizeof(*noted)) : NULL;
	if (!more) {
		free(copy);
		return -1;
	}
	noted = more;
	noted[noted_count++] = copy;
	return 0;
}

/**
 * kseal_file_noted() - the paths that have been named
 * @count: result: how many
 *
 * Return: the paths, valid until the next one is noted.
 */
char **kseal_file_noted(unsigned int *count)
{
	*count = noted_count;
	return noted;
}

/**
 * kseal_file_wipe() - wipe and free what a file has held
 * @d: may be empty
 */
void kseal_file_wipe(gnutls_datum_t *d)
{
	if (d->data)
		explicit_bzero(d->data, d->size);
	free(d->data);
	d->data = NULL;
	d->size = 0;
}

static void say_unreadable(const char *path, int error, char *why, size_t size)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (error == EACCES)
		snprintf(why, size,
			 "%s: %s: let user %s read it (chgrp, chmod 640, and the directories above it); in a directory that the configuration did not lead to when kseald was started, restart it",
			 path, strerror(error), pw ? pw->pw_name : "of kseald");
	else if (error == ENOENT && *path != '/')
		snprintf(why, size, "%s: %s where kseald was started: write an absolute path", path,
			 strerror(error));
	else
		snprintf(why, size, "%s: %s: correct the path or create the file", path,
			 strerror(error));
}

/**
 * kseal_file_read() - read a whole file into memory
 * @path: of the file
 * @d: result, for kseal_file_wipe(); a zero follows that is not counted
 * @mode: result: its permissions
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_file_read(const char *path, gnutls_datum_t *d, mode_t *mode, char *why,
		    size_t size)
{
	struct stat st;
	ssize_t n = 0;
	int fd;

	d->data = NULL;
	d->size = 0;
	if (kseal_file_note(path) < 0) {
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		say_unreadable(path, errno, why, size);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, size, "%s: not a regular file: correct the path", path);
		goto fail;
	}
	if (st.st_size == 0) {
		snprintf(why, size, "%s: the file is empty", path);
		goto fail;
	}
	if (st.st_size > FILE_MAX) {
		snprintf(why, size, "%s: larger than 4 MiB: correct the path", path);
		goto fail;
	}
	*mode = st.st_mode;
	d->data = malloc(st.st_size + 1);
	if (!d->data) {
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
		goto fail;
	}
	while (d->size < st.st_size) {
		n = read(fd, d->data + d->size, st.st_size - d->size);
		if (n <= 0)
			break;
		d->size += n;
	}
	if (n < 0) {
		say_unreadable(path, errno, why, size);
		goto fail;
	}
	d->data[d->size] = '\0';
	close(fd);
	if (*path != '/')
		kseal_log(KSEAL_LOG_WARNING,
			  "%s: depends on where kseald is started, which is / for its unit: write an absolute path",
			  path);
	return 0;

fail:
	kseal_file_wipe(d);
	if (fd >= 0)
		close(fd);
	return -1;
}
