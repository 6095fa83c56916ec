// SPDX-License-Identifier: GPL-2.0
/*
 * The watch on a configuration's files: what it sees, and what it does not care about.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "../../agent/file.h"
#include "../../agent/watch.h"
#include "check.h"

#define A_WHILE	3000000ULL	/* microseconds: longer than it waits for quiet */
#define AT_MOST	30000000ULL	/* likewise: on a machine that is busy */

static char directory[] = "/tmp/kseal-watch-XXXXXX";
static unsigned int changes;
static sd_event *event;

static const char *in(const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "w");

	CHECK(f && fputs(text, f) >= 0, "%s", name);
	if (f)
		fclose(f);
}

static void on_change(void)
{
	changes++;
}

/* Runs the loop until something has changed, or for that long. */
static unsigned int run_for(struct kseal_watch *w, uint64_t usec)
{
	uint64_t now, end;

	changes = 0;
	sd_event_now(event, CLOCK_MONOTONIC, &now);
	for (end = now + usec; !changes && now < end;) {
		sd_event_run(event, 100000);
		sd_event_now(event, CLOCK_MONOTONIC, &now);
	}
	/* what main does */
	if (changes) {
		kseal_watch_before_load(w);
		kseal_watch_after_load(w);
	}
	return changes;
}

static bool sees_a_change(struct kseal_watch *w)
{
	return run_for(w, AT_MOST) == 1;
}

static bool sees_nothing(struct kseal_watch *w)
{
	return run_for(w, A_WHILE) == 0;
}

static struct kseal_watch *begin(void)
{
	static char config[256];	/* as long as the watch */
	struct kseal_watch *w = NULL;

	strcpy(config, in("conf"));
	sd_event_new(&event);
	CHECK(kseal_watch_start(&w, event, config, on_change) == 0);
	return w;
}

static void end(struct kseal_watch *w)
{
	kseal_watch_stop(w);
	event = sd_event_unref(event);
}

static void test_files(void)
{
	struct kseal_watch *w = begin();

	write_file("conf", "changed");
	CHECK(sees_a_change(w), "written");
	write_file("new", "replaced");
	CHECK(rename(in("new"), in("conf")) == 0);
	CHECK(sees_a_change(w), "replaced");
	CHECK(unlink(in("cert")) == 0);
	CHECK(sees_a_change(w), "removed");
	write_file("cert", "again");
	CHECK(sees_a_change(w), "made");
	write_file("neighbour", "nothing to us");
	CHECK(sees_nothing(w), "another file of the directory");
	end(w);
}

/* As the kubelet does it. */
static void test_switch(void)
{
	struct kseal_watch *w = begin();

	CHECK(mkdir(in("..2"), 0755) == 0);
	write_file("..2/tls.crt", "second");
	CHECK(symlink("..2", in("..data_tmp")) == 0);
	CHECK(rename(in("..data_tmp"), in("..data")) == 0);
	CHECK(sees_a_change(w), "..data switched");
	/* and where the link leads to now is watched, too */
	write_file("..2/tls.crt", "third");
	CHECK(sees_a_change(w), "written behind the link");
	end(w);
}

/* What comes while the configuration is read must not be lost. */
static void test_race(void)
{
	struct kseal_watch *w = begin();

	kseal_watch_before_load(w);
	write_file("cert", "while it is read");
	kseal_watch_after_load(w);
	CHECK(sees_a_change(w));
	end(w);
}

static void make_directory(const char *name)
{
	CHECK(mkdir(in(name), 0755) == 0, "%s", name);
}

/* A link above the file: "live -> release-1". */
static void test_link_above(void)
{
	struct kseal_watch *w = begin();

	CHECK(symlink("release-2", in("srv/live.new")) == 0);
	CHECK(rename(in("srv/live.new"), in("srv/live")) == 0);
	CHECK(sees_a_change(w), "switched");
	write_file("srv/release-2/certs/c.pem", "written");
	CHECK(sees_a_change(w), "written behind the link");
	write_file("srv/release-1/certs/c.pem", "nothing to us");
	CHECK(sees_nothing(w), "written where the link led before");
	end(w);
}

/* Directories are taken away, and made again one after the other. */
static void test_made_again(void)
{
	struct kseal_watch *w = begin();

	CHECK(unlink(in("srv/a/b/c.pem")) == 0);
	CHECK(rmdir(in("srv/a/b")) == 0 && rmdir(in("srv/a")) == 0);
	CHECK(sees_a_change(w), "taken away");
	make_directory("srv/a");
	CHECK(sees_nothing(w), "the first directory");
	make_directory("srv/a/b");
	CHECK(sees_nothing(w), "the second directory");
	write_file("srv/a/b/c.pem", "here it is");
	CHECK(sees_a_change(w), "made again");
	CHECK(mkdir(in("srv/x"), 0755) == 0 && mkdir(in("srv/x/b"), 0755) == 0);
	write_file("srv/x/b/c.pem", "another");
	CHECK(rename(in("srv/a"), in("srv/y")) == 0 && rename(in("srv/x"), in("srv/a")) == 0);
	CHECK(sees_a_change(w), "another in the place of the first directory");
	end(w);
}

/* /etc/ssl/private is of this kind: who knows a file's name may read it. */
static void watch_unreadable(void)
{
	struct kseal_watch *w;

	CHECK(chmod(in("srv/private"), 0300) == 0);
	if (geteuid() == 0)
		CHECK(chown(in("srv/private"), 65534, 65534) == 0 &&
		      chown(in("srv/private/c.pem"), 65534, 65534) == 0 &&
		      chown(in("srv/release-2/certs/c.pem"), 65534, 65534) == 0 &&
		      setuid(65534) == 0);
	w = begin();
	write_file("srv/private/c.pem", "written");
	CHECK(sees_a_change(w), "written");
	write_file("srv/private/new", "replaced");
	CHECK(rename(in("srv/private/new"), in("srv/private/c.pem")) == 0);
	CHECK(sees_a_change(w), "replaced");
	write_file("srv/private/c.pem", "written once more");
	CHECK(sees_a_change(w), "written once more");
	write_file("srv/release-2/certs/c.pem", "written");
	CHECK(sees_a_change(w), "a file that was named later");
	end(w);
}

static void test_unreadable(void)
{
	CHECK(in_child(watch_unreadable) == 0);
}

/* Not where the configuration is, as that is watched anyway. */
static void make_more(void)
{
	static const char *const directories[] = {
		"srv", "srv/private", "srv/release-1", "srv/release-1/certs", "srv/release-2",
		"srv/release-2/certs", "srv/a", "srv/a/b",
	};
	static const char *const files[] = {
		"srv/private/c.pem", "srv/release-1/certs/c.pem", "srv/release-2/certs/c.pem",
		"srv/a/b/c.pem",
	};

	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++)
		make_directory(directories[i]);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		write_file(files[i], files[i]);
	CHECK(symlink("release-1", in("srv/live")) == 0);
	kseal_file_note(in("srv/private/c.pem"));
	kseal_file_note(in("srv/live/certs/c.pem"));
	kseal_file_note(in("srv/a/b/c.pem"));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void test_watch(void)
{
	if (!mkdtemp(directory) || chmod(directory, 0755) < 0 || mkdir(in("..1"), 0755) < 0 ||
	    symlink("..1", in("..data")) < 0 || symlink("..data/tls.crt", in("tls.crt")) < 0) {
		perror("# a directory to watch");
		return;
	}
	write_file("conf", "");
	write_file("cert", "");
	write_file("..1/tls.crt", "first");
	kseal_file_note(in("cert"));
	kseal_file_note(in("tls.crt"));
	run_test("watch: a file is written, replaced, removed, made", test_files);
	run_test("watch: a link that leads to the file is switched", test_switch);
	run_test("watch: a change during a load", test_race);
	make_more();
	run_test("watch: a link above the file is switched", test_link_above);
	run_test("watch: directories go away and are made again", test_made_again);
	run_test("watch: a directory that is not to be read", test_unreadable);
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
