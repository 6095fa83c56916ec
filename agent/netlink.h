/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker's conversation with the kernel over generic netlink, as
 * <linux/kseal.h> describes it. Used by worker.c, opened by main.c.
 */
#ifndef KSEALD_NETLINK_H
#define KSEALD_NETLINK_H

#include <linux/kseal.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

struct kseal_netlink;
struct kseal_outcome;

/* Events that arrive beside answers. */
#define KSEAL_EVENT_READY	0x1	/* a connection waits, or may wait */
#define KSEAL_EVENT_GONE	0x2	/* the module was unloaded */
#define KSEAL_EVENT_BACK	0x4	/* the module was loaded again */

/**
 * struct kseal_request - a connection that needs a handshake: ACCEPT's answer
 * @id: for DONE
 * @fd: the proxy
 * @profile: that its socket asked for
 * @conn: who, with whom
 * @timeout_ms: until the kernel gives up
 */
struct kseal_request {
	uint64_t id;
	int fd;
	char profile[KSEAL_PROFILE_MAX];
	struct kseal_connection conn;
	unsigned int timeout_ms;
};

/**
 * struct kseal_message - what a peer sent after the handshake: TICKET
 * @next: that came after it
 * @id: of the request
 * @size: of @data
 * @data: a handshake message with its header
 */
struct kseal_message {
	struct kseal_message *next;
	uint64_t id;
	size_t size;
	unsigned char data[];
};

int kseal_netlink_open(struct kseal_netlink **result);
void kseal_netlink_close(struct kseal_netlink *nl);
int kseal_netlink_fd(const struct kseal_netlink *nl);
unsigned int kseal_netlink_events(struct kseal_netlink *nl);
void kseal_netlink_receive(struct kseal_netlink *nl);
struct kseal_message *kseal_netlink_ticket(struct kseal_netlink *nl);
const char *kseal_netlink_message(const struct kseal_netlink *nl);

int kseal_netlink_register(struct kseal_netlink *nl);
const uint16_t *kseal_netlink_ciphers(const struct kseal_netlink *nl, size_t *count);
int kseal_netlink_accept(struct kseal_netlink *nl, struct kseal_request *req);
int kseal_netlink_done(struct kseal_netlink *nl, uint64_t id,
		       const struct kseal_outcome *outcome);

#endif /* KSEALD_NETLINK_H */
