/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration: what /etc/kseal/kseald.conf says, checked, with the
 * credentials it names loaded. Read-only once loaded and counted by reference:
 * a handshake keeps the configuration it began with, a reload puts a new one
 * beside it. kseald.conf(5) is the description for people.
 */
#ifndef KSEALD_CONFIG_H
#define KSEALD_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"

struct kseal_credentials;

#define KSEAL_CONFIG_DEFAULT	"/etc/kseal/kseald.conf"
#define KSEAL_WORKERS_MAX	256
#define KSEAL_TIMEOUT_MAX	3600	/* seconds */
#define KSEAL_ALPN_PROTOCOLS	8	/* GnuTLS takes no more, */
#define KSEAL_ALPN_LENGTH	31	/* nor longer ones */
#define KSEAL_ERROR_MAX		1024

enum kseal_client_auth {
	KSEAL_CLIENT_AUTH_OFF,
	KSEAL_CLIENT_AUTH_REQUEST,
	KSEAL_CLIENT_AUTH_REQUIRE,
};

#define KSEAL_VERSION_1_2	0x1
#define KSEAL_VERSION_1_3	0x2

/**
 * struct kseal_profile - one profile section
 * @name: title of the section, what KSEAL_PROFILE of a listener names
 * @certificate: PEM file, the chain, leaf first
 * @key: PEM file
 * @client_ca: PEM file or NULL
 * @client_auth: whether clients are asked for a certificate
 * @ports: local ports that may be served, none for all
 * @users: owners of a listener that may be served, beside root
 * @groups: likewise
 * @timeout_ms: longest handshake
 * @alpn: protocols offered, in order of preference
 * @versions: mask of KSEAL_VERSION_*
 * @tickets: whether clients may resume sessions
 * @ticket_keys: file with the secret that seals tickets, or NULL
 * @credentials: the files' content, ready for use
 */
struct kseal_profile {
	char *name;
	char *certificate;
	char *key;
	char *client_ca;
	enum kseal_client_auth client_auth;
	uint16_t *ports;
	size_t port_count;
	uid_t *users;
	size_t user_count;
	gid_t *groups;
	size_t group_count;
	unsigned int timeout_ms;
	char **alpn;
	size_t alpn_count;
	unsigned int versions;
	bool tickets;
	char *ticket_keys;
	struct kseal_credentials *credentials;
};

/**
 * struct kseal_config - a whole configuration
 * @refs: references; the last one to go frees it
 * @workers: threads, 0 for one per core
 * @log_level: least important level written
 * @profiles: the profile sections
 * @profile_count: of @profiles, at least 1
 */
struct kseal_config {
	atomic_uint refs;
	unsigned int workers;
	enum kseal_log_level log_level;
	struct kseal_profile *profiles;
	size_t profile_count;
};

struct kseal_config *kseal_config_load(const char *path, char *error, size_t size);
struct kseal_config *kseal_config_get(struct kseal_config *config);
void kseal_config_put(struct kseal_config *config);
const struct kseal_profile *kseal_config_profile(const struct kseal_config *config,
						 const char *name);

#endif /* KSEALD_CONFIG_H */
