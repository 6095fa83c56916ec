/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two fuzzers (rx.c, tx.c) share: a connection with a kseal socket at
 * one end, and how a session says what it was doing when it failed.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "tls.h"

/**
 * struct connection - TCP over loopback
 * @kseal: a socket with the ULP and keys of both directions
 * @peer: a plain socket
 * @in: keys of what @kseal reads
 * @out: keys of what @kseal writes
 */
struct connection {
	int kseal;
	int peer;
	struct direction in;
	struct direction out;
};

/**
 * struct session - one connection's worth of fuzzing
 * @kind: "rx" or "tx"
 * @seed: all that it does follows from it
 * @suite: its cipher
 * @sealed: its socket comes from a sealed listener; else it is in the explicit mode
 * @records: how many it has tried
 */
struct session {
	const char *kind;
	uint64_t seed;
	const struct suite *suite;
	bool sealed;
	unsigned long records;
};

extern struct session *now;
extern const struct suite *usable[];
extern size_t nr_usable;

void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *what, ...);
void __attribute__((format(printf, 1, 2))) did(const char *what, ...);
void need(bool truth, const char *what);

void connect_pair(struct connection *c, struct dice *d, const struct session *s,
		  int rcvbuf, int sndbuf, bool secrets);
void disconnect(struct connection *c);

void fuzz_rx(struct session *s);
void fuzz_tx(struct session *s);

#endif
