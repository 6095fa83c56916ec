// SPDX-License-Identifier: GPL-2.0
/*
 * Secrets of handshakes in a file, so that Wireshark can read a capture. Called by
 * main.c, once, and by session.c for every handshake.
 *
 * An ordinary build has nothing of this but a function that keeps GnuTLS from doing the
 * same for whoever can set $SSLKEYLOGFILE.
 */
#include "keylog.h"

#ifdef KSEAL_KEYLOG
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define RANDOM_SIZE	32	/* RFC 8446 section 4.1.2 */
#define SECRET_MAX	64
#define LABEL_MAX	64

/* The file, opened before the workers exist and never closed; whether it once failed. */
static int log_fd = -1;
static atomic_bool complained;

/**
 * kseal_keylog_open() - from now on write the secrets of all handshakes to a file
 * @path: created if need be, for our user alone; else lines are added to it
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Before the agent confines itself, which it does without being allowed to write files.
 *
 * Return: 0, or -1 with @why.
 */
int kseal_keylog_open(const char *path, char *why, size_t size)
{
	struct stat st;
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		  0600);
	if (fd < 0) {
		snprintf(why, size, "%s: %s", path, errno == ELOOP ?
			 "is a symbolic link: name the file itself" : strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, size, "%s: is no regular file", path);
	} else if (st.st_uid != geteuid() || st.st_mode & 077) {
		snprintf(why, size, "%s: others may read it: remove it, it will be created anew",
			 path);
	} else {
		log_fd = fd;
		return 0;
	}
	close(fd);
	return -1;
}

static char *to_hex(char *to, const gnutls_datum_t *from)
{
	for (unsigned int i = 0; i < from->size; i++)
		to += sprintf(to, "%02x", from->data[i]);
	return to;
}

/* A line of the NSS key log format. One write(): workers do not mix theirs. */
static int add_line(gnutls_session_t tls, const char *label, const gnutls_datum_t *secret)
{
	char line[LABEL_MAX + 2 * RANDOM_SIZE + 2 * SECRET_MAX + 4], *end;
	gnutls_datum_t client, server;

	gnutls_session_get_random(tls, &client, &server);
	if (log_fd < 0 || strlen(label) > LABEL_MAX || client.size != RANDOM_SIZE ||
	    secret->size > SECRET_MAX)
		return 0;
	end = line + sprintf(line, "%s ", label);
	end = to_hex(end, &client);
	*end++ = ' ';
	end = to_hex(end, secret);
	*end++ = '\n';
	if (write(log_fd, line, end - line) != end - line && !atomic_exchange(&complained, true))
		kseal_log(KSEAL_LOG_WARNING, "--unsafe-keylog: secrets are missing: %s",
			  strerror(errno));
	explicit_bzero(line, sizeof(line));
	return 0;
}
#else
static int add_line(gnutls_session_t tls, const char *label, const gnutls_datum_t *secret)
{
	(void)tls;
	(void)label;
	(void)secret;
	return 0;
}
#endif

/**
 * kseal_keylog_set() - this session's secrets go where they are wanted, or nowhere
 * @tls: before its handshake
 *
 * In place of GnuTLS's own function, which writes them to the file $SSLKEYLOGFILE.
 */
void kseal_keylog_set(gnutls_session_t tls)
{
	gnutls_session_set_keylog_function(tls, add_line);
}
