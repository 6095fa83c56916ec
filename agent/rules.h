/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rules on whose certificates may be used, beyond being good: the option "allow". Used
 * by config_profile.c and verify.c.
 */
#ifndef KSEALD_RULES_H
#define KSEALD_RULES_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

enum kseal_rule_kind {
	KSEAL_RULE_CN,
	KSEAL_RULE_DNS,
	KSEAL_RULE_URI,
	KSEAL_RULE_IP,
	KSEAL_RULE_EMAIL,
	KSEAL_RULE_FINGERPRINT,
	KSEAL_RULE_ISSUER,
};

/**
 * struct kseal_rule - one rule
 * @kind: what it looks at
 * @text: what that must be: CN, DNS, URI, EMAIL, ISSUER
 * @bytes: likewise: IP, FINGERPRINT
 * @size: of @bytes
 * @bits: of @bytes that count: IP
 */
struct kseal_rule {
	enum kseal_rule_kind kind;
	char *text;
	unsigned char bytes[32];
	size_t size;
	unsigned int bits;
};

int kseal_rule_parse(struct kseal_rule *rule, const char *text);
void kseal_rule_free(struct kseal_rule *rule);
bool kseal_rules_allow(const struct kseal_rule *rules, size_t count, const gnutls_datum_t *der);

#endif /* KSEALD_RULES_H */
