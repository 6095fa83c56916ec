/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of an agent as it takes to hand keys to a connection without a
 * handshake: the conversation of include/uapi/linux/kseal.h, each step a call of
 * its own, so that each can fail on its own.
 */
#ifndef TESTS_FAULTS_AGENT_H
#define TESTS_FAULTS_AGENT_H

#include <stdint.h>

/**
 * struct agent - a worker
 * @fd: its netlink socket
 * @family: number of the family "kseal"
 * @seq: of its last request
 */
struct agent {
	int fd;
	uint16_t family;
	uint32_t seq;
};

int agent_open(struct agent *a);
int agent_register(struct agent *a);
int agent_accept(struct agent *a, uint64_t *id);
int agent_done(struct agent *a, uint64_t id, uint32_t status);
int agent_dump(struct agent *a, uint8_t command);
void agent_close(struct agent *a);

#endif
