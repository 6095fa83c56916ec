// SPDX-License-Identifier: GPL-2.0
/*
 * Socket calls by way of the 32-bit system call ABI, as an i386 program makes them:
 * `abi32 CALL WAY PORT`. CALL is listen, connect or fastopen (sendto with
 * MSG_FASTOPEN), on PORT of 127.0.0.1; WAY is direct, or socketcall. Prints the
 * result and waits for the end of its standard input. Run by the end-to-end tests.
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

/* The numbers of the direct call and of socketcall()'s function. */
static const struct call {
	const char *name;
	int direct, function, args;
} calls[] = {
	{ "listen", 363, 4, 2 },
	{ "connect", 362, 3, 3 },
	{ "fastopen", 369, 11, 6 },
};

/* What an i386 program can point to: below 4 GiB. */
struct memory {
	unsigned int words[6];
	struct sockaddr_in address;
	char data[16];
};

static long i386(long nr, const unsigned int *args)
{
	register long frame asm("r8") = args[5];
	long ret;

	/* The sixth argument is in ebp. Below the stack is the red zone. */
	asm volatile("lea -128(%%rsp), %%rsp; push %%rbp; mov %%r8, %%rbp; int $0x80; "
		     "pop %%rbp; lea 128(%%rsp), %%rsp"
		     : "=a"(ret)
		     : "a"(nr), "b"((long)args[0]), "c"((long)args[1]), "d"((long)args[2]),
		       "S"((long)args[3]), "D"((long)args[4]), "r"(frame)
		     : "memory", "r9", "r10", "r11");
	return (int)ret;
}

static long make(const struct call *call, int direct, struct memory *memory)
{
	unsigned int args[6] = { call->function, (unsigned int)(unsigned long)memory->words };

	return direct ? i386(call->direct, memory->words) : i386(I386_SOCKETCALL, args);
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const struct call *call = calls;
	struct memory *memory;
	unsigned int address;
	char c;

	if (argc < 4 || fd < 0)
		return 2;
	while (strcmp(call->name, argv[1]))
		if (++call == calls + sizeof(calls) / sizeof(*calls))
			return 2;
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		      -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	memory->address.sin_family = AF_INET;
	memory->address.sin_port = htons(atoi(argv[3]));
	memory->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address = (unsigned long)&memory->address;
	memory->words[0] = fd;
	switch (call->function) {
	case 4:
		if (bind(fd, (struct sockaddr *)&memory->address, sizeof(memory->address))) {
			perror("bind");
			return 1;
		}
		memory->words[1] = 5;
		break;
	case 3:
		memory->words[1] = address;
		memory->words[2] = sizeof(memory->address);
		break;
	default:
		strcpy(memory->data, "plain text");
		memory->words[1] = (unsigned long)memory->data;
		memory->words[2] = strlen(memory->data);
		memory->words[3] = MSG_FASTOPEN;
		memory->words[4] = address;
		memory->words[5] = sizeof(memory->address);
	}
	printf("%ld\n", make(call, !strcmp(argv[2], "direct"), memory));
	fflush(stdout);
	return read(0, &c, 1) < 0;
}
