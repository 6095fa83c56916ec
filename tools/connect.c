// SPDX-License-Identifier: GPL-2.0
/*
 * One connect() of the program, served by the supervisor of `kseal run` (notify.c).
 *
 * The socket is armed through our own reference to it; then the program's call
 * continues: it may have to wait for the server, and its time limits, signals and
 * the rules of the firewall are those of the program. The kernel reads address and
 * descriptor again. A program that changes them meanwhile, on purpose, can connect
 * somewhere else in plaintext; the socket that has been armed can't.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify.h"

/* As IPv6, whatever it is. Return: false if it is neither IPv4 nor IPv6. */
static bool normalise(const struct sockaddr_storage *address, socklen_t length,
		      struct sockaddr_in6 *peer)
{
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct sockaddr_in *in = (const void *)address;

	memset(peer, 0, sizeof(*peer));
	peer->sin6_family = AF_INET6;
	if (length >= sizeof(*in) && address->ss_family == AF_INET) {
		peer->sin6_port = in->sin_port;
		peer->sin6_addr.s6_addr[10] = 0xff;
		peer->sin6_addr.s6_addr[11] = 0xff;
		memcpy(&peer->sin6_addr.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
		return true;
	}
	/* As the kernel: the scope may be missing (RFC 2133). */
	if (length >= offsetof(struct sockaddr_in6, sin6_scope_id) &&
	    address->ss_family == AF_INET6) {
		peer->sin6_port = in6->sin6_port;
		peer->sin6_addr = in6->sin6_addr;
		if (length >= sizeof(*in6))
			peer->sin6_scope_id = in6->sin6_scope_id;
		return true;
	}
	return false;
}

/*
 * "Any address" as a destination means this machine: the address that the socket is
 * bound to, else loopback.
 */
static void replace_any(int fd, struct sockaddr_in6 *peer)
{
	static const struct in6_addr any4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 local;
	socklen_t length = sizeof(address);
	bool is_any4 = IN6_ARE_ADDR_EQUAL(&peer->sin6_addr, &any4);
	bool is_bound4;

	if (!is_any4 && !IN6_IS_ADDR_UNSPECIFIED(&peer->sin6_addr))
		return;
	is_bound4 = !getsockname(fd, (struct sockaddr *)&address, &length) &&
		    normalise(&address, length, &local) && IN6_IS_ADDR_V4MAPPED(&local.sin6_addr);
	if (is_any4 && is_bound4 && !IN6_ARE_ADDR_EQUAL(&local.sin6_addr, &any4)) {
		peer->sin6_addr = local.sin6_addr;
		return;
	}
	/* "::" is IPv4's loopback for a socket that is bound to a mapped address. */
	if (is_any4 || is_bound4)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &peer->sin6_addr);
	else
		peer->sin6_addr = in6addr_loopback;
}

/* For people: IPv4 as such. */
static void format(const struct sockaddr_in6 *peer, char text[KSEAL_ADDRESS_LEN])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = peer->sin6_port };

	if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr)) {
		memcpy(&in.sin_addr, &peer->sin6_addr.s6_addr[12], sizeof(in.sin_addr));
		kseal_format_address((struct sockaddr *)&in, text, KSEAL_ADDRESS_LEN);
	} else {
		kseal_format_address((struct sockaddr *)peer, text, KSEAL_ADDRESS_LEN);
	}
}

static int tcp_state(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ? -1 : info.tcpi_state;
}

/* A connect() that returns at once and lets the first write connect would arm too late. */
static int no_fast_open(int fd, char why[KSEAL_MESSAGE_LEN])
{
	socklen_t length = sizeof(int);
	int on = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, &length) || !on)
		return 0;
	on = 0;
	if (!setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)))
		return 0;
	snprintf(why, KSEAL_MESSAGE_LEN, "TCP Fast Open can't be switched off: %s",
		 strerror(errno));
	return -EOPNOTSUPP;
}

/*
 * Return: 1 if it is sealed by this, 0 if it needs not, or the negative errno to fail
 * connect() with, and @why.
 */
static int arm(int fd, const struct kseal_target *target, const char *profile,
	       char why[KSEAL_MESSAGE_LEN])
{
	const char *name = target->kind == KSEAL_HOST_NAME ? target->host : "";
	char current[KSEAL_PROFILE_MAX];
	int state = tcp_state(fd), error;

	if (!kseal_armed(fd, current) && state != TCP_CLOSE) {
		/* Connected already, or a listener: the kernel has an errno for that. */
		if (state != TCP_SYN_SENT)
			return 0;
		snprintf(why, KSEAL_MESSAGE_LEN, "it has begun to connect before it was seen");
		return -EALREADY;
	}
	if (state != TCP_CLOSE)
		return 0;
	error = no_fast_open(fd, why);
	if (!error)
		error = kseal_arm_connector(fd, profile, name, why);
	return error ? error : 1;
}

/* Return: what the program's connect() is to return, unless it continues. */
static int serve_socket(struct kseal_call *call, int fd, struct sockaddr_in6 *peer,
			const struct kseal_policy *policy)
{
	char why[KSEAL_MESSAGE_LEN], process[32], address[KSEAL_ADDRESS_LEN];
	const struct kseal_target *target = NULL;
	enum kseal_choice choice;
	struct kseal_socket info;
	const char *profile;
	int error;

	kseal_look(fd, &info);
	if (info.kind == KSEAL_NOT_SOCKET)
		return -ENOTSOCK;
	replace_any(fd, peer);
	choice = info.kind == KSEAL_OTHER ? KSEAL_LEAVE :
					    kseal_policy_target(policy, peer, &target);
	call->let_continue = true;
	if (choice == KSEAL_LEAVE)
		return 0;
	format(peer, address);
	if (choice == KSEAL_REFUSE) {
		snprintf(why, sizeof(why),
			 "it is not known which of the hosts with port %u has this address; "
			 "name it with --connect or --plain", ntohs(peer->sin6_port));
		error = -EACCES;
	} else if (info.kind == KSEAL_UNSEALABLE) {
		snprintf(why, sizeof(why), "only plain TCP can be sealed, not MPTCP or SMC");
		error = -EOPNOTSUPP;
	} else {
		profile = *target->profile ? target->profile : policy->profile;
		error = arm(fd, target, profile, why);
	}
	if (error < 0) {
		call->let_continue = false;
		kseal_call_refuse(call, "connect", address, why);
	} else if (error && policy->verbose) {
		kseal_process_name(call->pid, process, sizeof(process));
		kseal_say("sealed the connection to %s, %s%s, profile %s (%s, pid %d)", address,
			  target->kind == KSEAL_HOST_NAME ? "server name " : "no server name",
			  target->kind == KSEAL_HOST_NAME ? target->host : "", profile, process,
			  (int)call->pid);
	}
	return error < 0 ? error : 0;
}

/* Can the policy have something to say about a connection to this port? */
static bool concerns(const struct kseal_policy *policy, uint16_t port)
{
	size_t i;

	for (i = 0; i < policy->target_count; i++)
		if (policy->targets[i].port == port && !policy->targets[i].plain)
			return true;
	return false;
}

/**
 * kseal_serve_connect() - seal a connection before it is made
 * @call: connect(fd, address, length)
 * @policy: which, and with what
 *
 * Return: what the program's call is to return, unless it is to continue
 */
int kseal_serve_connect(struct kseal_call *call, const struct kseal_policy *policy)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = (uint32_t)call->args[2];
	char why[KSEAL_MESSAGE_LEN];
	struct sockaddr_in6 peer;
	int fd, error;

	/* The kernel has an errno for what can't be an address. */
	if (length > sizeof(address) || length < sizeof(address.ss_family)) {
		call->let_continue = true;
		return 0;
	}
	error = kseal_call_read(call, call->args[1], &address, length);
	if (error == -EACCES)
		kseal_call_refuse(call, "connect", "",
				  "its memory can't be read (needs permission to trace the process)");
	if (error)
		return error;
	if (!kseal_call_valid(call))
		return -EINTR;
	if (!normalise(&address, length, &peer) || !concerns(policy, ntohs(peer.sin6_port))) {
		call->let_continue = true;
		return 0;
	}
	fd = kseal_call_fetch(call, (int)call->args[0], why);
	if (fd == -EACCES)
		kseal_call_refuse(call, "connect", "", why);
	if (fd < 0)
		return fd;
	error = serve_socket(call, fd, &peer, policy);
	close(fd);
	return error;
}
