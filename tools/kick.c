// SPDX-License-Identifier: GPL-2.0
/*
 * Getting threads out of a system call that they entered before a listener was
 * sealed; called by `kseal attach`.
 *
 * A thread that waits in accept() waits in the kernel's own function; sealed
 * connections come out of another. Each such thread, in every process that has
 * the socket, is stopped for a moment by ptrace and enters accept() anew. The
 * program sees nothing of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kseal-cli.h"

#define ERESTARTNOHAND	514	/* kernel-internal: restart unless a handler runs */

/* Does one of the descriptors of the process at @proc lead to one of the sockets? */
static bool has_socket(int proc, const ino_t *inodes, size_t count)
{
	unsigned long long inode;
	struct dirent *entry;
	bool found = false;
	char link[64];
	ssize_t length;
	size_t i;
	DIR *dir;
	int fd;

	fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (entry = readdir(dir))) {
		length = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = '\0';
		if (sscanf(link, "socket:[%llu]", &inode) != 1)
			continue;
		for (i = 0; i < count; i++)
			found |= inodes[i] == inode;
	}
	closedir(dir);
	return found;
}

/*
 * May the thread be in the kernel's accept function, or on its way there? A
 * thread that runs at this moment can't be told apart, nor can any where
 * /proc/pid/syscall (proc(5)) is missing. The numbers beside SYS_* are those of the 32-bit ABIs.
 */
static bool may_accept(int task)
{
	char text[32] = "";
	ssize_t length;
	long nr;
	int fd;

	fd = openat(task, "syscall", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0 || (!isdigit((unsigned char)*text) && *text != '-'))
		return true;
	nr = strtol(text, NULL, 10);
	switch (nr) {
	case SYS_accept:
	case SYS_accept4:
#ifdef __x86_64__
	case 0x40000000 | SYS_accept:	/* x32 */
	case 0x40000000 | SYS_accept4:
	case 102:			/* i386: socketcall */
	case 364:			/* i386: accept4 */
#endif
		return true;
	default:
		return false;
	}
}

/*
 * A call with a time limit (SO_RCVTIMEO) isn't restarted after a stop but fails
 * with EINTR, as if a signal handler had run. Make it restart unless one does.
 */
static void hide_interruption(pid_t tid)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		return;
	if ((int)regs.orig_rax < 0 || (int)regs.rax != -EINTR)
		return;
	regs.rax = -ERESTARTNOHAND;
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
#else
	(void)tid;
#endif
}

/* Return: 0 or negative errno; a thread that is gone is none. */
static int interrupt(pid_t tid)
{
	int status, deliver = 0;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL))
		return errno == ESRCH ? 0 : -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
		return errno == ESRCH ? 0 : -errno;
	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return 0;
	hide_interruption(tid);
	/* A signal that came first is the program's; else it is PTRACE_EVENT_STOP. */
	if (!(status >> 16))
		deliver = WSTOPSIG(status);
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(long)deliver);
	return 0;
}

static int kick_thread(pid_t pid, int tasks, const char *tid)
{
	char name[32];
	int task, error;
	bool needed;

	task = openat(tasks, tid, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (task < 0)
		return 0;
	needed = may_accept(task);
	close(task);
	if (!needed)
		return 0;
	error = interrupt(atoi(tid));
	if (error) {
		kseal_process_name(atoi(tid), name, sizeof(name));
		kseal_say("thread %s of %s (pid %d) may still wait in an accept() of before and "
			  "can't be interrupted: %s%s",
			  tid, name, (int)pid, strerror(-error),
			  error == -EPERM ? " (is a debugger attached?)" : "");
	}
	return error;
}

static int kick_process(pid_t pid, int proc)
{
	struct dirent *entry;
	int fd, error = 0, one;
	DIR *dir;

	fd = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -errno;
	}
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		one = kick_thread(pid, fd, entry->d_name);
		if (one)
			error = one;
	}
	closedir(dir);
	return error;
}

/**
 * kseal_kick() - make every thread that waits in accept() on a socket enter it anew
 * @inodes: the sockets, by inode
 * @count: of @inodes
 *
 * A thread that starts accept() while this runs does so on the sealed socket.
 *
 * Return: 0, or negative errno if a thread resisted (there was a message)
 */
int kseal_kick(const ino_t *inodes, size_t count)
{
	struct dirent *entry;
	int proc, error = 0, one;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir) {
		kseal_say("/proc: %s", strerror(errno));
		return -errno;
	}
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name) || atoi(entry->d_name) == getpid())
			continue;
		proc = openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			continue;
		one = 0;
		if (has_socket(proc, inodes, count))
			one = kick_process(atoi(entry->d_name), proc);
		if (one)
			error = one;
		close(proc);
	}
	closedir(dir);
	return error;
}
