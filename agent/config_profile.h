/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sections "profile" and "client" of the configuration. Used by config.c.
 */
#ifndef KSEALD_CONFIG_PROFILE_H
#define KSEALD_CONFIG_PROFILE_H

#include <confuse.h>
#include <linux/kseal.h>
#include <stdbool.h>

#include "config_text.h"

struct kseal_profile;

enum kseal_option {
	OPT_CERTIFICATE,
	OPT_KEY,
	OPT_DIRECTORY,
	OPT_OCSP,
	OPT_SNI,
	OPT_CLIENT_CA,
	OPT_CA,
	OPT_CRL,
	OPT_CLIENT_AUTH,
	OPT_ALLOW,
	OPT_SERVER_NAME,
	OPT_PORTS,
	OPT_USERS,
	OPT_GROUPS,
	OPT_TIMEOUT,
	OPT_ALPN,
	OPT_ALPN_MODE,
	OPT_VERSIONS,
	OPT_CIPHERS,
	OPT_NAMED_GROUPS,
	OPT_PRIORITY,
	OPT_LEGACY,
	OPT_RECORD_SIZE,
	OPT_ACTIVE,
	OPT_ACTIVE_A_SOURCE,
	OPT_RATE,
	OPT_RATE_A_SOURCE,
	OPT_QUEUE,
	OPT_TICKETS,
	OPT_TICKET_KEYS,
	OPT_TRUNCATION,
	OPT_OFFLOAD,
	OPT_PROXY_PROTOCOL,
	OPT_KERNEL_SERVER,
	OPT_KERNEL_CLIENT,
	OPT_METRICS_LISTEN,
	OPT_COUNT
};

/**
 * struct kseal_parser - a configuration being read; there is one at a time
 * @path: of the file
 * @root: libconfuse's
 * @text: of the file
 * @sections: closed so far, of all kinds
 * @place: which of all sections the n-th profile section is, or client section
 * @kernel_seen: there is a section "kernel"
 * @kernel_place: which of all sections it is
 * @metrics_seen: likewise "metrics"
 * @metrics_place: likewise
 * @lines: where each option of each section was set, 0 if it was not
 * @error: of the caller
 * @size: of @error
 *
 * libconfuse's callbacks carry no argument of ours; parsing is single-threaded.
 */
struct kseal_parser {
	const char *path;
	cfg_t *root;
	struct kseal_config_text text;
	unsigned int sections;
	unsigned int place[2][KSEAL_CONFIG_SECTIONS];
	bool kernel_seen;
	unsigned int kernel_place;
	bool metrics_seen;
	unsigned int metrics_place;
	int lines[KSEAL_CONFIG_SECTIONS][OPT_COUNT];
	char *error;
	size_t size;
};

extern struct kseal_parser *kseal_parser;
extern cfg_opt_t kseal_config_profile_options[];
extern cfg_opt_t kseal_config_client_options[];

int kseal_config_fail(int line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int kseal_config_option_seen(cfg_t *cfg, cfg_opt_t *opt);
int kseal_config_section_end(cfg_t *cfg, unsigned int *place);
void kseal_config_profile_validate(cfg_t *root);
int kseal_config_profile_build(struct kseal_profile *profile, enum kseal_role role,
			       cfg_t *section, unsigned int index);
int kseal_config_profile_default(struct kseal_profile *profile);
void kseal_config_profile_free(struct kseal_profile *profile);

#endif /* KSEALD_CONFIG_PROFILE_H */
