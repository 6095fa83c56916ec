// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU plugin: counts the instructions of every translated block that runs while
 * the benchmark's clock does (mark_start, mark_stop in measure.c), and writes
 * "ADDRESS LENGTH RUNS" lines when QEMU ends. Built and read by
 * tests/bench/profile. Argument: out=FILE.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

/* xchg r12,r12 and xchg r13,r13, which no compiler emits */
static const uint8_t start_mark[] = { 0x4d, 0x87, 0xe4 };
static const uint8_t stop_mark[] = { 0x4d, 0x87, 0xed };

#define BUCKETS	65536

/**
 * struct block - a translated block
 * @next: in its bucket
 * @address: of its first instruction
 * @length: instructions
 * @runs: how often it has been entered
 * @before: @runs when the clock was started
 * @counted: runs while it ran
 */
struct block {
	struct block *next;
	uint64_t address;
	size_t length;
	uint64_t runs;
	uint64_t before;
	uint64_t counted;
};

static struct block *blocks[BUCKETS];
static const char *out;

EXPORT int qemu_plugin_version = 1;

static void start(unsigned int cpu, void *data)
{
	struct block *b;
	int i;

	(void)cpu;
	(void)data;
	for (i = 0; i < BUCKETS; i++)
		for (b = blocks[i]; b; b = b->next)
			b->before = b->runs;
}

static void stop(unsigned int cpu, void *data)
{
	struct block *b;
	int i;

	(void)cpu;
	(void)data;
	for (i = 0; i < BUCKETS; i++) {
		for (b = blocks[i]; b; b = b->next) {
			b->counted += b->runs - b->before;
			b->before = b->runs;
		}
	}
}

static struct block *find(uint64_t address, size_t length)
{
	struct block **head = &blocks[(address ^ address >> 16) % BUCKETS], *b;

	for (b = *head; b; b = b->next)
		if (b->address == address && b->length == length)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->address = address;
	b->length = length;
	b->next = *head;
	*head = b;
	return b;
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	struct block *b = find(qemu_plugin_tb_vaddr(tb), n);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &b->runs, 1);
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) != sizeof(start_mark))
			continue;
		if (!memcmp(qemu_plugin_insn_data(insn), start_mark, sizeof(start_mark)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, start, 0, NULL);
		if (!memcmp(qemu_plugin_insn_data(insn), stop_mark, sizeof(stop_mark)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, stop, 0, NULL);
	}
}

static void finish(plugin_id id, void *data)
{
	FILE *f = fopen(out, "w");
	struct block *b;
	int i;

	(void)id;
	(void)data;
	for (i = 0; f && i < BUCKETS; i++)
		for (b = blocks[i]; b; b = b->next)
			if (b->counted)
				fprintf(f, "%llx %zu %llu\n", (unsigned long long)b->address,
					b->length, (unsigned long long)b->counted);
	if (f)
		fclose(f);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
