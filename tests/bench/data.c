// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes that every stream carries: pseudo-random, the same MiB over and over,
 * so that they are in memory once and each can be checked from its position.
 * Called by everything that sends, receives or makes records.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define PERIOD	MIB

static uint8_t data[PERIOD + DATA_CHUNK];

void data_init(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	size_t i;

	for (i = 0; i < PERIOD; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, sizeof(x));
	}
	memcpy(data + PERIOD, data, DATA_CHUNK);
}

const uint8_t *data_at(uint64_t pos)
{
	return data + pos % PERIOD;
}

/* A file in memory with @len bytes of the stream, or more. It is kept. */
int data_file(size_t len)
{
	static size_t pos;
	static int fd = -1;
	size_t n;

	if (fd < 0)
		fd = memfd_create("bench", MFD_CLOEXEC);
	if (fd < 0)
		die("memfd_create: %s", strerror(errno));
	for (; pos < len; pos += n) {
		n = len - pos < DATA_CHUNK ? len - pos : DATA_CHUNK;
		if (pwrite(fd, data_at(pos), n, pos) != (ssize_t)n)
			die("writing the file: %s", strerror(errno));
	}
	return fd;
}
