/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The numbers of metrics.c over HTTP, for a collector. Opened and started by main.c, if
 * the configuration has a section "metrics".
 */
#ifndef KSEALD_ENDPOINT_H
#define KSEALD_ENDPOINT_H

#include <stddef.h>

struct MHD_Daemon;

int kseal_endpoint_check(const char *where);
int kseal_endpoint_open(const char *where);
struct MHD_Daemon *kseal_endpoint_start(int fd);
void kseal_endpoint_stop(struct MHD_Daemon *endpoint);

#endif /* KSEALD_ENDPOINT_H */
