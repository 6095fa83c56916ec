// SPDX-License-Identifier: GPL-2.0
/*
 * The agent's own numbers, for a collector: OpenMetrics 1.0, with the counters of the
 * module beside them. Nothing names a peer, so that the number of time series stays
 * the same. kseal metrics prints the same from the agent's endpoint.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "counters.h"
#include "metrics.h"
#include "outcome.h"

#define SERIES	4	/* role, resumed */

/* Upper bounds, milliseconds. */
static const unsigned int bounds[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000,
};

#define BOUNDS	(sizeof(bounds) / sizeof(*bounds))

/**
 * struct durations - of handshakes that came to a good end
 * @buckets: how many took less than each bound, and not less than the one before; the
 *	last: longer than all
 * @milliseconds: of all together
 */
struct durations {
	atomic_ullong buckets[BOUNDS + 1];
	atomic_ullong milliseconds;
};

static struct durations durations[SERIES];
static atomic_ullong refused[2], failed[2];	/* by role */

static const char *const roles[] = { "server", "client" };

/**
 * kseal_metrics_count() - a handshake has ended
 * @o: how
 *
 * Context: any thread.
 */
void kseal_metrics_count(const struct kseal_outcome *o)
{
	unsigned int role = o->role == KSEAL_ROLE_CLIENT;
	struct durations *d = &durations[2 * role + o->resumed];
	size_t i = 0;

	if (o->status) {
		atomic_fetch_add(o->status == EACCES ? &refused[role] : &failed[role], 1);
		return;
	}
	while (i < BOUNDS && o->milliseconds >= bounds[i])
		i++;
	atomic_fetch_add(&d->buckets[i], 1);
	atomic_fetch_add(&d->milliseconds, o->milliseconds);
}

static void write_durations(FILE *f, const char *labels, struct durations *d)
{
	unsigned long long count = 0, sum = atomic_load(&d->milliseconds);

	for (size_t i = 0; i < BOUNDS; i++) {
		count += atomic_load(&d->buckets[i]);
		fprintf(f, "kseal_handshake_seconds_bucket{%s,le=\"%u.%03u\"} %llu\n", labels,
			bounds[i] / 1000, bounds[i] % 1000, count);
	}
	count += atomic_load(&d->buckets[BOUNDS]);
	fprintf(f, "kseal_handshake_seconds_bucket{%s,le=\"+Inf\"} %llu\n", labels, count);
	fprintf(f, "kseal_handshake_seconds_sum{%s} %llu.%03llu\n", labels, sum / 1000, sum % 1000);
	fprintf(f, "kseal_handshake_seconds_count{%s} %llu\n", labels, count);
}

static void write_module(FILE *f)
{
	/* /proc/net is not there with ProcSubset=pid, which the unit has */
	FILE *stat = fopen("/proc/self/net/kseal_stat", "re");
	const char *help, *unit;
	char key[64], name[80];
	uint64_t value;

	/* the module may be away */
	if (!stat)
		return;
	while (fscanf(stat, "%63s %" SCNu64, key, &value) == 2) {
		kseal_counter_describe(key, name, sizeof(name), &help, &unit);
		kseal_counter_head(f, name, "counter", unit, help);
		fprintf(f, "%s_total %" PRIu64 "\n", name, value);
	}
	fclose(stat);
}

/**
 * kseal_metrics_write() - all of it, as OpenMetrics
 * @f: where to
 * @module: with the counters of the module
 *
 * Context: any thread.
 */
void kseal_metrics_write(FILE *f, bool module)
{
	char labels[64];

	kseal_counter_head(f, "kseal_handshake_seconds", "histogram", "seconds",
			   "Handshakes that the agent completed, by duration");
	for (unsigned int i = 0; i < SERIES; i++) {
		snprintf(labels, sizeof(labels), "role=\"%s\",resumed=\"%s\"", roles[i / 2],
			 i % 2 ? "yes" : "no");
		write_durations(f, labels, &durations[i]);
	}
	kseal_counter_head(f, "kseal_handshakes_ended", "counter", NULL,
			   "Handshakes that the agent did not complete");
	for (unsigned int role = 0; role < 2; role++) {
		fprintf(f, "kseal_handshakes_ended_total{role=\"%s\",outcome=\"refused\"} %llu\n",
			roles[role], atomic_load(&refused[role]));
		fprintf(f, "kseal_handshakes_ended_total{role=\"%s\",outcome=\"failed\"} %llu\n",
			roles[role], atomic_load(&failed[role]));
	}
	if (module)
		write_module(f);
	fputs("# EOF\n", f);
}
