/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread with an event loop of its own, that main can stop and see alive; and what
 * main and all threads have in common. Used by main.c, worker.c and consumers.c.
 */
#ifndef KSEALD_THREAD_H
#define KSEALD_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct kseal_config;

/**
 * struct kseal_shared - what main and its threads have in common
 * @lock: guards @config
 * @config: current configuration; holds a reference
 * @failed: a thread could not go on
 * @workers: how many there are
 * @handshakes: in flight, of all threads
 * @handshakes_max: then no more are taken; may be exceeded by a few
 */
struct kseal_shared {
	pthread_mutex_t lock;
	struct kseal_config *config;
	atomic_bool failed;
	atomic_uint workers;
	atomic_uint handshakes;
	unsigned int handshakes_max;
};

/**
 * struct kseal_thread - see the file's head
 * @shared: of main
 * @name: for log lines
 * @event: own event loop
 * @id: to join
 * @stop_fd: eventfd: main writes, the loop ends
 * @heartbeat_usec: how often to prove that the loop turns, 0 = never
 * @heartbeat: timer
 * @beats: counts up; shared with main
 * @seen: main's: @beats when last looked at
 * @complained: CLOCK_MONOTONIC microseconds of the last complaint, 0 if none
 */
struct kseal_thread {
	struct kseal_shared *shared;
	char name[24];
	sd_event *event;
	pthread_t id;
	int stop_fd;
	uint64_t heartbeat_usec;
	sd_event_source *heartbeat;
	atomic_uint beats;
	unsigned int seen;
	uint64_t complained;
};

struct kseal_config *kseal_shared_config(struct kseal_shared *shared);

int kseal_thread_init(struct kseal_thread *t, struct kseal_shared *shared,
		      uint64_t heartbeat_usec, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int kseal_thread_start(struct kseal_thread *t);
void kseal_thread_stop(struct kseal_thread *t);
void kseal_thread_free(struct kseal_thread *t);
bool kseal_thread_alive(struct kseal_thread *t);
void kseal_thread_short_of(struct kseal_thread *t, int error);

#endif /* KSEALD_THREAD_H */
