// SPDX-License-Identifier: GPL-2.0
/*
 * The tables that a person reads, and the same as JSON. Called by bench.c.
 *
 * Under -icount a nanosecond is an instruction, so the best of the repeats counts;
 * in wall-clock time it is the median.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench.h"

#define MISSING	(-1.0)
#define MAX_TARGETS	(2 * MAX_CASES + 3)

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What counts of a case over a transport: ns a byte or a message. */
static double cost(const struct results *r, int c, int t)
{
	double sorted[MAX_REPEATS];

	if (t < 0)
		return MISSING;
	memcpy(sorted, r->samples[c][t], r->repeats * sizeof(sorted[0]));
	qsort(sorted, r->repeats, sizeof(sorted[0]), compare);
	if (options.instructions)
		return sorted[0];
	if (r->repeats % 2)
		return sorted[r->repeats / 2];
	return (sorted[r->repeats / 2 - 1] + sorted[r->repeats / 2]) / 2;
}

static int find(const struct results *r, const struct transport *t)
{
	int i;

	for (i = 0; i < r->nr_transports; i++)
		if (r->transports[i] == t)
			return i;
	return -1;
}

static bool per_message(const struct bench_case *c)
{
	return c->kind == STREAM || c->kind == PINGPONG;
}

/* Cost beyond plain TCP's and the cipher's; MISSING if not known. */
static double overhead(const struct results *r, int c, int t)
{
	double floor = aead_floor(&r->aead, r->tests[c]);
	int plain = find(r, &plain_transport);

	if (t < 0 || plain < 0 || floor < 0 || per_message(r->tests[c]))
		return MISSING;
	return cost(r, c, t) - cost(r, c, plain) - floor;
}

static void print_heads(const struct results *r, const char *title)
{
	int t;

	printf("\n%-24s", title);
	for (t = 0; t < r->nr_transports; t++)
		printf(" %9s", r->transports[t]->name);
}

static void print_instructions(const struct results *r)
{
	int c, t, kseal = find(r, &kseal_transport), tls = find(r, &tls_transport);

	print_heads(r, "Instructions");
	if (kseal >= 0 && tls >= 0)
		printf("  kseal/tls.ko");
	printf("\n");
	for (c = 0; c < r->nr_tests; c++) {
		printf("%-24s", r->tests[c]->name);
		for (t = 0; t < r->nr_transports; t++)
			printf(per_message(r->tests[c]) ? " %9.0f" : " %9.2f", cost(r, c, t));
		if (kseal >= 0 && tls >= 0)
			printf("  %12.2f", cost(r, c, kseal) / cost(r, c, tls));
		printf("  %s\n", r->tests[c]->kind == PINGPONG ? "/round trip" :
		       per_message(r->tests[c]) ? "/message" : "/byte");
	}
}

static void print_throughput(const struct results *r)
{
	int c, t, plain = find(r, &plain_transport);

	print_heads(r, "Throughput");
	printf("\n");
	for (c = 0; c < r->nr_tests; c++) {
		printf("%-24s", r->tests[c]->name);
		for (t = 0; t < r->nr_transports; t++)
			printf(" %9.1f", (per_message(r->tests[c]) ? 1e6 : 1e3) / cost(r, c, t));
		printf("  %s\n", per_message(r->tests[c]) ? "messages/ms" : "MB/s");
	}
	if (plain < 0)
		return;
	print_heads(r, "Against plain TCP");
	printf("\n");
	for (c = 0; c < r->nr_tests; c++) {
		printf("%-24s", r->tests[c]->name);
		for (t = 0; t < r->nr_transports; t++)
			printf(" %9.3f", cost(r, c, plain) / cost(r, c, t));
		printf("\n");
	}
}

static void print_overheads(const struct results *r)
{
	int c, kseal = find(r, &kseal_transport), tls = find(r, &tls_transport);
	double ours, theirs;

	printf("\n%-24s %9s %9s %9s %9s\n", "Overhead /byte", "cipher", "kseal", "tls.ko", "ratio");
	for (c = 0; c < r->nr_tests; c++) {
		ours = overhead(r, c, kseal);
		theirs = overhead(r, c, tls);
		if (ours != MISSING && theirs != MISSING)
			printf("%-24s %9.2f %9.2f %9.2f %9.2f\n", r->tests[c]->name,
			       aead_floor(&r->aead, r->tests[c]), ours, theirs, ours / theirs);
	}
}

/* Through cards: what there is beyond plain TCP, with the cipher and without. */
static void print_beyond_plain(const struct results *r)
{
	int c, t, plain = find(r, &plain_transport);

	if (plain < 0)
		return;
	printf("\n%-24s %9s", "Beyond plain TCP /byte", "cipher");
	for (t = 0; t < r->nr_transports; t++)
		if (t != plain)
			printf(" %9s", r->transports[t]->name);
	printf("\n");
	for (c = 0; c < r->nr_tests; c++) {
		printf("%-24s %9.2f", r->tests[c]->name, aead_floor(&r->aead, r->tests[c]));
		for (t = 0; t < r->nr_transports; t++)
			if (t != plain)
				printf(" %9.2f", cost(r, c, t) - cost(r, c, plain));
		printf("\n");
	}
}

/**
 * struct target - what kseal is measured by
 * @name: of the case
 * @what: is compared, and with whose
 * @ratio: kseal's, by the other's
 * @limit: the most that it may be
 */
struct target {
	const char *name;
	const char *what;
	double ratio;
	double limit;
};

static void add_target(struct target *to, int *n, const char *name, const char *what, double ratio,
		       double limit)
{
	to[(*n)++] = (struct target){ name, what, ratio, limit };
}

/* All targets that this run can judge. Costs are instructions; memory is bytes. */
static int judge(const struct results *r, struct target *to)
{
	int kseal = find(r, &kseal_transport), tls = find(r, &tls_transport);
	int openssl = find(r, &openssl_transport), c, n = 0;
	const char *worst_name = NULL;
	double whole, worst = 0;

	if (options.cards)
		return 0;	/* they are set for loopback */
	for (c = 0; options.instructions && kseal >= 0 && c < r->nr_tests; c++) {
		const struct bench_case *k = r->tests[c];

		if (openssl >= 0 && k->whole_openssl)
			add_target(to, &n, k->name, "whole cost, openssl's",
				   cost(r, c, kseal) / cost(r, c, openssl), k->whole_openssl);
		if (tls < 0)
			continue;
		if (k->overhead && overhead(r, c, tls) != MISSING)
			add_target(to, &n, k->name, "overhead, tls.ko's",
				   overhead(r, c, kseal) / overhead(r, c, tls), k->overhead);
		whole = cost(r, c, kseal) / cost(r, c, tls);
		if (k->whole_tls)
			add_target(to, &n, k->name, "whole cost, tls.ko's", whole, k->whole_tls);
		if (whole > worst) {
			worst = whole;
			worst_name = k->name;
		}
	}
	if (worst_name)
		add_target(to, &n, worst_name, "whole cost, the worst", worst, 1);
	if (r->have_memory && kseal >= 0 && tls >= 0) {
		add_target(to, &n, "memory, idle", "bytes, tls.ko's",
			   r->memory[kseal].keyed / r->memory[tls].keyed, 1);
		add_target(to, &n, "memory, used once", "bytes, tls.ko's",
			   r->memory[kseal].used / r->memory[tls].used, 1);
	}
	return n;
}

static const char *verdict(const struct target *t)
{
	return t->ratio <= t->limit ? "met" : "missed";
}

static void print_targets(const struct results *r)
{
	struct target targets[MAX_TARGETS];
	int i, n = judge(r, targets), met = 0;

	if (!n)
		return;
	printf("\n%-24s %-22s %7s %7s\n", "Targets of kseal", "against", "ratio", "target");
	for (i = 0; i < n; i++) {
		printf("%-24s %-22s %7.2f %7.2f  %s\n", targets[i].name, targets[i].what,
		       targets[i].ratio, targets[i].limit, verdict(&targets[i]));
		met += targets[i].ratio <= targets[i].limit;
	}
	printf("%d of %d met\n", met, n);
}

static void print_aead(const struct results *r)
{
	int i;

	if (r->aead_missing) {
		printf("\nThe cipher alone: skipped: %s\n", r->aead_missing);
		return;
	}
	printf("\nThe cipher alone, %s, %s a byte\n%-24s %9s %9s\n", r->aead.driver,
	       options.instructions ? "instructions" : "ns", "bytes", "seal", "open");
	for (i = 0; i < r->aead.n; i++)
		printf("%-24zu %9.2f %9.2f\n", r->aead.at[i].size, r->aead.at[i].seal,
		       r->aead.at[i].open);
}

static void print_memory(const struct results *r)
{
	int t;

	if (!r->have_memory)
		return;
	printf("\n%-24s %9s %9s\n", "Bytes for keys, a socket", "idle", "used once");
	for (t = 0; t < r->nr_transports; t++)
		if (r->transports[t]->in_kernel)
			printf("%-24s %9.0f %9.0f\n", r->transports[t]->name, r->memory[t].keyed,
			       r->memory[t].used);
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "unknown";
}

void report_print(const struct results *r)
{
	struct utsname u;
	int t;

	uname(&u);
	printf("Linux %s; %s; CPU %s\n", u.release, environment("KSEAL_BENCH_MACHINE"),
	       environment("KSEAL_BENCH_CPU"));
	printf("TLS 1.%d, AES-%d-GCM; %s of %d; %zu MiB a case, the file has %zu\n",
	       options.tls13 ? 3 : 2, options.key_bits,
	       options.instructions ? "the least" : "the median", r->repeats,
	       options.bytes / MIB, options.file / MIB);
	if (options.cards)
		printf("Through simulated cards; hw: theirs is the cipher, which is not counted\n");
	if (options.instructions && !idle_is_exact())
		printf("Idle time is known to 10 ms only: kseal_aead_bench.ko is not loaded\n");
	for (t = 0; t < MAX_TRANSPORTS; t++)
		if (r->skipped[t])
			printf("skipped: %s\n", r->skipped[t]);
	if (r->nr_tests && r->nr_transports) {
		if (options.instructions) {
			print_instructions(r);
			if (options.cards)
				print_beyond_plain(r);
			else
				print_overheads(r);
		} else {
			print_throughput(r);
		}
	}
	print_aead(r);
	print_memory(r);
	print_targets(r);
	fflush(stdout);
}

static json_t *json_case(const struct results *r, int c)
{
	static const char * const ends[] = { [BOTH] = "both", [TX] = "tx", [RX] = "rx" };
	json_t *transports = json_object(), *one;
	double value;
	int t, i;

	for (t = 0; t < r->nr_transports; t++) {
		json_t *samples = json_array();

		for (i = 0; i < r->repeats; i++)
			json_array_append_new(samples, json_real(r->samples[c][t][i]));
		one = json_pack("{s:f,s:o}", "value", cost(r, c, t), "samples", samples);
		value = overhead(r, c, t);
		if (value != MISSING)
			json_object_set_new(one, "overhead", json_real(value));
		json_object_set_new(transports, r->transports[t]->name, one);
	}
	return json_pack("{s:s,s:s,s:s,s:o}", "name", r->tests[c]->name, "ends",
			 ends[r->tests[c]->ends], "unit",
			 per_message(r->tests[c]) ? "message" : "byte", "transports", transports);
}

void report_json(const struct results *r, const char *path)
{
	json_t *cases = json_array(), *aead = json_array(), *memory = json_object();
	json_t *skipped = json_array(), *targets = json_array(), *root;
	struct target judged[MAX_TARGETS];
	struct utsname u;
	int i, n;

	uname(&u);
	for (i = 0; i < r->nr_tests; i++)
		json_array_append_new(cases, json_case(r, i));
	for (i = 0; i < r->aead.n; i++)
		json_array_append_new(aead, json_pack("{s:i,s:f,s:f}",
						      "bytes", (int)r->aead.at[i].size,
						      "seal", r->aead.at[i].seal,
						      "open", r->aead.at[i].open));
	for (i = 0; i < r->nr_transports; i++)
		if (r->have_memory && r->transports[i]->in_kernel)
			json_object_set_new(memory, r->transports[i]->name,
					    json_pack("{s:f,s:f}", "idle", r->memory[i].keyed,
						      "used", r->memory[i].used));
	for (i = 0; i < MAX_TRANSPORTS; i++)
		if (r->skipped[i])
			json_array_append_new(skipped, json_string(r->skipped[i]));
	n = judge(r, judged);
	for (i = 0; i < n; i++)
		json_array_append_new(targets, json_pack("{s:s,s:s,s:f,s:f,s:s}",
							 "name", judged[i].name,
							 "against", judged[i].what,
							 "ratio", judged[i].ratio,
							 "target", judged[i].limit,
							 "verdict", verdict(&judged[i])));
	root = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:o,s:s,s:o,s:o,s:o,s:o}",
			 "clock", options.instructions ? "instructions" : "ns",
			 "kernel", u.release, "machine", environment("KSEAL_BENCH_MACHINE"),
			 "cpu", environment("KSEAL_BENCH_CPU"),
			 "tls", options.tls13 ? "1.3" : "1.2", "key_bits", options.key_bits,
			 "repeats", r->repeats, "cases", cases, "cipher", r->aead.driver,
			 "cipher_alone", aead, "memory", memory, "skipped", skipped,
			 "targets", targets);
	if (!root || json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)))
		die("%s can't be written", path);
	json_decref(root);
}
