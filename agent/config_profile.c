// SPDX-License-Identifier: GPL-2.0
/*
 * The sections "profile" (a server's) and "client" of the configuration: every
 * value is checked as soon as it has been read, so that a message can name its
 * line; then the section's credentials are loaded. Called by config.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_profile.h"
#include "config_value.h"
#include "credentials.h"
#include "named_group.h"
#include "rules.h"
#include "resumption.h"

#define TIMEOUT_DEFAULT	10	/* seconds */

static const char *const option_names[OPT_COUNT] = {
	[OPT_CERTIFICATE] = "certificate",
	[OPT_KEY] = "key",
	[OPT_DIRECTORY] = "certificate-directory",
	[OPT_OCSP] = "ocsp",
	[OPT_SNI] = "sni",
	[OPT_CLIENT_CA] = "client-ca",
	[OPT_CA] = "ca",
	[OPT_CRL] = "crl",
	[OPT_CLIENT_AUTH] = "client-auth",
	[OPT_ALLOW] = "allow",
	[OPT_SERVER_NAME] = "server-name",
	[OPT_PORTS] = "ports",
	[OPT_USERS] = "users",
	[OPT_GROUPS] = "groups",
	[OPT_TIMEOUT] = "timeout",
	[OPT_ALPN] = "alpn",
	[OPT_ALPN_MODE] = "alpn-mode",
	[OPT_VERSIONS] = "versions",
	[OPT_CIPHERS] = "ciphers",
	[OPT_NAMED_GROUPS] = "named-groups",
	[OPT_PRIORITY] = "priority",
	[OPT_LEGACY] = "legacy",
	[OPT_RECORD_SIZE] = "record-size-limit",
	[OPT_ACTIVE] = "max-handshakes",
	[OPT_ACTIVE_A_SOURCE] = "max-handshakes-per-address",
	[OPT_RATE] = "handshake-rate",
	[OPT_RATE_A_SOURCE] = "handshake-rate-per-address",
	[OPT_QUEUE] = "handshake-queue",
	[OPT_TICKETS] = "tickets",
	[OPT_TICKET_KEYS] = "ticket-keys",
	[OPT_TRUNCATION] = "truncation",
	[OPT_OFFLOAD] = "offload",
	[OPT_PROXY_PROTOCOL] = "proxy-protocol",
	[OPT_KERNEL_SERVER] = "server",
	[OPT_KERNEL_CLIENT] = "client",
	[OPT_METRICS_LISTEN] = "listen",
};

cfg_opt_t kseal_config_profile_options[] = {
	CFG_STR_LIST("certificate", "{}", CFGF_NONE),
	CFG_STR_LIST("key", "{}", CFGF_NONE),
	CFG_STR("certificate-directory", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("ocsp", "{}", CFGF_NONE),
	CFG_STR("sni", "default", CFGF_NONE),
	CFG_STR("client-ca", NULL, CFGF_NODEFAULT),
	CFG_STR("client-auth", "off", CFGF_NONE),
	CFG_STR_LIST("crl", "{}", CFGF_NONE),
	CFG_STR_LIST("allow", "{}", CFGF_NONE),
	CFG_INT_LIST("ports", "{}", CFGF_NONE),
	CFG_STR_LIST("users", "{}", CFGF_NONE),
	CFG_STR_LIST("groups", "{}", CFGF_NONE),
	CFG_INT("timeout", TIMEOUT_DEFAULT, CFGF_NONE),
	CFG_STR_LIST("alpn", "{}", CFGF_NONE),
	CFG_STR("alpn-mode", "match", CFGF_NONE),
	CFG_STR_LIST("versions", "{}", CFGF_NONE),
	CFG_STR_LIST("ciphers", "{}", CFGF_NONE),
	CFG_STR_LIST("named-groups", "{}", CFGF_NONE),
	CFG_STR("priority", NULL, CFGF_NODEFAULT),
	CFG_STR("legacy", "off", CFGF_NONE),
	CFG_INT("record-size-limit", KSEAL_RECORD_SIZE_MAX, CFGF_NONE),
	CFG_STR("tickets", "on", CFGF_NONE),
	CFG_STR("ticket-keys", NULL, CFGF_NODEFAULT),
	CFG_INT("max-handshakes", 0, CFGF_NONE),
	CFG_INT("max-handshakes-per-address", 0, CFGF_NONE),
	CFG_INT("handshake-rate", 0, CFGF_NONE),
	CFG_INT("handshake-rate-per-address", 0, CFGF_NONE),
	CFG_INT("handshake-queue", KSEAL_QUEUE_DEFAULT, CFGF_NONE),
	CFG_STR("truncation", "strict", CFGF_NONE),
	CFG_STR("offload", "auto", CFGF_NONE),
	CFG_STR("proxy-protocol", NULL, CFGF_NODEFAULT),
	CFG_END()
};

cfg_opt_t kseal_config_client_options[] = {
	CFG_STR_LIST("certificate", "{}", CFGF_NONE),
	CFG_STR_LIST("key", "{}", CFGF_NONE),
	CFG_STR("ca", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("crl", "{}", CFGF_NONE),
	CFG_STR_LIST("allow", "{}", CFGF_NONE),
	CFG_STR("server-name", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("users", "{}", CFGF_NONE),
	CFG_STR_LIST("groups", "{}", CFGF_NONE),
	CFG_INT("timeout", TIMEOUT_DEFAULT, CFGF_NONE),
	CFG_STR_LIST("alpn", "{}", CFGF_NONE),
	CFG_STR("alpn-mode", "optional", CFGF_NONE),
	CFG_STR_LIST("versions", "{}", CFGF_NONE),
	CFG_STR_LIST("ciphers", "{}", CFGF_NONE),
	CFG_STR_LIST("named-groups", "{}", CFGF_NONE),
	CFG_STR("priority", NULL, CFGF_NODEFAULT),
	CFG_STR("legacy", "off", CFGF_NONE),
	CFG_INT("record-size-limit", KSEAL_RECORD_SIZE_MAX, CFGF_NONE),
	CFG_STR("tickets", "on", CFGF_NONE),
	CFG_STR("truncation", "strict", CFGF_NONE),
	CFG_STR("offload", "auto", CFGF_NONE),
	CFG_END()
};

static const char *const kinds[] = { "profile", "client" };

static unsigned int kind_of(enum kseal_role role)
{
	return role == KSEAL_ROLE_CLIENT;
}

/**
 * kseal_config_option_seen() - an option of a section has been read
 * @cfg: the section
 * @opt: the option
 *
 * Return: 0, or -1 with the parser's error.
 */
int kseal_config_option_seen(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int section = kseal_parser->sections;
	unsigned int count = cfg_opt_size(opt);

	if (section >= KSEAL_CONFIG_SECTIONS)
		return kseal_config_fail(cfg->line, "more than %d sections",
					 KSEAL_CONFIG_SECTIONS);
	for (int which = 0; which < OPT_COUNT; which++) {
		if (strcmp(opt->name, option_names[which]) != 0)
			continue;
		kseal_parser->lines[section][which] = cfg->line;
		return count ? kseal_config_value_check(cfg->line, which, opt, count - 1) : 0;
	}
	return 0;
}

/**
 * kseal_config_section_end() - a section has been read, its options have been seen
 * @cfg: the file
 * @place: result: which of all sections it is
 *
 * Return: 0, or -1 with the parser's error.
 */
int kseal_config_section_end(cfg_t *cfg, unsigned int *place)
{
	if (kseal_parser->sections >= KSEAL_CONFIG_SECTIONS)
		return kseal_config_fail(cfg->line, "more than %d sections",
					 KSEAL_CONFIG_SECTIONS);
	*place = kseal_parser->sections++;
	return 0;
}

static int validate_section(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int kind = strcmp(opt->name, "client") == 0;

	return kseal_config_section_end(cfg, &kseal_parser->place[kind][cfg_opt_size(opt) - 1]);
}

/**
 * kseal_config_profile_validate() - have all values of sections checked as they are read
 * @root: before parsing
 */
void kseal_config_profile_validate(cfg_t *root)
{
	char name[64];

	for (unsigned int kind = 0; kind < 2; kind++) {
		cfg_opt_t *opts = kind ? kseal_config_client_options :
					 kseal_config_profile_options;

		cfg_set_validate_func(root, kinds[kind], validate_section);
		for (; opts->name; opts++) {
			snprintf(name, sizeof(name), "%s|%s", kinds[kind], opts->name);
			cfg_set_validate_func(root, name, kseal_config_option_seen);
		}
	}
}

static int check_name(const char *name, int line)
{
	if (!*name || strlen(name) >= KSEAL_PROFILE_MAX)
		return kseal_config_fail(line, "a section's name has 1 to %d characters",
					 KSEAL_PROFILE_MAX - 1);
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return kseal_config_fail(line, "section name \"%s\": use letters, digits and \"._-\"",
						 name);
	}
	return 0;
}

static void *copy_array(size_t count, size_t size)
{
	/* One spare element: an empty list is no failure. */
	return calloc(count + 1, size);
}

static int copy_strings(char ***to, size_t *count, cfg_t *sec, const char *name)
{
	unsigned int n = cfg_size(sec, name);

	*to = copy_array(n, sizeof(**to));
	if (!*to)
		return -1;
	for (*count = 0; *count < n; ++*count) {
		(*to)[*count] = strdup(cfg_getnstr(sec, name, *count));
		if (!(*to)[*count])
			return -1;
	}
	return 0;
}

/* Groups of key exchanges, by GnuTLS's names. */
static int copy_named_groups(struct kseal_profile *p, cfg_t *sec)
{
	unsigned int n = cfg_size(sec, "named-groups");

	p->named_groups = copy_array(n, sizeof(*p->named_groups));
	if (!p->named_groups)
		return -1;
	for (unsigned int i = 0; i < n; i++)
		p->named_groups[i] = kseal_named_group_find(cfg_getnstr(sec, "named-groups", i));
	p->named_group_count = n;
	return 0;
}

static int copy_lists(struct kseal_profile *p, cfg_t *sec)
{
	unsigned int n;

	n = p->role == KSEAL_ROLE_SERVER ? cfg_size(sec, "ports") : 0;
	p->ports = copy_array(n, sizeof(*p->ports));
	if (!p->ports)
		return -1;
	for (p->port_count = 0; p->port_count < n; p->port_count++)
		p->ports[p->port_count] = cfg_getnint(sec, "ports", p->port_count);

	n = cfg_size(sec, "users");
	p->users = copy_array(n, sizeof(*p->users));
	if (!p->users)
		return -1;
	for (p->user_count = 0; p->user_count < n; p->user_count++) {
		if (kseal_config_user(cfg_getnstr(sec, "users", p->user_count),
				      &p->users[p->user_count]) < 0)
			return -1;
	}

	n = cfg_size(sec, "groups");
	p->groups = copy_array(n, sizeof(*p->groups));
	if (!p->groups)
		return -1;
	for (p->group_count = 0; p->group_count < n; p->group_count++) {
		if (kseal_config_group(cfg_getnstr(sec, "groups", p->group_count),
				       &p->groups[p->group_count]) < 0)
			return -1;
	}

	n = cfg_size(sec, "allow");
	p->rules = copy_array(n, sizeof(*p->rules));
	if (!p->rules)
		return -1;
	for (p->rule_count = 0; p->rule_count < n; p->rule_count++) {
		if (kseal_rule_parse(&p->rules[p->rule_count],
				     cfg_getnstr(sec, "allow", p->rule_count)) < 0)
			return -1;
	}

	if (copy_strings(&p->alpn, &p->alpn_count, sec, "alpn") < 0 ||
	    copy_strings(&p->certificates, &p->certificate_count, sec, "certificate") < 0 ||
	    copy_strings(&p->keys, &p->key_count, sec, "key") < 0 ||
	    copy_strings(&p->ciphers, &p->cipher_count, sec, "ciphers") < 0 ||
	    copy_named_groups(p, sec) < 0 ||
	    copy_strings(&p->crls, &p->crl_count, sec, "crl") < 0)
		return -1;

	for (unsigned int i = 0; i < cfg_size(sec, "versions"); i++)
		p->versions |= kseal_config_version(cfg_getnstr(sec, "versions", i));
	if (!p->versions)
		p->versions = KSEAL_VERSION_1_2 | KSEAL_VERSION_1_3;
	return 0;
}

static int copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -1 : 0;
}

/* The value of an option that takes one of a few words: it has been checked. */
static int word(cfg_t *sec, enum kseal_option which)
{
	return kseal_config_word(which, cfg_getstr(sec, option_names[which]));
}

static int copy_limits(struct kseal_profile *p, cfg_t *sec)
{
	struct kseal_limit_values v = {
		.active = cfg_getint(sec, "max-handshakes"),
		.active_a_source = cfg_getint(sec, "max-handshakes-per-address"),
		.rate = cfg_getint(sec, "handshake-rate"),
		.rate_a_source = cfg_getint(sec, "handshake-rate-per-address"),
		.queue = cfg_getint(sec, "handshake-queue"),
	};

	if (!v.active && !v.active_a_source && !v.rate && !v.rate_a_source)
		return 0;
	p->limits = kseal_limits_new(p->name, &v);
	return p->limits ? 0 : -1;
}

/* What only one kind of section has. */
static int copy_server(struct kseal_profile *p, cfg_t *sec)
{
	p->client_auth = word(sec, OPT_CLIENT_AUTH);
	p->proxy_header = cfg_getstr(sec, "proxy-protocol");
	p->sni_strict = word(sec, OPT_SNI);
	if (copy_strings(&p->staples, &p->staple_count, sec, "ocsp") < 0 ||
	    copy_limits(p, sec) < 0 ||
	    copy_string(&p->ticket_keys, cfg_getstr(sec, "ticket-keys")) < 0 ||
	    copy_string(&p->directory, cfg_getstr(sec, "certificate-directory")) < 0)
		return -1;
	return copy_string(&p->ca, cfg_getstr(sec, "client-ca"));
}

static int copy_client(struct kseal_profile *p, cfg_t *sec)
{
	if (p->tickets) {
		p->resumption = kseal_resumption_new();
		if (!p->resumption)
			return -1;
	}
	if (copy_string(&p->server_name, cfg_getstr(sec, "server-name")) < 0)
		return -1;
	return copy_string(&p->ca, cfg_getstr(sec, "ca"));
}

/* Keys belong to certificates by their place. */
static int check_pairs(struct kseal_profile *p, const int *lines)
{
	if (!p->key_count || p->key_count == p->certificate_count)
		return 0;
	return kseal_config_fail(lines[OPT_KEY],
				 "%zu key%s, but %zu certificate%s: name a key for each, in the same order",
				 p->key_count, p->key_count == 1 ? "" : "s", p->certificate_count,
				 p->certificate_count == 1 ? "" : "s");
}

static int check_negotiation(struct kseal_profile *p, const int *lines)
{
	static const enum kseal_option parts[] = { OPT_VERSIONS, OPT_CIPHERS, OPT_NAMED_GROUPS };

	for (size_t i = 0; p->priority && i < sizeof(parts) / sizeof(*parts); i++) {
		if (lines[parts[i]])
			return kseal_config_fail(lines[OPT_PRIORITY],
						 "priority says what %s on line %d says: remove one of them",
						 option_names[parts[i]], lines[parts[i]]);
	}
	if (lines[OPT_ALPN_MODE] && !p->alpn_count)
		return kseal_config_fail(lines[OPT_ALPN_MODE],
					 "alpn-mode does nothing without protocols: add alpn = { ... }, or remove it");
	return 0;
}

/* A client without a certificate proves nothing: it may serve whoever asks. */
static int check_client(struct kseal_profile *p, const int *lines)
{
	p->anyone = !p->certificate_count && !p->user_count && !p->group_count;
	if (p->alpn_mode == KSEAL_ALPN_MATCH)
		return kseal_config_fail(lines[OPT_ALPN_MODE],
					 "alpn-mode of a client is \"match\": write \"optional\" or \"required\"");
	return check_pairs(p, lines);
}

static int check_server(struct kseal_profile *p, const int *lines, int begin)
{
	if (!p->certificate_count && !p->directory)
		return kseal_config_fail(begin,
					 "profile \"%s\" has no certificate: add certificate = \"FILE\"",
					 p->name);
	if (check_pairs(p, lines) < 0)
		return -1;
	if (p->client_auth != KSEAL_CLIENT_AUTH_OFF && !p->ca)
		return kseal_config_fail(lines[OPT_CLIENT_AUTH],
					 "client-auth needs to know whose certificates to trust: add client-ca = \"FILE\"");
	if (p->client_auth == KSEAL_CLIENT_AUTH_OFF && p->ca)
		return kseal_config_fail(lines[OPT_CLIENT_CA],
					 "client-ca does nothing while client-auth is \"off\": set client-auth to \"request\" or \"require\", or remove client-ca");
	if (p->rule_count && !p->ca)
		return kseal_config_fail(lines[OPT_ALLOW],
					 "allow does nothing while clients show no certificate: set client-auth and client-ca, or remove allow");
	if (p->crl_count && !p->ca)
		return kseal_config_fail(lines[OPT_CRL],
					 "crl does nothing while clients show no certificate: set client-auth and client-ca, or remove crl");
	if (lines[OPT_QUEUE] && !lines[OPT_ACTIVE] && !lines[OPT_RATE])
		return kseal_config_fail(lines[OPT_QUEUE],
					 "handshake-queue does nothing without a limit to wait for: set max-handshakes or handshake-rate, or remove it");
	if (p->ticket_keys && !p->tickets)
		return kseal_config_fail(lines[OPT_TICKET_KEYS],
					 "ticket-keys does nothing while tickets is \"off\": remove one of them");
	return 0;
}

static int load(struct kseal_profile *p, const int *lines, int begin)
{
	static const enum kseal_option blamed[] = {
		[KSEAL_CREDENTIALS_CERTIFICATE] = OPT_CERTIFICATE,
		[KSEAL_CREDENTIALS_KEY] = OPT_KEY,
		[KSEAL_CREDENTIALS_DIRECTORY] = OPT_DIRECTORY,
		[KSEAL_CREDENTIALS_STAPLE] = OPT_OCSP,
		[KSEAL_CREDENTIALS_CRL] = OPT_CRL,
		[KSEAL_CREDENTIALS_TICKET_KEYS] = OPT_TICKET_KEYS,
		[KSEAL_CREDENTIALS_PRIORITY] = OPT_PRIORITY,
	};
	enum kseal_credentials_status status;
	char why[512];
	int line;

	status = kseal_credentials_load(&p->credentials, p, why, sizeof(why));
	if (status == KSEAL_CREDENTIALS_OK)
		return 0;
	if (status == KSEAL_CREDENTIALS_CA)
		line = lines[p->role == KSEAL_ROLE_CLIENT ? OPT_CA : OPT_CLIENT_CA];
	else
		line = lines[blamed[status]];
	if (!line && status == KSEAL_CREDENTIALS_KEY)
		line = lines[p->certificate_count ? OPT_CERTIFICATE : OPT_DIRECTORY];
	return kseal_config_fail(line ? line : begin, "%s", why);
}

/**
 * kseal_config_profile_build() - a profile from a section that was read
 * @p: all zero; to be freed even on failure
 * @role: of the section
 * @sec: the section
 * @index: among those of its role
 *
 * Return: 0, or -1 with the parser's error.
 */
int kseal_config_profile_build(struct kseal_profile *p, enum kseal_role role, cfg_t *sec,
			       unsigned int index)
{
	unsigned int place = kseal_parser->place[kind_of(role)][index];
	const int *lines = kseal_parser->lines[place];
	int begin = kseal_parser->text.section_line[place];
	bool client = role == KSEAL_ROLE_CLIENT;

	p->role = role;
	p->tickets = word(sec, OPT_TICKETS);
	p->legacy = word(sec, OPT_LEGACY);
	p->alpn_mode = word(sec, OPT_ALPN_MODE);
	p->record_size = lines[OPT_RECORD_SIZE] ? cfg_getint(sec, "record-size-limit") : 0;
	if (check_name(cfg_title(sec), begin) < 0)
		return -1;
	if (copy_string(&p->name, cfg_title(sec)) < 0 ||
	    copy_string(&p->priority, cfg_getstr(sec, "priority")) < 0 ||
	    copy_lists(p, sec) < 0 ||
	    (client ? copy_client(p, sec) : copy_server(p, sec)) < 0)
		return kseal_config_fail(begin, "%s \"%s\" cannot be read: %s",
					 kinds[kind_of(role)], cfg_title(sec),
					 strerror(errno ? errno : ENOMEM));
	p->timeout_ms = cfg_getint(sec, "timeout") * 1000;
	p->tolerate_truncation = word(sec, OPT_TRUNCATION);
	p->offload = word(sec, OPT_OFFLOAD);

	if (check_negotiation(p, lines) < 0)
		return -1;
	if ((client ? check_client(p, lines) : check_server(p, lines, begin)) < 0)
		return -1;
	return load(p, lines, begin);
}

/**
 * kseal_config_profile_default() - the client section "default" of a file that has none
 * @p: all zero; to be freed even on failure
 *
 * It trusts whom the system trusts. A system that trusts nobody is no error as long
 * as nobody connects.
 *
 * Return: 0, or -1 with the parser's error.
 */
int kseal_config_profile_default(struct kseal_profile *p)
{
	char why[512];

	p->role = KSEAL_ROLE_CLIENT;
	p->anyone = true;
	p->timeout_ms = TIMEOUT_DEFAULT * 1000;
	p->versions = KSEAL_VERSION_1_2 | KSEAL_VERSION_1_3;
	p->tickets = true;
	p->resumption = kseal_resumption_new();
	if (!p->resumption || copy_string(&p->name, KSEAL_PROFILE_DEFAULT) < 0)
		return kseal_config_fail(1, "%s", strerror(ENOMEM));
	if (kseal_credentials_load(&p->credentials, p, why, sizeof(why)) ==
	    KSEAL_CREDENTIALS_OK)
		return 0;
	return kseal_config_fail(1, "%s", why);
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

/**
 * kseal_config_profile_free() - free what a profile holds
 * @p: built, or partly so
 */
void kseal_config_profile_free(struct kseal_profile *p)
{
	free_strings(p->alpn, p->alpn_count);
	free_strings(p->certificates, p->certificate_count);
	free_strings(p->keys, p->key_count);
	free_strings(p->ciphers, p->cipher_count);
	free_strings(p->staples, p->staple_count);
	free_strings(p->crls, p->crl_count);
	for (size_t i = 0; i < p->rule_count; i++)
		kseal_rule_free(&p->rules[i]);
	free(p->rules);
	kseal_resumption_free(p->resumption);
	kseal_credentials_free(p->credentials);
	kseal_limits_free(p->limits);
	free(p->named_groups);
	free(p->priority);
	free(p->ports);
	free(p->users);
	free(p->groups);
	free(p->ticket_keys);
	free(p->server_name);
	free(p->ca);
	free(p->directory);
	free(p->name);
}
