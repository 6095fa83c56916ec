// SPDX-License-Identifier: GPL-2.0
/*
 * The watch on a configuration's files: what it sees, and what it does not care about.
 */
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

/* Runs the loop until something has changed, or for a while. */
static unsigned int watch_for_a_while(struct kseal_watch *w)
{
	uint64_t now, end;

	changes = 0;
	sd_event_now(event, CLOCK_MONOTONIC, &now);
	for (end = now + A_WHILE; !changes && now < end;) {
		sd_event_run(event, 100000);
		sd_event_now(event, CLOCK_MONOTONIC, &now);
	}
	/* what main does */
	kseal_watch_before_load(w);
	kseal_watch_after_load(w);
	return changes;
}

static struct kseal_watch *begin(void)
{
	struct kseal_watch *w = NULL;

	sd_event_new(&event);
	CHECK(kseal_watch_start(&w, event, in("conf"), on_change) == 0);
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
	CHECK(watch_for_a_while(w) == 1, "written");
	write_file("new", "replaced");
	CHECK(rename(in("new"), in("conf")) == 0);
	CHECK(watch_for_a_while(w) == 1, "replaced");
	CHECK(unlink(in("cert")) == 0);
	CHECK(watch_for_a_while(w) == 1, "removed");
	write_file("cert", "again");
	CHECK(watch_for_a_while(w) == 1, "made");
	write_file("neighbour", "nothing to us");
	CHECK(watch_for_a_while(w) == 0, "another file of the directory");
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
	CHECK(watch_for_a_while(w) == 1, "..data switched");
	/* and where the link leads to now is watched, too */
	write_file("..2/tls.crt", "third");
	CHECK(watch_for_a_while(w) == 1, "written behind the link");
	end(w);
}

/* What comes while the configuration is read must not be lost. */
static void test_race(void)
{
	struct kseal_watch *w = begin();

	kseal_watch_before_load(w);
	write_file("cert", "while it is read");
	kseal_watch_after_load(w);
	CHECK(watch_for_a_while(w) == 1);
	end(w);
}

void test_watch(void)
{
	if (!mkdtemp(directory) || mkdir(in("..1"), 0755) < 0 || symlink("..1", in("..data")) < 0 ||
	    symlink("..data/tls.crt", in("tls.crt")) < 0) {
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
	for (int i = 0; i < 2; i++) {
		unlink(in(i ? "..2/tls.crt" : "..1/tls.crt"));
		rmdir(in(i ? "..2" : "..1"));
	}
	unlink(in("conf"));
	unlink(in("cert"));
	unlink(in("neighbour"));
	unlink(in("tls.crt"));
	unlink(in("..data"));
	rmdir(directory);
}
