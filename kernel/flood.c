// SPDX-License-Identifier: GPL-2.0
/*
 * How much a peer may send that is no application data: empty records, warnings,
 * KeyUpdates, tickets. Each costs us work and brings nobody further. Knows no
 * sockets; called by alert.c.
 *
 * A peer has an allowance a minute, far above what one that is idle or has a person
 * at its keyboard needs, and earns more of it with its data. A byte makes good
 * all records that merely have to be opened: those are no dearer than as many small
 * ones of data, which nobody can object to. A KeyUpdate, though, makes us derive
 * keys, twice if it asks for ours. It has to be earned by UPDATE_BYTES, so
 * that a flood of them costs no more than several times what the same number of small
 * records would. Those who keep to a key's limit (RFC 8446 §5.5) use one for
 * 2^24 records.
 */
#include <kunit/visibility.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "flood.h"

#define ALLOWANCE	32
#define WINDOW		(60 * HZ)
#define UPDATE_BYTES	128

static bool spend(struct kseal_flood *f, u64 earned, unsigned long now)
{
	if (!f->since || time_after_eq(now, f->since + WINDOW)) {
		f->used = 0;
		f->since = now;
	}
	f->used -= min_t(u64, f->used, earned);
	return ++f->used <= ALLOWANCE;
}

/**
 * kseal_flood_idle() - a record without application data has come
 * @f: those that have come before
 * @bytes: of application data that the peer has sent so far
 * @now: jiffies
 *
 * Context: any.
 * Return: false if it is one too many.
 */
bool kseal_flood_idle(struct kseal_flood *f, u64 bytes, unsigned long now)
{
	bool data = bytes != f->paid;

	f->paid = bytes;
	return spend(f, data ? ALLOWANCE : 0, now);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_flood_idle);

/**
 * kseal_flood_update() - a KeyUpdate has come
 * @f: those that have come before
 * @bytes: of application data that the peer has sent so far
 * @now: jiffies
 *
 * Context: any.
 * Return: false if it is one too many.
 */
bool kseal_flood_update(struct kseal_flood *f, u64 bytes, unsigned long now)
{
	u64 earned = (bytes - f->paid) / UPDATE_BYTES;

	f->paid += earned * UPDATE_BYTES;
	return spend(f, earned, now);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_flood_update);
