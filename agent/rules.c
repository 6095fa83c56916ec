// SPDX-License-Identifier: GPL-2.0
/*
 * Rules on whose certificates may be used. A certificate that has been verified is
 * allowed if one rule matches one of its names, byte by byte as they are in the
 * certificate; a name with a zero byte in it matches nothing. Called by verify.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <gnutls/crypto.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules.h"

static const char *const kinds[] = {
	[KSEAL_RULE_CN] = "cn:",
	[KSEAL_RULE_DNS] = "dns:",
	[KSEAL_RULE_URI] = "uri:",
	[KSEAL_RULE_IP] = "ip:",
	[KSEAL_RULE_EMAIL] = "email:",
	[KSEAL_RULE_FINGERPRINT] = "fingerprint:",
	[KSEAL_RULE_ISSUER] = "issuer:",
};

#define KINDS	(sizeof(kinds) / sizeof(*kinds))

/* ADDRESS or ADDRESS/BITS */
static int parse_ip(struct kseal_rule *rule, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	unsigned long bits;
	char *end;

	if (len >= sizeof(address))
		return -1;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, rule->bytes) == 1)
		rule->size = 4;
	else if (inet_pton(AF_INET6, address, rule->bytes) == 1)
		rule->size = 16;
	else
		return -1;
	rule->bits = rule->size * 8;
	if (!slash)
		return 0;
	bits = strtoul(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end || bits > rule->bits)
		return -1;
	rule->bits = bits;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* SHA-256 in hexadecimal, with colons between bytes or without. */
static int parse_fingerprint(struct kseal_rule *rule, const char *text)
{
	while (rule->size < 32) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return -1;
		rule->bytes[rule->size++] = high << 4 | low;
		text += 2;
		if (*text == ':' && rule->size < 32)
			text++;
	}
	return *text ? -1 : 0;
}

/* A star stands for a label of its own in front, or for all that follows a slash. */
static bool good_star(enum kseal_rule_kind kind, const char *text)
{
	const char *star = strchr(text, '*');

	if (!star)
		return true;
	if (kind == KSEAL_RULE_DNS)
		return star == text && text[1] == '.' && text[2] && !strchr(text + 1, '*');
	if (kind == KSEAL_RULE_URI)
		return star > text && star[-1] == '/' && !star[1];
	return kind == KSEAL_RULE_CN || kind == KSEAL_RULE_ISSUER;
}

/**
 * kseal_rule_parse() - understand a rule
 * @rule: filled in; to be freed
 * @text: KIND:VALUE
 *
 * Return: 0, or -1 if it is none.
 */
int kseal_rule_parse(struct kseal_rule *rule, const char *text)
{
	const char *value;
	size_t i;

	memset(rule, 0, sizeof(*rule));
	for (i = 0; i < KINDS; i++) {
		if (strncasecmp(text, kinds[i], strlen(kinds[i])) == 0)
			break;
	}
	if (i == KINDS)
		return -1;
	rule->kind = i;
	value = text + strlen(kinds[i]);
	if (!*value)
		return -1;
	if (rule->kind == KSEAL_RULE_IP)
		return parse_ip(rule, value);
	if (rule->kind == KSEAL_RULE_FINGERPRINT)
		return parse_fingerprint(rule, value);
	if (!good_star(rule->kind, value))
		return -1;
	rule->text = strdup(value);
	return rule->text ? 0 : -1;
}

/**
 * kseal_rule_free() - free what a rule holds
 * @rule: parsed
 */
void kseal_rule_free(struct kseal_rule *rule)
{
	free(rule->text);
	rule->text = NULL;
}

static bool same_text(const char *text, const gnutls_datum_t *value)
{
	return strlen(text) == value->size && memcmp(text, value->data, value->size) == 0;
}

static bool same_text_nocase(const char *text, const unsigned char *value, size_t size)
{
	return strlen(text) == size && strncasecmp(text, (const char *)value, size) == 0;
}

static bool dns_matches(const char *text, const gnutls_datum_t *value)
{
	const unsigned char *dot;

	if (text[0] != '*')
		return same_text_nocase(text, value->data, value->size);
	dot = memchr(value->data, '.', value->size);
	if (!dot || dot == value->data || value->data[0] == '*')
		return false;
	return same_text_nocase(text + 1, dot, value->size - (dot - value->data));
}

static bool uri_matches(const char *text, const gnutls_datum_t *value)
{
	size_t len = strlen(text);

	if (text[len - 1] != '*')
		return same_text(text, value);
	len--;
	return value->size > len && memcmp(text, value->data, len) == 0;
}

/* The part before the @ is the host's business, what follows it is a host name. */
static bool email_matches(const char *text, const gnutls_datum_t *value)
{
	const unsigned char *at = memrchr(value->data, '@', value->size);
	const char *host = strrchr(text, '@');
	size_t local = at ? (size_t)(at - value->data) : 0;

	if (!at || !host || !same_text_nocase(host, at, value->size - local))
		return false;
	/* "@example.test": everyone there */
	return host == text || ((size_t)(host - text) == local &&
				memcmp(text, value->data, local) == 0);
}

static bool ip_matches(const struct kseal_rule *rule, const gnutls_datum_t *value)
{
	unsigned int whole = rule->bits / 8, rest = rule->bits % 8;

	if (value->size != rule->size || memcmp(rule->bytes, value->data, whole) != 0)
		return false;
	return !rest || !((rule->bytes[whole] ^ value->data[whole]) >> (8 - rest));
}

static bool name_matches(const struct kseal_rule *rule, unsigned int type,
			 const gnutls_datum_t *value)
{
	/* An address may have such bytes; of a name, a CA may not have seen what follows. */
	if (type != GNUTLS_SAN_IPADDRESS && memchr(value->data, '\0', value->size))
		return false;
	switch (rule->kind) {
	case KSEAL_RULE_DNS:
		return type == GNUTLS_SAN_DNSNAME && dns_matches(rule->text, value);
	case KSEAL_RULE_URI:
		return type == GNUTLS_SAN_URI && uri_matches(rule->text, value);
	case KSEAL_RULE_IP:
		return type == GNUTLS_SAN_IPADDRESS && ip_matches(rule, value);
	case KSEAL_RULE_EMAIL:
		return type == GNUTLS_SAN_RFC822NAME && email_matches(rule->text, value);
	default:
		return false;
	}
}

static bool any_name_matches(const struct kseal_rule *rule, gnutls_x509_crt_t crt)
{
	gnutls_subject_alt_names_t names = NULL;
	gnutls_datum_t ext = { NULL, 0 }, value;
	unsigned int type, critical;
	bool found = false;

	if (gnutls_x509_crt_get_extension_by_oid2(crt, GNUTLS_X509EXT_OID_SAN, 0, &ext,
						  &critical) < 0)
		return false;
	if (gnutls_subject_alt_names_init(&names) == 0 &&
	    gnutls_x509_ext_import_subject_alt_names(&ext, names, 0) == 0) {
		for (unsigned int i = 0; !found &&
		     gnutls_subject_alt_names_get(names, i, &type, &value, NULL) == 0; i++)
			found = name_matches(rule, type, &value);
	}
	if (names)
		gnutls_subject_alt_names_deinit(names);
	gnutls_free(ext.data);
	return found;
}

static bool cn_matches(const char *text, gnutls_x509_crt_t crt)
{
	gnutls_datum_t cn = { NULL, 0 };
	size_t size = 0;
	char buf[256];

	/* A subject with two common names is nobody's. */
	if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 1, 0, NULL, &size) !=
	    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return false;
	size = sizeof(buf);
	if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, buf, &size) < 0)
		return false;
	cn.data = (unsigned char *)buf;
	cn.size = size;
	return same_text(text, &cn);
}

static bool issuer_matches(const char *text, gnutls_x509_crt_t crt)
{
	gnutls_datum_t dn;
	bool same;

	if (gnutls_x509_crt_get_issuer_dn3(crt, &dn, 0) < 0)
		return false;
	same = same_text(text, &dn);
	gnutls_free(dn.data);
	return same;
}

static bool matches(const struct kseal_rule *rule, gnutls_x509_crt_t crt,
		    const gnutls_datum_t *der)
{
	unsigned char digest[32];

	switch (rule->kind) {
	case KSEAL_RULE_CN:
		return cn_matches(rule->text, crt);
	case KSEAL_RULE_ISSUER:
		return issuer_matches(rule->text, crt);
	case KSEAL_RULE_FINGERPRINT:
		return gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, digest) == 0 &&
		       memcmp(digest, rule->bytes, sizeof(digest)) == 0;
	default:
		return any_name_matches(rule, crt);
	}
}

/**
 * kseal_rules_allow() - may this certificate be used?
 * @rules: of a profile
 * @count: of @rules; 0: any may be
 * @der: verified
 *
 * Return: whether one of the rules matches.
 */
bool kseal_rules_allow(const struct kseal_rule *rules, size_t count, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	bool allowed = false;

	if (!count)
		return true;
	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
		for (size_t i = 0; i < count && !allowed; i++)
			allowed = matches(&rules[i], crt, der);
	}
	gnutls_x509_crt_deinit(crt);
	return allowed;
}
