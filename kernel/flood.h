/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much a peer may send that is no application data. Used by alert.c.
 */
#ifndef _KSEAL_FLOOD_H
#define _KSEAL_FLOOD_H

#include <linux/types.h>

/**
 * struct kseal_flood - what a peer has sent lately of one kind
 * @used: how many of them, less what its data has paid for
 * @since: when counting began; jiffies
 * @paid: application bytes that have been taken into account
 *
 * Zeroed to begin with. Guarded by whoever owns it: the socket lock.
 */
struct kseal_flood {
	unsigned int used;
	unsigned long since;
	u64 paid;
};

bool kseal_flood_idle(struct kseal_flood *f, u64 bytes, unsigned long now);
bool kseal_flood_update(struct kseal_flood *f, u64 bytes, unsigned long now);

#endif /* _KSEAL_FLOOD_H */
