/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own generic netlink family "handshake": how NFS and NVMe over TCP ask
 * for a TLS handshake on a socket of theirs. Used by consumers.c.
 *
 * The numbers are those of <linux/handshake.h>, which distributions with headers
 * older than Linux 6.4 lack.
 */
#ifndef KSEALD_UPCALL_H
#define KSEALD_UPCALL_H

#include <linux/kseal.h>
#include <stdbool.h>
#include <stdint.h>

enum kseal_upcall_type {
	KSEAL_UPCALL_CLIENT = 1,
	KSEAL_UPCALL_SERVER,
};

enum kseal_upcall_auth {
	KSEAL_UPCALL_ANONYMOUS = 1,
	KSEAL_UPCALL_PSK,
	KSEAL_UPCALL_X509,
};

struct kseal_upcall;

/**
 * struct kseal_upcall_request - a consumer's socket that needs a handshake
 * @fd: the socket, to be closed after kseal_upcall_done()
 * @type: enum kseal_upcall_type: our part
 * @auth: enum kseal_upcall_auth: how we prove who we are
 * @timeout_ms: how long the consumer waits, 0 if it does not say
 * @peer_name: whom a client wants to reach, or empty
 * @foreign_certificate: a serial number in a keyring says what to show, not we
 */
struct kseal_upcall_request {
	int fd;
	uint32_t type;
	uint32_t auth;
	unsigned int timeout_ms;
	char peer_name[KSEAL_NAME_MAX];
	bool foreign_certificate;
};

int kseal_upcall_open(struct kseal_upcall **result);
void kseal_upcall_close(struct kseal_upcall *u);
int kseal_upcall_fd(const struct kseal_upcall *u);
void kseal_upcall_receive(struct kseal_upcall *u);
int kseal_upcall_accept(struct kseal_upcall *u, struct kseal_upcall_request *req);
int kseal_upcall_done(struct kseal_upcall *u, int fd, int status, int32_t peer);

#endif /* KSEALD_UPCALL_H */
