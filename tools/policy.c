// SPDX-License-Identifier: GPL-2.0
/*
 * Which listeners and connections `kseal run` seals. Called by run.c (the command
 * line), listen.c and connect.c (a call of the program).
 *
 * A connection is recognised by the address that the program connects to, for a
 * system call knows no names. Where only one name is given for a port, all
 * connections to that port are taken for that host's: the server's certificate
 * decides. A wrong guess can't lead to plaintext, a list of addresses that is out
 * of date could.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define LOOKUP_INTERVAL	1	/* seconds for which an address is not asked about again */
#define MAX_ADDRESSES	1024	/* of a name; then the oldest go */

/* Is it a host name in ASCII (RFC 1123 section 2.1; underscores are in use)? */
static bool is_name(const char *host)
{
	const char *label = host, *c;
	bool digits = true;

	for (c = host; *c; c++) {
		if (*c == '.') {
			if (c == label || c - label > 63)
				return false;
			label = c + 1;
			digits = true;
			continue;
		}
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return false;
		digits &= isdigit((unsigned char)*c) != 0;
	}
	/* "10.1" is a spelling of an address that no certificate has. */
	return c != label && c - label <= 63 && !digits;
}

static bool add_address(struct kseal_target *target, const struct in6_addr *address)
{
	struct in6_addr *list;
	size_t i;

	for (i = 0; i < target->count; i++)
		if (IN6_ARE_ADDR_EQUAL(&target->addresses[i], address))
			return true;
	if (target->count == MAX_ADDRESSES) {
		list = target->addresses;
		memmove(list, list + 1, (MAX_ADDRESSES - 1) * sizeof(*list));
		list[MAX_ADDRESSES - 1] = *address;
		return true;
	}
	list = reallocarray(target->addresses, target->count + 1, sizeof(*list));
	if (!list)
		return false;
	target->addresses = list;
	list[target->count++] = *address;
	return true;
}

static void map_ipv4(struct in6_addr *address, const struct in_addr *in)
{
	memset(address, 0, sizeof(*address));
	address->s6_addr[10] = 0xff;
	address->s6_addr[11] = 0xff;
	memcpy(&address->s6_addr[12], in, sizeof(*in));
}

/* Takes over the addresses that the system has for a host. Return: as getaddrinfo() */
static int look_up(struct kseal_target *target, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *result, *info;
	const struct sockaddr_in6 *in6;
	struct in6_addr mapped;
	int error;

	error = getaddrinfo(target->host, NULL, &hints, &result);
	if (error)
		return error;
	for (info = result; info; info = info->ai_next) {
		if (info->ai_family == AF_INET) {
			map_ipv4(&mapped, &((struct sockaddr_in *)info->ai_addr)->sin_addr);
			add_address(target, &mapped);
		} else if (info->ai_family == AF_INET6) {
			in6 = (struct sockaddr_in6 *)info->ai_addr;
			target->scope = in6->sin6_scope_id;
			add_address(target, &in6->sin6_addr);
		}
	}
	freeaddrinfo(result);
	return 0;
}

static bool parse_host(struct kseal_target *target, char why[KSEAL_MESSAGE_LEN])
{
	char *host = target->host;
	size_t length = strlen(host);
	struct in6_addr mapped;
	struct in_addr in;

	if (!strcmp(host, "*")) {
		target->kind = KSEAL_HOST_ANY;
		return true;
	}
	target->kind = KSEAL_HOST_ADDRESS;
	if (inet_pton(AF_INET, host, &in) == 1) {
		map_ipv4(&mapped, &in);
		return add_address(target, &mapped);
	}
	if (strchr(host, ':') && !look_up(target, AI_NUMERICHOST))
		return true;
	target->kind = KSEAL_HOST_NAME;
	/* The root's dot belongs to the DNS, not to TLS (RFC 6066 section 3). */
	if (length > 1 && host[length - 1] == '.')
		host[length - 1] = '\0';
	if (is_name(host))
		return true;
	snprintf(why, KSEAL_MESSAGE_LEN,
		 "'%s' is neither a host name (in ASCII) nor an IP address", host);
	return false;
}

/**
 * kseal_target_parse() - HOST:PORT[=PROFILE]
 * @text: HOST is a name, an IPv4 address, an IPv6 address in brackets, or "*"
 * @target: result; to be zeroed before
 * @why: what is wrong with it, if something is
 *
 * Return: false if it can't be understood.
 */
bool kseal_target_parse(const char *text, struct kseal_target *target,
			char why[KSEAL_MESSAGE_LEN])
{
	const char *profile = strchrnul(text, '='), *host = text, *end, *colon;
	char port[8] = "";

	colon = memrchr(text, ':', profile - text);
	if (!colon || profile - colon > (ptrdiff_t)sizeof(port)) {
		snprintf(why, KSEAL_MESSAGE_LEN, "'%s' is not HOST:PORT", text);
		return false;
	}
	memcpy(port, colon + 1, profile - colon - 1);
	if (!kseal_parse_port(port, &target->port)) {
		snprintf(why, KSEAL_MESSAGE_LEN, "'%s' is not a port (1 to 65535)", port);
		return false;
	}
	if (*profile && !kseal_parse_profile(profile + 1, target->profile)) {
		snprintf(why, KSEAL_MESSAGE_LEN, "'%s' is not the name of a profile", profile + 1);
		return false;
	}
	end = colon;
	if (*host == '[' && end[-1] == ']') {
		host++;
		end--;
	} else if (memchr(host, ':', end - host)) {
		snprintf(why, KSEAL_MESSAGE_LEN, "an IPv6 address needs brackets: [%.*s]:%s",
			 (int)(end - host), host, port);
		return false;
	}
	if (end == host || (size_t)(end - host) >= sizeof(target->host)) {
		snprintf(why, KSEAL_MESSAGE_LEN, "'%s' names no host", text);
		return false;
	}
	memcpy(target->host, host, end - host);
	target->host[end - host] = '\0';
	return parse_host(target, why);
}

/**
 * kseal_policy_profile() - how a listener is to be sealed
 * @policy: from the command line
 * @port: local port of the listener, 0 if it will be the kernel's choice
 *
 * Return: the profile, NULL if the listener stays plain.
 */
const char *kseal_policy_profile(const struct kseal_policy *policy, uint16_t port)
{
	size_t i;

	if (policy->no_listeners)
		return NULL;
	if (!policy->count)
		return policy->profile;
	for (i = 0; i < policy->count; i++)
		if (policy->ports[i].port == port)
			return *policy->ports[i].profile ? policy->ports[i].profile :
							   policy->profile;
	return NULL;
}

/**
 * kseal_policy_connects() - are any connections to be sealed?
 * @policy: from the command line
 */
bool kseal_policy_connects(const struct kseal_policy *policy)
{
	size_t i;

	for (i = 0; i < policy->target_count; i++)
		if (!policy->targets[i].plain)
			return true;
	return false;
}

static bool has_address(const struct kseal_target *target, const struct sockaddr_in6 *peer)
{
	size_t i;

	if (target->scope && peer->sin6_scope_id && target->scope != peer->sin6_scope_id)
		return false;
	for (i = 0; i < target->count; i++)
		if (IN6_ARE_ADDR_EQUAL(&target->addresses[i], &peer->sin6_addr))
			return true;
	return false;
}

/*
 * Is @peer an address of the name, as known, or as known to the resolver now? What the
 * name had before counts only where it leads to sealing.
 */
static bool is_of_name(struct kseal_target *target, const struct sockaddr_in6 *peer)
{
	struct timespec now;
	int error;

	if (!target->plain && has_address(target, peer))
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!target->asked || now.tv_sec - target->asked >= LOOKUP_INTERVAL ||
	    !IN6_ARE_ADDR_EQUAL(&target->asked_for, &peer->sin6_addr)) {
		target->asked = now.tv_sec;
		target->asked_for = peer->sin6_addr;
		if (target->plain) {
			target->count = 0;
			target->scope = 0;
		}
		error = look_up(target, 0);
		target->unknown = error && error != EAI_NONAME && error != EAI_NODATA;
	}
	return has_address(target, peer);
}

/*
 * Which of the names for this port, plain ones or the others, has the address?
 * @unknown: set where it was not to be found out of one of them
 */
static struct kseal_target *find_name(const struct kseal_policy *policy,
				      const struct sockaddr_in6 *peer, bool plain, bool *unknown)
{
	struct kseal_target *one;
	size_t i;

	for (i = 0; i < policy->target_count; i++) {
		one = &policy->targets[i];
		if (one->port != ntohs(peer->sin6_port) || one->kind != KSEAL_HOST_NAME ||
		    one->plain != plain)
			continue;
		if (is_of_name(one, peer))
			return one;
		*unknown |= one->unknown;
	}
	return NULL;
}

/**
 * kseal_policy_target() - how a connection is to be sealed
 * @policy: from the command line
 * @peer: where it goes to, IPv4 as mapped IPv6
 * @target: which of those named it is, with KSEAL_SEAL
 *
 * An address that is named counts for more than a name, a name for more than "*". What
 * is both to be sealed and plain is sealed, in whichever order it was written: several
 * names may share an address, and nobody sees which of them the program means.
 * May ask the resolver, and wait for it, where several names share the port.
 */
enum kseal_choice kseal_policy_target(const struct kseal_policy *policy,
				      const struct sockaddr_in6 *peer,
				      const struct kseal_target **target)
{
	struct kseal_target *any = NULL, *address = NULL, *name = NULL, *one;
	bool unknown = false, ignored = false;
	size_t names = 0, plain = 0, i;

	for (i = 0; i < policy->target_count; i++) {
		one = &policy->targets[i];
		if (one->port != ntohs(peer->sin6_port))
			continue;
		if (one->kind == KSEAL_HOST_ADDRESS && has_address(one, peer) &&
		    (!address || address->plain))
			address = one;
		if (one->kind == KSEAL_HOST_ANY)
			any = one;
		if (one->kind != KSEAL_HOST_NAME)
			continue;
		plain += one->plain;
		names += !one->plain;
		if (!one->plain)
			name = one;
	}
	*target = address;
	if (address)
		return address->plain ? KSEAL_LEAVE : KSEAL_SEAL;
	if (names + plain > 1 || (names + plain && any)) {
		*target = find_name(policy, peer, false, &unknown);
		if (*target)
			return KSEAL_SEAL;
		/* A plain name may share the address with one that is not known. */
		if (find_name(policy, peer, true, &ignored))
			return unknown ? KSEAL_REFUSE : KSEAL_LEAVE;
	}
	if (!any && names > 1)
		return KSEAL_REFUSE;
	*target = any ? any : name;
	if (*target && !(*target)->plain)
		return KSEAL_SEAL;
	return unknown ? KSEAL_REFUSE : KSEAL_LEAVE;
}
