/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the process gives up and protects before it touches a key. Called by
 * main() once, before any thread is started.
 */
#ifndef KSEALD_HARDEN_H
#define KSEALD_HARDEN_H

#include <stddef.h>

int kseal_become(const char *name, char *why, size_t size);
int kseal_drop_capabilities(void);
void kseal_forbid_dumps(void);
void kseal_lock_memory(void);
unsigned int kseal_raise_nofile(void);

#endif /* KSEALD_HARDEN_H */
