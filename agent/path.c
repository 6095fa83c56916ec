// SPDX-License-Identifier: GPL-2.0
/*
 * The way that a path takes, link by link: realpath(3) tells where it ends, but not which
 * links have led there, and nothing of a path that ends nowhere. Called by watch.c and
 * confine.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path.h"

#define LINKS_MAX	40	/* as the kernel has it */

/**
 * struct walk - where it has got to
 * @done: a directory without links, no slash at its end but that of "/"
 * @rest: what is to follow from there
 * @next: @done and the next component
 * @links: that have been followed
 */
struct walk {
	char done[PATH_MAX];
	char rest[PATH_MAX];
	char next[PATH_MAX];
	unsigned int links;
};

static int begin(struct walk *w, const char *path)
{
	if (*path != '/' && !getcwd(w->done, sizeof(w->done)))
		return -errno;
	if (*path == '/')
		strcpy(w->done, "/");
	w->links = 0;
	return snprintf(w->rest, sizeof(w->rest), "%s", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void go_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash)
		slash[slash == w->done] = '\0';
}

/* Takes a component off: 1, 0 at the end of the path, or a negative errno. */
static int take(struct walk *w)
{
	char component[NAME_MAX + 1];

	for (;;) {
		char *name = w->rest + strspn(w->rest, "/");
		size_t len = strcspn(name, "/");

		if (len >= sizeof(component))
			return -ENAMETOOLONG;
		memcpy(component, name, len);
		component[len] = '\0';
		memmove(w->rest, name + len, strlen(name + len) + 1);
		if (!len)
			return 0;
		if (strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0) {
			go_up(w);
			continue;
		}
		return snprintf(w->next, sizeof(w->next), "%s/%s", w->done[1] ? w->done : "",
				component) < PATH_MAX ? 1 : -ENAMETOOLONG;
	}
}

static enum kseal_path_kind look(const struct walk *w)
{
	struct stat st;

	if (lstat(w->next, &st) < 0)
		return KSEAL_PATH_MISSING;
	if (S_ISLNK(st.st_mode))
		return KSEAL_PATH_LINK;
	if (S_ISDIR(st.st_mode))
		return KSEAL_PATH_DIRECTORY;
	return w->rest[strspn(w->rest, "/")] ? KSEAL_PATH_MISSING : KSEAL_PATH_END;
}

/* Goes where a link leads to: 1, 0 if it is none any more, or a negative errno. */
static int follow(struct walk *w)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t len = readlink(w->next, target, sizeof(target) - 1);

	if (len < 0)
		return 0;
	target[len] = '\0';
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(w->rest, rest);
	if (*target == '/')
		strcpy(w->done, "/");
	return 1;
}

/**
 * kseal_path_walk() - go the way that a path takes
 * @path: need not lead anywhere
 * @step: called at each component before the next is looked at; an error ends the walk
 * @data: for @step
 *
 * What is missing is looked for once more after @step, which may have begun to watch for it.
 * The last step is KSEAL_PATH_MISSING, or KSEAL_PATH_END: that of a file, or, with the two
 * paths the same, of a directory.
 *
 * Return: 0, a negative errno of the path, or what @step returned.
 */
int kseal_path_walk(const char *path, int (*step)(const struct kseal_path_step *s, void *data),
		    void *data)
{
	struct walk w;
	struct kseal_path_step s = { .directory = w.done, .path = w.next };
	int more, ret = begin(&w, path);

	if (ret < 0)
		return ret;
	while ((more = take(&w)) > 0) {
		s.kind = look(&w);
		ret = step(&s, data);
		if (ret < 0)
			return ret;
		if (s.kind == KSEAL_PATH_MISSING) {
			s.kind = look(&w);
			ret = s.kind == KSEAL_PATH_MISSING ? 0 : step(&s, data);
			if (ret < 0)
				return ret;
		}
		if (s.kind == KSEAL_PATH_MISSING || s.kind == KSEAL_PATH_END)
			return 0;
		if (s.kind == KSEAL_PATH_DIRECTORY) {
			strcpy(w.done, w.next);
			continue;
		}
		ret = follow(&w);
		if (ret <= 0)
			return ret;
	}
	if (more < 0)
		return more;
	s = (struct kseal_path_step){ KSEAL_PATH_END, w.done, w.done };
	return step(&s, data);
}
