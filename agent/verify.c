// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the peer is who it should be. Called by session.c, in a full handshake
 * when the certificate has come and once more at the end of every handshake: what a
 * ticket remembers may have expired or been revoked since.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pem.h"
#include "revocation.h"
#include "rules.h"
#include "verify.h"

/* Seconds: GnuTLS's, of responses that do not say how long they are good. */
#define RESPONSE_LIFE	(15 * 24 * 3600)

static int refuse(struct kseal_verdict *v, gnutls_alert_description_t alert, int error,
		  const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(struct kseal_verdict *v, gnutls_alert_description_t alert, int error,
		  const char *fmt, ...)
{
	va_list ap;

	v->alert = alert;
	va_start(ap, fmt);
	vsnprintf(v->reason, sizeof(v->reason), fmt, ap);
	va_end(ap);
	return error;
}

/**
 * kseal_expect_server() - the server that a name, or an address, is of
 * @e: @name, @host and @ip are filled in
 * @name: a host name, a final dot does not count; or the text of an IP address
 *
 * Return: 0, or -1 if no certificate can be valid for such a name.
 */
int kseal_expect_server(struct kseal_expected *e, const char *name)
{
	size_t len = strlen(name);

	e->host = false;
	if (!len || len >= sizeof(e->name))
		return -1;
	memcpy(e->name, name, len + 1);
	e->ip_size = inet_pton(AF_INET, name, e->ip) == 1 ? 4 : 0;
	if (!e->ip_size)
		e->ip_size = inet_pton(AF_INET6, name, e->ip) == 1 ? 16 : 0;
	if (e->ip_size)
		return 0;

	if (e->name[len - 1] == '.')
		e->name[--len] = '\0';
	for (const char *p = e->name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return -1;
	}
	e->host = len > 0;
	return len ? 0 : -1;
}

static gnutls_alert_description_t alert_of(unsigned int status)
{
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return GNUTLS_A_UNKNOWN_CA;
	if (status & GNUTLS_CERT_REVOKED)
		return GNUTLS_A_CERTIFICATE_REVOKED;
	if (status & GNUTLS_CERT_EXPIRED)
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	return GNUTLS_A_BAD_CERTIFICATE;
}

/* "client certificate", "certificate for example.test": how a reason begins. */
static const char *subject_of(const struct kseal_expected *e, char *to, size_t size)
{
	if (e->role == KSEAL_ROLE_CLIENT)
		snprintf(to, size, "certificate for %.80s", e->name);
	else
		snprintf(to, size, "client certificate");
	return to;
}

/*
 * RFC 9525 section 6.3: a name is one of the alternative names; GnuTLS would take the
 * common name of a certificate that has none.
 */
static bool has_dns_name(const gnutls_datum_t *der)
{
	unsigned int type, critical;
	gnutls_subject_alt_names_t names = NULL;
	gnutls_datum_t ext = { NULL, 0 }, value;
	gnutls_x509_crt_t crt;
	bool found = false;

	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_extension_by_oid2(crt, GNUTLS_X509EXT_OID_SAN, 0, &ext,
						  &critical) == 0 &&
	    gnutls_subject_alt_names_init(&names) == 0 &&
	    gnutls_x509_ext_import_subject_alt_names(&ext, names, 0) == 0) {
		for (unsigned int i = 0; !found &&
		     gnutls_subject_alt_names_get(names, i, &type, &value, NULL) == 0; i++)
			found = type == GNUTLS_SAN_DNSNAME;
	}
	if (names)
		gnutls_subject_alt_names_deinit(names);
	gnutls_free(ext.data);
	gnutls_x509_crt_deinit(crt);
	return found;
}

static int say_untrusted(const struct kseal_expected *e, unsigned int status,
			 struct kseal_verdict *v)
{
	char subject[128];
	gnutls_datum_t text;
	int ret, len;

	subject_of(e, subject, sizeof(subject));
	ret = gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	if (ret < 0)
		return refuse(v, alert_of(status), GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: not trusted", subject);
	/* the text ends in a blank */
	for (len = text.size; len > 0 && text.data[len - 1] <= ' '; len--)
		;
	ret = refuse(v, alert_of(status), GNUTLS_E_CERTIFICATE_ERROR, "%s: %.*s", subject, len,
		     text.data);
	gnutls_free(text.data);
	return ret;
}

/**
 * kseal_verify() - is the peer's certificate good, and of whom it should be?
 * @tls: the certificate has come, or is remembered
 * @e: whom it should be of
 * @verdict: filled in if not
 *
 * Chain, dates, revocation, purpose; a server's name or address; the profile's rules.
 *
 * Return: 0 or a GnuTLS error.
 */
int kseal_verify(gnutls_session_t tls, const struct kseal_expected *e,
		 struct kseal_verdict *verdict)
{
	bool client = e->role == KSEAL_ROLE_CLIENT;
	gnutls_typed_vdata_st data[2] = {
		{
			.type = GNUTLS_DT_KEY_PURPOSE_OID,
			.data = (unsigned char *)(client ? GNUTLS_KP_TLS_WWW_SERVER :
							   GNUTLS_KP_TLS_WWW_CLIENT),
		},
		{
			.type = e->host ? GNUTLS_DT_DNS_HOSTNAME : GNUTLS_DT_IP_ADDRESS,
			.data = (unsigned char *)(e->host ? (void *)e->name : (void *)e->ip),
			.size = e->host ? 0 : e->ip_size,
		},
	};
	const gnutls_datum_t *certs;
	unsigned int status, count;
	char subject[128], date[64];
	const char *list;
	time_t end;
	int ret;

	subject_of(e, subject, sizeof(subject));
	certs = gnutls_certificate_get_peers(tls, &count);
	if (!certs || !count) {
		if (!e->required)
			return 0;
		return refuse(verdict, GNUTLS_A_CERTIFICATE_REQUIRED,
			      GNUTLS_E_NO_CERTIFICATE_FOUND, "the %s has no certificate",
			      client ? "server" : "client");
	}
	/* Nothing to compare with would be taken for anything. */
	if (client && !e->host && !e->ip_size)
		return refuse(verdict, GNUTLS_A_BAD_CERTIFICATE, GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: the server has neither a name nor an address", subject);

	ret = gnutls_certificate_verify_peers(tls, data, client ? 2 : 1, &status);
	if (ret < 0)
		return refuse(verdict, GNUTLS_A_BAD_CERTIFICATE, GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: %s", subject, gnutls_strerror(ret));
	if (status)
		return say_untrusted(e, status, verdict);
	if (!kseal_revocations_current(e->revocations, certs, count, &end)) {
		kseal_time_format(end, date, sizeof(date));
		return refuse(verdict, GNUTLS_A_CERTIFICATE_UNKNOWN, GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: the revocation list of its CA expired on %s: fetch the newest and reload",
			      subject, date);
	}
	if (!kseal_revocations_signed(e->revocations, certs, count, &list))
		return refuse(verdict, GNUTLS_A_CERTIFICATE_UNKNOWN, GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: %s, which has not signed it: fetch it anew and reload",
			      subject, list);
	if (client && e->host && !has_dns_name(&certs[0]))
		return refuse(verdict, GNUTLS_A_BAD_CERTIFICATE, GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: it has no subject alternative name", subject);
	if (!kseal_rules_allow(e->rules, e->rule_count, &certs[0]))
		return refuse(verdict, GNUTLS_A_ACCESS_DENIED, GNUTLS_E_CERTIFICATE_ERROR,
			      "%s: good, but no rule of allow matches it", subject);
	return 0;
}

static time_t end_of_certificate(const gnutls_datum_t *der)
{
	time_t end = -1;
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return end;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0)
		end = gnutls_x509_crt_get_expiration_time(crt);
	gnutls_x509_crt_deinit(crt);
	return end;
}

static time_t end_of_response(const gnutls_datum_t *der)
{
	time_t begin, end = -1;
	gnutls_ocsp_resp_t resp;

	if (gnutls_ocsp_resp_init(&resp) < 0)
		return end;
	if (gnutls_ocsp_resp_import(resp, der) == 0 &&
	    gnutls_ocsp_resp_get_single(resp, 0, NULL, NULL, NULL, NULL, NULL, &begin, &end,
					NULL, NULL) == 0 && end == -1)
		end = begin + RESPONSE_LIFE;
	gnutls_ocsp_resp_deinit(resp);
	return end;
}

/* What is over already was not needed to verify the rest. */
static time_t earlier(time_t until, time_t end, time_t now)
{
	return end > now && end < until ? end : until;
}

/**
 * kseal_verify_until() - how long what a peer has shown can be verified
 * @tls: the peer has been verified
 *
 * A session that remembers it is refused afterwards, and the connection with it: there is
 * no way back to a full handshake.
 *
 * Return: the earliest end of its certificates and of the OCSP responses to them, a
 * fortnight from now at the latest.
 */
time_t kseal_verify_until(gnutls_session_t tls)
{
	time_t now = time(NULL), until = now + RESPONSE_LIFE;
	const gnutls_datum_t *certs;
	gnutls_datum_t response;
	unsigned int count = 0;

	certs = gnutls_certificate_get_peers(tls, &count);
	for (unsigned int i = 0; certs && i < count; i++) {
		until = earlier(until, end_of_certificate(&certs[i]), now);
		if (gnutls_ocsp_status_request_get2(tls, i, &response) == 0)
			until = earlier(until, end_of_response(&response), now);
	}
	return until;
}
