/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many handshakes there were, how they ended and how long they took, as
 * OpenMetrics. Counted by outcome.c, from every thread; served by endpoint.c.
 */
#ifndef KSEALD_METRICS_H
#define KSEALD_METRICS_H

#include <stdbool.h>
#include <stdio.h>

struct kseal_outcome;

void kseal_metrics_count(const struct kseal_outcome *outcome);
void kseal_metrics_write(FILE *f, bool module);

#endif /* KSEALD_METRICS_H */
