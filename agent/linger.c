// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions that wait for tickets after their handshake. Called by worker.c: a session
 * comes here when it is sealed, and goes when it has got enough tickets, after a
 * minute, or when there are too many.
 */
#include <stdlib.h>

#include "linger.h"
#include "session.h"

/* Servers send what to resume from at once; we read it when the application does. */
#define LINGER_USEC	60000000ULL
#define LINGER_MAX	256			/* sessions of a worker */
#define ACCURACY_USEC	10000ULL

/**
 * struct lingerer - a session that is sealed, but may still get tickets
 * @next: that came after it
 * @id: as the kernel told it
 * @session: lingers
 * @until: CLOCK_MONOTONIC microseconds
 */
struct lingerer {
	struct lingerer *next;
	uint64_t id;
	struct kseal_session *session;
	uint64_t until;
};

static void free_lingerer(struct kseal_linger *l, struct lingerer **at)
{
	struct lingerer *one = *at;

	*at = one->next;
	if (!one->next)
		l->end = at;
	l->count--;
	kseal_session_free(one->session);
	free(one);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct kseal_linger *l = data;

	sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &usec);
	while (l->first && l->first->until <= usec)
		free_lingerer(l, &l->first);
	if (!l->first)
		return 0;
	sd_event_source_set_time(source, l->first->until);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/**
 * kseal_linger_init() - an empty list
 * @l: filled in; to be freed even on failure
 * @event: loop of the calling thread
 *
 * The timer is made now, not when it is needed: it may take a descriptor.
 *
 * Return: 0 or a negative errno.
 */
int kseal_linger_init(struct kseal_linger *l, sd_event *event)
{
	int ret;

	l->end = &l->first;
	ret = sd_event_add_time_relative(event, &l->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
					 on_timer, l);
	if (ret < 0)
		return ret;
	return sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
}

/**
 * kseal_linger_add() - keep a session for its tickets, if that is of use
 * @l: the list
 * @session: a client's, done, status 0
 * @id: as the kernel told it
 *
 * Return: whether the session was taken over.
 */
bool kseal_linger_add(struct kseal_linger *l, struct kseal_session *session, uint64_t id)
{
	struct lingerer *one;
	uint64_t now;

	if (!kseal_session_linger(session))
		return false;
	one = calloc(1, sizeof(*one));
	if (!one)
		return false;
	if (l->count >= LINGER_MAX)
		free_lingerer(l, &l->first);
	sd_event_now(sd_event_source_get_event(l->timer), CLOCK_MONOTONIC, &now);
	one->id = id;
	one->session = session;
	one->until = now + LINGER_USEC;
	if (!l->first) {
		sd_event_source_set_time(l->timer, one->until);
		sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
	}
	*l->end = one;
	l->end = &one->next;
	l->count++;
	return true;
}

/**
 * kseal_linger_ticket() - a NewSessionTicket has come
 * @l: the list; the session may be gone
 * @id: of the session
 * @message: with its header
 * @size: of @message
 */
void kseal_linger_ticket(struct kseal_linger *l, uint64_t id, const unsigned char *message,
			 size_t size)
{
	for (struct lingerer **at = &l->first; *at; at = &(*at)->next) {
		if ((*at)->id != id)
			continue;
		if (!kseal_session_ticket((*at)->session, message, size))
			free_lingerer(l, at);
		return;
	}
}

/**
 * kseal_linger_free() - end all
 * @l: initialised, or all zero
 */
void kseal_linger_free(struct kseal_linger *l)
{
	while (l->first)
		free_lingerer(l, &l->first);
	sd_event_source_disable_unref(l->timer);
}
