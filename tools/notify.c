// SPDX-License-Identifier: GPL-2.0
/*
 * One listen() of the program, served by the supervisor of `kseal run`.
 *
 * The supervisor works on its own reference to the socket and calls listen()
 * on it itself: were the program's call to continue, the kernel would look at
 * the descriptor again, and another thread could have put another socket there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/kcmp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kseal-cli.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL	/* Linux 6.9 */
#endif

/* The kernel's own sizes: it may know more members than our headers. */
static struct seccomp_notif *request;
static struct seccomp_notif_resp *response;
static size_t request_size, response_size;

/**
 * kseal_notify_alloc() - call before the first notification
 *
 * Return: 0 or negative errno
 */
int kseal_notify_alloc(void)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		return -errno;
	request_size = sizes.seccomp_notif > sizeof(*request) ? sizes.seccomp_notif :
								sizeof(*request);
	response_size = sizes.seccomp_notif_resp > sizeof(*response) ? sizes.seccomp_notif_resp :
								       sizeof(*response);
	request = malloc(request_size);
	response = malloc(response_size);
	return request && response ? 0 : -ENOMEM;
}

/* Has the program's call not been interrupted, its thread not died meanwhile? */
static bool still_valid(int notify)
{
	return !ioctl(notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &request->id);
}

static int thread_group(pid_t tid)
{
	char path[64], line[128];
	int tgid = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(file);
	return tgid;
}

/*
 * Our own reference to the socket behind descriptor @target of thread @tid.
 * Before Linux 6.9 only a thread group leader has a pidfd; another thread's
 * descriptors are the leader's unless it has unshared them.
 */
static int fetch(pid_t tid, int target)
{
	int pidfd, fd, error, leader;

	pidfd = pidfd_open(tid, PIDFD_THREAD);
	if (pidfd < 0 && errno == EINVAL) {
		leader = thread_group(tid);
		if (leader < 0)
			return -ESRCH;
		if (leader != tid && syscall(SYS_kcmp, leader, tid, KCMP_FILES, 0, 0) > 0)
			return -EOPNOTSUPP;
		pidfd = pidfd_open(leader, 0);
	}
	if (pidfd < 0)
		return -errno;
	fd = pidfd_getfd(pidfd, target, 0);
	error = errno;
	close(pidfd);
	return fd < 0 ? -error : fd;
}

/*
 * The arguments of listen(): in registers, or behind a pointer for socketcall()
 * of the 32-bit ABIs that have it.
 */
static int arguments(int *fd, int *backlog)
{
	const struct seccomp_data *data = &request->data;
	struct iovec remote, local;
	uint32_t words[2];
	int nr;

	nr = seccomp_syscall_resolve_name_arch(data->arch, "socketcall");
	if (nr < 0 || data->nr != nr) {
		*fd = (int)data->args[0];
		*backlog = (int)data->args[1];
		return 0;
	}
	local.iov_base = words;
	remote.iov_base = (void *)(uintptr_t)(uint32_t)data->args[1];
	remote.iov_len = sizeof(words);
	local.iov_len = sizeof(words);
	if (process_vm_readv(request->pid, &local, 1, &remote, 1, 0) != sizeof(words))
		return errno == EFAULT ? -EFAULT : -EACCES;
	*fd = (int)words[0];
	*backlog = (int)words[1];
	return 0;
}

static void refuse(const struct kseal_socket *info, const char *why)
{
	char name[32];

	kseal_process_name(request->pid, name, sizeof(name));
	kseal_say("%s (pid %d): listen() on %s refused: %s", name, (int)request->pid,
		  *info->address ? info->address : "a socket", why);
}

/* Arms and listens. Return: what the program's listen() is to return. */
static int serve_socket(int fd, int backlog, const struct kseal_policy *policy, bool *let_continue)
{
	char why[KSEAL_MESSAGE_LEN], name[32];
	struct kseal_socket info;
	const char *profile;
	int error;

	kseal_look(fd, &info);
	if (info.kind == KSEAL_NOT_SOCKET)
		return -ENOTSOCK;
	if (info.kind == KSEAL_OTHER) {
		/* A unix socket remembers who called listen(): SO_PEERCRED. */
		*let_continue = true;
		return 0;
	}
	profile = kseal_policy_profile(policy, info.port);
	if (profile && info.kind == KSEAL_UNSEALABLE) {
		refuse(&info, "only plain TCP can be sealed, not MPTCP or SMC");
		return -EOPNOTSUPP;
	}
	if (profile) {
		error = kseal_arm(fd, profile, why);
		if (error) {
			refuse(&info, why);
			return error;
		}
	}
	if (listen(fd, backlog))
		return -errno;
	if (profile && policy->verbose) {
		kseal_look(fd, &info);
		kseal_process_name(request->pid, name, sizeof(name));
		kseal_say("sealed %s, profile %s (%s, pid %d)", info.address, profile, name,
			  (int)request->pid);
	}
	return 0;
}

/* Return: what the program's listen() is to return. */
static int serve(int notify, const struct kseal_policy *policy, bool *let_continue)
{
	struct kseal_socket unknown = { 0 };
	int target, backlog, fd, error;
	char why[KSEAL_MESSAGE_LEN];

	if (!request->pid) {
		kseal_say("listen() of a process outside this PID namespace refused");
		return -EACCES;
	}
	error = arguments(&target, &backlog);
	if (error)
		return error;
	fd = fetch(request->pid, target);
	/* What was fetched is the caller's only if the caller still waits. */
	if (!still_valid(notify)) {
		error = -EINTR;
	} else if (fd == -EBADF) {
		error = -EBADF;
	} else if (fd < 0) {
		snprintf(why, sizeof(why), "its socket can't be fetched: %s%s", strerror(-fd),
			 fd == -EPERM ? " (needs permission to trace the process)" : "");
		refuse(&unknown, why);
		error = -EACCES;
	} else {
		error = serve_socket(fd, backlog, policy, let_continue);
	}
	if (fd >= 0)
		close(fd);
	return error;
}

/**
 * kseal_notify_serve() - serve one listen() of the program
 * @notify: descriptor of the filter, readable
 * @policy: what to seal
 *
 * A call that a signal interrupts is restarted and comes again; arming and
 * listening twice does no harm.
 *
 * Return: 0 or negative errno
 */
int kseal_notify_serve(int notify, const struct kseal_policy *policy)
{
	bool let_continue = false;
	int error;

	memset(request, 0, request_size);
	if (ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, request))
		return -errno;
	error = serve(notify, policy, &let_continue);
	memset(response, 0, response_size);
	response->id = request->id;
	response->error = error;
	if (let_continue)
		response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, response) ? -errno : 0;
}
