/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The counters of /proc/net/kseal_stat as OpenMetrics has them. Used by kseal metrics
 * and by the agent's endpoint.
 */
#ifndef KSEAL_COUNTERS_H
#define KSEAL_COUNTERS_H

#include <stddef.h>
#include <stdio.h>

void kseal_counter_describe(const char *key, char *name, size_t size, const char **help,
			    const char **unit);
void kseal_counter_head(FILE *f, const char *name, const char *type, const char *unit,
			const char *help);

#endif /* KSEAL_COUNTERS_H */
