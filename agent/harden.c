// SPDX-License-Identifier: GPL-2.0
/*
 * What the process gives up and protects before it touches a key. The systemd
 * unit does the same and more from outside; this holds without systemd too.
 * Called by main() once, before any thread is started: capabilities are per
 * thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harden.h"
#include "log.h"

/**
 * kseal_become() - go on as another user, with the capabilities that we have
 * @name: of the user; its groups are taken on as well
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * To be followed by kseal_drop_capabilities().
 *
 * Return: 0; -ENOENT if there is no such user, another negative errno if we can't
 * become it, with @why.
 */
int kseal_become(const char *name, char *why, size_t size)
{
	const struct passwd *pw = getpwnam(name);
	int error;

	if (!pw) {
		snprintf(why, size, "there is no user \"%s\": create it (systemd-sysusers)", name);
		return -ENOENT;
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || initgroups(name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0) {
		error = errno;
		snprintf(why, size, "cannot become %s: %s: start as root", name, strerror(error));
		return -error;
	}
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	/* a change of user makes a process dumpable as the kernel's setting says */
	kseal_forbid_dumps();
	return 0;
}

/**
 * kseal_drop_capabilities() - keep CAP_NET_ADMIN and nothing else
 *
 * CAP_NET_ADMIN is what REGISTER, ACCEPT and DONE ask for. All else goes before
 * the configuration is read, so that a file which can be read now can be read at
 * a reload as well: as root without CAP_DAC_OVERRIDE, root's own files.
 *
 * Return: 0 or a negative errno.
 */
int kseal_drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	uint32_t keep = 1U << CAP_NET_ADMIN;

	/* Without CAP_SETPCAP the bounding set stays; no_new_privs covers it. */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (cap != CAP_NET_ADMIN)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	keep &= caps[0].permitted;
	memset(caps, 0, sizeof(caps));
	caps[0].permitted = keep;
	caps[0].effective = keep;
	if (syscall(SYS_capset, &head, caps) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/**
 * kseal_forbid_dumps() - keep keys out of core dumps and debuggers
 *
 * Private keys, ticket keys and traffic secrets lie all over the heap of the TLS
 * library, so it is the whole process that is made undumpable.
 */
void kseal_forbid_dumps(void)
{
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		kseal_log(KSEAL_LOG_WARNING, "core dumps cannot be disabled: %s",
			  strerror(errno));
}

/**
 * kseal_lock_memory() - keep keys out of swap
 *
 * Only where the limit allows any amount: with a finite RLIMIT_MEMLOCK and
 * MCL_FUTURE, allocations would begin to fail under load. Raising the limit takes
 * a capability that kseal_drop_capabilities() gives up.
 */
void kseal_lock_memory(void)
{
	struct rlimit memlock = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &memlock) < 0 &&
	    (getrlimit(RLIMIT_MEMLOCK, &memlock) < 0 ||
	     memlock.rlim_cur != RLIM_INFINITY)) {
		kseal_log(KSEAL_LOG_WARNING,
			  "memory with keys may be swapped out: raise the limit (ulimit -l unlimited, LimitMEMLOCK=infinity)");
		return;
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		kseal_log(KSEAL_LOG_WARNING, "memory with keys may be swapped out: %s",
			  strerror(errno));
}

/**
 * kseal_raise_nofile() - as many handshakes at once as the hard limit allows
 *
 * Return: descriptors that this process may have open.
 */
unsigned int kseal_raise_nofile(void)
{
	struct rlimit files;
	rlim_t soft;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 1024;
	soft = files.rlim_cur;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) == 0)
		soft = files.rlim_max;
	return soft < UINT_MAX ? soft : UINT_MAX;
}
