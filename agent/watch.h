/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether the files of a configuration have changed: watched, if the configuration asks
 * for it. Used by main.c, from the thread that loads configurations.
 */
#ifndef KSEALD_WATCH_H
#define KSEALD_WATCH_H

#include <systemd/sd-event.h>

struct kseal_watch;

int kseal_watch_start(struct kseal_watch **result, sd_event *event, const char *config,
		      void (*changed)(void));
void kseal_watch_before_load(struct kseal_watch *w);
void kseal_watch_after_load(struct kseal_watch *w);
void kseal_watch_stop(struct kseal_watch *w);

#endif /* KSEALD_WATCH_H */
