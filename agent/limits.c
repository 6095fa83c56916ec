// SPDX-License-Identifier: GPL-2.0
/*
 * How many handshakes a profile does at a time and in a second. Called by worker.c from
 * every worker, hence the lock.
 *
 * A source is an IPv4 address or an IPv6 network of 64 bits, which is what one user has.
 * What a source may not do is refused at once, so that it can't fill the queue in which
 * all others wait when the profile as a whole is busy.
 */
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "limits.h"
#include "log.h"

#define SECOND		1000000ULL	/* microseconds, as all times here */
#define COMPLAIN	(10 * SECOND)	/* at most so often */
#define CHAINS		4096
#define SOURCES_MAX	65536

/**
 * struct bucket - tokens that come at a rate, at most those of a second
 * @full: when it will have them all, if none is taken
 */
struct bucket {
	uint64_t full;
};

/**
 * struct source - that has handshakes in flight, or had some a moment ago
 * @next: in its chain
 * @key: see source_key()
 * @active: handshakes, those that wait included
 * @bucket: of new ones
 */
struct source {
	struct source *next;
	uint64_t key;
	unsigned int active;
	struct bucket bucket;
};

/**
 * struct kseal_limits - see the file's head
 * @profile: its name, for the log
 * @values: what is allowed
 * @factor: odd and secret, so that nobody can choose addresses that share a chain
 * @lock: guards the rest
 * @active: handshakes in flight
 * @waiting: that wait for their turn
 * @bucket: of new ones
 * @refused: so far
 * @told: of these, in the log
 * @told_at: when
 * @count: of sources
 * @chains: of sources
 */
struct kseal_limits {
	char profile[KSEAL_PROFILE_MAX];
	struct kseal_limit_values values;
	uint64_t factor;
	pthread_mutex_t lock;
	unsigned int active;
	unsigned int waiting;
	struct bucket bucket;
	uint64_t refused;
	uint64_t told;
	uint64_t told_at;
	unsigned int count;
	struct source *chains[CHAINS];
};

static bool may_take(const struct bucket *b, unsigned int rate, uint64_t now)
{
	/* Each token that is missing takes a rate's part of a second to come again. */
	return !rate || b->full <= now + SECOND - SECOND / rate;
}

static void take(struct bucket *b, unsigned int rate, uint64_t now)
{
	if (!rate)
		return;
	if (b->full < now)
		b->full = now;
	b->full += SECOND / rate;
}

static uint64_t source_key(const struct sockaddr_storage *peer)
{
	unsigned char address[16] = { 0 };
	uint64_t key = 0;
	size_t size = kseal_address_bytes(peer, address);

	/* IPv4 has 0:ffff::/32, in which nobody has an address. */
	if (size == 4)
		key = 0xffff;
	for (int i = 0; i < (size == 4 ? 4 : 8); i++)
		key = key << 8 | address[i];
	return key;
}

static struct source **find(struct kseal_limits *l, uint64_t key, uint64_t now)
{
	struct source **at = &l->chains[(key * l->factor >> 32) % CHAINS];

	while (*at && (*at)->key != key) {
		struct source *s = *at;

		/* In passing, those are forgotten that nothing is known of any more. */
		if (s->active || s->bucket.full > now) {
			at = &s->next;
		} else {
			*at = s->next;
			free(s);
			l->count--;
		}
	}
	return at;
}

static struct source *find_or_add(struct kseal_limits *l, uint64_t key, uint64_t now)
{
	struct source **at = find(l, key, now);

	if (!*at && l->count < SOURCES_MAX) {
		*at = calloc(1, sizeof(**at));
		if (*at) {
			(*at)->key = key;
			l->count++;
		}
	}
	return *at;
}

/* Returns which limit of the source forbids it, NULL if none does. */
static const char *check_source(const struct kseal_limit_values *v, const struct source *s,
				uint64_t now)
{
	if (v->active_a_source && s->active >= v->active_a_source)
		return "max-handshakes-per-address";
	return may_take(&s->bucket, v->rate_a_source, now) ? NULL : "handshake-rate-per-address";
}

/* Likewise, of the profile. */
static const char *check_profile(const struct kseal_limits *l, uint64_t now)
{
	if (l->values.active && l->active >= l->values.active)
		return "max-handshakes";
	return may_take(&l->bucket, l->values.rate, now) ? NULL : "handshake-rate";
}

static void admit(struct kseal_limits *l, uint64_t now)
{
	l->active++;
	take(&l->bucket, l->values.rate, now);
}

/* A flood must not become one of the log. */
static void tell(struct kseal_limits *l, const struct sockaddr_storage *peer,
		 const char *limit, uint64_t now)
{
	char address[KSEAL_ADDRESS_MAX];
	uint64_t more;

	l->refused++;
	if (l->told && now < l->told_at + COMPLAIN)
		return;
	more = l->refused - l->told;
	l->told = l->refused;
	l->told_at = now;
	kseal_log(KSEAL_LOG_WARNING,
		  "profile \"%s\" is at a limit: refused %" PRIu64 " connection%s since this was last said, the latest from %s by %s",
		  l->profile, more, more == 1 ? "" : "s",
		  kseal_address_format(peer, address, sizeof(address)), limit);
}

/**
 * kseal_limits_new() - limits of which nothing is used yet
 * @profile: its name
 * @v: what is allowed
 *
 * Return: the limits, or NULL when memory is short.
 */
struct kseal_limits *kseal_limits_new(const char *profile, const struct kseal_limit_values *v)
{
	struct kseal_limits *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	snprintf(l->profile, sizeof(l->profile), "%s", profile);
	l->values = *v;
	gnutls_rnd(GNUTLS_RND_NONCE, &l->factor, sizeof(l->factor));
	l->factor |= 1;
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

/**
 * kseal_limits_free() - free limits that nobody uses any more
 * @l: may be NULL
 */
void kseal_limits_free(struct kseal_limits *l)
{
	if (!l)
		return;
	for (int i = 0; i < CHAINS; i++) {
		while (l->chains[i]) {
			struct source *s = l->chains[i];

			l->chains[i] = s->next;
			free(s);
		}
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/**
 * kseal_limits_enter() - may a handshake with a new connection begin?
 * @l: of the profile
 * @peer: where it comes from
 * @now: CLOCK_MONOTONIC, microseconds
 *
 * Unless it is refused, kseal_limits_leave() has to follow; one that is to wait asks
 * by kseal_limits_again() meanwhile. Refusals are counted, and now and then logged.
 *
 * Context: any thread.
 * Return: KSEAL_ADMIT, KSEAL_ADMIT_LATER, KSEAL_ADMIT_NEVER.
 */
enum kseal_admission kseal_limits_enter(struct kseal_limits *l,
					const struct sockaddr_storage *peer, uint64_t now)
{
	enum kseal_admission admission = KSEAL_ADMIT_NEVER;
	const char *limit = "the number of addresses";
	struct source *source;

	pthread_mutex_lock(&l->lock);
	source = find_or_add(l, source_key(peer), now);
	if (source)
		limit = check_source(&l->values, source, now);
	if (!limit) {
		limit = check_profile(l, now);
		/* Nobody overtakes those who wait. */
		if (!limit && !l->waiting) {
			admission = KSEAL_ADMIT;
			admit(l, now);
		} else if (l->waiting < l->values.queue) {
			admission = KSEAL_ADMIT_LATER;
			l->waiting++;
		} else {
			limit = "handshake-queue";
		}
	}
	if (admission == KSEAL_ADMIT_NEVER) {
		tell(l, peer, limit, now);
	} else {
		source->active++;
		take(&source->bucket, l->values.rate_a_source, now);
	}
	pthread_mutex_unlock(&l->lock);
	return admission;
}

/**
 * kseal_limits_again() - may one of those that wait begin?
 * @l: of the profile
 * @now: CLOCK_MONOTONIC, microseconds
 *
 * Context: any thread.
 * Return: whether it may; it does not wait any more then.
 */
bool kseal_limits_again(struct kseal_limits *l, uint64_t now)
{
	bool may;

	pthread_mutex_lock(&l->lock);
	may = !check_profile(l, now);
	if (may) {
		l->waiting--;
		admit(l, now);
	}
	pthread_mutex_unlock(&l->lock);
	return may;
}

/**
 * kseal_limits_leave() - a handshake is over
 * @l: of the profile
 * @peer: as it entered
 * @waits: it has never begun
 *
 * Context: any thread.
 */
void kseal_limits_leave(struct kseal_limits *l, const struct sockaddr_storage *peer, bool waits)
{
	struct source *source;

	pthread_mutex_lock(&l->lock);
	/* Time 0: in passing, no bucket is taken for full. */
	source = *find(l, source_key(peer), 0);
	source->active--;
	if (waits)
		l->waiting--;
	else
		l->active--;
	pthread_mutex_unlock(&l->lock);
}
