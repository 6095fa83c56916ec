// SPDX-License-Identifier: GPL-2.0
/*
 * The certificates, keys and TLS settings of a profile as GnuTLS wants them.
 * Loaded by config.c, used by session.c from every worker: read-only after the
 * load but for the tickets, which have a lock of their own.
 *
 * The settings follow RFC 9325 (BCP 195), restricted to the AEADs that the kernel
 * module seals with on this kernel: AES-GCM, and ChaCha20-Poly1305 and AES-128-CCM
 * where the kernel has them.
 */
#include <errno.h>
#include <gnutls/x509.h>
#include <linux/tls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "config.h"
#include "credentials.h"
#include "file.h"
#include "tickets.h"

#define CHAIN_MAX		16
#define EXPIRY_WARNING		(7 * 24 * 3600)		/* seconds */

/* Ciphers that not every kernel has; bits of an index into the priorities. */
#define OFFER_CHACHA20	0x1
#define OFFER_CCM	0x2
#define OFFERS		0x4

/* What this kernel has. There is one kernel, whatever the worker or the profile. */
static atomic_uint offered;

/**
 * struct kseal_credentials - see the file's head
 * @x509: certificate chain, key and trusted CAs
 * @priority: versions, cipher suites, groups, signatures; by OFFER_*
 * @tickets: what seals session tickets
 */
struct kseal_credentials {
	gnutls_certificate_credentials_t x509;
	gnutls_priority_t priority[OFFERS];
	struct kseal_tickets *tickets;
};

struct chain {
	gnutls_x509_crt_t *list;
	unsigned int count;
};

static void free_chain(struct chain *chain)
{
	for (unsigned int i = 0; i < chain->count; i++)
		gnutls_x509_crt_deinit(chain->list[i]);
	gnutls_free(chain->list);
	chain->list = NULL;
	chain->count = 0;
}

static void format_time(time_t t, char *to, size_t size)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(to, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static int check_dates(const char *path, gnutls_x509_crt_t crt, unsigned int index,
		       char *why, size_t size)
{
	time_t now = time(NULL);
	time_t begin = gnutls_x509_crt_get_activation_time(crt);
	time_t end = gnutls_x509_crt_get_expiration_time(crt);
	char date[64];

	if (end != (time_t)-1 && now > end) {
		format_time(end, date, sizeof(date));
		snprintf(why, size, "%s: certificate %u expired on %s: renew it",
			 path, index + 1, date);
		return -1;
	}
	if (begin != (time_t)-1 && now < begin) {
		format_time(begin, date, sizeof(date));
		snprintf(why, size,
			 "%s: certificate %u is not valid before %s: check the clock, or wait",
			 path, index + 1, date);
		return -1;
	}
	if (end != (time_t)-1 && end - now < EXPIRY_WARNING) {
		format_time(end, date, sizeof(date));
		kseal_log(KSEAL_LOG_WARNING, "%s: certificate %u expires on %s: renew it",
			  path, index + 1, date);
	}
	return 0;
}

static int load_certificates(const char *path, struct chain *chain, char *why, size_t size)
{
	gnutls_datum_t pem;
	mode_t mode;
	int ret;

	if (kseal_file_read(path, &pem, &mode, why, size) < 0)
		return -1;
	ret = gnutls_x509_crt_list_import2(&chain->list, &chain->count, &pem,
					   GNUTLS_X509_FMT_PEM, 0);
	kseal_file_wipe(&pem);
	if (ret == GNUTLS_E_NO_CERTIFICATE_FOUND ||
	    ret == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR || (ret >= 0 && !chain->count)) {
		snprintf(why, size,
			 "%s: holds no certificate: name a PEM file with \"BEGIN CERTIFICATE\"",
			 path);
		goto fail;
	}
	if (ret < 0) {
		snprintf(why, size, "%s: cannot be parsed: %s: write it anew as PEM", path,
			 gnutls_strerror(ret));
		goto fail;
	}
	for (unsigned int i = 0; i < chain->count; i++) {
		if (check_dates(path, chain->list[i], i, why, size) < 0)
			goto fail;
	}
	return 0;

fail:
	if (ret >= 0)
		free_chain(chain);
	chain->list = NULL;
	chain->count = 0;
	return -1;
}

/* What would fail in every client is better said at the start. */
static int check_chain(const char *path, const struct chain *chain, char *why, size_t size)
{
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
	if (!gnutls_x509_crt_check_key_purpose(leaf, GNUTLS_KP_TLS_WWW_SERVER, 0)) {
		snprintf(why, size,
			 "%s: its extended key usage lacks serverAuth: issue one for a TLS server",
			 path);
		return -1;
	}
	return 0;
}

static int load_key(const char *path, gnutls_x509_privkey_t *key, char *why, size_t size)
{
	gnutls_datum_t pem;
	mode_t mode;
	int ret;

	if (kseal_file_read(path, &pem, &mode, why, size) < 0)
		return -1;
	if (strstr((char *)pem.data, "BEGIN ENCRYPTED PRIVATE KEY") ||
	    strstr((char *)pem.data, "Proc-Type: 4,ENCRYPTED")) {
		snprintf(why, size,
			 "%s: the key is protected by a passphrase: store it without (openssl pkey -in OLD -out NEW, mode 600)",
			 path);
		kseal_file_wipe(&pem);
		return -1;
	}
	gnutls_x509_privkey_init(key);
	ret = gnutls_x509_privkey_import2(*key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	kseal_file_wipe(&pem);
	if (ret < 0) {
		snprintf(why, size,
			 "%s: holds no usable private key (%s): name a PEM file with \"BEGIN PRIVATE KEY\"",
			 path, gnutls_strerror(ret));
		goto fail;
	}
	if (mode & S_IROTH)
		kseal_log(KSEAL_LOG_WARNING, "%s: every user can read this key: chmod o-r %s",
			  path, path);
	switch (gnutls_x509_privkey_get_pk_algorithm(*key)) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
	case GNUTLS_PK_ECDSA:
	case GNUTLS_PK_EDDSA_ED25519:
		return 0;
	default:
		snprintf(why, size, "%s: a %s key does not serve TLS: use ECDSA, Ed25519 or RSA",
			 path, gnutls_pk_get_name(gnutls_x509_privkey_get_pk_algorithm(*key)));
	}
fail:
	gnutls_x509_privkey_deinit(*key);
	*key = NULL;
	return -1;
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
	struct chain chain = { NULL, 0 };
	int ret;

	if (load_certificates(p->certificate, &chain, why, size) < 0 ||
	    check_chain(p->certificate, &chain, why, size) < 0)
		goto out;

	status = KSEAL_CREDENTIALS_KEY;
	if (load_key(p->key, &key, why, size) < 0)
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
	free_chain(&chain);
	return status;
}

static enum kseal_credentials_status load_client_ca(struct kseal_credentials *c,
						    const struct kseal_profile *p,
						    char *why, size_t size)
{
	enum kseal_credentials_status status = KSEAL_CREDENTIALS_CLIENT_CA;
	struct chain cas = { NULL, 0 };
	int ret;

	if (!p->client_ca)
		return KSEAL_CREDENTIALS_OK;
	if (load_certificates(p->client_ca, &cas, why, size) < 0)
		return status;
	for (unsigned int i = 0; i < cas.count; i++) {
		if (gnutls_x509_crt_get_ca_status(cas.list[i], NULL) <= 0) {
			snprintf(why, size,
				 "%s: certificate %u is not of a CA: name the issuer of the clients' certificates",
				 p->client_ca, i + 1);
			goto out;
		}
	}
	ret = gnutls_certificate_set_x509_trust(c->x509, cas.list, cas.count);
	if (ret < 0) {
		snprintf(why, size, "%s: %s", p->client_ca, gnutls_strerror(ret));
		goto out;
	}
	status = KSEAL_CREDENTIALS_OK;
out:
	free_chain(&cas);
	return status;
}

/*
 * RFC 9325: no version before 1.2, (EC)DHE only, AEAD only, no SHA-1 signatures,
 * curves of 4.2.1. GnuTLS servers never renegotiate by themselves, and after the
 * handshake the kernel answers a ClientHello with an alert.
 */
static int set_priority(gnutls_priority_t *priority, unsigned int versions,
			unsigned int offer)
{
	char text[768];

	snprintf(text, sizeof(text), "NONE%s%s"
		 ":+AES-128-GCM:+AES-256-GCM%s%s:+AEAD"
		 ":+ECDHE-ECDSA:+ECDHE-RSA"
		 ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
		 ":+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512"
		 ":+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SECP521R1-SHA512"
		 ":+SIGN-EDDSA-ED25519"
		 ":+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512"
		 ":+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-PSS-SHA512"
		 ":+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512"
		 ":+COMP-NULL:+CTYPE-X509:%%PROFILE_MEDIUM:%%SERVER_PRECEDENCE",
		 versions & KSEAL_VERSION_1_3 ? ":+VERS-TLS1.3" : "",
		 versions & KSEAL_VERSION_1_2 ? ":+VERS-TLS1.2" : "",
		 offer & OFFER_CHACHA20 ? ":+CHACHA20-POLY1305" : "",
		 offer & OFFER_CCM ? ":+AES-128-CCM" : "");
	return gnutls_priority_init(priority, text, NULL);
}

static int set_priorities(struct kseal_credentials *c, unsigned int versions)
{
	int ret = 0;

	for (unsigned int i = 0; i < OFFERS && ret == 0; i++)
		ret = set_priority(&c->priority[i], versions, i);
	return ret;
}

/**
 * kseal_credentials_offer() - say what the kernel can seal with
 * @ciphers: TLS_CIPHER_* of <linux/tls.h>; AES-GCM is taken for granted
 * @count: how many
 *
 * For all handshakes that begin from now on. Until it has been called, only AES-GCM
 * is offered.
 *
 * Context: any thread.
 */
void kseal_credentials_offer(const uint16_t *ciphers, size_t count)
{
	unsigned int offer = 0;

	for (size_t i = 0; i < count; i++) {
		if (ciphers[i] == TLS_CIPHER_CHACHA20_POLY1305)
			offer |= OFFER_CHACHA20;
		else if (ciphers[i] == TLS_CIPHER_AES_CCM_128)
			offer |= OFFER_CCM;
	}
	atomic_store(&offered, offer);
}

/**
 * kseal_credentials_load() - read the files that a profile names
 * @result: the credentials, on success
 * @profile: its files and versions are set
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
		ret = set_priorities(c, profile->versions);
	if (ret < 0) {
		snprintf(why, size, "%s: the TLS library refuses: %s", profile->certificate,
			 gnutls_strerror(ret));
		goto fail;
	}

	status = load_identity(c, profile, why, size);
	if (status == KSEAL_CREDENTIALS_OK)
		status = load_client_ca(c, profile, why, size);
	if (status == KSEAL_CREDENTIALS_OK &&
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
	for (unsigned int i = 0; i < OFFERS; i++) {
		if (c->priority[i])
			gnutls_priority_deinit(c->priority[i]);
	}
	if (c->x509)
		gnutls_certificate_free_credentials(c->x509);
	free(c);
}

/**
 * kseal_credentials_apply() - set a server session up as its profile says
 * @c: of @profile; must outlive @session
 * @profile: client authentication, ALPN
 * @session: not yet handshaken
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_credentials_apply(struct kseal_credentials *c,
			    const struct kseal_profile *profile,
			    gnutls_session_t session)
{
	gnutls_datum_t alpn[KSEAL_ALPN_PROTOCOLS];
	int ret;

	ret = gnutls_priority_set(session, c->priority[atomic_load(&offered)]);
	if (ret < 0)
		return ret;
	ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->x509);
	if (ret < 0)
		return ret;

	if (profile->client_auth == KSEAL_CLIENT_AUTH_REQUIRE)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	else if (profile->client_auth == KSEAL_CLIENT_AUTH_REQUEST)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);

	for (size_t i = 0; i < profile->alpn_count; i++) {
		alpn[i].data = (unsigned char *)profile->alpn[i];
		alpn[i].size = strlen(profile->alpn[i]);
	}
	/* RFC 7301 section 3.2: no protocol in common is a fatal alert. */
	if (profile->alpn_count) {
		ret = gnutls_alpn_set_protocols(session, alpn, profile->alpn_count,
						GNUTLS_ALPN_MANDATORY |
						GNUTLS_ALPN_SERVER_PRECEDENCE);
		if (ret < 0)
			return ret;
	}

	return kseal_tickets_apply(c->tickets, session);
}
