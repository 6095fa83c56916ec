/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kseal keeps for each network namespace.
 */
#ifndef _KSEAL_NET_H
#define _KSEAL_NET_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "stats.h"

/**
 * struct kseal_counters - one CPU's counters
 * @item: indexed by &enum kseal_stat
 */
struct kseal_counters {
	u64 item[KSEAL_STAT_COUNT];
};

/**
 * struct kseal_net - per-namespace state
 * @lock: guards the lists and what they hold, as noted there. Innermost but for
 *	wait queues; taken in process context only
 * @workers: struct kseal_worker, least recently notified first
 * @agentless_since: jiffies when @workers became empty
 * @waiting: struct kseal_handshake that no worker has, oldest first
 * @active: struct kseal_handshake in the hands of a worker
 * @listeners: struct kseal_listener
 * @sockets: struct kseal_sock that are SEALED or EXPLICIT
 * @counters: per CPU
 */
struct kseal_net {
	spinlock_t lock;	/* guards what follows */
	struct list_head workers;
	unsigned long agentless_since;
	struct list_head waiting;
	struct list_head active;
	struct list_head listeners;
	struct list_head sockets;
	struct kseal_counters __percpu *counters;
};

extern unsigned int kseal_net_id;

static inline struct kseal_net *kseal_net(const struct net *net)
{
	return net_generic(net, kseal_net_id);
}

int kseal_stats_init_net(struct net *net);
void kseal_stats_exit_net(struct net *net);

#endif /* _KSEAL_NET_H */
