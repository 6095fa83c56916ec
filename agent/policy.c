// SPDX-License-Identifier: GPL-2.0
/*
 * Who may be served with a profile's key. Called by worker.c for each connection,
 * with the owner of its socket as the kernel reports it (ACCEPT: UID, GID).
 */
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>

#include "config.h"
#include "policy.h"

static bool may_own(const struct kseal_profile *profile, uid_t uid, gid_t gid)
{
	if (profile->anyone)
		return true;
	/* -1: an owner that this user namespace has no number for. */
	if (uid == (uid_t)-1)
		return false;
	if (uid == 0)
		return true;
	for (size_t i = 0; i < profile->user_count; i++) {
		if (profile->users[i] == uid)
			return true;
	}
	if (gid == (gid_t)-1)
		return false;
	for (size_t i = 0; i < profile->group_count; i++) {
		if (profile->groups[i] == gid)
			return true;
	}
	return false;
}

static bool may_use_port(const struct kseal_profile *profile, uint16_t port)
{
	if (!profile->port_count)
		return true;
	for (size_t i = 0; i < profile->port_count; i++) {
		if (profile->ports[i] == port)
			return true;
	}
	return false;
}

static void name_user(uid_t uid, char *name, size_t size)
{
	struct passwd pw, *found = NULL;
	char buf[1024];

	if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 && found)
		snprintf(name, size, "%s", found->pw_name);
	else
		snprintf(name, size, "%u", (unsigned int)uid);
}

/**
 * kseal_policy_check() - may this socket be served with this profile?
 * @profile: that it asked for
 * @uid: owner of the listener or connector
 * @gid: group of the owner
 * @port: local port of the connection, host order
 * @why: on refusal: who was refused, and the line that would allow it
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_policy_check(const struct kseal_profile *profile, uid_t uid, gid_t gid,
		       uint16_t port, char *why, size_t size)
{
	const char *kind = profile->role == KSEAL_ROLE_CLIENT ? "client section" : "profile";
	char user[128];

	if (!may_own(profile, uid, gid)) {
		name_user(uid, user, sizeof(user));
		snprintf(why, size,
			 "user %s (uid %u, gid %u) may not use %s \"%s\" on port %u: to allow it, add \"%s\" to users of the %s",
			 user, (unsigned int)uid, (unsigned int)gid, kind, profile->name, port,
			 user, kind);
		return -1;
	}
	if (!may_use_port(profile, port)) {
		snprintf(why, size,
			 "profile \"%s\" may not serve port %u: to allow it, add %u to ports of the profile",
			 profile->name, port, port);
		return -1;
	}
	return 0;
}
