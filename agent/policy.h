/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may be served with a profile's key. Any process may arm a socket of its own
 * and name any profile; without this check every local user could pose as the site
 * on another port.
 */
#ifndef KSEALD_POLICY_H
#define KSEALD_POLICY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kseal_profile;

int kseal_policy_check(const struct kseal_profile *profile, uid_t uid, gid_t gid,
		       uint16_t port, char *why, size_t size);

#endif /* KSEALD_POLICY_H */
