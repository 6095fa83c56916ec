// SPDX-License-Identifier: GPL-2.0
/* tunnel.h with OpenSSL. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tunnel.h"

static struct ssl_st *tls;

static void die(const char *what)
{
	ERR_print_errors_fp(stderr);
	tunnel_die("OpenSSL: %s", what);
}

void tls_open(int fd, const char *name, const char *ca, const char *suite)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (!SSL_CTX_load_verify_locations(ctx, ca, NULL) ||
	    !SSL_CTX_set_ciphersuites(ctx, suite))
		die("settings");
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	tls = SSL_new(ctx);
	SSL_set_tlsext_host_name(tls, name);
	SSL_set1_host(tls, name);
	SSL_set_fd(tls, fd);
	if (SSL_connect(tls) != 1)
		die("handshake");
}

void tls_update(bool request)
{
	if (!SSL_key_update(tls, request ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED))
		die("KeyUpdate");
}

void tls_write(const char *data, size_t len)
{
	if (SSL_write(tls, data, len) != (int)len)
		die("write");
}

ssize_t tls_read(char *data, size_t len)
{
	int n = SSL_read(tls, data, len);

	if (n > 0)
		return n;
	switch (SSL_get_error(tls, n)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:	/* it was a message and no data */
		return -1;
	}
	die("read");
	return -1;
}

bool tls_pending(void)
{
	return SSL_pending(tls);
}

void tls_end(void)
{
	SSL_shutdown(tls);
}
