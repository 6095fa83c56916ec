// SPDX-License-Identifier: GPL-2.0
/* tunnel.h with GnuTLS. */
#include <gnutls/gnutls.h>
#include <string.h>

#include "tunnel.h"

static gnutls_session_t tls;

static void check(int error, const char *what)
{
	if (error < 0)
		tunnel_die("GnuTLS: %s: %s", what, gnutls_strerror(error));
}

void tls_open(int fd, const char *name, const char *ca, const char *suite)
{
	gnutls_certificate_credentials_t cred;
	int ret;

	gnutls_certificate_allocate_credentials(&cred);
	check(gnutls_certificate_set_x509_trust_file(cred, ca, GNUTLS_X509_FMT_PEM), ca);
	gnutls_init(&tls, GNUTLS_CLIENT);
	check(gnutls_priority_set_direct(tls, suite, NULL), suite);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_server_name_set(tls, GNUTLS_NAME_DNS, name, strlen(name));
	gnutls_session_set_verify_cert(tls, name, 0);
	gnutls_transport_set_int(tls, fd);
	do {
		ret = gnutls_handshake(tls);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	check(ret, "handshake");
}

void tls_update(bool request)
{
	check(gnutls_session_key_update(tls, request ? GNUTLS_KU_PEER : 0), "KeyUpdate");
}

void tls_write(const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = gnutls_record_send(tls, data, len);
		check(n, "send");
	}
}

ssize_t tls_read(char *data, size_t len)
{
	ssize_t n = gnutls_record_recv(tls, data, len);

	if (n < 0 && !gnutls_error_is_fatal(n))	/* it was a message and no data */
		return -1;
	check(n, "recv");
	return n;
}

bool tls_pending(void)
{
	return gnutls_record_check_pending(tls);
}

void tls_end(void)
{
	gnutls_bye(tls, GNUTLS_SHUT_WR);
}
