// SPDX-License-Identifier: GPL-2.0
/*
 * Single values of the configuration. Called by config_profile.c: as soon as a value
 * has been read, so that a message can name its line, and again to take it over.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_value.h"
#include "named_group.h"
#include "priority.h"
#include "rules.h"

#define WORDS_MAX	4

/* Options that take one of a few words; the place of a word is what it means. */
static const char *const words[OPT_COUNT][WORDS_MAX] = {
	[OPT_CLIENT_AUTH] = { "off", "request", "require" },	/* enum kseal_client_auth */
	[OPT_SNI] = { "default", "strict" },
	[OPT_TICKETS] = { "off", "on" },
	[OPT_TRUNCATION] = { "strict", "tolerate" },
	[OPT_OFFLOAD] = { "auto", "on", "off" },		/* enum kseal_offload */
	[OPT_LEGACY] = { "off", "on" },
	[OPT_ALPN_MODE] = { "optional", "match", "required" },	/* enum kseal_alpn_mode */
	[OPT_PROXY_PROTOCOL] = { "v2" },
};

/* Options that take a number from a range. */
static const struct {
	long least;
	long most;
	const char *unit;
} numbers[OPT_COUNT] = {
	[OPT_PORTS] = { 1, UINT16_MAX, "" },
	[OPT_TIMEOUT] = { 1, KSEAL_TIMEOUT_MAX, " seconds" },
	[OPT_ACTIVE] = { 1, KSEAL_HANDSHAKES_MAX, "" },
	[OPT_ACTIVE_A_SOURCE] = { 1, KSEAL_HANDSHAKES_MAX, "" },
	[OPT_RATE] = { 1, KSEAL_HANDSHAKES_MAX, " a second" },
	[OPT_RATE_A_SOURCE] = { 1, KSEAL_HANDSHAKES_MAX, " a second" },
	[OPT_QUEUE] = { 0, KSEAL_HANDSHAKES_MAX, "" },
	[OPT_RECORD_SIZE] = { KSEAL_RECORD_SIZE_MIN, KSEAL_RECORD_SIZE_MAX, " bytes" },
};

/**
 * kseal_config_word() - what a word means
 * @which: option
 * @text: its value
 *
 * Return: the number of the word, -1 if the option does not take it.
 */
int kseal_config_word(enum kseal_option which, const char *text)
{
	for (int i = 0; i < WORDS_MAX && words[which][i]; i++) {
		if (strcmp(text, words[which][i]) == 0)
			return i;
	}
	return -1;
}

/* "a", "b" or "c" */
static const char *list_words(enum kseal_option which, char *to, size_t size)
{
	size_t len = 0;

	for (int i = 0; i < WORDS_MAX && words[which][i]; i++) {
		bool last = i + 1 == WORDS_MAX || !words[which][i + 1];

		len += snprintf(to + len, size - len, "%s\"%s\"",
				!i ? "" : last ? " or " : ", ", words[which][i]);
	}
	return to;
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

/**
 * kseal_config_user() - the number of a user
 * @text: name or number
 * @uid: result
 *
 * Return: 0, or -1 if there is no such user.
 */
int kseal_config_user(const char *text, uid_t *uid)
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

/**
 * kseal_config_group() - the number of a group of users
 * @text: name or number
 * @gid: result
 *
 * Return: 0, or -1 if there is no such group.
 */
int kseal_config_group(const char *text, gid_t *gid)
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

/**
 * kseal_config_version() - a version of TLS
 * @text: "1.2", "1.3"
 *
 * Return: KSEAL_VERSION_*, 0 for another.
 */
unsigned int kseal_config_version(const char *text)
{
	if (strcmp(text, "1.2") == 0)
		return KSEAL_VERSION_1_2;
	return strcmp(text, "1.3") == 0 ? KSEAL_VERSION_1_3 : 0;
}

/* A host name as certificates have it, or the text of an IP address. */
static bool is_server_name(const char *text)
{
	unsigned char ip[16];

	if (strlen(text) >= KSEAL_NAME_MAX)
		return false;
	if (inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1)
		return true;
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	}
	return true;
}

static int check_named_group(int line, const char *text)
{
	const struct kseal_named_group *group = kseal_named_group_find(text);
	char list[256];

	if (!group)
		return kseal_config_fail(line,
					 "there is no group of key exchange \"%s\" here: write one or more of %s",
					 text, kseal_named_group_list(list, sizeof(list)));
	if (!kseal_named_group_usable(group))
		return kseal_config_fail(line,
					 "GnuTLS %s, which is installed, does not have the group %s: remove it, or install one that does; this one has %s",
					 gnutls_check_version(NULL), group->name,
					 kseal_named_group_list(list, sizeof(list)));
	return 0;
}

static int check_number(int line, enum kseal_option which, const char *name, long number)
{
	if (number >= numbers[which].least && number <= numbers[which].most)
		return 0;
	if (which == OPT_PORTS)
		return kseal_config_fail(line, "%ld is no port: write %ld to %ld", number,
					 numbers[which].least, numbers[which].most);
	return kseal_config_fail(line, "%s is %ld: write %ld to %ld%s", name, number,
				 numbers[which].least, numbers[which].most,
				 numbers[which].unit);
}

static int check_alpn(int line, const char *text, unsigned int index)
{
	if (strlen(text) > KSEAL_ALPN_LENGTH)
		return kseal_config_fail(line, "ALPN protocol \"%s\": use at most %d bytes",
					 text, KSEAL_ALPN_LENGTH);
	if (index >= KSEAL_ALPN_PROTOCOLS)
		return kseal_config_fail(line, "more than %d ALPN protocols: shorten the list",
					 KSEAL_ALPN_PROTOCOLS);
	return 0;
}

static int check_rule(int line, const char *text)
{
	struct kseal_rule rule;

	if (kseal_rule_parse(&rule, text) < 0)
		return kseal_config_fail(line,
					 "allow has \"%s\": write \"cn:\", \"dns:\", \"uri:\", \"ip:\", \"email:\", \"fingerprint:\" or \"issuer:\" and a value; kseald.conf(5) has the forms",
					 text);
	kseal_rule_free(&rule);
	return 0;
}

static int check_text(int line, enum kseal_option which, const char *text, unsigned int index)
{
	uid_t uid;
	gid_t gid;

	switch (which) {
	case OPT_ALLOW:
		return check_rule(line, text);
	case OPT_USERS:
		if (kseal_config_user(text, &uid) < 0)
			return kseal_config_fail(line, "there is no user \"%s\": create it, or correct the name",
						 text);
		return 0;
	case OPT_GROUPS:
		if (kseal_config_group(text, &gid) < 0)
			return kseal_config_fail(line, "there is no group \"%s\": create it, or correct the name",
						 text);
		return 0;
	case OPT_ALPN:
		return check_alpn(line, text, index);
	case OPT_VERSIONS:
		if (!kseal_config_version(text))
			return kseal_config_fail(line, "there is no TLS version \"%s\" here: write \"1.2\" or \"1.3\"",
						 text);
		return 0;
	case OPT_CIPHERS:
		if (!kseal_priority_cipher(text))
			return kseal_config_fail(line,
						 "there is no cipher \"%s\" here: write \"AES-128-GCM\", \"AES-256-GCM\", \"CHACHA20-POLY1305\" or \"AES-128-CCM\"",
						 text);
		return 0;
	case OPT_NAMED_GROUPS:
		return check_named_group(line, text);
	case OPT_SERVER_NAME:
		if (!is_server_name(text))
			return kseal_config_fail(line, "server-name is \"%s\": write a host name in ASCII, or an IP address",
						 text);
		return 0;
	default:
		return 0;
	}
}

/**
 * kseal_config_value_check() - may this be written?
 * @line: where it was
 * @which: option
 * @opt: the option, as libconfuse has it
 * @index: of the value in its list
 *
 * Return: 0, or -1 with the parser's error.
 */
int kseal_config_value_check(int line, enum kseal_option which, cfg_opt_t *opt,
			     unsigned int index)
{
	const char *text;
	char list[128];

	if (opt->type != CFGT_STR)
		return check_number(line, which, opt->name, cfg_opt_getnint(opt, index));

	text = cfg_opt_getnstr(opt, index);
	if (!text || !*text)
		return kseal_config_fail(line, "%s is empty: give it a value or remove the line",
					 opt->name);
	if (!words[which][0])
		return check_text(line, which, text, index);
	if (kseal_config_word(which, text) < 0)
		return kseal_config_fail(line, "%s is \"%s\": write %s%s", opt->name, text,
					 list_words(which, list, sizeof(list)),
					 words[which][1] ? "" : ", or remove the line");
	return 0;
}
