// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file: libconfuse reads it, this file checks every value and
 * says FILE:LINE: what is wrong and what to do. Called by main() at the start and
 * at a reload, from one thread only.
 */
#include <confuse.h>
#include <errno.h>
#include <linux/kseal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_profile.h"
#include "config_service.h"

#define NAME_LENGTH	64	/* of an option, to compare */

struct kseal_parser *kseal_parser;

/**
 * kseal_config_fail() - note what is wrong with the file being read
 * @line: where
 * @fmt: printf format: what is wrong: what to do
 *
 * The first error counts: libconfuse may add vaguer ones.
 *
 * Return: -1.
 */
int kseal_config_fail(int line, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (kseal_parser->error[0])
		return -1;
	len = snprintf(kseal_parser->error, kseal_parser->size, "%s:%d: ", kseal_parser->path,
		       line);
	if (len < 0 || (size_t)len >= kseal_parser->size)
		return -1;
	va_start(ap, fmt);
	vsnprintf(kseal_parser->error + len, kseal_parser->size - len, fmt, ap);
	va_end(ap);
	return -1;
}

/* Levenshtein's distance: how many letters to change, add or remove. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_LENGTH + 1], len = strlen(b);

	if (len > NAME_LENGTH)
		return len;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			size_t other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < other ? change : other;
		}
	}
	return row[len];
}

/* The option of this section that an unknown one was meant to be, NULL if none is like it. */
static const char *similar_option(cfg_t *section, const char *unknown)
{
	size_t least = strlen(unknown) < 4 ? 1 : 2;
	const char *found = NULL;

	for (cfg_opt_t *opt = section->opts; opt->name; opt++) {
		size_t d = distance(unknown, opt->name);

		if (d <= least) {
			least = d - (d > 0);
			found = opt->name;
		}
	}
	return found;
}

static const char *unknown_option(cfg_t *section, const char *message, char *to, size_t size)
{
	const char *quote = strchr(message, '\'');
	const char *similar = NULL;
	char name[NAME_LENGTH];

	if (quote && sscanf(quote, "'%63[^']'", name) == 1)
		similar = similar_option(section, name);
	if (!similar)
		return "kseald.conf(5) lists the options";
	snprintf(to, size, "do you mean %s? kseald.conf(5) lists the options", similar);
	return to;
}

/* libconfuse's own messages say what, ours add what to do. */
static void parse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const struct {
		const char *begin;
		const char *advice;
	} known[] = {
		{ "found duplicate title", "every section needs a name of its own" },
		{ "invalid integer value", "write a whole number without quotes" },
		{ "integer value", "write a smaller number" },
		{ "missing title", "write profile \"NAME\" { ... }, or client" },
		{ "missing opening brace", "write profile \"NAME\" { ... }, or client" },
		{ "unexpected closing brace", "remove it, or open its section" },
		{ "premature end of file", "finish the last option or section" },
		{ "unexpected token", "write option = value, or option = { value, ... }" },
		{ "missing equal sign", "write option = value" },
	};
	const char *advice = "see kseald.conf(5)";
	char message[512], suggestion[128];

	vsnprintf(message, sizeof(message), fmt, ap);
	if (strncmp(message, "no such option", strlen("no such option")) == 0)
		advice = unknown_option(cfg, message, suggestion, sizeof(suggestion));
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strncmp(message, known[i].begin, strlen(known[i].begin)) == 0)
			advice = known[i].advice;
	}
	if (strcmp(message, "invalid integer value for option 'ports'") == 0)
		advice = "write a whole number without quotes for each port";
	kseal_config_fail(cfg->line, "%s: %s", message, advice);
}

static int validate_workers(cfg_t *cfg, cfg_opt_t *opt)
{
	long workers = cfg_opt_getnint(opt, 0);

	if (workers < 0 || workers > KSEAL_WORKERS_MAX)
		return kseal_config_fail(cfg->line, "workers is %ld: write 1 to %d, or 0 for one per core",
					 workers, KSEAL_WORKERS_MAX);
	return 0;
}

static int validate_log_level(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	enum kseal_log_level level;

	if (kseal_log_parse_level(text ? text : "", &level) < 0)
		return kseal_config_fail(cfg->line, "log-level is \"%s\": write \"error\", \"warning\", \"info\" or \"debug\"",
					 text ? text : "");
	return 0;
}

static int validate_watch(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);

	if (!text || (strcmp(text, "on") != 0 && strcmp(text, "off") != 0))
		return kseal_config_fail(cfg->line, "watch is \"%s\": write \"on\" or \"off\"",
					 text ? text : "");
	return 0;
}

static int build_sections(struct kseal_config *config, cfg_t *root, enum kseal_role role)
{
	const char *kind = role == KSEAL_ROLE_CLIENT ? "client" : "profile";
	unsigned int count = cfg_size(root, kind);
	struct kseal_profile *p;

	for (unsigned int i = 0; i < count; i++) {
		p = &config->profiles[config->profile_count++];
		if (kseal_config_profile_build(p, role, cfg_getnsec(root, kind, i), i) < 0)
			return -1;
	}
	return 0;
}

static int build(struct kseal_config *config, cfg_t *root)
{
	unsigned int count = cfg_size(root, "profile") + cfg_size(root, "client");

	if (!count)
		return kseal_config_fail(1, "there is no profile: add profile \"%s\" { certificate = ... key = ... }",
					 KSEAL_PROFILE_DEFAULT);
	config->workers = cfg_getint(root, "workers");
	kseal_log_parse_level(cfg_getstr(root, "log-level"), &config->log_level);
	config->watch = strcmp(cfg_getstr(root, "watch"), "on") == 0;

	config->profiles = calloc(count + 1, sizeof(*config->profiles));
	if (!config->profiles)
		return kseal_config_fail(1, "%s", strerror(ENOMEM));
	if (build_sections(config, root, KSEAL_ROLE_SERVER) < 0 ||
	    build_sections(config, root, KSEAL_ROLE_CLIENT) < 0)
		return -1;
	if (!kseal_config_profile(config, KSEAL_ROLE_CLIENT, KSEAL_PROFILE_DEFAULT) &&
	    kseal_config_profile_default(&config->profiles[config->profile_count++]) < 0)
		return -1;
	return kseal_config_service_build(config, root);
}

static struct kseal_config *parse(void)
{
	cfg_opt_t top[] = {
		CFG_INT("workers", 0, CFGF_NONE),
		CFG_STR("log-level", "info", CFGF_NONE),
		CFG_STR("watch", "off", CFGF_NONE),
		CFG_SEC("profile", kseal_config_profile_options,
			CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("client", kseal_config_client_options,
			CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("kernel", kseal_config_kernel_options, CFGF_NODEFAULT),
		CFG_SEC("metrics", kseal_config_metrics_options, CFGF_NODEFAULT),
		CFG_END()
	};
	struct kseal_config *config = NULL;
	cfg_t *root;
	int ret = -1;

	root = cfg_init(top, CFGF_NONE);
	if (root)
		config = calloc(1, sizeof(*config));
	if (!config) {
		kseal_config_fail(1, "%s", strerror(ENOMEM));
		goto out;
	}
	atomic_init(&config->refs, 1);
	kseal_parser->root = root;
	cfg_set_error_function(root, parse_error);
	cfg_set_validate_func(root, "workers", validate_workers);
	cfg_set_validate_func(root, "log-level", validate_log_level);
	cfg_set_validate_func(root, "watch", validate_watch);
	kseal_config_profile_validate(root);
	kseal_config_service_validate(root);

	if (cfg_parse_buf(root, kseal_parser->text.text) != CFG_SUCCESS) {
		kseal_config_fail(root->line, "not understood: see kseald.conf(5)");
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
	kseal_parser = calloc(1, sizeof(*kseal_parser));
	if (!kseal_parser) {
		snprintf(error, size, "%s: %s", path, strerror(ENOMEM));
		return NULL;
	}
	kseal_parser->path = path;
	kseal_parser->error = error;
	kseal_parser->size = size;
	if (kseal_config_text_read(&kseal_parser->text, path, error, size) == 0)
		config = parse();
	free(kseal_parser->text.text);
	free(kseal_parser);
	kseal_parser = NULL;
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

/**
 * kseal_config_put() - drop a reference; the last one frees the configuration
 * @config: may be NULL
 */
void kseal_config_put(struct kseal_config *config)
{
	if (!config || atomic_fetch_sub(&config->refs, 1) != 1)
		return;
	for (size_t i = 0; i < config->profile_count; i++)
		kseal_config_profile_free(&config->profiles[i]);
	free(config->profiles);
	free(config->metrics_listen);
	free(config);
}

/**
 * kseal_config_profile() - find a section
 * @config: to look in
 * @role: which kind
 * @name: as ACCEPT reports it
 *
 * Return: the profile, valid as long as @config, or NULL.
 */
const struct kseal_profile *kseal_config_profile(const struct kseal_config *config,
						 enum kseal_role role, const char *name)
{
	for (size_t i = 0; i < config->profile_count; i++) {
		const struct kseal_profile *p = &config->profiles[i];

		if (p->role == role && strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

/**
 * kseal_config_count() - how many sections of a kind there are
 * @config: to look in
 * @role: which kind; a client section "default" always counts
 *
 * Return: the number.
 */
size_t kseal_config_count(const struct kseal_config *config, enum kseal_role role)
{
	size_t count = 0;

	for (size_t i = 0; i < config->profile_count; i++)
		count += config->profiles[i].role == role;
	return count;
}
