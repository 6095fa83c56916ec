/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: a thread with its own netlink socket and event loop, and any number of
 * handshakes in flight. Started and stopped by main.c.
 */
#ifndef KSEALD_WORKER_H
#define KSEALD_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct kseal_netlink;
struct kseal_shared;
struct kseal_worker;

struct kseal_worker *kseal_worker_start(struct kseal_shared *shared,
					struct kseal_netlink *nl,
					unsigned int index, uint64_t heartbeat_usec);
int kseal_worker_register(struct kseal_netlink *nl);
void kseal_worker_stop(struct kseal_worker *worker);
bool kseal_worker_alive(struct kseal_worker *worker);

#endif /* KSEALD_WORKER_H */
