// SPDX-License-Identifier: GPL-2.0
/*
 * kseal attach: seal a listener of a program that runs already.
 *
 * Finds the program's listening sockets on the port, arms them through copies
 * of its descriptors, and gets threads that wait in accept() out of the
 * kernel's own accept path (kick.c).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kseal-cli.h"

struct target {
	pid_t pid;
	uint16_t port;
	char profile[KSEAL_PROFILE_MAX];
	char name[32];
};

/* A listening socket of the program; @fd is our own copy of the descriptor. */
struct listener {
	int fd;
	ino_t inode;
	struct kseal_socket info;
};

struct listeners {
	struct listener *list;
	size_t count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct target *target = state->input;
	char *end;
	long pid;

	switch (key) {
	case ARGP_KEY_ARG:
		switch (state->arg_num) {
		case 0:
			pid = strtol(arg, &end, 10);
			if (*end || end == arg || pid <= 0 || pid > INT32_MAX)
				argp_error(state, "'%s' is not a process id", arg);
			target->pid = pid;
			return 0;
		case 1:
			if (!kseal_parse_port(arg, &target->port))
				argp_error(state, "'%s' is not a port (1 to 65535)", arg);
			return 0;
		case 2:
			if (!kseal_parse_profile(arg, target->profile))
				argp_error(state, "'%s' is not the name of a profile", arg);
			return 0;
		default:
			argp_error(state, "too many arguments");
			return 0;
		}
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_error(state, "which PID and PORT?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "PID PORT [PROFILE]",
	.doc = "Seal the TCP listeners of process PID on PORT, served by the agent's PROFILE "
	       "(default: default). Connections that PID has already are left alone.\v"
	       "Needs the permission to trace PID (root, or its owner where "
	       "kernel.yama.ptrace_scope allows). The exit status is 0 when the port is sealed, "
	       "1 when it is not, 2 for a wrong command line.",
};

static bool known(const struct listeners *listeners, ino_t inode)
{
	size_t i;

	for (i = 0; i < listeners->count; i++)
		if (listeners->list[i].inode == inode)
			return true;
	return false;
}

/* Takes @fd over. */
static int consider(struct listeners *listeners, int fd)
{
	struct listener *list;
	struct kseal_socket info;
	struct stat st;

	kseal_look(fd, &info);
	if (!info.listening || fstat(fd, &st) || known(listeners, st.st_ino)) {
		close(fd);
		return 0;
	}
	list = reallocarray(listeners->list, listeners->count + 1, sizeof(*list));
	if (!list) {
		close(fd);
		return -ENOMEM;
	}
	listeners->list = list;
	list[listeners->count++] = (struct listener){ .fd = fd, .inode = st.st_ino, .info = info };
	return 0;
}

/* Every listening TCP socket of the process. */
static int find(pid_t pid, int pidfd, struct listeners *listeners)
{
	char path[64], link[64];
	struct dirent *entry;
	int fd, error = 0;
	ssize_t length;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!error && (entry = readdir(dir))) {
		length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = '\0';
		if (strncmp(link, "socket:", 7))
			continue;
		fd = pidfd_getfd(pidfd, atoi(entry->d_name), 0);
		if (fd >= 0)
			error = consider(listeners, fd);
		else if (errno != EBADF)
			error = -errno;
	}
	closedir(dir);
	return error;
}

static void explain_find(const struct target *target, int error)
{
	switch (error) {
	case ESRCH:
	case ENOENT:
	case EINVAL:
		kseal_say("there is no process %d", (int)target->pid);
		break;
	case EPERM:
	case EACCES:
		kseal_say("no permission to look into %s (pid %d): run as root, or as its owner "
			  "where kernel.yama.ptrace_scope is 0",
			  target->name, (int)target->pid);
		break;
	case ENOSYS:
		kseal_say("this kernel has no pidfd_getfd() (Linux 5.6)");
		break;
	default:
		kseal_say("can't look into %s (pid %d): %s", target->name, (int)target->pid,
			  strerror(error));
	}
}

static void explain_none(const struct target *target, const struct listeners *listeners)
{
	char text[KSEAL_MESSAGE_LEN] = "";
	size_t length = 0, i;

	for (i = 0; i < listeners->count && length < sizeof(text); i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%s", i ? ", " : "",
				   listeners->list[i].info.address);
	if (listeners->count)
		kseal_say("%s (pid %d) does not listen on port %u, but on: %s", target->name,
			  (int)target->pid, target->port, text);
	else
		kseal_say("%s (pid %d) listens on no TCP port", target->name, (int)target->pid);
}

/* Return: false, with a message, if the listener isn't sealed with that profile now. */
static bool seal(const struct target *target, const struct listener *listener)
{
	char why[KSEAL_MESSAGE_LEN], before[KSEAL_PROFILE_MAX];
	bool armed;

	if (listener->info.kind == KSEAL_UNSEALABLE) {
		kseal_say("%s: only plain TCP can be sealed, not MPTCP or SMC",
			  listener->info.address);
		return false;
	}
	armed = kseal_armed(listener->fd, before);
	if (kseal_arm(listener->fd, target->profile, why)) {
		kseal_say("%s: %s", listener->info.address, why);
		return false;
	}
	if (armed && !strcmp(before, target->profile))
		printf("%s of %s (pid %d) is sealed already, profile %s\n", listener->info.address,
		       target->name, (int)target->pid, target->profile);
	else
		printf("sealed %s of %s (pid %d), profile %s\n", listener->info.address,
		       target->name, (int)target->pid, target->profile);
	return true;
}

static int seal_all(const struct target *target, const struct listeners *listeners)
{
	ino_t inodes[listeners->count + 1];
	size_t matching = 0, sealed = 0, i;

	for (i = 0; i < listeners->count; i++) {
		if (listeners->list[i].info.port != target->port)
			continue;
		matching++;
		if (seal(target, &listeners->list[i]))
			inodes[sealed++] = listeners->list[i].inode;
	}
	if (!matching) {
		explain_none(target, listeners);
		return EXIT_FAILURE;
	}
	if (sealed && kseal_kick(inodes, sealed))
		return EXIT_FAILURE;
	return sealed == matching ? EXIT_SUCCESS : EXIT_FAILURE;
}

/**
 * kseal_cmd_attach() - the subcommand
 * @argc: of @argv
 * @argv: "kseal attach", arguments
 *
 * Return: exit status
 */
int kseal_cmd_attach(int argc, char **argv)
{
	struct target target = { .profile = KSEAL_PROFILE_DEFAULT };
	struct listeners listeners = { 0 };
	int pidfd, error;

	argp_parse(&argp, argc, argv, 0, NULL, &target);
	kseal_process_name(target.pid, target.name, sizeof(target.name));
	pidfd = pidfd_open(target.pid, 0);
	error = pidfd < 0 ? -errno : find(target.pid, pidfd, &listeners);
	if (error) {
		explain_find(&target, -error);
		return EXIT_FAILURE;
	}
	return seal_all(&target, &listeners);
}
