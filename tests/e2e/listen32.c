// SPDX-License-Identifier: GPL-2.0
/*
 * listen() by way of the 32-bit system call ABI, as an i386 program does it:
 * `listen32 PORT direct` (listen), `listen32 PORT socketcall`. Prints the result
 * and waits for the end of its standard input. Run by the end-to-end tests.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define I386_SOCKETCALL	102
#define I386_LISTEN	363
#define SOCKETCALL_LISTEN	4

static long i386(long nr, long a, long b)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	unsigned int *words;
	char c;

	if (argc < 3)
		return 2;
	address.sin_port = htons(atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("bind");
		return 1;
	}
	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		     -1, 0);
	if (words == MAP_FAILED)
		return 1;
	words[0] = fd;
	words[1] = 5;
	printf("%ld\n", !strcmp(argv[2], "direct") ?
		       i386(I386_LISTEN, fd, 5) :
		       i386(I386_SOCKETCALL, SOCKETCALL_LISTEN, (long)words));
	fflush(stdout);
	return read(0, &c, 1) < 0;
}
