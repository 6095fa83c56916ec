/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What `kseal run` seals: the listeners by port, the connections by where they go.
 */
#ifndef _KSEAL_POLICY_H
#define _KSEAL_POLICY_H

#include <time.h>

#include "kseal-cli.h"

/**
 * struct kseal_target - one --connect, or one --plain
 * @host: as it was written, without brackets
 * @kind: what @host is
 * @port: where it listens
 * @plain: connections to it are left alone
 * @profile: of the agent; empty: that of the policy
 * @addresses: of @host, IPv4 as mapped IPv6; those of a name as they have become known
 * @count: of @addresses
 * @scope: interface of a link-local @host, else 0
 * @asked: when @host was looked up last, CLOCK_MONOTONIC; 0: never
 * @asked_for: on behalf of which address
 * @unknown: nobody could tell then which addresses it has
 */
struct kseal_target {
	char host[KSEAL_NAME_MAX];
	enum kseal_host {
		KSEAL_HOST_ANY,
		KSEAL_HOST_ADDRESS,
		KSEAL_HOST_NAME,
	} kind;
	uint16_t port;
	bool plain;
	char profile[KSEAL_PROFILE_MAX];
	struct in6_addr *addresses;
	size_t count;
	uint32_t scope;
	time_t asked;
	struct in6_addr asked_for;
	bool unknown;
};

/**
 * struct kseal_policy - what is to be sealed, and with what
 * @profile: of all listeners and connections that have no other
 * @ports: the only ports on which listeners are sealed; every port when there are none
 * @count: elements of @ports
 * @no_listeners: no listener is sealed
 * @targets: connections to seal, or not to
 * @target_count: elements of @targets
 * @verbose: tell about each socket that is sealed
 */
struct kseal_policy {
	char profile[KSEAL_PROFILE_MAX];
	struct kseal_port {
		uint16_t port;
		char profile[KSEAL_PROFILE_MAX];
	} *ports;
	size_t count;
	bool no_listeners;
	struct kseal_target *targets;
	size_t target_count;
	bool verbose;
};

/**
 * enum kseal_choice - what becomes of a connection
 * @KSEAL_LEAVE: it is none of those named
 * @KSEAL_SEAL: sealed, as the target says
 * @KSEAL_REFUSE: it can't be told which of the names it goes to
 */
enum kseal_choice {
	KSEAL_LEAVE,
	KSEAL_SEAL,
	KSEAL_REFUSE,
};

bool kseal_target_parse(const char *text, struct kseal_target *target,
			char why[KSEAL_MESSAGE_LEN]);
const char *kseal_policy_profile(const struct kseal_policy *policy, uint16_t port);
enum kseal_choice kseal_policy_target(const struct kseal_policy *policy,
				      const struct sockaddr_in6 *peer,
				      const struct kseal_target **target);
bool kseal_policy_connects(const struct kseal_policy *policy);

#endif /* _KSEAL_POLICY_H */
