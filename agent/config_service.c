// SPDX-License-Identifier: GPL-2.0
/*
 * The sections "kernel" and "metrics" of the configuration. Called by config.c, when the
 * sections that the former names have been built.
 */
#include <errno.h>
#include <linux/kseal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "config.h"
#include "config_profile.h"
#include "config_service.h"
#include "endpoint.h"

cfg_opt_t kseal_config_kernel_options[] = {
	CFG_STR("server", NULL, CFGF_NODEFAULT),
	CFG_STR("client", NULL, CFGF_NODEFAULT),
	CFG_END()
};

cfg_opt_t kseal_config_metrics_options[] = {
	CFG_STR("listen", NULL, CFGF_NODEFAULT),
	CFG_END()
};

/* Where the section is, for messages; it may come once. */
static int validate_section(cfg_t *cfg, const char *name, bool *seen, unsigned int *place)
{
	if (*seen)
		return kseal_config_fail(cfg->line, "a second section \"%s\": put its lines into the first",
					 name);
	*seen = true;
	return kseal_config_section_end(cfg, place);
}

static int validate_kernel(cfg_t *cfg, cfg_opt_t *opt)
{
	return validate_section(cfg, opt->name, &kseal_parser->kernel_seen,
				&kseal_parser->kernel_place);
}

static int validate_metrics(cfg_t *cfg, cfg_opt_t *opt)
{
	return validate_section(cfg, opt->name, &kseal_parser->metrics_seen,
				&kseal_parser->metrics_place);
}

/**
 * kseal_config_service_validate() - have all values checked as they are read
 * @root: before parsing
 */
void kseal_config_service_validate(cfg_t *root)
{
	cfg_set_validate_func(root, "kernel", validate_kernel);
	cfg_set_validate_func(root, "kernel|server", kseal_config_option_seen);
	cfg_set_validate_func(root, "kernel|client", kseal_config_option_seen);
	cfg_set_validate_func(root, "metrics", validate_metrics);
	cfg_set_validate_func(root, "metrics|listen", kseal_config_option_seen);
}

/* RFC 9289 section 5, NVMe/TCP 1.0 section 3.6.1: TLS 1.3; the kernel reads no more. */
static int find(const struct kseal_profile **result, const struct kseal_config *config,
		enum kseal_role role, const char *name, int line)
{
	const char *kind = role == KSEAL_ROLE_CLIENT ? "client" : "profile";
	const struct kseal_profile *p;

	if (!name)
		return 0;
	p = kseal_config_profile(config, role, name);
	if (!p)
		return kseal_config_fail(line, "there is no %s \"%s\": add the section, or name another",
					 kind, name);
	if (p->versions != KSEAL_VERSION_1_3)
		return kseal_config_fail(line, "%s \"%s\" allows TLS 1.2, which the kernel's own sockets must not speak: write versions = { \"1.3\" } there, or name another",
					 kind, name);
	if (p->proxy_header)
		return kseal_config_fail(line, "profile \"%s\" has proxy-protocol, which the kernel's own sockets don't understand: name another",
					 name);
	*result = p;
	return 0;
}

static int build_metrics(struct kseal_config *config, cfg_t *root)
{
	unsigned int place = kseal_parser->metrics_place;
	const char *where;

	if (!kseal_parser->metrics_seen)
		return 0;
	where = cfg_getstr(cfg_getsec(root, "metrics"), "listen");
	if (!where)
		return kseal_config_fail(kseal_parser->text.section_line[place],
					 "the section \"metrics\" listens nowhere: add listen = \"/run/kseal/metrics\", or \"127.0.0.1:PORT\"");
	if (kseal_endpoint_check(where) < 0)
		return kseal_config_fail(kseal_parser->lines[place][OPT_METRICS_LISTEN],
					 "listen is \"%s\": write an absolute path, or ADDRESS:PORT with an IP address, in brackets if it is of IPv6",
					 where);
	config->metrics_listen = strdup(where);
	return config->metrics_listen ? 0 : kseal_config_fail(1, "%s", strerror(ENOMEM));
}

static int build_kernel(struct kseal_config *config, cfg_t *root)
{
	unsigned int place = kseal_parser->kernel_place;
	const int *lines = kseal_parser->lines[place];
	cfg_t *sec;

	/* libconfuse takes it for an error to ask for a section that is not there */
	if (!kseal_parser->kernel_seen)
		return 0;
	sec = cfg_getsec(root, "kernel");
	if (find(&config->kernel_server, config, KSEAL_ROLE_SERVER, cfg_getstr(sec, "server"),
		 lines[OPT_KERNEL_SERVER]) < 0 ||
	    find(&config->kernel_client, config, KSEAL_ROLE_CLIENT, cfg_getstr(sec, "client"),
		 lines[OPT_KERNEL_CLIENT]) < 0)
		return -1;
	if (!config->kernel_server && !config->kernel_client)
		return kseal_config_fail(kseal_parser->text.section_line[place],
					 "the section \"kernel\" serves nobody: add server = \"PROFILE\", client = \"CLIENT\", or both");
	return 0;
}

/**
 * kseal_config_service_build() - take the sections over, if there are any
 * @config: with its profiles
 * @root: as it was read
 *
 * Return: 0, or -1 with the parser's error.
 */
int kseal_config_service_build(struct kseal_config *config, cfg_t *root)
{
	if (build_kernel(config, root) < 0)
		return -1;
	return build_metrics(config, root);
}
