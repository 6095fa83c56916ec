// SPDX-License-Identifier: GPL-2.0
/*
 * Arming a socket: what it is, the ULP, the profile, the server's name, and in
 * words what went wrong. Called by `kseal run` (for the program, on a copy of its
 * descriptor) and by `kseal attach`.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kseal-cli.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
#ifndef IPPROTO_SMC
#define IPPROTO_SMC	256	/* Linux 6.11 */
#endif
#define ULP_NAME_MAX	16	/* TCP_ULP_NAME_MAX of the kernel */
#define ULP_PARAMETER	"/sys/module/kseal/parameters/ulp_name"

/*
 * The name under which the module registered its ULP: a parameter of the
 * module, so that it can stand in for the kernel's "tls".
 */
static const char *ulp_name(void)
{
	static char name[ULP_NAME_MAX];
	FILE *file;

	if (*name)
		return name;
	file = fopen(ULP_PARAMETER, "re");
	if (file) {
		if (fgets(name, sizeof(name), file))
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
	if (!*name)
		snprintf(name, sizeof(name), KSEAL_ULP_NAME);
	return name;
}

static int option(int fd, int name)
{
	socklen_t length = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) ? -1 : value;
}

/**
 * kseal_look() - what a file descriptor is
 * @fd: any
 * @info: result
 */
void kseal_look(int fd, struct kseal_socket *info)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	int domain, protocol;

	memset(info, 0, sizeof(*info));
	domain = option(fd, SO_DOMAIN);
	if (domain < 0) {
		info->kind = KSEAL_NOT_SOCKET;
		return;
	}
	protocol = option(fd, SO_PROTOCOL);
	info->kind = KSEAL_OTHER;
	/* SMC falls back to TCP with peers that don't speak it (RFC 7609). */
	if (option(fd, SO_TYPE) == SOCK_STREAM && domain == AF_SMC)
		info->kind = KSEAL_UNSEALABLE;
	if (option(fd, SO_TYPE) == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6)) {
		if (protocol == IPPROTO_TCP)
			info->kind = KSEAL_TCP;
		/* MPTCP falls back to TCP likewise (RFC 8684 section 3.7). */
		if (protocol == IPPROTO_MPTCP || protocol == IPPROTO_SMC)
			info->kind = KSEAL_UNSEALABLE;
	}
	if (info->kind == KSEAL_OTHER)
		return;
	info->listening = option(fd, SO_ACCEPTCONN) == 1;
	if (getsockname(fd, (struct sockaddr *)&address, &length))
		return;
	kseal_format_address((struct sockaddr *)&address, info->address, sizeof(info->address));
	if (address.ss_family == AF_INET)
		info->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	else if (address.ss_family == AF_INET6)
		info->port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
}

/* The ULP of a socket; an empty name if it has none. */
static void ulp_of(int fd, char name[ULP_NAME_MAX + 1])
{
	socklen_t length = ULP_NAME_MAX;

	memset(name, 0, ULP_NAME_MAX + 1);
	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &length))
		*name = '\0';
}

/**
 * kseal_armed() - is this socket armed already?
 * @fd: TCP socket
 * @profile: its profile if so
 */
bool kseal_armed(int fd, char profile[KSEAL_PROFILE_MAX])
{
	socklen_t length = KSEAL_PROFILE_MAX;
	char ulp[ULP_NAME_MAX + 1];

	ulp_of(fd, ulp);
	if (strcmp(ulp, ulp_name()))
		return false;
	memset(profile, 0, KSEAL_PROFILE_MAX);
	if (getsockopt(fd, SOL_TLS, KSEAL_PROFILE, profile, &length))
		return false;
	profile[KSEAL_PROFILE_MAX - 1] = '\0';
	return true;
}

/* Why the ULP was refused, and the errno that the program's call should see. */
static int explain_ulp(int fd, int error, char why[KSEAL_MESSAGE_LEN])
{
	char ulp[ULP_NAME_MAX + 1];

	switch (error) {
	case ENOENT:
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "the kseal module is not loaded; load it with 'modprobe kseal'");
		return -EOPNOTSUPP;
	case EEXIST:
		ulp_of(fd, ulp);
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "the socket has another upper layer protocol already ('%s')", ulp);
		return -EOPNOTSUPP;
	case ENOPROTOOPT:
		snprintf(why, KSEAL_MESSAGE_LEN, "this kernel knows no TCP_ULP");
		return -EOPNOTSUPP;
	case EBUSY:
		snprintf(why, KSEAL_MESSAGE_LEN, "the kseal module is being unloaded");
		return -EBUSY;
	case EPERM:
	case EACCES:
		snprintf(why, KSEAL_MESSAGE_LEN, "the kernel refuses the kseal ULP to this user");
		return -EACCES;
	default:
		snprintf(why, KSEAL_MESSAGE_LEN, "the kseal ULP was refused: %s", strerror(error));
		return -error;
	}
}

/* Return: 0, or the negative errno to fail the program's call with, and @why. */
static int take_ulp(int fd, char why[KSEAL_MESSAGE_LEN])
{
	char current[KSEAL_PROFILE_MAX];
	const char *ulp = ulp_name();
	int error;

	if (!setsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, strlen(ulp)))
		return 0;
	error = errno;
	if (error == EEXIST && kseal_armed(fd, current))
		return 0;
	return explain_ulp(fd, error, why);
}

static int set_profile(int fd, const char *profile, char why[KSEAL_MESSAGE_LEN])
{
	char current[KSEAL_PROFILE_MAX];
	int error;

	if (kseal_armed(fd, current) && !strcmp(current, profile))
		return 0;
	if (!setsockopt(fd, SOL_TLS, KSEAL_PROFILE, profile, strlen(profile)))
		return 0;
	error = errno;
	if (kseal_armed(fd, current))
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "it is sealed with profile '%s', '%s' was refused: %s", current, profile,
			 strerror(error));
	else
		snprintf(why, KSEAL_MESSAGE_LEN, "profile '%s' was refused: %s", profile,
			 strerror(error));
	return -EACCES;
}

/**
 * kseal_arm() - seal what a listener, or a socket about to be one, will accept
 * @fd: TCP socket
 * @profile: the agent's profile that serves it
 * @why: what went wrong and what to do about it, if anything did
 *
 * A socket that has been armed before stays so; its profile is changed if it
 * is another one and the kernel still allows it.
 *
 * Return: 0, or the negative errno to fail listen() with.
 */
int kseal_arm(int fd, const char *profile, char why[KSEAL_MESSAGE_LEN])
{
	int error = take_ulp(fd, why);

	return error ? error : set_profile(fd, profile, why);
}

/**
 * kseal_arm_connector() - seal the connection that a socket will make
 * @fd: TCP socket, not connected
 * @profile: the agent's profile that serves it
 * @name: whom it is to reach; empty: whom its address belongs to
 * @why: as kseal_arm()
 *
 * As kseal_arm(), for a socket that has been armed before too: one on which
 * connect() has failed may be used again.
 *
 * Return: 0, or the negative errno to fail connect() with.
 */
int kseal_arm_connector(int fd, const char *profile, const char *name,
			char why[KSEAL_MESSAGE_LEN])
{
	char current[KSEAL_NAME_MAX] = "";
	socklen_t length = sizeof(current) - 1;
	int error = take_ulp(fd, why);

	if (!error)
		error = set_profile(fd, profile, why);
	if (error)
		return error;
	if (!getsockopt(fd, SOL_TLS, KSEAL_SERVER_NAME, current, &length) &&
	    !strcmp(current, name))
		return 0;
	if (!setsockopt(fd, SOL_TLS, KSEAL_SERVER_NAME, name, strlen(name)))
		return 0;
	error = errno;
	if (error == ENOPROTOOPT)
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "the kseal module that is loaded can't seal connections; it is older "
			 "than this program");
	else
		snprintf(why, KSEAL_MESSAGE_LEN, "server name '%s' was refused: %s", name,
			 strerror(error));
	return -EACCES;
}
