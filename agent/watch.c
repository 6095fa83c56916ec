// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the files of a configuration have changed. Called by main.c before and after
 * each load; calls it back when there is something new.
 *
 * Watched are directories, not files: who replaces a file by another of its name
 * (rename), or a link that leads to it (Kubernetes switches "..data"), does something
 * in the directory where that lies. What happened there is not looked at. When it has
 * become quiet, the state of all files is compared with what it was when they were last
 * loaded. Of what is missing the directory is watched that it would first appear in.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "file.h"
#include "log.h"
#include "path.h"
#include "token.h"
#include "watch.h"

#define EVENTS		(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |	\
			 IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* Of a directory on the way: another may take its place. */
#define WAY_EVENTS	(IN_MOVE_SELF | IN_ONLYDIR)

/* Of a file or a link itself, where its directory is not ours to read. */
#define ENTRY_EVENTS	(IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |	\
			 IN_DONT_FOLLOW)

#define TRIES		3

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
 * @error: what could not be watched at first, 0 or a negative errno
 * @sources: what is watched
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
	int error;
	struct source {
		char *path;
		uint32_t events;
		sd_event_source *source;
	} *sources;
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

static int watch_path(struct kseal_watch *w, const char *path, uint32_t events)
{
	struct source new = { .events = events }, *more;
	int ret;

	for (unsigned int i = 0; i < w->count; i++) {
		if (w->sources[i].events == events && strcmp(w->sources[i].path, path) == 0)
			return 0;
	}
	more = realloc(w->sources, (w->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	w->sources = more;
	new.path = strdup(path);
	if (!new.path)
		return -ENOMEM;
	ret = sd_event_add_inotify(w->event, &new.source, path, events, on_event, w);
	if (ret < 0) {
		free(new.path);
		return ret;
	}
	more[w->count++] = new;
	return 0;
}

/**
 * struct way - a path that is walked
 * @watch: for it
 * @error: the first, 0 or a negative errno
 * @again: something went away on the way
 */
struct way {
	struct kseal_watch *watch;
	int error;
	bool again;
};

static int watch_step(const struct kseal_path_step *s, void *data)
{
	struct way *way = data;
	int ret;

	if (s->kind == KSEAL_PATH_DIRECTORY) {
		ret = watch_path(way->watch, s->path, WAY_EVENTS);
		if (ret == -EACCES)
			ret = 0;
	} else {
		ret = watch_path(way->watch, s->directory, EVENTS);
		if (ret == -EACCES && s->kind != KSEAL_PATH_MISSING)
			ret = watch_path(way->watch, s->path, ENTRY_EVENTS);
	}
	if (ret == -ENOENT || ret == -ENOTDIR)
		way->again = true;
	else if (!way->error)
		way->error = ret;
	return 0;
}

static int watch_named(struct kseal_watch *w, const char *path)
{
	struct way way = { .watch = w, .again = true };
	int ret = 0;

	for (int i = 0; i < TRIES && way.again; i++) {
		way.again = false;
		ret = kseal_path_walk(path, watch_step, &way);
	}
	return way.error ? way.error : ret;
}

static void forget_all(struct kseal_watch *w)
{
	while (w->count) {
		w->count--;
		sd_event_source_disable_unref(w->sources[w->count].source);
		free(w->sources[w->count].path);
	}
}

static const char *limit_of(int error)
{
	if (error == -ENOSPC)
		return " (sysctl fs.inotify.max_user_watches)";
	if (error == -EMFILE)
		return " (sysctl fs.inotify.max_user_instances)";
	return "";
}

/*
 * All anew: where links lead to has changed, and a directory of the same name may be
 * another one. Events that are lost meanwhile are seen in the state that follows.
 */
static void watch_all(struct kseal_watch *w)
{
	unsigned int noted;
	char **named = kseal_file_noted(&noted);
	const char *path = w->config;
	int ret, error;

	forget_all(w);
	error = watch_named(w, w->config);
	for (unsigned int i = 0; i < noted; i++) {
		if (kseal_token_is_url(named[i]))
			continue;
		ret = watch_named(w, named[i]);
		if (!error && ret < 0) {
			error = ret;
			path = named[i];
		}
	}
	if (error && error != w->error)
		kseal_log(KSEAL_LOG_WARNING,
			  "not all files can be watched: %s: %s%s: kseal reload is needed", path,
			  strerror(-error), limit_of(error));
	w->error = error;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct kseal_watch *w = data;

	(void)source;
	(void)usec;
	w->since = 0;
	/* what was missing may be there, and what is watched gone */
	watch_all(w);
	if (state_of(w, w->known) != w->state)
		w->changed();
	return 0;
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
	forget_all(w);
	sd_event_source_disable_unref(w->timer);
	free(w->sources);
	free(w);
}
