/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the agent gives up once it has started: files (Landlock) and system calls
 * (seccomp). Called by main.c.
 */
#ifndef KSEALD_CONFINE_H
#define KSEALD_CONFINE_H

#include <stdbool.h>

int kseal_confine_files(const char *config, char **named, unsigned int count);
int kseal_confine_calls(bool devices, bool keyrings);

#endif /* KSEALD_CONFINE_H */
