// SPDX-License-Identifier: GPL-2.0
/*
 * kseal reload: the agent reads its configuration anew, and says whether it did.
 *
 * The signal is that of systemctl reload, SIGHUP; with it goes a number, which names
 * an abstract unix socket of ours to which the agent sends its answer (agent/main.c).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "query.h"

#define PATIENCE	30000	/* milliseconds: certificates may be many */

static const struct argp argp = {
	.doc = "Have the agent of this network namespace read its configuration and certificates "
	       "anew, and say whether it did. If something is wrong, it goes on with the old "
	       "ones.\v"
	       "Needs to be root, or the agent's user, and CAP_NET_ADMIN. The exit status is 0 if "
	       "the agent has reloaded, else 1.",
};

/* The process of the agent; 0, with a message, if there is none. */
static pid_t agent_pid(void)
{
	char why[KSEAL_MESSAGE_LEN];
	json_t *status = kseal_query(why), *worker;
	pid_t pid;

	if (!status) {
		kseal_say("%s", why);
		return 0;
	}
	worker = json_array_get(json_object_get(status, "workers"), 0);
	pid = json_integer_value(json_object_get(worker, "pid"));
	json_decref(status);
	if (!pid)
		kseal_say("no agent is running in this network namespace; start it with "
			  "'systemctl start kseald'");
	return pid;
}

/* Where the answer comes to. Return: a socket, or negative errno */
static int listen_for(int number)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, on = 1, length;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, KSEAL_RELOAD_SOCKET,
			  number);
	if (bind(fd, (struct sockaddr *)&address,
		 offsetof(struct sockaddr_un, sun_path) + 1 + length) ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on))) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* A message, if it is from @pid. Return: its length, 0 for one of somebody else, or -1 */
static ssize_t receive(int fd, pid_t pid, char *text, size_t size)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(sizeof(size_t))));
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	struct ucred sender;
	ssize_t length;

	length = recvmsg(fd, &msg, 0);
	if (length < 0)
		return -1;
	text[length] = '\0';
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&sender, CMSG_DATA(cmsg), sizeof(sender));
	return sender.pid == pid ? length : 0;
}

/**
 * kseal_cmd_reload() - the subcommand
 * @argc: of @argv
 * @argv: "kseal reload"
 *
 * Return: exit status
 */
int kseal_cmd_reload(int argc, char **argv)
{
	struct pollfd poller = { .events = POLLIN };
	union sigval number = { 0 };
	char text[4096];
	ssize_t length = 0;
	pid_t pid;

	kseal_parse_no_arguments(&argp, argc, argv);
	pid = agent_pid();
	if (!pid)
		return EXIT_FAILURE;
	if (getrandom(&number.sival_int, sizeof(number.sival_int), 0) < 0)
		number.sival_int = getpid();
	poller.fd = listen_for(number.sival_int);
	if (poller.fd < 0) {
		kseal_say("can't listen for the answer: %s", strerror(-poller.fd));
		return EXIT_FAILURE;
	}
	if (sigqueue(pid, SIGHUP, number)) {
		kseal_say("can't ask the agent (pid %d): %s%s", (int)pid, strerror(errno),
			  errno == EPERM ? "; run as root" : "");
		return EXIT_FAILURE;
	}
	while (!length) {
		if (poll(&poller, 1, PATIENCE) <= 0) {
			kseal_say("the agent (pid %d) does not answer; its log says more",
				  (int)pid);
			return EXIT_FAILURE;
		}
		length = receive(poller.fd, pid, text, sizeof(text));
	}
	if (length < 0 || *text != '+') {
		kseal_say("not reloaded, the old configuration stays in force: %s", text + 1);
		return EXIT_FAILURE;
	}
	puts(text + 1);
	return EXIT_SUCCESS;
}
