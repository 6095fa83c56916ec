// SPDX-License-Identifier: GPL-2.0
/*
 * What the cases are compared with, beside each other: the cost of the cipher
 * alone, from the test module kseal_aead_bench, and the memory that keys take.
 * Called by bench.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* Returns NULL, or why it is not known. */
const char *aead_measure(struct aead_cost *cost)
{
	FILE *f = fopen("/sys/module/kseal_aead_bench/parameters/key_bits", "w");
	unsigned long long size, seal, open, ops;

	if (!f)
		return "kseal_aead_bench.ko is not loaded";
	fprintf(f, "%d\n", options.key_bits);
	fclose(f);
	f = fopen("/proc/kseal_aead", "r");
	if (!f || fscanf(f, "%63s", cost->driver) != 1)
		return "kseal_aead_bench.ko has no gcm(aes)";
	while (cost->n < 8 && fscanf(f, "%llu %llu %llu %llu", &size, &ops, &seal, &open) == 4) {
		cost->at[cost->n].size = size;
		cost->at[cost->n].seal = (double)seal / ops / size;
		cost->at[cost->n++].open = (double)open / ops / size;
	}
	fclose(f);
	return NULL;
}

/* The cipher's share of a case, in ns a byte; negative if it is not known. */
double aead_floor(const struct aead_cost *cost, const struct bench_case *c)
{
	int i;

	for (i = 0; i < cost->n; i++)
		if (cost->at[i].size == record_size(c))
			return (c->ends != RX ? cost->at[i].seal : 0) +
			       (c->ends != TX ? cost->at[i].open : 0);
	return -1;
}

/* Bytes in use, once what can be given back has been. */
static double memory_used(void)
{
	unsigned long long kib, available = 0;
	FILE *f = fopen("/proc/sys/vm/drop_caches", "w");
	char line[128];

	if (f) {
		fputs("3\n", f);
		fclose(f);
	}
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			available = kib;
	if (f)
		fclose(f);
	return available * -1024.0;
}

static void exchange(const struct transport *t, struct end *from, struct end *to)
{
	static uint8_t buf[MAX_RECORD];
	size_t pos = 0;
	ssize_t n;

	if (t->send(from, data_at(0), MAX_RECORD) < 0)
		die("%s: %s", t->name, strerror(errno));
	while (pos < MAX_RECORD) {
		n = t->recv(to, buf, MAX_RECORD - pos);
		if (n <= 0 || memcmp(buf, data_at(pos), n))
			die("%s: a record got lost", t->name);
		pos += n;
	}
}

struct memory_cost memory_measure(const struct transport *t, int sockets)
{
	struct rlimit files = { .rlim_cur = 4 * sockets + 64, .rlim_max = 4 * sockets + 64 };
	struct end *a = calloc(sockets, sizeof(*a)), *b = calloc(sockets, sizeof(*b));
	struct memory_cost cost;
	double before;
	int i;

	if (!a || !b || setrlimit(RLIMIT_NOFILE, &files))
		die("no room for %d sockets", 2 * sockets);
	connect_pairs(a, b, sockets);
	before = memory_used();
	for (i = 0; i < sockets; i++) {
		const char *error = t->open(&a[i], &b[i], BOTH);

		if (error)
			die("%s: %s", t->name, error);
	}
	cost.keyed = (memory_used() - before) / (2 * sockets);
	for (i = 0; i < sockets; i++) {
		exchange(t, &a[i], &b[i]);
		exchange(t, &b[i], &a[i]);
	}
	cost.used = (memory_used() - before) / (2 * sockets);
	close_pairs(t, a, b, sockets);
	free(a);
	free(b);
	return cost;
}
