/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way that a path takes, link by link. Used by watch.c and confine.c.
 */
#ifndef KSEALD_PATH_H
#define KSEALD_PATH_H

/**
 * enum kseal_path_kind - what a step has come to
 */
enum kseal_path_kind {
	KSEAL_PATH_DIRECTORY,	/* on the way */
	KSEAL_PATH_LINK,
	KSEAL_PATH_END,		/* of the path: a file, a directory */
	KSEAL_PATH_MISSING,	/* it ends here: nothing is there, or can be seen */
};

/**
 * struct kseal_path_step - a component of a path, once what is before it has been resolved
 * @kind: what it is
 * @directory: that it lies in, without links
 * @path: @directory and its name
 */
struct kseal_path_step {
	enum kseal_path_kind kind;
	const char *directory;
	const char *path;
};

int kseal_path_walk(const char *path, int (*step)(const struct kseal_path_step *s, void *data),
		    void *data);

#endif /* KSEALD_PATH_H */
