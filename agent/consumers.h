/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own consumers of TLS, NFS and NVMe over TCP: a thread that does their
 * handshakes. Started and stopped by main.c, if the configuration has a section
 * "kernel".
 */
#ifndef KSEALD_CONSUMERS_H
#define KSEALD_CONSUMERS_H

#include <stdbool.h>
#include <stdint.h>

struct kseal_consumers;
struct kseal_shared;
struct kseal_upcall;

struct kseal_consumers *kseal_consumers_start(struct kseal_shared *shared,
					      struct kseal_upcall *upcall,
					      uint64_t heartbeat_usec);
void kseal_consumers_stop(struct kseal_consumers *c);
bool kseal_consumers_alive(struct kseal_consumers *c);

#endif /* KSEALD_CONSUMERS_H */
