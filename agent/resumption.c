// SPDX-License-Identifier: GPL-2.0
/*
 * What servers have given us to resume from. Called by session.c from every worker,
 * hence the lock. Each entry is handed out once (RFC 8446 appendix C.4) and wiped
 * when it is over.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "resumption.h"

#define LIFE_MAX	(24 * 3600)	/* seconds; RFC 8446 allows a week */

struct entry {
	struct kseal_resumption_key key;
	gnutls_datum_t data;
	time_t expires;
	struct entry *next;
};

/**
 * struct kseal_resumption - see the file's head
 * @lock: guards the rest
 * @newest: first of the entries, which go on from new to old
 */
struct kseal_resumption {
	pthread_mutex_t lock;
	struct entry *newest;
};

/**
 * kseal_resumption_wipe() - wipe and free session data
 * @data: of GnuTLS; empty afterwards
 */
void kseal_resumption_wipe(gnutls_datum_t *data)
{
	if (data->data) {
		gnutls_memset(data->data, 0, data->size);
		gnutls_free(data->data);
	}
	data->data = NULL;
	data->size = 0;
}

static bool same_key(const struct kseal_resumption_key *a,
		     const struct kseal_resumption_key *b)
{
	return a->port == b->port && a->uid == b->uid && strcmp(a->server, b->server) == 0;
}

static void remove_entry(struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	kseal_resumption_wipe(&e->data);
	free(e);
}

/**
 * kseal_resumption_new() - an empty store
 *
 * Return: the store, or NULL when memory is short.
 */
struct kseal_resumption *kseal_resumption_new(void)
{
	struct kseal_resumption *t = calloc(1, sizeof(*t));

	if (t)
		pthread_mutex_init(&t->lock, NULL);
	return t;
}

/**
 * kseal_resumption_free() - wipe and free a store
 * @t: may be NULL
 */
void kseal_resumption_free(struct kseal_resumption *t)
{
	if (!t)
		return;
	while (t->newest)
		remove_entry(&t->newest);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* The oldest go first: of the same server, and of all. What has expired goes, too. */
static void make_room(struct kseal_resumption *t, const struct kseal_resumption_key *key,
		      time_t now)
{
	unsigned int seen = 0, seen_same = 0;
	struct entry **at = &t->newest;

	while (*at) {
		bool same = same_key(&(*at)->key, key);

		if ((*at)->expires <= now || (same && seen_same >= KSEAL_RESUMPTION_A_SERVER - 1) ||
		    seen >= KSEAL_RESUMPTION_MAX - 1) {
			remove_entry(at);
			continue;
		}
		seen++;
		seen_same += same;
		at = &(*at)->next;
	}
}

/**
 * kseal_resumption_put() - keep something to resume from
 * @t: the store
 * @key: what it is good for
 * @data: of gnutls_session_get_data2(); taken over, empty afterwards
 * @until: it is of no use afterwards
 *
 * Context: any thread.
 */
void kseal_resumption_put(struct kseal_resumption *t,
			  const struct kseal_resumption_key *key, gnutls_datum_t *data,
			  time_t until)
{
	time_t now = time(NULL), expires = gnutls_db_check_entry_expire_time(data);
	struct entry *e = NULL;

	if (expires > until)
		expires = until;
	if (expires > now)
		e = calloc(1, sizeof(*e));
	if (!e) {
		kseal_resumption_wipe(data);
		return;
	}
	e->key = *key;
	e->data = *data;
	e->expires = expires < now + LIFE_MAX ? expires : now + LIFE_MAX;
	data->data = NULL;
	data->size = 0;

	pthread_mutex_lock(&t->lock);
	make_room(t, key, now);
	e->next = t->newest;
	t->newest = e;
	pthread_mutex_unlock(&t->lock);
}

/**
 * kseal_resumption_take() - something to resume from, the newest there is
 * @t: the store
 * @key: of the connection
 * @data: on success: for gnutls_session_set_data(), then kseal_resumption_wipe()
 *
 * It is no longer in the store then.
 *
 * Context: any thread.
 * Return: 0, or -1 if there is nothing.
 */
int kseal_resumption_take(struct kseal_resumption *t,
			  const struct kseal_resumption_key *key, gnutls_datum_t *data)
{
	time_t now = time(NULL);
	struct entry **at;
	int ret = -1;

	pthread_mutex_lock(&t->lock);
	for (at = &t->newest; *at; at = &(*at)->next) {
		if (same_key(&(*at)->key, key) && (*at)->expires > now) {
			*data = (*at)->data;
			(*at)->data.data = NULL;
			remove_entry(at);
			ret = 0;
			break;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return ret;
}
