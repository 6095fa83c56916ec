/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions of connectors that are sealed, but may still be told what to resume from:
 * a TLS 1.3 server's tickets come after the handshake. Used by worker.c, one list a
 * worker, without locks.
 */
#ifndef KSEALD_LINGER_H
#define KSEALD_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct kseal_session;
struct lingerer;

/**
 * struct kseal_linger - the sessions of a worker
 * @first: the oldest
 * @end: where the next one goes
 * @count: how many
 * @timer: until the oldest has lingered long enough
 */
struct kseal_linger {
	struct lingerer *first;
	struct lingerer **end;
	unsigned int count;
	sd_event_source *timer;
};

int kseal_linger_init(struct kseal_linger *l, sd_event *event);
bool kseal_linger_add(struct kseal_linger *l, struct kseal_session *session, uint64_t id);
void kseal_linger_ticket(struct kseal_linger *l, uint64_t id, const unsigned char *message,
			 size_t size);
void kseal_linger_free(struct kseal_linger *l);

#endif /* KSEALD_LINGER_H */
