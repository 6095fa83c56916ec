/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A system call of the program that `kseal run` has been told of, and what its
 * servers (listen.c, connect.c) need of it.
 */
#ifndef _KSEAL_NOTIFY_H
#define _KSEAL_NOTIFY_H

#include "policy.h"

/**
 * struct kseal_call - a call that waits for us
 * @notify: descriptor of the filter
 * @id: number of the notification
 * @pid: the thread that calls
 * @args: its arguments, those of socketcall() unpacked
 * @let_continue: result: the kernel is to execute the call as it is
 */
struct kseal_call {
	int notify;
	uint64_t id;
	pid_t pid;
	uint64_t args[6];
	bool let_continue;
};

int kseal_notify_alloc(void);
int kseal_notify_serve(int notify, const struct kseal_policy *policy);

bool kseal_call_valid(const struct kseal_call *call);
int kseal_call_read(const struct kseal_call *call, uint64_t address, void *buffer, size_t size);
int kseal_call_fetch(const struct kseal_call *call, int fd, char why[KSEAL_MESSAGE_LEN]);
void kseal_call_refuse(const struct kseal_call *call, const char *name, const char *address,
		       const char *why);

int kseal_serve_listen(struct kseal_call *call, const struct kseal_policy *policy);
int kseal_serve_connect(struct kseal_call *call, const struct kseal_policy *policy);

#endif /* _KSEAL_NOTIFY_H */
