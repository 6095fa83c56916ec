// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the files of a configuration have changed. Called by main.c before and after
 * each load; calls it back when there is something new.
 *
 * Watched are directories, not files: who replaces a file by another of its name
 * (rename), or the link that leads to it (Kubernetes switches "..data"), does something
 * in its directory. What happened there is not looked at. When it has become quiet, the
 * state of all files is compared with what it was when they were last loaded.
 */
#include <errno.h>
#include <libgen.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "file.h"
#include "log.h"
#include "token.h"
#include "watch.h"

#define EVENTS		(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |	\
			 IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* Certificate and key are two files; those who write them need a moment. */
#define QUIET_USEC	500000ULL
#define PATIENCE_USEC	5000000ULL	/* if it does not become quiet */

/**
 * struct kseal_watch - see the file's head
 * @event: loop
 * @config: path of the configuration
 * @changed: to call
 * @timer: until it is quiet
 * @since: the first event that is not dealt with, CLOCK_MONOTONIC microseconds, 0 if none
 * @known: how many of the paths that kseal_file_noted() has are in @state
 * @state: digest of what the files were when they were loaded
 * @paths: of @sources
 * @sources: directories
 * @count: of @sources
 */
struct kseal_watch {
	sd_event *event;
	const char *config;
	void (*changed)(void);
	sd_event_source *timer;
	uint64_t since;
	unsigned int known;
	uint64_t state;
	char **paths;
	sd_event_source **sources;
	unsigned int count;
};

/* FNV-1a: it has to tell states apart, not to resist anybody. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	return hash;
}

static uint64_t mix_file(uint64_t hash, const char *path)
{
	struct {
		uint64_t device, inode, size;
		struct timespec modified, changed;
	} seen = { 0 };
	struct stat st;

	if (stat(path, &st) == 0) {
		seen.device = st.st_dev;
		seen.inode = st.st_ino;
		seen.size = st.st_size;
		seen.modified = st.st_mtim;
		seen.changed = st.st_ctim;
	}
	return mix(hash, &seen, sizeof(seen));
}

/* Of the configuration, and of the first @count of the files that it has named. */
static uint64_t state_of(const struct kseal_watch *w, unsigned int count)
{
	unsigned int noted;
	char **named = kseal_file_noted(&noted);
	uint64_t hash = mix_file(0xcbf29ce484222325ULL, w->config);

	for (unsigned int i = 0; i < count && i < noted; i++)
		hash = mix_file(hash, named[i]);
	return hash;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct kseal_watch *w = data;

	(void)source;
	(void)usec;
	w->since = 0;
	if (state_of(w, w->known) != w->state)
		w->changed();
	return 0;
}

static void wait_for_quiet(struct kseal_watch *w)
{
	uint64_t now, then;

	sd_event_now(w->event, CLOCK_MONOTONIC, &now);
	if (!w->since)
		w->since = now;
	then = now + QUIET_USEC;
	if (then > w->since + PATIENCE_USEC)
		then = w->since + PATIENCE_USEC;
	sd_event_source_set_time(w->timer, then);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static int on_event(sd_event_source *source, const struct inotify_event *event, void *data)
{
	(void)source;
	(void)event;
	wait_for_quiet(data);
	return 0;
}

static int watch_directory(struct kseal_watch *w, const char *path)
{
	sd_event_source **sources;
	char **paths;
	int ret;

	for (unsigned int i = 0; i < w->count; i++) {
		if (strcmp(w->paths[i], path) == 0)
			return 0;
	}
	paths = realloc(w->paths, (w->count + 1) * sizeof(*paths));
	if (paths)
		w->paths = paths;
	sources = realloc(w->sources, (w->count + 1) * sizeof(*sources));
	if (sources)
		w->sources = sources;
	if (!paths || !sources)
		return -ENOMEM;
	ret = sd_event_add_inotify(w->event, &sources[w->count], path, EVENTS, on_event, w);
	if (ret < 0)
		return ret;
	paths[w->count] = strdup(path);
	if (!paths[w->count]) {
		sd_event_source_disable_unref(sources[w->count]);
		return -ENOMEM;
	}
	w->count++;
	return 0;
}

/* A directory itself; of a file, the one that it is in. */
static int watch_around(struct kseal_watch *w, const char *path)
{
	char *copy = strdup(path);
	struct stat st;
	int ret;

	if (!copy)
		return -ENOMEM;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		ret = watch_directory(w, copy);
	else
		ret = watch_directory(w, dirname(copy));
	free(copy);
	/* A reload will find out what it means that it is not there. */
	return ret == -ENOENT || ret == -ENOTDIR ? 0 : ret;
}

/* Where it is named and, if that is a link, where it lies. */
static int watch_named(struct kseal_watch *w, const char *path)
{
	char *real = realpath(path, NULL);
	int ret = watch_around(w, path);

	if (ret == 0 && real)
		ret = watch_around(w, real);
	free(real);
	return ret;
}

static void forget_directories(struct kseal_watch *w)
{
	while (w->count) {
		w->count--;
		sd_event_source_disable_unref(w->sources[w->count]);
		free(w->paths[w->count]);
	}
}

/*
 * All anew: where links lead to has changed, and a directory of the same name may be
 * another one. Events that are lost meanwhile are seen in the state that follows.
 */
static void watch_all(struct kseal_watch *w)
{
	unsigned int noted;
	char **named = kseal_file_noted(&noted);
	int ret;

	forget_directories(w);
	ret = watch_named(w, w->config);
	for (unsigned int i = 0; i < noted && ret >= 0; i++) {
		if (!kseal_token_is_url(named[i]))
			ret = watch_named(w, named[i]);
	}
	if (ret < 0)
		kseal_log(KSEAL_LOG_WARNING,
			  "not all files can be watched: %s (sysctl fs.inotify.max_user_watches): kseal reload is needed",
			  strerror(-ret));
}

/**
 * kseal_watch_start() - watch the configuration and what it has named
 * @result: the watch
 * @event: loop of the calling thread
 * @config: path of the configuration, valid as long as the watch
 * @changed: called when it has become quiet after a change
 *
 * The state that counts is that of now: call it right after a load.
 *
 * Return: 0 or a negative errno.
 */
int kseal_watch_start(struct kseal_watch **result, sd_event *event, const char *config,
		      void (*changed)(void))
{
	struct kseal_watch *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return -ENOMEM;
	w->event = event;
	w->config = config;
	w->changed = changed;
	ret = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_timer, w);
	if (ret < 0) {
		free(w);
		return ret;
	}
	sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	watch_all(w);
	kseal_file_noted(&w->known);
	w->state = state_of(w, w->known);
	*result = w;
	return 0;
}

/**
 * kseal_watch_before_load() - the configuration is going to be read
 * @w: may be NULL
 */
void kseal_watch_before_load(struct kseal_watch *w)
{
	if (w)
		w->state = state_of(w, w->known);
}

/**
 * kseal_watch_after_load() - it has been read, well or not
 * @w: may be NULL
 *
 * Whether files changed while they were read is found out, too.
 */
void kseal_watch_after_load(struct kseal_watch *w)
{
	if (!w)
		return;
	watch_all(w);
	if (state_of(w, w->known) != w->state)
		wait_for_quiet(w);
	else
		kseal_file_noted(&w->known);
	if (!w->since)
		w->state = state_of(w, w->known);
}

/**
 * kseal_watch_stop() - watch no more
 * @w: may be NULL
 */
void kseal_watch_stop(struct kseal_watch *w)
{
	if (!w)
		return;
	forget_directories(w);
	sd_event_source_disable_unref(w->timer);
	free(w->sources);
	free(w->paths);
	free(w);
}
