/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: a thread with its own netlink socket and event loop, and any number of
 * handshakes in flight. Started and stopped by main.c.
 */
#ifndef KSEALD_WORKER_H
#define KSEALD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct kseal_config;
struct kseal_netlink;
struct kseal_worker;

/**
 * struct kseal_shared - what main and the workers have in common
 * @lock: guards @config
 * @config: current configuration; holds a reference
 * @failed: a worker could not go on
 * @workers: how many there are
 * @handshakes: in flight, of all workers
 * @handshakes_max: then no more are taken; may be exceeded by a few
 */
struct kseal_shared {
	pthread_mutex_t lock;
	struct kseal_config *config;
	atomic_bool failed;
	atomic_uint workers;
	atomic_uint handshakes;
	unsigned int handshakes_max;
};

struct kseal_config *kseal_shared_config(struct kseal_shared *shared);
struct kseal_worker *kseal_worker_start(struct kseal_shared *shared,
					struct kseal_netlink *nl,
					unsigned int index, uint64_t heartbeat_usec);
int kseal_worker_register(struct kseal_netlink *nl);
void kseal_worker_stop(struct kseal_worker *worker);
unsigned int kseal_worker_heartbeats(const struct kseal_worker *worker);

#endif /* KSEALD_WORKER_H */
