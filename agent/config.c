// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file: libconfuse reads it, this file checks every value and
 * says FILE:LINE: what is wrong and what to do. Called by main() at the start and
 * at a reload, from one thread only.
 */
#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <linux/kseal.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_text.h"
#include "credentials.h"

enum profile_option {
	OPT_CERTIFICATE,
	OPT_KEY,
	OPT_CLIENT_CA,
	OPT_CLIENT_AUTH,
	OPT_PORTS,
	OPT_USERS,
	OPT_GROUPS,
	OPT_TIMEOUT,
	OPT_ALPN,
	OPT_VERSIONS,
	OPT_TICKETS,
	OPT_TICKET_KEYS,
	OPT_COUNT
};

static const char *const option_names[OPT_COUNT] = {
	[OPT_CERTIFICATE] = "certificate",
	[OPT_KEY] = "key",
	[OPT_CLIENT_CA] = "client-ca",
	[OPT_CLIENT_AUTH] = "client-auth",
	[OPT_PORTS] = "ports",
	[OPT_USERS] = "users",
	[OPT_GROUPS] = "groups",
	[OPT_TIMEOUT] = "timeout",
	[OPT_ALPN] = "alpn",
	[OPT_VERSIONS] = "versions",
	[OPT_TICKETS] = "tickets",
	[OPT_TICKET_KEYS] = "ticket-keys",
};

/*
 * libconfuse's callbacks carry no argument of ours; parsing is single-threaded.
 * @lines: where each option of each profile was set, 0 if it was not
 */
static struct parser {
	const char *path;
	cfg_t *root;
	struct kseal_config_text text;
	int lines[KSEAL_CONFIG_SECTIONS][OPT_COUNT];
	char *error;
	size_t size;
} *parser;

/* The first error counts: libconfuse may add vaguer ones. */
static int fail(int line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(int line, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (parser->error[0])
		return -1;
	len = snprintf(parser->error, parser->size, "%s:%d: ", parser->path, line);
	if (len < 0 || (size_t)len >= parser->size)
		return -1;
	va_start(ap, fmt);
	vsnprintf(parser->error + len, parser->size - len, fmt, ap);
	va_end(ap);
	return -1;
}

/* libconfuse's own messages say what, ours add what to do. */
static void parse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const struct {
		const char *begin;
		const char *advice;
	} known[] = {
		{ "no such option", "kseald.conf(5) lists the options" },
		{ "found duplicate title", "every profile needs a name of its own" },
		{ "invalid integer value", "write a whole number without quotes" },
		{ "integer value", "write a smaller number" },
		{ "missing title", "write profile \"NAME\" { ... }" },
		{ "missing opening brace", "write profile \"NAME\" { ... }" },
		{ "unexpected closing brace", "remove it, or open its section" },
		{ "premature end of file", "finish the last option or section" },
		{ "unexpected token", "write option = value, or option = { value, ... }" },
		{ "missing equal sign", "write option = value" },
	};
	const char *advice = "see kseald.conf(5)";
	char message[512];

	vsnprintf(message, sizeof(message), fmt, ap);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strncmp(message, known[i].begin, strlen(known[i].begin)) == 0)
			advice = known[i].advice;
	}
	fail(cfg->line, "%s: %s", message, advice);
}

static int parse_id(const char *text, unsigned long *id)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*id = strtoul(text, &end, 10);
	return errno || *end || *id >= UINT32_MAX ? -1 : 0;
}

static int find_user(const char *text, uid_t *uid)
{
	const struct passwd *pw;
	unsigned long id;

	if (parse_id(text, &id) == 0) {
		*uid = id;
		return 0;
	}
	pw = getpwnam(text);
	if (!pw)
		return -1;
	*uid = pw->pw_uid;
	return 0;
}

static int find_group(const char *text, gid_t *gid)
{
	const struct group *gr;
	unsigned long id;

	if (parse_id(text, &id) == 0) {
		*gid = id;
		return 0;
	}
	gr = getgrnam(text);
	if (!gr)
		return -1;
	*gid = gr->gr_gid;
	return 0;
}

static int find_version(const char *text, unsigned int *mask)
{
	if (strcmp(text, "1.2") == 0)
		*mask |= KSEAL_VERSION_1_2;
	else if (strcmp(text, "1.3") == 0)
		*mask |= KSEAL_VERSION_1_3;
	else
		return -1;
	return 0;
}

static int find_client_auth(const char *text, enum kseal_client_auth *auth)
{
	if (strcmp(text, "off") == 0)
		*auth = KSEAL_CLIENT_AUTH_OFF;
	else if (strcmp(text, "request") == 0)
		*auth = KSEAL_CLIENT_AUTH_REQUEST;
	else if (strcmp(text, "require") == 0)
		*auth = KSEAL_CLIENT_AUTH_REQUIRE;
	else
		return -1;
	return 0;
}

static int find_switch(const char *text, bool *on)
{
	if (strcmp(text, "on") == 0)
		*on = true;
	else if (strcmp(text, "off") == 0)
		*on = false;
	else
		return -1;
	return 0;
}

/* One value of an option of a profile, as soon as it has been read. */
static int check_value(int line, enum profile_option which, cfg_opt_t *opt,
		       unsigned int index)
{
	enum kseal_client_auth auth;
	const char *text = NULL;
	unsigned int mask = 0;
	long number = 0;
	uid_t uid;
	gid_t gid;
	bool on;

	if (opt->type == CFGT_STR) {
		text = cfg_opt_getnstr(opt, index);
		if (!text || !*text)
			return fail(line, "%s is empty: give it a value or remove the line",
				    opt->name);
	} else {
		number = cfg_opt_getnint(opt, index);
	}

	switch (which) {
	case OPT_CLIENT_AUTH:
		if (find_client_auth(text, &auth) < 0)
			return fail(line, "client-auth is \"%s\": write \"off\", \"request\" or \"require\"",
				    text);
		break;
	case OPT_PORTS:
		if (number < 1 || number > UINT16_MAX)
			return fail(line, "%ld is no port: write 1 to 65535", number);
		break;
	case OPT_USERS:
		if (find_user(text, &uid) < 0)
			return fail(line, "there is no user \"%s\": create it, or correct the name",
				    text);
		break;
	case OPT_GROUPS:
		if (find_group(text, &gid) < 0)
			return fail(line, "there is no group \"%s\": create it, or correct the name",
				    text);
		break;
	case OPT_TIMEOUT:
		if (number < 1 || number > KSEAL_TIMEOUT_MAX)
			return fail(line, "timeout is %ld: write 1 to %d seconds",
				    number, KSEAL_TIMEOUT_MAX);
		break;
	case OPT_ALPN:
		if (strlen(text) > KSEAL_ALPN_LENGTH)
			return fail(line, "ALPN protocol \"%s\": use at most %d bytes",
				    text, KSEAL_ALPN_LENGTH);
		if (index >= KSEAL_ALPN_PROTOCOLS)
			return fail(line, "more than %d ALPN protocols: shorten the list",
				    KSEAL_ALPN_PROTOCOLS);
		break;
	case OPT_VERSIONS:
		if (find_version(text, &mask) < 0)
			return fail(line, "there is no TLS version \"%s\" here: write \"1.2\" or \"1.3\"",
				    text);
		break;
	case OPT_TICKETS:
		if (find_switch(text, &on) < 0)
			return fail(line, "tickets is \"%s\": write \"on\" or \"off\"", text);
		break;
	default:
		break;
	}
	return 0;
}

static int validate_profile_option(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int section = cfg_size(parser->root, "profile") - 1;
	unsigned int count = cfg_opt_size(opt);
	int *line;

	if (section >= KSEAL_CONFIG_SECTIONS)
		return fail(cfg->line, "more than %d profiles", KSEAL_CONFIG_SECTIONS);
	for (int which = 0; which < OPT_COUNT; which++) {
		if (strcmp(opt->name, option_names[which]) != 0)
			continue;
		line = &parser->lines[section][which];
		if (*line && !(opt->flags & CFGF_LIST))
			return fail(cfg->line, "%s is set a second time (first on line %d): remove one",
				    opt->name, *line);
		*line = cfg->line;
		return count ? check_value(cfg->line, which, opt, count - 1) : 0;
	}
	return 0;
}

static int validate_workers(cfg_t *cfg, cfg_opt_t *opt)
{
	long workers = cfg_opt_getnint(opt, 0);

	if (workers < 0 || workers > KSEAL_WORKERS_MAX)
		return fail(cfg->line, "workers is %ld: write 1 to %d, or 0 for one per core",
			    workers, KSEAL_WORKERS_MAX);
	return 0;
}

static int validate_log_level(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	enum kseal_log_level level;

	if (kseal_log_parse_level(text ? text : "", &level) < 0)
		return fail(cfg->line, "log-level is \"%s\": write \"error\", \"warning\", \"info\" or \"debug\"",
			    text ? text : "");
	return 0;
}

static int check_profile_name(const char *name, int line)
{
	if (!*name || strlen(name) >= KSEAL_PROFILE_MAX)
		return fail(line, "a profile's name has 1 to %d characters",
			    KSEAL_PROFILE_MAX - 1);
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return fail(line, "profile name \"%s\": use letters, digits and \"._-\"",
				    name);
	}
	return 0;
}

static void *copy_array(size_t count, size_t size)
{
	/* One spare element: an empty list is no failure. */
	return calloc(count + 1, size);
}

static int copy_lists(struct kseal_profile *p, cfg_t *sec)
{
	unsigned int n;

	n = cfg_size(sec, "ports");
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
		if (find_user(cfg_getnstr(sec, "users", p->user_count),
			      &p->users[p->user_count]) < 0)
			return -1;
	}

	n = cfg_size(sec, "groups");
	p->groups = copy_array(n, sizeof(*p->groups));
	if (!p->groups)
		return -1;
	for (p->group_count = 0; p->group_count < n; p->group_count++) {
		if (find_group(cfg_getnstr(sec, "groups", p->group_count),
			       &p->groups[p->group_count]) < 0)
			return -1;
	}

	n = cfg_size(sec, "alpn");
	p->alpn = copy_array(n, sizeof(*p->alpn));
	if (!p->alpn)
		return -1;
	for (p->alpn_count = 0; p->alpn_count < n; p->alpn_count++) {
		p->alpn[p->alpn_count] = strdup(cfg_getnstr(sec, "alpn", p->alpn_count));
		if (!p->alpn[p->alpn_count])
			return -1;
	}

	for (unsigned int i = 0; i < cfg_size(sec, "versions"); i++)
		find_version(cfg_getnstr(sec, "versions", i), &p->versions);
	if (!p->versions)
		p->versions = KSEAL_VERSION_1_2 | KSEAL_VERSION_1_3;
	return 0;
}

static int copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -1 : 0;
}

static int build_profile(struct kseal_profile *p, cfg_t *sec, unsigned int index)
{
	const int *lines = parser->lines[index];
	int begin = parser->text.section_line[index];
	enum profile_option blamed = OPT_CERTIFICATE;
	char why[512];

	if (check_profile_name(cfg_title(sec), begin) < 0)
		return -1;
	if (copy_string(&p->name, cfg_title(sec)) < 0 ||
	    copy_string(&p->certificate, cfg_getstr(sec, "certificate")) < 0 ||
	    copy_string(&p->key, cfg_getstr(sec, "key")) < 0 ||
	    copy_string(&p->client_ca, cfg_getstr(sec, "client-ca")) < 0 ||
	    copy_string(&p->ticket_keys, cfg_getstr(sec, "ticket-keys")) < 0 ||
	    copy_lists(p, sec) < 0)
		return fail(begin, "profile \"%s\" cannot be read: %s", cfg_title(sec),
			    strerror(errno ? errno : ENOMEM));
	find_client_auth(cfg_getstr(sec, "client-auth"), &p->client_auth);
	find_switch(cfg_getstr(sec, "tickets"), &p->tickets);
	p->timeout_ms = cfg_getint(sec, "timeout") * 1000;

	if (!p->certificate)
		return fail(begin, "profile \"%s\" has no certificate: add certificate = \"FILE\"",
			    p->name);
	if (!p->key)
		return fail(begin, "profile \"%s\" has no key: add key = \"FILE\"", p->name);
	if (p->client_auth != KSEAL_CLIENT_AUTH_OFF && !p->client_ca)
		return fail(lines[OPT_CLIENT_AUTH],
			    "client-auth needs to know whose certificates to trust: add client-ca = \"FILE\"");
	if (p->client_auth == KSEAL_CLIENT_AUTH_OFF && p->client_ca)
		return fail(lines[OPT_CLIENT_CA],
			    "client-ca does nothing while client-auth is \"off\": set client-auth to \"request\" or \"require\", or remove client-ca");

	if (!p->tickets && p->ticket_keys)
		return fail(lines[OPT_TICKET_KEYS],
			    "ticket-keys does nothing while tickets is \"off\": remove one of them");

	switch (kseal_credentials_load(&p->credentials, p, why, sizeof(why))) {
	case KSEAL_CREDENTIALS_OK:
		return 0;
	case KSEAL_CREDENTIALS_CERTIFICATE:
		blamed = OPT_CERTIFICATE;
		break;
	case KSEAL_CREDENTIALS_KEY:
		blamed = OPT_KEY;
		break;
	case KSEAL_CREDENTIALS_CLIENT_CA:
		blamed = OPT_CLIENT_CA;
		break;
	case KSEAL_CREDENTIALS_TICKET_KEYS:
		blamed = OPT_TICKET_KEYS;
		break;
	}
	return fail(lines[blamed], "%s", why);
}

static int build(struct kseal_config *config, cfg_t *root)
{
	unsigned int count = cfg_size(root, "profile");

	if (!count)
		return fail(1, "there is no profile: add profile \"%s\" { certificate = ... key = ... }",
			    KSEAL_PROFILE_DEFAULT);
	config->workers = cfg_getint(root, "workers");
	kseal_log_parse_level(cfg_getstr(root, "log-level"), &config->log_level);

	config->profiles = calloc(count, sizeof(*config->profiles));
	if (!config->profiles)
		return fail(1, "%s", strerror(ENOMEM));
	for (unsigned int i = 0; i < count; i++) {
		config->profile_count = i + 1;
		if (build_profile(&config->profiles[i],
				  cfg_getnsec(root, "profile", i), i) < 0)
			return -1;
	}
	return 0;
}

static void set_validators(cfg_t *root)
{
	char name[64];

	cfg_set_validate_func(root, "workers", validate_workers);
	cfg_set_validate_func(root, "log-level", validate_log_level);
	for (int i = 0; i < OPT_COUNT; i++) {
		snprintf(name, sizeof(name), "profile|%s", option_names[i]);
		cfg_set_validate_func(root, name, validate_profile_option);
	}
}

static struct kseal_config *parse(void)
{
	cfg_opt_t profile[] = {
		CFG_STR("certificate", NULL, CFGF_NODEFAULT),
		CFG_STR("key", NULL, CFGF_NODEFAULT),
		CFG_STR("client-ca", NULL, CFGF_NODEFAULT),
		CFG_STR("client-auth", "off", CFGF_NONE),
		CFG_INT_LIST("ports", "{}", CFGF_NONE),
		CFG_STR_LIST("users", "{}", CFGF_NONE),
		CFG_STR_LIST("groups", "{}", CFGF_NONE),
		CFG_INT("timeout", 10, CFGF_NONE),
		CFG_STR_LIST("alpn", "{}", CFGF_NONE),
		CFG_STR_LIST("versions", "{}", CFGF_NONE),
		CFG_STR("tickets", "on", CFGF_NONE),
		CFG_STR("ticket-keys", NULL, CFGF_NODEFAULT),
		CFG_END()
	};
	cfg_opt_t top[] = {
		CFG_INT("workers", 0, CFGF_NONE),
		CFG_STR("log-level", "info", CFGF_NONE),
		CFG_SEC("profile", profile, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END()
	};
	struct kseal_config *config = NULL;
	cfg_t *root;
	int ret = -1;

	root = cfg_init(top, CFGF_NONE);
	if (root)
		config = calloc(1, sizeof(*config));
	if (!config) {
		fail(1, "%s", strerror(ENOMEM));
		goto out;
	}
	atomic_init(&config->refs, 1);
	parser->root = root;
	cfg_set_error_function(root, parse_error);
	set_validators(root);

	if (cfg_parse_buf(root, parser->text.text) != CFG_SUCCESS) {
		fail(root->line, "not understood: see kseald.conf(5)");
		goto out;
	}
	ret = build(config, root);
out:
	if (ret < 0 && config) {
		kseal_config_put(config);
		config = NULL;
	}
	if (root)
		cfg_free(root);
	return config;
}

/**
 * kseal_config_load() - read and check a configuration and what it names
 * @path: of the file
 * @error: on failure "FILE:LINE: what is wrong: what to do"
 * @size: of @error
 *
 * Not thread-safe: one thread loads configurations.
 *
 * Return: the configuration with one reference, or NULL with @error.
 */
struct kseal_config *kseal_config_load(const char *path, char *error, size_t size)
{
	struct kseal_config *config = NULL;

	error[0] = '\0';
	parser = calloc(1, sizeof(*parser));
	if (!parser) {
		snprintf(error, size, "%s: %s", path, strerror(ENOMEM));
		return NULL;
	}
	parser->path = path;
	parser->error = error;
	parser->size = size;
	if (kseal_config_text_read(&parser->text, path, error, size) == 0)
		config = parse();
	free(parser->text.text);
	free(parser);
	parser = NULL;
	return config;
}

/**
 * kseal_config_get() - take a reference
 * @config: a configuration that the caller knows to be alive
 *
 * Return: @config.
 */
struct kseal_config *kseal_config_get(struct kseal_config *config)
{
	atomic_fetch_add(&config->refs, 1);
	return config;
}

static void free_profile(struct kseal_profile *p)
{
	for (size_t i = 0; i < p->alpn_count; i++)
		free(p->alpn[i]);
	kseal_credentials_free(p->credentials);
	free(p->alpn);
	free(p->ports);
	free(p->users);
	free(p->groups);
	free(p->ticket_keys);
	free(p->client_ca);
	free(p->key);
	free(p->certificate);
	free(p->name);
}

/**
 * kseal_config_put() - drop a reference; the last one frees the configuration
 * @config: may be NULL
 */
void kseal_config_put(struct kseal_config *config)
{
	if (!config || atomic_fetch_sub(&config->refs, 1) != 1)
		return;
	for (size_t i = 0; i < config->profile_count; i++)
		free_profile(&config->profiles[i]);
	free(config->profiles);
	free(config);
}

/**
 * kseal_config_profile() - find a profile
 * @config: to look in
 * @name: as ACCEPT reports it
 *
 * Return: the profile, valid as long as @config, or NULL.
 */
const struct kseal_profile *kseal_config_profile(const struct kseal_config *config,
						 const char *name)
{
	for (size_t i = 0; i < config->profile_count; i++) {
		if (strcmp(config->profiles[i].name, name) == 0)
			return &config->profiles[i];
	}
	return NULL;
}
