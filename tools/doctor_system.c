// SPDX-License-Identifier: GPL-2.0
/*
 * Userspace's part of `kseal doctor`: the agent and its configuration, and what
 * `kseal run` and `kseal attach` need of the kernel and its settings.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor.h"

#define WARNING	"kseald: warning: "

/* "--user=kseald": root may read files that the agent, as its unit runs it, may not. */
static const char *user_option(char *option, size_t size)
{
	const char *const argv[] = { "systemctl", "show", "--property=User", "--value",
				     "kseald.service", NULL };
	char user[64];

	if (geteuid() || kseal_ask_program(argv, user, sizeof(user)))
		return NULL;
	user[strcspn(user, "\n")] = '\0';
	/* not what it says in place of an answer, in a chroot for example */
	if (!*user || strchr(user, ' ') || strcmp(user, "root") == 0)
		return NULL;
	snprintf(option, size, "--user=%s", user);
	return option;
}

/*
 * The agent itself knows what is wrong with a configuration, with certificates that
 * are about to expire too.
 */
static void check_config(struct kseal_patient *patient)
{
	char output[8192], option[80], remedy[128], *line, *rest;
	const char *as = user_option(option, sizeof(option));
	const char *const argv[] = { "kseald", "--check", "--config", patient->config, as, NULL };
	int status;

	if (access(patient->config, F_OK)) {
		kseal_report(patient, KSEAL_BAD, "configuration",
			     "write one: kseald.conf(5), /etc/kseal/kseald.conf.example",
			     "%s: %s", patient->config, strerror(errno));
		return;
	}
	if (access(patient->config, R_OK)) {
		kseal_report(patient, KSEAL_NOTE, "configuration", "run kseal doctor as root",
			     "%s can't be read", patient->config);
		return;
	}
	snprintf(remedy, sizeof(remedy), "mend it; kseald --check%s%s says whether it is good",
		 as ? " " : "", as ? as : "");
	status = kseal_ask_program(argv, output, sizeof(output));
	if (status == KSEAL_NOT_FOUND) {
		kseal_report(patient, KSEAL_BAD, "configuration", "install the agent",
			     "there is no kseald in PATH to check it");
		return;
	}
	for (line = strtok_r(output, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strncmp(line, WARNING, strlen(WARNING)))
			kseal_report(patient, KSEAL_WARNING, "configuration", NULL, "%s",
				     line + strlen(WARNING));
		else
			kseal_report(patient, status ? KSEAL_BAD : KSEAL_GOOD, "configuration",
				     status ? remedy : NULL, "%s", line);
}

/**
 * kseal_check_agent() - does it serve, is its configuration good?
 * @patient: to report to
 */
void kseal_check_agent(struct kseal_patient *patient)
{
	const json_t *workers = json_object_get(patient->status, "workers");

	if (patient->status && json_array_size(workers))
		kseal_report(patient, KSEAL_GOOD, "agent", NULL,
			     "pid %" JSON_INTEGER_FORMAT " serves this network namespace, %zu workers",
			     json_integer_value(json_object_get(json_array_get(workers, 0), "pid")),
			     json_array_size(workers));
	else if (patient->status)
		kseal_report(patient, KSEAL_BAD, "agent",
			     "systemctl start kseald; if it ends: journalctl -u kseald",
			     "none serves this network namespace: sealed sockets get no connections");
	else
		kseal_report(patient, KSEAL_NOTE, "agent", NULL,
			     "whether it serves is not to be seen: %s", patient->why);
	check_config(patient);
}

static void check_yama(struct kseal_patient *patient)
{
	char scope[16];

	/* No Yama: as scope 0. */
	kseal_read_line("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope));
	if (*scope == '3')
		kseal_report(patient, KSEAL_BAD, "permissions",
			     "set kernel.yama.ptrace_scope to 1 in /etc/sysctl.d and reboot",
			     "kernel.yama.ptrace_scope is 3: nobody can fetch a program's sockets");
	else if (*scope == '2')
		kseal_report(patient, KSEAL_NOTE, "permissions",
			     "as root, or with kernel.yama.ptrace_scope=1",
			     "kernel.yama.ptrace_scope is 2: kseal run and kseal attach need "
			     "CAP_SYS_PTRACE");
	else
		kseal_report(patient, KSEAL_GOOD, "permissions", NULL,
			     "kseal run may fetch the sockets of what it runs");
}

/**
 * kseal_check_interception() - what `kseal run` and `kseal attach` are made of
 * @patient: to report to
 */
void kseal_check_interception(struct kseal_patient *patient)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;
	int pidfd, fd = -1;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		kseal_report(patient, KSEAL_BAD, "kseal run",
			     "Linux 5.5; in a container, allow seccomp()",
			     "seccomp has no user notification here: %s", strerror(errno));
	else
		kseal_report(patient, KSEAL_GOOD, "kseal run", NULL,
			     "seccomp can report system calls");
	pidfd = pidfd_open(getpid(), 0);
	if (pidfd >= 0)
		fd = pidfd_getfd(pidfd, pidfd, 0);
	if (fd < 0)
		kseal_report(patient, KSEAL_BAD, "kseal run, kseal attach",
			     "Linux 5.6; in a container, allow pidfd_getfd()",
			     "a program's sockets can't be fetched: %s", strerror(errno));
	else
		kseal_report(patient, KSEAL_GOOD, "kseal run, kseal attach", NULL,
			     "pidfd_getfd() works");
	if (fd >= 0)
		close(fd);
	if (pidfd >= 0)
		close(pidfd);
	check_yama(patient);
}
