// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmark: the same loops over plain TCP, kseal, the kernel's tls, OpenSSL
 * and GnuTLS, in one boot; or, through simulated network cards, with and without their
 * help. tests/bench/run starts it in a virtual machine; it also
 * runs on any machine where kseal and tls are loaded.
 *
 * It judges data, not time: the exit status is 1 if what arrives is not what was
 * sent, and 0 however slow it was.
 */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

struct options options = {
	.tls13		= true,
	.key_bits	= 128,
	.repeats	= 5,
	.bytes		= 32 * MIB,
	.file		= 256 * MIB,
	.sockets	= 8000,
};

static const struct transport * const transports[MAX_TRANSPORTS] = {
	&plain_transport, &kseal_transport, &tls_transport, &openssl_transport, &gnutls_transport,
	&kseal_card_transport, &tls_card_transport,
};

#define BULK_CASE(_name, _ends, _write, _read, ...)			\
	{ .name = (_name), .kind = BULK, .ends = (_ends), .conns = 1,	\
	  .write = (_write) * KIB, .read = (_read) * KIB, ##__VA_ARGS__ }

/* The targets are what the project has set itself. */
static const struct bench_case tests[] = {
	BULK_CASE("bulk 1K", BOTH, 1, 64),
	BULK_CASE("bulk 4K", BOTH, 4, 64, .cards = true),
	BULK_CASE("bulk 16K", BOTH, 16, 64, .cards = true, .whole_openssl = 0.85),
	BULK_CASE("bulk 64K", BOTH, 64, 64, .whole_openssl = 0.85),
	BULK_CASE("bulk 256K", BOTH, 256, 64, .whole_openssl = 0.85),
	BULK_CASE("bulk 16K, 4K reads", BOTH, 16, 4),
	{ .name = "bulk 16K, 64 conns", .kind = BULK, .write = 16 * KIB, .read = 64 * KIB,
	  .conns = 64 },
	{ .name = "sendfile", .kind = SENDFILE, .write = 64 * KIB, .read = 64 * KIB, .conns = 1,
	  .cards = true },
	{ .name = "100 B streamed", .kind = STREAM, .write = 100, .read = 64 * KIB, .conns = 1,
	  .whole_tls = 0.4 },
	{ .name = "100 B ping-pong", .kind = PINGPONG, .write = 100, .read = 100, .conns = 1,
	  .whole_tls = 0.9 },
	BULK_CASE("TX 1K", TX, 1, 64),
	BULK_CASE("TX 4K", TX, 4, 64, .cards = true),
	BULK_CASE("TX 16K", TX, 16, 64, .cards = true, .overhead = 0.5),
	BULK_CASE("TX 64K", TX, 64, 64, .overhead = 0.5),
	BULK_CASE("TX 256K", TX, 256, 64, .overhead = 0.5),
	{ .name = "TX sendfile", .kind = SENDFILE, .ends = TX, .write = 64 * KIB, .conns = 1,
	  .cards = true, .overhead = 0.5 },
	{ .name = "TX 100 B streamed", .kind = STREAM, .ends = TX, .write = 100, .conns = 1 },
	BULK_CASE("RX 64K reads", RX, 16, 64, .cards = true, .overhead = 0.4),
	BULK_CASE("RX 4K reads", RX, 16, 4, .cards = true),
	BULK_CASE("RX 64K reads, 1K rec.", RX, 1, 64),
};

_Static_assert(sizeof(tests) / sizeof(tests[0]) <= MAX_CASES, "MAX_CASES");

void die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void buffer_add(struct buffer *b, const void *data, size_t len)
{
	if (b->len + len > b->size) {
		b->size = 2 * (b->len + len) + 64 * KIB;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			die("out of memory");
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){};
}

/* Is @name one of the comma-separated @list? */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	for (; list; list = list[n] ? list + n + 1 : NULL) {
		n = strcspn(list, ",");
		if (n == len && !strncmp(list, name, n))
			return true;
	}
	return false;
}

/* NULL, or why @t can't run. */
static const char *try_transport(const struct transport *t)
{
	struct end a, b;
	const char *reason;

	if (options.cards)
		cards_prepare(t, true);
	connect_pairs(&a, &b, 1);
	reason = t->open(&a, &b, BOTH);
	if (!reason && options.cards)
		reason = cards_check(t, BOTH);
	close_pairs(t, &a, &b, 1);
	return reason;
}

static void choose(struct results *r)
{
	static char reasons[MAX_TRANSPORTS][128];
	const char *reason;
	size_t i;

	for (i = 0; i < MAX_TRANSPORTS; i++) {
		const struct transport *t = transports[i];

		if (options.cards ? !t->in_kernel : t->in_card)
			continue;
		if (options.transports && !listed(options.transports, t->name))
			continue;
		reason = try_transport(t);
		if (reason) {
			snprintf(reasons[i], sizeof(reasons[i]), "%s: %s", t->name, reason);
			r->skipped[i] = reasons[i];
		} else {
			r->transports[r->nr_transports++] = t;
		}
	}
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if ((!options.cards || tests[i].cards) &&
		    (!options.only || strstr(tests[i].name, options.only)) &&
		    (!options.exactly || !strcmp(tests[i].name, options.exactly)))
			r->tests[r->nr_tests++] = &tests[i];
}

static bool verify_all(const struct results *r)
{
	const char *wrong;
	bool ok = true;
	int c, t;

	for (t = 0; t < r->nr_transports; t++) {
		fprintf(stderr, "# the data of %s\n", r->transports[t]->name);
		for (c = 0; c < r->nr_tests; c++) {
			wrong = verify(r->transports[t], r->tests[c]);
			if (wrong) {
				fprintf(stderr, "bench: wrong: %s, %s: %s\n",
					r->transports[t]->name, r->tests[c]->name, wrong);
				ok = false;
			}
		}
	}
	return ok;
}

static void measure_all(struct results *r)
{
	int c, t;

	for (; r->repeats < options.repeats; r->repeats++) {
		fprintf(stderr, "# repeat %d of %d\n", r->repeats + 1, options.repeats);
		for (c = 0; c < r->nr_tests; c++)
			for (t = 0; t < r->nr_transports; t++)
				r->samples[c][t][r->repeats] = measure(r->transports[t],
								       r->tests[c]);
	}
	for (t = 0; options.sockets && t < r->nr_transports; t++) {
		if (!r->transports[t]->in_kernel)
			continue;
		fprintf(stderr, "# the memory of %s\n", r->transports[t]->name);
		r->memory[t] = memory_measure(r->transports[t], options.sockets);
		r->have_memory = true;
	}
}

static const char usage[] =
"Usage: bench [OPTION]...\n"
"Measures TLS record layers side by side, over loopback.\n"
"  --cards             through simulated network cards, with and without their\n"
"                      help: some of the cases, always TLS 1.2, no memory\n"
"  --icount            the clock counts instructions, one a nanosecond\n"
"                      (qemu -icount shift=0,sleep=off -smp 1)\n"
"  --tls 1.2|1.3       protocol version (1.3)\n"
"  --cipher 128|256    AES-128-GCM or AES-256-GCM (128)\n"
"  --repeats N         of everything, interleaved (5; with --icount 3)\n"
"  --bytes MIB         sent in a case (32; with --icount 8)\n"
"  --file MIB          size of the file for sendfile (256; with --icount 8)\n"
"  --sockets N         connections for the measurement of memory (8000; 0: none)\n"
"  --only TEXT         only the cases whose name contains TEXT\n"
"  --case NAME         only this one\n"
"  --transports LIST   plain,kseal,tls.ko,openssl,gnutls or some of them; with\n"
"                      --cards plain,kseal,tls.ko,kseal hw,tls.ko hw\n"
"  --json FILE         write the results there, too\n";

static int parse_number(const char *text, int least, int most)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < least || n > most)
		die("%s: not from %d to %d", text, least, most);
	return n;
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "icount", no_argument, NULL, 'i' },
		{ "cards", no_argument, NULL, 'n' },
		{ "tls", required_argument, NULL, 't' },
		{ "cipher", required_argument, NULL, 'c' },
		{ "repeats", required_argument, NULL, 'r' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "file", required_argument, NULL, 'f' },
		{ "sockets", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' },
		{ "case", required_argument, NULL, 'C' },
		{ "transports", required_argument, NULL, 'T' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int i, opt;

	/* before the others: it changes what they are by default */
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--icount")) {
			options.instructions = true;
			options.repeats = 3;
			options.bytes = 32 * MIB;
			options.file = 32 * MIB;
		}
		if (!strcmp(argv[i], "--cards"))
			options.cards = true;
	}
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 'i':
		case 'n':
			break;
		case 't':
			if (strcmp(optarg, "1.2") && strcmp(optarg, "1.3"))
				die("--tls is 1.2 or 1.3");
			options.tls13 = !strcmp(optarg, "1.3");
			break;
		case 'c':
			options.key_bits = parse_number(optarg, 128, 256);
			if (options.key_bits != 128 && options.key_bits != 256)
				die("--cipher is 128 or 256");
			break;
		case 'r':
			options.repeats = parse_number(optarg, 1, MAX_REPEATS);
			break;
		case 'b':
			options.bytes = parse_number(optarg, 1, 1024) * MIB;
			break;
		case 'f':
			options.file = parse_number(optarg, 1, 1024) * MIB;
			break;
		case 's':
			options.sockets = parse_number(optarg, 0, 100000);
			break;
		case 'o':
			options.only = optarg;
			break;
		case 'C':
			options.exactly = optarg;
			break;
		case 'T':
			options.transports = optarg;
			break;
		case 'j':
			options.json = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
	/* all that cards can do; memory is not theirs */
	if (options.cards) {
		options.tls13 = false;
		options.sockets = 0;
	}
}

int main(int argc, char **argv)
{
	static struct results results;
	bool ok;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	data_init();
	userspace_init();
	results.aead_missing = aead_measure(&results.aead);
	choose(&results);
	ok = verify_all(&results);
	if (!ok)
		return 1;
	measure_all(&results);
	report_print(&results);
	if (options.json)
		report_json(&results, options.json);
	return 0;
}
