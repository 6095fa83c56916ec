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
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "log.h"

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
		if ((len != 4 && len != 16) ||
		    !inet_ntop(len == 4 ? AF_INET : AF_INET6, value, text, sizeof(text)))
			return -1;
		return snprintf(to, size, "IP:%s", text) < (int)size ? 0 : -1;
	default:
		return -1;
	}
	if (escape(text, sizeof(text), value, len) < 0)
		return -1;
	return snprintf(to, size, "%s:%s", kind, text) < (int)size ? 0 : -1;
}

static void add_name(struct kseal_identity *id, unsigned int type,
		     const gnutls_datum_t *value, unsigned int *omitted)
{
	char name[KSEAL_IDENTITY_MAX];
	size_t used = strlen(id->names), room = sizeof(id->names) - used;

	if (format_name(name, sizeof(name), type, value->data, value->size) == 0 &&
	    snprintf(id->names + used, room, "%s%s", used ? ", " : "", name) < (int)room)
		return;
	id->names[used] = '\0';
	++*omitted;
}

/*
 * From the extension itself: gnutls_x509_crt_get_subject_alt_name() ends a name at
 * its first zero byte, and "good.test\0.evil.test" would be good.test.
 */
static void read_names(struct kseal_identity *id, gnutls_x509_crt_t crt)
{
	unsigned int type, critical, omitted = 0;
	gnutls_subject_alt_names_t names = NULL;
	gnutls_datum_t ext, value;

	if (gnutls_x509_crt_get_extension_by_oid2(crt, GNUTLS_X509EXT_OID_SAN, 0, &ext,
						  &critical) < 0)
		return;
	if (gnutls_subject_alt_names_init(&names) < 0)
		goto out;
	if (gnutls_x509_ext_import_subject_alt_names(&ext, names, 0) == 0) {
		for (unsigned int i = 0;
		     gnutls_subject_alt_names_get(names, i, &type, &value, NULL) == 0; i++)
			add_name(id, type, &value, &omitted);
	}
	gnutls_subject_alt_names_deinit(names);
	if (omitted)
		kseal_log(KSEAL_LOG_DEBUG,
			  "%u names of a certificate are not passed on: too long or of another kind",
			  omitted);
out:
	gnutls_free(ext.data);
}

static void read_subject(struct kseal_identity *id, gnutls_x509_crt_t crt)
{
	size_t size = sizeof(id->common_name);
	gnutls_datum_t dn;

	/* The size is that of the text, with what bytes there are: none may be zero. */
	if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
					  id->common_name, &size) < 0 ||
	    size >= sizeof(id->common_name) || memchr(id->common_name, '\0', size))
		id->common_name[0] = '\0';

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
