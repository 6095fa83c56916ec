// SPDX-License-Identifier: GPL-2.0
/*
 * The certificates, keys and TLS settings of a profile as GnuTLS wants them.
 * Loaded by config.c, used by session.c from every worker: read-only after the
 * load but for the tickets, which have a lock of their own.
 */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificates.h"
#include "config.h"
#include "connection.h"
#include "credentials.h"
#include "directory.h"
#include "log.h"
#include "pem.h"
#include "priority.h"
#include "revocation.h"
#include "sni.h"
#include "tickets.h"

/**
 * struct kseal_credentials - see the file's head
 * @x509: what a session can be given: first all certificates, then those of each set of
 *	@sni; all with the trusted CAs
 * @x509_count: of @x509
 * @sni: which set a name needs; NULL if there is one certificate
 * @anonymous: a client's without any certificate of ours, NULL if it has none anyway
 * @certificates: that the names of @sni belong to
 * @revocations: what GnuTLS does not ask of revocation lists
 * @priority: versions, cipher suites, groups, signatures
 * @tickets: what seals session tickets, NULL if there are none
 */
struct kseal_credentials {
	gnutls_certificate_credentials_t *x509;
	size_t x509_count;
	struct kseal_sni *sni;
	gnutls_certificate_credentials_t anonymous;
	struct kseal_certificates certificates;
	struct kseal_revocations revocations;
	struct kseal_priority priority;
	struct kseal_tickets *tickets;
};

static enum kseal_credentials_status load_ca(gnutls_certificate_credentials_t x509,
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
	ret = gnutls_certificate_set_x509_trust(x509, cas.list, cas.count);
	if (ret < 0) {
		snprintf(why, size, "%s: %s", p->ca, gnutls_strerror(ret));
		goto out;
	}
	status = KSEAL_CREDENTIALS_OK;
out:
	kseal_chain_free(&cas);
	return status;
}

/* A file, or a directory of files NAME.crl. */
static int load_crls(gnutls_certificate_credentials_t x509, const char *path,
		     struct kseal_revocations *revocations, char *why, size_t size)
{
	char **files;
	size_t count;
	int ret = 0;

	if (!kseal_is_directory(path))
		return kseal_pem_crls(path, x509, revocations, why, size);
	if (kseal_directory_read(path, ".crl", &files, &count, why, size) < 0)
		return -1;
	for (size_t i = 0; i < count && ret == 0; i++)
		ret = kseal_pem_crls(files[i], x509, revocations, why, size);
	kseal_directory_free(files, count);
	return ret;
}

/* Whom to trust, and whom no longer. */
static enum kseal_credentials_status load_trust(struct kseal_credentials *c,
						gnutls_certificate_credentials_t x509,
						const struct kseal_profile *p,
						char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_OK;
	int ret;

	if (p->ca) {
		status = load_ca(x509, p, why, size);
	} else if (p->role == KSEAL_ROLE_CLIENT) {
		ret = gnutls_certificate_set_x509_system_trust(x509);
		if (ret <= 0)
			kseal_log(KSEAL_LOG_WARNING,
				  "client \"%s\" trusts nobody, as the system does not: install ca-certificates, or name a file with ca",
				  p->name);
	}
	for (size_t i = 0; i < p->crl_count && status == KSEAL_CREDENTIALS_OK; i++) {
		if (load_crls(x509, p->crls[i], &c->revocations, why, size) < 0)
			status = KSEAL_CREDENTIALS_CRL;
	}
	return status;
}

/* Credentials with these certificates, all if @members is NULL. */
static enum kseal_credentials_status add_x509(struct kseal_credentials *c,
					      const struct kseal_profile *p,
					      const struct kseal_sni_set *set,
					      char *why, size_t size)
{
	size_t count = set ? set->count : c->certificates.count;
	gnutls_certificate_credentials_t x509, *list;
	int ret;

	list = realloc(c->x509, (c->x509_count + 1) * sizeof(*list));
	ret = list ? gnutls_certificate_allocate_credentials(&x509) : GNUTLS_E_MEMORY_ERROR;
	if (list)
		c->x509 = list;
	if (ret < 0) {
		snprintf(why, size, "%s", gnutls_strerror(ret));
		return KSEAL_CREDENTIALS_CERTIFICATE;
	}
	list[c->x509_count++] = x509;
	for (size_t i = 0; i < count; i++) {
		size_t index = set ? set->members[i] : i;

		if (kseal_certificate_give(&c->certificates.list[index], x509, why, size) < 0)
			return KSEAL_CREDENTIALS_KEY;
	}
	/* For clients that name no group of RFC 7919. */
	if (p->legacy) {
		ret = gnutls_certificate_set_known_dh_params(x509, GNUTLS_SEC_PARAM_MEDIUM);
		if (ret < 0) {
			snprintf(why, size, "%s", gnutls_strerror(ret));
			return KSEAL_CREDENTIALS_CERTIFICATE;
		}
	}
	return load_trust(c, x509, p, why, size);
}

/* For consumers of the kernel that want to show none. */
static enum kseal_credentials_status add_anonymous(struct kseal_credentials *c,
						   const struct kseal_profile *p,
						   char *why, size_t size)
{
	int ret = gnutls_certificate_allocate_credentials(&c->anonymous);

	if (ret == 0)
		return load_trust(c, c->anonymous, p, why, size);
	snprintf(why, size, "%s", gnutls_strerror(ret));
	return KSEAL_CREDENTIALS_CERTIFICATE;
}

/* A profile with one certificate needs no choice but a strict one. */
static enum kseal_credentials_status load_sets(struct kseal_credentials *c,
					       const struct kseal_profile *p,
					       char *why, size_t size)
{
	enum kseal_credentials_status status;
	const struct kseal_sni_set *sets;
	size_t count;

	status = add_x509(c, p, NULL, why, size);
	if (status == KSEAL_CREDENTIALS_OK && p->role == KSEAL_ROLE_CLIENT && p->certificate_count)
		status = add_anonymous(c, p, why, size);
	if (status != KSEAL_CREDENTIALS_OK || p->role == KSEAL_ROLE_CLIENT ||
	    (c->certificates.count < 2 && !p->sni_strict))
		return status;
	c->sni = kseal_sni_new(&c->certificates);
	if (!c->sni) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return KSEAL_CREDENTIALS_CERTIFICATE;
	}
	count = kseal_sni_sets(c->sni, &sets);
	for (size_t i = 0; i < count && status == KSEAL_CREDENTIALS_OK; i++)
		status = add_x509(c, p, &sets[i], why, size);
	return status;
}

/* An intermediate CA that a peer need not show: that of a certificate of ours. */
static bool has_trusted_ca(const struct kseal_chain *chain, unsigned int index,
			   gnutls_x509_trust_list_t trusted)
{
	unsigned int status;

	return gnutls_x509_crt_get_ca_status(chain->list[index], NULL) > 0 &&
	       gnutls_x509_trust_list_verify_crt(trusted, &chain->list[index],
						 chain->count - index, 0, &status, NULL) == 0 &&
	       status == 0;
}

static enum kseal_credentials_status check_crls(struct kseal_credentials *c, char *why, size_t size)
{
	gnutls_x509_trust_list_t trusted;

	gnutls_certificate_get_trust_list(c->x509[0], &trusted);
	for (size_t i = 0; c->revocations.count && i < c->certificates.count; i++) {
		const struct kseal_chain *chain = &c->certificates.list[i].chain;

		for (unsigned int j = 1; j < chain->count; j++) {
			if (has_trusted_ca(chain, j, trusted))
				kseal_revocations_know(&c->revocations, chain->list[j]);
		}
	}
	return kseal_revocations_check(&c->revocations, why, size) < 0 ? KSEAL_CREDENTIALS_CRL :
									  KSEAL_CREDENTIALS_OK;
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

	if (!c) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return status;
	}
	if (kseal_priority_init(&c->priority, profile, why, size) < 0)
		status = KSEAL_CREDENTIALS_PRIORITY;
	else
		status = kseal_certificates_load(&c->certificates, profile, why, size);
	if (status == KSEAL_CREDENTIALS_OK)
		status = load_sets(c, profile, why, size);
	if (status == KSEAL_CREDENTIALS_OK)
		status = check_crls(c, why, size);
	if (status == KSEAL_CREDENTIALS_OK && profile->role == KSEAL_ROLE_SERVER &&
	    kseal_tickets_load(&c->tickets, profile, why, size) < 0)
		status = KSEAL_CREDENTIALS_TICKET_KEYS;
	if (status != KSEAL_CREDENTIALS_OK)
		goto fail;
	if (profile->legacy)
		kseal_log(KSEAL_LOG_WARNING,
			  "%s \"%s\" is legacy: TLS 1.2 sessions may be without forward secrecy, and be read later by who gets the key",
			  profile->role == KSEAL_ROLE_CLIENT ? "client" : "profile",
			  profile->name);
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
	for (size_t i = 0; i < c->x509_count; i++)
		gnutls_certificate_free_credentials(c->x509[i]);
	free(c->x509);
	if (c->anonymous)
		gnutls_certificate_free_credentials(c->anonymous);
	kseal_sni_free(c->sni);
	kseal_certificates_free(&c->certificates);
	kseal_revocations_free(&c->revocations);
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
	if (profile->role == KSEAL_ROLE_SERVER)
		flags = GNUTLS_ALPN_SERVER_PRECEDENCE;
	/* RFC 7301 section 3.2: no protocol in common is a fatal alert. */
	if (profile->alpn_mode != KSEAL_ALPN_OPTIONAL)
		flags |= GNUTLS_ALPN_MANDATORY;
	return gnutls_alpn_set_protocols(session, alpn, profile->alpn_count, flags);
}

/**
 * kseal_credentials_usable() - has this kernel any of the ciphers?
 * @c: loaded
 *
 * Context: any thread.
 * Return: whether it has.
 */
bool kseal_credentials_usable(const struct kseal_credentials *c)
{
	return kseal_priority_usable(&c->priority);
}

/**
 * kseal_credentials_revocations() - what is to be asked of revocation lists
 * @c: loaded
 *
 * Context: any thread.
 * Return: for kseal_revocations_current() and its like, valid as long as @c.
 */
const struct kseal_revocations *kseal_credentials_revocations(const struct kseal_credentials *c)
{
	return &c->revocations;
}

/**
 * kseal_credentials_apply() - set a session up as its profile says
 * @c: of @profile; must outlive @session
 * @profile: role, client authentication, ALPN
 * @conn: for whom
 * @session: not yet handshaken
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_credentials_apply(struct kseal_credentials *c,
			    const struct kseal_profile *profile,
			    const struct kseal_connection *conn, gnutls_session_t session)
{
	int ret;

	ret = kseal_priority_set(&c->priority, session);
	if (ret < 0)
		return ret;
	ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
				     conn->anonymous && c->anonymous ? c->anonymous : c->x509[0]);
	if (ret < 0)
		return ret;
	ret = set_alpn(profile, session);
	if (ret == 0 && profile->record_size)
		ret = gnutls_record_set_max_recv_size(session, profile->record_size);
	if (ret < 0 || profile->role == KSEAL_ROLE_CLIENT)
		return ret;

	if (profile->client_auth == KSEAL_CLIENT_AUTH_REQUIRE)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	else if (profile->client_auth == KSEAL_CLIENT_AUTH_REQUEST)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	return conn->kernel ? 0 : kseal_tickets_apply(c->tickets, session);
}

/**
 * kseal_credentials_choose() - have a session show the certificate for a name
 * @c: of @profile; must outlive @session
 * @profile: of a server
 * @session: the ClientHello has come
 * @name: that the client asks for, empty for none
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_credentials_choose(const struct kseal_credentials *c,
			     const struct kseal_profile *profile,
			     gnutls_session_t session, const char *name)
{
	size_t set;

	if (!c->sni)
		return 0;
	if (kseal_sni_find(c->sni, name, &set) < 0)
		return profile->sni_strict ? GNUTLS_E_UNRECOGNIZED_NAME : 0;
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->x509[1 + set]);
}
