/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many handshakes a profile does at a time and in a second, in all and for one
 * source address. Used by worker.c for each connection, by all workers together.
 */
#ifndef KSEALD_LIMITS_H
#define KSEALD_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define KSEAL_HANDSHAKES_MAX	1000000	/* what a limit may be */
#define KSEAL_QUEUE_DEFAULT	128

struct kseal_limits;

/**
 * struct kseal_limit_values - of a profile; 0 is no limit
 * @active: handshakes in flight
 * @active_a_source: likewise, of one source
 * @rate: new ones a second
 * @rate_a_source: likewise, of one source
 * @queue: how many may wait for @active and @rate
 */
struct kseal_limit_values {
	unsigned int active;
	unsigned int active_a_source;
	unsigned int rate;
	unsigned int rate_a_source;
	unsigned int queue;
};

enum kseal_admission {
	KSEAL_ADMIT,
	KSEAL_ADMIT_LATER,
	KSEAL_ADMIT_NEVER,
};

struct kseal_limits *kseal_limits_new(const char *profile, const struct kseal_limit_values *v);
void kseal_limits_free(struct kseal_limits *l);
enum kseal_admission kseal_limits_enter(struct kseal_limits *l,
					const struct sockaddr_storage *peer, uint64_t now);
bool kseal_limits_again(struct kseal_limits *l, uint64_t now);
void kseal_limits_leave(struct kseal_limits *l, const struct sockaddr_storage *peer,
			bool waits);

#endif /* KSEALD_LIMITS_H */
