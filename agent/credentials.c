// SPDX-License-Identifier: GPL-2.0
/*
 * The certificates, keys and TLS settings of a profile as GnuTLS wants them.
 * Loaded by config.c, used by session.c from every worker: read-only after the
 * load but for the tickets, which have a lock of their own.
 */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "credentials.h"
#include "log.h"
#include "pem.h"
#include "priority.h"
#include "tickets.h"

#define CHAIN_MAX		16

/**
 * struct kseal_credentials - see the file's head
 * @x509: certificate chain, key and trusted CAs
 * @priority: versions, cipher suites, groups, signatures
 * @tickets: what seals session tickets, NULL if there are none
 */
struct kseal_credentials {
	gnutls_certificate_credentials_t x509;
	struct kseal_priority priority;
	struct kseal_tickets *tickets;
};

/* What would fail with every peer is better said at the start. */
static int check_chain(const char *path, const struct kseal_chain *chain, enum kseal_role role,
		       char *why, size_t size)
{
	bool client = role == KSEAL_ROLE_CLIENT;
	gnutls_x509_crt_t leaf = chain->list[0];
	unsigned int usage, critical;

	if (chain->count > CHAIN_MAX) {
		snprintf(why, size, "%s: %u certificates: keep the chain, leaf first, and no more",
			 path, chain->count);
		return -1;
	}
	for (unsigned int i = 0; i + 1 < chain->count; i++) {
		if (!gnutls_x509_crt_check_issuer(chain->list[i], chain->list[i + 1])) {
			snprintf(why, size,
				 "%s: certificate %u was not issued by certificate %u: order the chain leaf first",
				 path, i + 1, i + 2);
			return -1;
		}
	}
	if (gnutls_x509_crt_get_key_usage(leaf, &usage, &critical) == 0 &&
	    !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE)) {
		snprintf(why, size,
			 "%s: its key usage lacks digitalSignature, which TLS with forward secrecy needs: issue another",
			 path);
		return -1;
	}
	if (!gnutls_x509_crt_check_key_purpose(leaf, client ? GNUTLS_KP_TLS_WWW_CLIENT :
							      GNUTLS_KP_TLS_WWW_SERVER, 0)) {
		snprintf(why, size,
			 "%s: its extended key usage lacks %s: issue one for a TLS %s", path,
			 client ? "clientAuth" : "serverAuth", client ? "client" : "server");
		return -1;
	}
	return 0;
}

static bool key_matches(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof(a), b_len = sizeof(b);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, a, &a_len) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, b, &b_len) == 0 &&
	       a_len == b_len && memcmp(a, b, a_len) == 0;
}

static enum kseal_credentials_status load_identity(struct kseal_credentials *c,
						   const struct kseal_profile *p,
						   char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_CERTIFICATE;
	gnutls_x509_privkey_t key = NULL;
	struct kseal_chain chain = { NULL, 0 };
	int ret;

	if (!p->certificate)
		return KSEAL_CREDENTIALS_OK;
	if (kseal_pem_certificates(p->certificate, &chain, why, size) < 0 ||
	    check_chain(p->certificate, &chain, p->role, why, size) < 0)
		goto out;

	status = KSEAL_CREDENTIALS_KEY;
	if (kseal_pem_key(p->key, &key, why, size) < 0)
		goto out;
	if (!key_matches(chain.list[0], key)) {
		snprintf(why, size, "%s: is not the key of the certificate in %s: name the right pair",
			 p->key, p->certificate);
		goto out;
	}

	ret = gnutls_certificate_set_x509_key(c->x509, chain.list, chain.count, key);
	if (ret < 0) {
		snprintf(why, size, "%s: %s", p->key, gnutls_strerror(ret));
		goto out;
	}
	status = KSEAL_CREDENTIALS_OK;
out:
	if (key)
		gnutls_x509_privkey_deinit(key);
	kseal_chain_free(&chain);
	return status;
}

static enum kseal_credentials_status load_ca(struct kseal_credentials *c,
					     const struct kseal_profile *p,
					     char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_CA;
	struct kseal_chain cas = { NULL, 0 };
	int ret;

	if (kseal_pem_certificates(p->ca, &cas, why, size) < 0)
		return status;
	for (unsigned int i = 0; i < cas.count; i++) {
		if (gnutls_x509_crt_get_ca_status(cas.list[i], NULL) <= 0) {
			snprintf(why, size,
				 "%s: certificate %u is not of a CA: name the issuer of the peers' certificates",
				 p->ca, i + 1);
			goto out;
		}
	}
	ret = gnutls_certificate_set_x509_trust(c->x509, cas.list, cas.count);
	if (ret < 0) {
		snprintf(why, size, "%s: %s", p->ca, gnutls_strerror(ret));
		goto out;
	}
	status = KSEAL_CREDENTIALS_OK;
out:
	kseal_chain_free(&cas);
	return status;
}

/* Whom to trust, and whom no longer. */
static enum kseal_credentials_status load_trust(struct kseal_credentials *c,
						const struct kseal_profile *p,
						char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_OK;
	int ret;

	if (p->ca) {
		status = load_ca(c, p, why, size);
	} else if (p->role == KSEAL_ROLE_CLIENT) {
		ret = gnutls_certificate_set_x509_system_trust(c->x509);
		if (ret <= 0)
			kseal_log(KSEAL_LOG_WARNING,
				  "client \"%s\" trusts nobody, as the system does not: install ca-certificates, or name a file with ca",
				  p->name);
	}
	if (status == KSEAL_CREDENTIALS_OK && p->crl &&
	    kseal_pem_crls(p->crl, c->x509, why, size) < 0)
		status = KSEAL_CREDENTIALS_CRL;
	return status;
}

/**
 * kseal_credentials_load() - read the files that a profile names
 * @result: the credentials, on success
 * @profile: its role, files and versions are set
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: KSEAL_CREDENTIALS_OK, or which option is to blame, with @why.
 */
enum kseal_credentials_status kseal_credentials_load(struct kseal_credentials **result,
						     const struct kseal_profile *profile,
						     char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_CERTIFICATE;
	struct kseal_credentials *c = calloc(1, sizeof(*c));
	int ret;

	if (!c) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return status;
	}
	ret = gnutls_certificate_allocate_credentials(&c->x509);
	if (ret == 0)
		ret = kseal_priority_init(&c->priority, profile);
	if (ret < 0) {
		snprintf(why, size, "the TLS library refuses: %s", gnutls_strerror(ret));
		goto fail;
	}

	status = load_identity(c, profile, why, size);
	if (status == KSEAL_CREDENTIALS_OK)
		status = load_trust(c, profile, why, size);
	if (status == KSEAL_CREDENTIALS_OK && profile->role == KSEAL_ROLE_SERVER &&
	    kseal_tickets_load(&c->tickets, profile, why, size) < 0)
		status = KSEAL_CREDENTIALS_TICKET_KEYS;
	if (status != KSEAL_CREDENTIALS_OK)
		goto fail;
	*result = c;
	return KSEAL_CREDENTIALS_OK;

fail:
	kseal_credentials_free(c);
	return status;
}

/**
 * kseal_credentials_free() - wipe and free
 * @c: may be NULL
 */
void kseal_credentials_free(struct kseal_credentials *c)
{
	if (!c)
		return;
	kseal_tickets_free(c->tickets);
	kseal_priority_free(&c->priority);
	if (c->x509)
		gnutls_certificate_free_credentials(c->x509);
	free(c);
}

static int set_alpn(const struct kseal_profile *profile, gnutls_session_t session)
{
	gnutls_datum_t alpn[KSEAL_ALPN_PROTOCOLS];
	unsigned int flags = 0;

	if (!profile->alpn_count)
		return 0;
	for (size_t i = 0; i < profile->alpn_count; i++) {
		alpn[i].data = (unsigned char *)profile->alpn[i];
		alpn[i].size = strlen(profile->alpn[i]);
	}
	/* RFC 7301 section 3.2: no protocol in common is a fatal alert. */
	if (profile->role == KSEAL_ROLE_SERVER)
		flags = GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE;
	return gnutls_alpn_set_protocols(session, alpn, profile->alpn_count, flags);
}

/**
 * kseal_credentials_apply() - set a session up as its profile says
 * @c: of @profile; must outlive @session
 * @profile: role, client authentication, ALPN
 * @session: not yet handshaken
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_credentials_apply(struct kseal_credentials *c,
			    const struct kseal_profile *profile,
			    gnutls_session_t session)
{
	int ret;

	ret = kseal_priority_set(&c->priority, session);
	if (ret < 0)
		return ret;
	ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->x509);
	if (ret < 0)
		return ret;
	ret = set_alpn(profile, session);
	if (ret < 0 || profile->role == KSEAL_ROLE_CLIENT)
		return ret;

	if (profile->client_auth == KSEAL_CLIENT_AUTH_REQUIRE)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	else if (profile->client_auth == KSEAL_CLIENT_AUTH_REQUEST)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	return kseal_tickets_apply(c->tickets, session);
}
