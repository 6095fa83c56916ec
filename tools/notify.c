// SPDX-License-Identifier: GPL-2.0
/*
 * System calls of the program, reported to the supervisor of `kseal run` by the
 * filter (filter.c): receives one, finds out which it is, has it served (listen.c,
 * connect.c) and answers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "notify.h"

#define X32_BIT		0x40000000	/* x32 has the numbers of x86-64 otherwise */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL	/* Linux 6.9 */
#endif

/* The kernel's own sizes: it may know more members than our headers. */
static struct seccomp_notif *request;
static struct seccomp_notif_resp *response;
static size_t request_size, response_size;

/* The calls that the filter reports; those with @flags only from socketcall(). */
static const struct number {
	const char *name;
	int socketcall;
	size_t args, flags;
	int (*serve)(struct kseal_call *call, const struct kseal_policy *policy);
} numbers[] = {
	{ "listen", SYS_LISTEN, 2, 0, kseal_serve_listen },
	{ "connect", SYS_CONNECT, 3, 0, kseal_serve_connect },
	{ "sendto", SYS_SENDTO, 6, 3, NULL },
	{ "sendmsg", SYS_SENDMSG, 3, 2, NULL },
	{ "sendmmsg", SYS_SENDMMSG, 4, 3, NULL },
};

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

/**
 * kseal_call_valid() - does the caller still wait?
 * @call: which
 *
 * What was read or fetched is the caller's only if it does: its number may be
 * another process's by now.
 */
bool kseal_call_valid(const struct kseal_call *call)
{
	return !ioctl(call->notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id);
}

/**
 * kseal_call_read() - read the caller's memory
 * @call: whose
 * @address: in its address space
 * @buffer: result
 * @size: bytes
 *
 * Return: 0 or negative errno: EFAULT, or EACCES if we may not
 */
int kseal_call_read(const struct kseal_call *call, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = { .iov_base = buffer, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };
	ssize_t length = process_vm_readv(call->pid, &local, 1, &remote, 1, 0);

	if (length == (ssize_t)size)
		return 0;
	return length >= 0 || errno == EFAULT ? -EFAULT : -EACCES;
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

/**
 * kseal_call_fetch() - our own reference to what is behind a descriptor of the caller
 * @call: whose
 * @fd: its number there
 * @why: set if EACCES is returned: what stood in the way
 *
 * Return: a descriptor, or the negative errno that the call is to fail with
 */
int kseal_call_fetch(const struct kseal_call *call, int fd, char why[KSEAL_MESSAGE_LEN])
{
	int copy = fetch(call->pid, fd);

	if (!kseal_call_valid(call)) {
		if (copy >= 0)
			close(copy);
		return -EINTR;
	}
	if (copy >= 0 || copy == -EBADF)
		return copy;
	snprintf(why, KSEAL_MESSAGE_LEN, "its socket can't be fetched: %s%s", strerror(-copy),
		 copy != -EPERM ? "" :
		 " (needs permission to trace the process, and pidfd_getfd(): kseal doctor)");
	return -EACCES;
}

/**
 * kseal_call_refuse() - tell the user why a call fails
 * @call: which
 * @name: "listen", "connect"
 * @address: that it concerns, may be empty
 * @why: in words
 */
void kseal_call_refuse(const struct kseal_call *call, const char *name, const char *address,
		       const char *why)
{
	char process[32];

	kseal_process_name(call->pid, process, sizeof(process));
	kseal_say("%s (pid %d): %s() %s %s refused: %s", process, (int)call->pid, name,
		  strcmp(name, "connect") ? "on" : "to", *address ? address : "a socket", why);
}

/*
 * Which call it is, and its arguments: in registers, or behind a pointer for
 * socketcall() of the 32-bit ABIs that have it. ENOSYS for none of ours.
 */
static int decode(struct kseal_call *call, const struct number **number)
{
	const struct seccomp_data *data = &request->data;
	int nr = data->arch == SCMP_ARCH_X86_64 ? data->nr & ~X32_BIT : data->nr;
	char *name = seccomp_syscall_resolve_num_arch(data->arch, nr);
	bool packed = name && !strcmp(name, "socketcall");
	uint32_t words[6];
	size_t i, arg;
	int error;

	*number = NULL;
	for (i = 0; name && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (packed ? (int)data->args[0] == numbers[i].socketcall :
			     !strcmp(name, numbers[i].name))
			*number = &numbers[i];
	free(name);
	if (!*number)
		return -ENOSYS;
	memcpy(call->args, data->args, sizeof(call->args));
	if (!packed)
		return 0;
	error = kseal_call_read(call, (uint32_t)data->args[1], words,
				(*number)->args * sizeof(*words));
	for (arg = 0; !error && arg < (*number)->args; arg++)
		call->args[arg] = words[arg];
	return error;
}

/* Return: what the program's call is to return. */
static int serve(struct kseal_call *call, const struct kseal_policy *policy)
{
	const struct number *number;
	int error;

	if (!call->pid) {
		kseal_say("a call of a process outside this PID namespace refused");
		return -EACCES;
	}
	error = decode(call, &number);
	if (error)
		return error;
	if (number->serve)
		return number->serve(call, policy);
	/* As for the other ABIs the filter does: see there. */
	if (call->args[number->flags] & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	call->let_continue = true;
	return 0;
}

/**
 * kseal_notify_serve() - serve one call of the program
 * @notify: descriptor of the filter, readable
 * @policy: what to seal
 *
 * A call that a signal interrupts is restarted and comes again; arming twice does
 * no harm.
 *
 * Return: 0 or negative errno
 */
int kseal_notify_serve(int notify, const struct kseal_policy *policy)
{
	struct kseal_call call = { .notify = notify };

	memset(request, 0, request_size);
	if (ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, request))
		return -errno;
	call.id = request->id;
	call.pid = request->pid;
	memset(response, 0, response_size);
	response->error = serve(&call, policy);
	response->id = request->id;
	if (call.let_continue)
		response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, response) ? -errno : 0;
}
