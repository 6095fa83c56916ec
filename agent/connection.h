/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection that needs a handshake, as the kernel describes it, and its
 * addresses as text, bytes and ports. Used by netlink.c, worker.c and session.c.
 */
#ifndef KSEALD_CONNECTION_H
#define KSEALD_CONNECTION_H

#include <linux/kseal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define KSEAL_ADDRESS_MAX	64	/* "[2001:db8::1]:443" */

/**
 * struct kseal_connection - who speaks with whom, for whom
 * @role: enum kseal_role: ours
 * @server_name: that a connector wants to reach, or empty
 * @local: our end
 * @peer: the other end
 * @uid: owner of the listener or connector, -1 unknown
 * @gid: likewise
 * @kernel: a socket of the kernel itself: it can resume nothing
 * @anonymous: as a client we show no certificate, even if we have one
 */
struct kseal_connection {
	uint32_t role;
	char server_name[KSEAL_NAME_MAX];
	struct sockaddr_storage local;
	struct sockaddr_storage peer;
	uid_t uid;
	gid_t gid;
	bool kernel;
	bool anonymous;
};

const char *kseal_address_format(const struct sockaddr_storage *ss, char *to, size_t size);
uint16_t kseal_address_port(const struct sockaddr_storage *ss);
size_t kseal_address_bytes(const struct sockaddr_storage *ss, unsigned char *to);

#endif /* KSEALD_CONNECTION_H */
