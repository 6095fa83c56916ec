// SPDX-License-Identifier: GPL-2.0
/*
 * handshakes SUBCOMMAND ARGUMENT...: see the subcommands' files. Started by
 * tests/bench/handshakes/guest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "handshakes.h"

static const struct {
	const char *name;
	int args;
	int (*run)(char **args);
} commands[] = {
	{ "client", 5, client },
	{ "accept", 1, accepting },
	{ "fork", 3, forking },
	{ "arithmetic", 1, arithmetic },
};

/* What can't go on says why. */
void die(const char *what)
{
	fprintf(stderr, "handshakes: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Time of a clock; under -icount, instructions. */
uint64_t nanoseconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* A listening socket on 127.0.0.1. */
int listen_on(int port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, 511) < 0)
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0 && argc == commands[i].args + 2)
			return commands[i].run(argv + 2);
	}
	fprintf(stderr, "usage: handshakes client PORT VERSION full|resumed COUNT PROCESSES\n"
		"       handshakes accept PORT\n"
		"       handshakes fork PORT CERTIFICATE KEY\n"
		"       handshakes arithmetic SECONDS\n");
	return 2;
}
