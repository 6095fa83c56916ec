// SPDX-License-Identifier: GPL-2.0
/*
 * A thread with an event loop of its own. What happens in the loop is its owner's, which
 * adds sources between kseal_thread_init() and kseal_thread_start().
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "thread.h"

#define COMPLAIN_USEC	10000000ULL		/* at most so often */

/**
 * kseal_shared_config() - the configuration as it is now
 * @shared: of main
 *
 * Context: any thread.
 * Return: a reference.
 */
struct kseal_config *kseal_shared_config(struct kseal_shared *shared)
{
	struct kseal_config *config;

	pthread_mutex_lock(&shared->lock);
	config = kseal_config_get(shared->config);
	pthread_mutex_unlock(&shared->lock);
	return config;
}

static int on_heartbeat(sd_event_source *source, uint64_t usec, void *data)
{
	struct kseal_thread *t = data;

	atomic_fetch_add(&t->beats, 1);
	sd_event_source_set_time(source, usec + t->heartbeat_usec);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_stop(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)fd;
	(void)revents;
	(void)data;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

/**
 * kseal_thread_init() - make the event loop
 * @t: all zeros; to be freed even on failure
 * @shared: of main, outlives the thread
 * @heartbeat_usec: how often to show kseal_thread_alive() that the loop turns, 0 = never
 * @fmt: printf format: name for log lines
 *
 * Return: 0 or a negative errno.
 */
int kseal_thread_init(struct kseal_thread *t, struct kseal_shared *shared,
		      uint64_t heartbeat_usec, const char *fmt, ...)
{
	va_list ap;
	int ret;

	t->shared = shared;
	t->heartbeat_usec = heartbeat_usec;
	va_start(ap, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, ap);
	va_end(ap);
	t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->stop_fd < 0)
		return -errno;
	ret = sd_event_new(&t->event);
	if (ret >= 0)
		ret = sd_event_add_io(t->event, NULL, t->stop_fd, EPOLLIN, on_stop, t);
	if (ret < 0 || !heartbeat_usec)
		return ret;
	ret = sd_event_add_time_relative(t->event, &t->heartbeat, CLOCK_MONOTONIC, 0, 0,
					 on_heartbeat, t);
	if (ret < 0)
		return ret;
	return sd_event_source_set_priority(t->heartbeat, SD_EVENT_PRIORITY_IMPORTANT);
}

static void *run(void *data)
{
	struct kseal_thread *t = data;
	int ret = sd_event_loop(t->event);

	/* Without it sockets wait in vain: let systemd start anew. */
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR, "%s: %s", t->name, strerror(-ret));
		atomic_store(&t->shared->failed, true);
		kill(getpid(), SIGTERM);
	}
	return NULL;
}

/**
 * kseal_thread_start() - run the loop
 * @t: initialised
 *
 * Return: 0 or a negative errno.
 */
int kseal_thread_start(struct kseal_thread *t)
{
	return -pthread_create(&t->id, NULL, run, t);
}

/**
 * kseal_thread_stop() - end the loop, wait for it
 * @t: started
 */
void kseal_thread_stop(struct kseal_thread *t)
{
	eventfd_write(t->stop_fd, 1);
	pthread_join(t->id, NULL);
}

/**
 * kseal_thread_free() - undo kseal_thread_init()
 * @t: stopped, or never started, whose owner's sources are gone
 */
void kseal_thread_free(struct kseal_thread *t)
{
	sd_event_source_disable_unref(t->heartbeat);
	sd_event_unref(t->event);
	if (t->stop_fd >= 0)
		close(t->stop_fd);
}

/**
 * kseal_thread_alive() - has the loop turned since this was last asked?
 * @t: started, with a heartbeat
 *
 * Context: main.
 * Return: whether it has.
 */
bool kseal_thread_alive(struct kseal_thread *t)
{
	unsigned int before = t->seen;

	t->seen = atomic_load(&t->beats);
	return t->seen != before;
}

/**
 * kseal_thread_short_of() - log that sockets wait for want of something, not too often
 * @t: the calling thread's
 * @error: negative errno
 */
void kseal_thread_short_of(struct kseal_thread *t, int error)
{
	uint64_t now;

	if (sd_event_now(t->event, CLOCK_MONOTONIC, &now) < 0 ||
	    (t->complained && now - t->complained < COMPLAIN_USEC))
		return;
	t->complained = now;
	kseal_log(KSEAL_LOG_WARNING, "connections wait, %u handshakes are in flight: %s",
		  atomic_load(&t->shared->handshakes), strerror(-error));
}
