/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration: what /etc/kseal/kseald.conf says, checked, with the
 * credentials it names loaded. Read-only once loaded and counted by reference:
 * a handshake keeps the configuration it began with, a reload puts a new one
 * beside it. kseald.conf(5) is the description for people.
 */
#ifndef KSEALD_CONFIG_H
#define KSEALD_CONFIG_H

#include <linux/kseal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "limits.h"
#include "log.h"

struct kseal_credentials;
struct kseal_named_group;
struct kseal_rule;
struct kseal_resumption;

#define KSEAL_CONFIG_DEFAULT	"/etc/kseal/kseald.conf"
#define KSEAL_WORKERS_MAX	256
#define KSEAL_TIMEOUT_MAX	3600	/* seconds */
#define KSEAL_ALPN_PROTOCOLS	8	/* GnuTLS takes no more, */
#define KSEAL_ALPN_LENGTH	31	/* nor longer ones */
#define KSEAL_RECORD_SIZE_MIN	512	/* GnuTLS announces no less */
#define KSEAL_RECORD_SIZE_MAX	16384
#define KSEAL_ERROR_MAX		1024

enum kseal_client_auth {
	KSEAL_CLIENT_AUTH_OFF,
	KSEAL_CLIENT_AUTH_REQUEST,
	KSEAL_CLIENT_AUTH_REQUIRE,
};

/* The protocol of the application (RFC 7301): what if there is none in common? */
enum kseal_alpn_mode {
	KSEAL_ALPN_OPTIONAL,	/* go on without */
	KSEAL_ALPN_MATCH,	/* refuse, but for clients that offer none */
	KSEAL_ALPN_REQUIRED,	/* refuse */
};

#define KSEAL_VERSION_1_2	0x1
#define KSEAL_VERSION_1_3	0x2

/**
 * struct kseal_profile - one profile section, or one client section
 * @role: KSEAL_ROLE_SERVER for a profile section, KSEAL_ROLE_CLIENT for a client one
 * @name: title of the section, what KSEAL_PROFILE of a socket names
 * @certificates: PEM files, each a chain, leaf first; a client may have none
 * @certificate_count: how many
 * @keys: of each of @certificates; none: they hold their keys themselves
 * @key_count: how many
 * @directory: of more certificates, or NULL
 * @staples: files with OCSP responses about certificates
 * @staple_count: how many
 * @sni_strict: a client that asks for another name is refused
 * @ca: PEM file or NULL: none for a server, for a client what the system trusts
 * @crls: PEM files, or directories of them
 * @crl_count: how many
 * @client_auth: whether clients are asked for a certificate
 * @rules: one of them must match a peer's certificate
 * @rule_count: how many, 0: any certificate will do
 * @server_name: whom a client wants to reach, whatever the connector says; or NULL
 * @ports: local ports that may be served, none for all
 * @port_count: how many
 * @anyone: every owner of a socket may be served
 * @users: owners that may be served, beside root
 * @user_count: how many
 * @groups: likewise
 * @group_count: how many
 * @timeout_ms: longest handshake
 * @alpn: protocols offered, in order of preference
 * @alpn_count: how many
 * @alpn_mode: whether one of them has to be agreed on
 * @versions: mask of KSEAL_VERSION_*
 * @ciphers: by GnuTLS's names, in order of preference
 * @cipher_count: how many, 0: all
 * @named_groups: of key exchanges, in order of preference
 * @named_group_count: how many, 0: a usual choice
 * @priority: GnuTLS's priority string, instead of these three, or NULL
 * @legacy: key exchanges without forward secrecy, or with finite fields, in TLS 1.2
 * @record_size: longest plaintext of a record that peers are to send, 0: any
 * @limits: on handshakes, NULL if there are none
 * @offload: enum kseal_offload: may, must or must not a network device do the
 *	cryptography
 * @tolerate_truncation: a peer may end the stream without close_notify
 * @proxy_header: the application gets a header of the PROXY protocol first
 * @tickets: whether sessions are resumed
 * @ticket_keys: file with the secret that seals a server's tickets, or NULL
 * @credentials: the files' content, ready for use
 * @resumption: what a client has to resume from, NULL without @tickets
 */
struct kseal_profile {
	enum kseal_role role;
	char *name;
	char **certificates;
	size_t certificate_count;
	char **keys;
	size_t key_count;
	char *directory;
	char **staples;
	size_t staple_count;
	bool sni_strict;
	char *ca;
	char **crls;
	size_t crl_count;
	enum kseal_client_auth client_auth;
	struct kseal_rule *rules;
	size_t rule_count;
	char *server_name;
	uint16_t *ports;
	size_t port_count;
	bool anyone;
	uid_t *users;
	size_t user_count;
	gid_t *groups;
	size_t group_count;
	unsigned int timeout_ms;
	char **alpn;
	size_t alpn_count;
	enum kseal_alpn_mode alpn_mode;
	unsigned int versions;
	char **ciphers;
	size_t cipher_count;
	const struct kseal_named_group **named_groups;
	size_t named_group_count;
	char *priority;
	bool legacy;
	unsigned int record_size;
	struct kseal_limits *limits;
	uint32_t offload;
	bool tolerate_truncation;
	bool proxy_header;
	bool tickets;
	char *ticket_keys;
	struct kseal_credentials *credentials;
	struct kseal_resumption *resumption;
};

/**
 * struct kseal_config - a whole configuration
 * @refs: references; the last one to go frees it
 * @workers: threads, 0 for one per core
 * @log_level: least important level written
 * @watch: it is read again when its files change
 * @profiles: the profile and client sections, and a client "default" in any case
 * @profile_count: of @profiles
 * @kernel_server: serves the kernel's own sockets that listen, NULL: they aren't served
 * @kernel_client: likewise those that connect
 * @metrics_listen: where collectors ask, NULL: nowhere
 */
struct kseal_config {
	atomic_uint refs;
	unsigned int workers;
	enum kseal_log_level log_level;
	bool watch;
	struct kseal_profile *profiles;
	size_t profile_count;
	const struct kseal_profile *kernel_server;
	const struct kseal_profile *kernel_client;
	char *metrics_listen;
};

struct kseal_config *kseal_config_load(const char *path, char *error, size_t size);
struct kseal_config *kseal_config_get(struct kseal_config *config);
void kseal_config_put(struct kseal_config *config);
const struct kseal_profile *kseal_config_profile(const struct kseal_config *config,
						 enum kseal_role role, const char *name);
size_t kseal_config_count(const struct kseal_config *config, enum kseal_role role);

#endif /* KSEALD_CONFIG_H */
