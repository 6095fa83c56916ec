/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark of handshakes: one program, its parts are its subcommands. The
 * guest's script, "guest", starts them.
 */
#ifndef KSEAL_HANDSHAKES_H
#define KSEAL_HANDSHAKES_H

#include <stdint.h>
#include <time.h>

void die(const char *what) __attribute__((noreturn));
uint64_t nanoseconds(clockid_t clock);
int listen_on(int port);

int client(char **args);
int accepting(char **args);
int forking(char **args);
int arithmetic(char **args);

#endif /* KSEAL_HANDSHAKES_H */
