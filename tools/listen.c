// SPDX-License-Identifier: GPL-2.0
/*
 * One listen() of the program, served by the supervisor of `kseal run` (notify.c).
 *
 * The supervisor works on its own reference to the socket and calls listen()
 * on it itself: were the program's call to continue, the kernel would look at
 * the descriptor again, and another thread could have put another socket there.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify.h"

/*
 * The kernel has chosen the port by listen(); if it is one that is named, what waits
 * there is handshaken, for the program's listen() hasn't returned yet.
 */
static int serve_chosen_port(struct kseal_call *call, int fd, const struct kseal_policy *policy,
			     const char **profile)
{
	char why[KSEAL_MESSAGE_LEN];
	struct kseal_socket info;
	int error;

	kseal_look(fd, &info);
	*profile = kseal_policy_profile(policy, info.port);
	if (!*profile)
		return 0;
	if (info.kind == KSEAL_UNSEALABLE) {
		snprintf(why, sizeof(why), "only plain TCP can be sealed, not MPTCP or SMC");
		error = -EOPNOTSUPP;
	} else {
		error = kseal_arm(fd, *profile, why);
	}
	if (!error)
		return 0;
	shutdown(fd, SHUT_RDWR);
	kseal_call_refuse(call, "listen", info.address, why);
	return error;
}

/* Arms and listens. Return: what the program's listen() is to return. */
static int serve_socket(struct kseal_call *call, int fd, const struct kseal_policy *policy)
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
		call->let_continue = true;
		return 0;
	}
	profile = kseal_policy_profile(policy, info.port);
	if (profile && info.kind == KSEAL_UNSEALABLE) {
		kseal_call_refuse(call, "listen", info.address,
				  "only plain TCP can be sealed, not MPTCP or SMC");
		return -EOPNOTSUPP;
	}
	if (profile) {
		error = kseal_arm(fd, profile, why);
		if (error) {
			kseal_call_refuse(call, "listen", info.address, why);
			return error;
		}
	}
	if (listen(fd, (int)call->args[1]))
		return -errno;
	if (!profile && !info.port) {
		error = serve_chosen_port(call, fd, policy, &profile);
		if (error)
			return error;
	}
	if (profile && policy->verbose) {
		kseal_look(fd, &info);
		kseal_process_name(call->pid, name, sizeof(name));
		kseal_say("sealed %s, profile %s (%s, pid %d)", info.address, profile, name,
			  (int)call->pid);
	}
	return 0;
}

/**
 * kseal_serve_listen() - seal a listener before it listens
 * @call: listen(fd, backlog)
 * @policy: which, and with what
 *
 * Return: what the program's call is to return
 */
int kseal_serve_listen(struct kseal_call *call, const struct kseal_policy *policy)
{
	char why[KSEAL_MESSAGE_LEN];
	int fd = kseal_call_fetch(call, (int)call->args[0], why), error;

	if (fd == -EACCES)
		kseal_call_refuse(call, "listen", "", why);
	if (fd < 0)
		return fd;
	error = serve_socket(call, fd, policy);
	close(fd);
	return error;
}
