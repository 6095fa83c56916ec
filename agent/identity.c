// SPDX-License-Identifier: GPL-2.0
/*
 * Who the verified peer is. Called by session.c after verification.
 *
 * Applications will decide by these strings, so a name must not be able to look
 * like two: in names, a comma, a backslash and everything that is no printable
 * ASCII becomes \HH (two hex digits). A name that does not fit is left out whole.
 */
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "log.h"

#define NAME_MAX_BYTES	1024

static int escape(char *to, size_t size, const unsigned char *from, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = from[i];
		bool plain = c >= ' ' && c < 0x7f && c != ',' && c != '\\';

		if (used + (plain ? 1 : 3) >= size)
			return -1;
		if (plain)
			to[used++] = c;
		else
			used += snprintf(to + used, size - used, "\\%02X", c);
	}
	to[used] = '\0';
	return 0;
}

static int format_name(char *to, size_t size, unsigned int type,
		       const unsigned char *value, size_t len)
{
	char text[KSEAL_IDENTITY_MAX];
	const char *kind;

	switch (type) {
	case GNUTLS_SAN_DNSNAME:
		kind = "DNS";
		break;
	case GNUTLS_SAN_RFC822NAME:
		kind = "email";
		break;
	case GNUTLS_SAN_URI:
		kind = "URI";
		break;
	case GNUTLS_SAN_IPADDRESS:
		if (!inet_ntop(len == 4 ? AF_INET : AF_INET6, value, text, sizeof(text)) ||
		    (len != 4 && len != 16))
			return -1;
		return snprintf(to, size, "IP:%s", text) < (int)size ? 0 : -1;
	default:
		return -1;
	}
	if (escape(text, sizeof(text), value, len) < 0)
		return -1;
	return snprintf(to, size, "%s:%s", kind, text) < (int)size ? 0 : -1;
}

static void read_names(struct kseal_identity *id, gnutls_x509_crt_t crt)
{
	unsigned char value[NAME_MAX_BYTES];
	char name[KSEAL_IDENTITY_MAX];
	unsigned int type, omitted = 0;
	size_t used = 0, len;
	int ret;

	for (unsigned int i = 0;; i++) {
		len = sizeof(value);
		ret = gnutls_x509_crt_get_subject_alt_name2(crt, i, value, &len, &type, NULL);
		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (ret == GNUTLS_E_SHORT_MEMORY_BUFFER) {
			omitted++;
			continue;
		}
		if (ret < 0)
			break;
		if (format_name(name, sizeof(name), type, value, len) < 0 ||
		    used + strlen(name) + 2 >= sizeof(id->names)) {
			omitted++;
			continue;
		}
		used += snprintf(id->names + used, sizeof(id->names) - used, "%s%s",
				 used ? ", " : "", name);
	}
	if (omitted)
		kseal_log(KSEAL_LOG_DEBUG,
			  "%u names of a client certificate are not passed on: too long or of another kind",
			  omitted);
}

static void read_subject(struct kseal_identity *id, gnutls_x509_crt_t crt)
{
	gnutls_datum_t dn;

	if (gnutls_x509_crt_get_dn3(crt, &dn, 0) < 0)
		return;
	if (dn.size < sizeof(id->subject) && !memchr(dn.data, '\0', dn.size))
		memcpy(id->subject, dn.data, dn.size);
	gnutls_free(dn.data);
}

/**
 * kseal_identity_read() - read the names of a certificate
 * @id: filled in
 * @der: the peer's certificate, verified
 *
 * Return: 0 or a GnuTLS error.
 */
int kseal_identity_read(struct kseal_identity *id, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	int ret;

	memset(id, 0, sizeof(*id));
	ret = gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, id->fingerprint);
	if (ret < 0)
		return ret;
	ret = gnutls_x509_crt_init(&crt);
	if (ret < 0)
		return ret;
	ret = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
	if (ret == 0) {
		read_subject(id, crt);
		read_names(id, crt);
		id->present = true;
	}
	gnutls_x509_crt_deinit(crt);
	return ret;
}
