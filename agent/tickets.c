// SPDX-License-Identifier: GPL-2.0
/*
 * Session tickets of TLS 1.2 and 1.3 (RFC 5077, RFC 8446 section 4.6.1). Called by
 * credentials.c at a load and for each session, from every worker.
 *
 * What is kept here is a secret of a profile. From it GnuTLS derives, from the time
 * of day alone, a key for every 18 hours that seals tickets and opens those of the
 * key before. Agents that have the same secret thus change keys together.
 *
 * There is no early data, so a ticket that is used twice gains nothing: what opens it
 * is known to the two ends only.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "config.h"
#include "file.h"
#include "log.h"
#include "tickets.h"

#define SECRET_SIZE	64		/* what GnuTLS takes */
#define FILE_MIN	32		/* bytes: 256 bits, if they are random */

/* RFC 9325 section 4.1.1 wants the keys changed at least weekly. */
#define SECRET_LIFE	(24 * 3600)	/* seconds */

/**
 * struct kseal_tickets - see the file's head
 * @shared: the secret is that of a file: it stays until the next load
 * @lock: guards what follows
 * @secret: SECRET_SIZE bytes
 * @born: CLOCK_MONOTONIC seconds
 */
struct kseal_tickets {
	bool shared;
	pthread_mutex_t lock;
	gnutls_datum_t secret;
	time_t born;
};

static time_t monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void forget(gnutls_datum_t *secret)
{
	if (secret->data)
		gnutls_memset(secret->data, 0, secret->size);
	gnutls_free(secret->data);
	secret->data = NULL;
}

static int renew(struct kseal_tickets *t)
{
	gnutls_datum_t fresh;
	int ret;

	ret = gnutls_session_ticket_key_generate(&fresh);
	if (ret < 0)
		return ret;
	forget(&t->secret);
	t->secret = fresh;
	t->born = monotonic_seconds();
	return 0;
}

/*
 * A secret for each profile, whatever file they share: a ticket that one profile
 * issued is worth nothing with another, which may ask for client certificates.
 */
static int derive(struct kseal_tickets *t, const gnutls_datum_t *file, const char *profile)
{
	static const char label[] = "kseal session tickets 1";
	const gnutls_datum_t salt = { (unsigned char *)label, sizeof(label) - 1 };
	const gnutls_datum_t info = { (unsigned char *)profile, strlen(profile) };
	unsigned char prk[32];
	const gnutls_datum_t key = { prk, sizeof(prk) };
	int ret;

	t->secret.data = gnutls_malloc(SECRET_SIZE);
	if (!t->secret.data)
		return GNUTLS_E_MEMORY_ERROR;
	t->secret.size = SECRET_SIZE;
	ret = gnutls_hkdf_extract(GNUTLS_MAC_SHA256, file, &salt, prk);
	if (ret == 0)
		ret = gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &info, t->secret.data,
					 SECRET_SIZE);
	explicit_bzero(prk, sizeof(prk));
	return ret;
}

static int load_shared(struct kseal_tickets *t, const struct kseal_profile *p, char *why,
		       size_t size)
{
	gnutls_datum_t file;
	mode_t mode;
	int ret;

	if (kseal_file_read(p->ticket_keys, &file, &mode, why, size) < 0)
		return -1;
	if (file.size < FILE_MIN) {
		snprintf(why, size, "%s: %u bytes are too few: write %d random ones (openssl rand -out FILE %d)",
			 p->ticket_keys, file.size, SECRET_SIZE, SECRET_SIZE);
		kseal_file_wipe(&file);
		return -1;
	}
	if (mode & S_IROTH)
		kseal_log(KSEAL_LOG_WARNING, "%s: every user can read this secret: chmod o-r %s",
			  p->ticket_keys, p->ticket_keys);
	t->shared = true;
	ret = derive(t, &file, p->name);
	kseal_file_wipe(&file);
	if (ret < 0)
		snprintf(why, size, "%s: %s", p->ticket_keys, gnutls_strerror(ret));
	return ret;
}

/**
 * kseal_tickets_load() - have a secret for a profile's tickets
 * @result: on success; NULL if the profile wants no tickets
 * @profile: its name, tickets and ticket_keys are set
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or negative with @why.
 */
int kseal_tickets_load(struct kseal_tickets **result, const struct kseal_profile *profile,
		       char *why, size_t size)
{
	struct kseal_tickets *t;
	int ret;

	*result = NULL;
	if (!profile->tickets)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return -1;
	}
	pthread_mutex_init(&t->lock, NULL);
	if (profile->ticket_keys) {
		ret = load_shared(t, profile, why, size);
	} else {
		ret = renew(t);
		if (ret < 0)
			snprintf(why, size, "session tickets: %s", gnutls_strerror(ret));
	}
	if (ret < 0) {
		kseal_tickets_free(t);
		return ret;
	}
	*result = t;
	return 0;
}

/**
 * kseal_tickets_free() - wipe and free
 * @t: may be NULL
 */
void kseal_tickets_free(struct kseal_tickets *t)
{
	if (!t)
		return;
	forget(&t->secret);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/**
 * kseal_tickets_apply() - let a session issue and take tickets
 * @t: of its profile; NULL: no tickets
 * @session: a server's, not yet handshaken; GnuTLS copies the secret
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_tickets_apply(struct kseal_tickets *t, gnutls_session_t session)
{
	int ret = 0;

	if (!t)
		return 0;
	pthread_mutex_lock(&t->lock);
	if (!t->shared && monotonic_seconds() - t->born >= SECRET_LIFE)
		ret = renew(t);
	if (ret == 0)
		ret = gnutls_session_ticket_enable_server(session, &t->secret);
	pthread_mutex_unlock(&t->lock);
	return ret;
}
