/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether the peer is who it should be: its certificate, in a full handshake and in
 * a resumed one. Used by session.c.
 */
#ifndef KSEALD_VERIFY_H
#define KSEALD_VERIFY_H

#include <gnutls/gnutls.h>
#include <linux/kseal.h>
#include <stdbool.h>
#include <time.h>

struct kseal_revocations;
struct kseal_rule;

/**
 * struct kseal_expected - whom a certificate must be of
 * @role: ours: of a server (KSEAL_ROLE_CLIENT), or of a client (KSEAL_ROLE_SERVER)
 * @required: a peer without a certificate is refused
 * @name: a server's: host name, or address as text
 * @host: likewise, if it is a host name
 * @ip: a server's address, if it is one
 * @ip_size: 4, 16, or 0 for none
 * @revocations: lists that have to be in their time and of their CA; NULL: none
 * @rules: one of them must match
 * @rule_count: of @rules, 0: any certificate will do
 */
struct kseal_expected {
	enum kseal_role role;
	bool required;
	char name[KSEAL_NAME_MAX];
	bool host;
	unsigned char ip[16];
	size_t ip_size;
	const struct kseal_revocations *revocations;
	const struct kseal_rule *rules;
	size_t rule_count;
};

/**
 * struct kseal_verdict - why a peer was refused
 * @alert: what it is told
 * @reason: what the log is told
 */
struct kseal_verdict {
	gnutls_alert_description_t alert;
	char reason[KSEAL_REASON_MAX];
};

int kseal_expect_server(struct kseal_expected *e, const char *name);
int kseal_verify(gnutls_session_t tls, const struct kseal_expected *e,
		 struct kseal_verdict *verdict);
time_t kseal_verify_until(gnutls_session_t tls);

#endif /* KSEALD_VERIFY_H */
