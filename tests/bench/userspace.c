// SPDX-License-Identifier: GPL-2.0
/*
 * The transports whose record layer is a library: OpenSSL and GnuTLS, with their
 * defaults, authenticated by a certificate that is made at start. Called by
 * measure.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static struct evp_pkey_st *key;
static struct x509_st *certificate;
static SSL_CTX *contexts[2];	/* client, server */
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priorities;

static void make_certificate(void)
{
	X509_NAME *name;

	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	if (!key || !certificate)
		die("libcrypto can't make a key");
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"bench", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	if (!X509_sign(certificate, key, EVP_sha256()))
		die("libcrypto can't make a certificate");
}

static void openssl_init(void)
{
	int version = options.tls13 ? TLS1_3_VERSION : TLS1_2_VERSION, i;
	bool big = options.key_bits == 256;

	for (i = 0; i < 2; i++) {
		SSL_CTX *ctx = SSL_CTX_new(i ? TLS_server_method() : TLS_client_method());

		if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) ||
		    !SSL_CTX_set_max_proto_version(ctx, version) ||
		    !SSL_CTX_set_ciphersuites(ctx, big ? "TLS_AES_256_GCM_SHA384" :
					      "TLS_AES_128_GCM_SHA256") ||
		    !SSL_CTX_set_cipher_list(ctx, big ? "ECDHE-ECDSA-AES256-GCM-SHA384" :
					     "ECDHE-ECDSA-AES128-GCM-SHA256") ||
		    !SSL_CTX_set_num_tickets(ctx, 0))
			die("OpenSSL can't be set up");
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		if (i && (!SSL_CTX_use_certificate(ctx, certificate) ||
			  !SSL_CTX_use_PrivateKey(ctx, key)))
			die("OpenSSL refuses the certificate");
		contexts[i] = ctx;
	}
}

static void gnutls_init_all(void)
{
	gnutls_datum_t c = {}, k = {};
	char text[128];

	c.size = i2d_X509(certificate, &c.data);
	k.size = i2d_PrivateKey(key, &k.data);
	snprintf(text, sizeof(text), "NORMAL:-VERS-ALL:+VERS-TLS1.%d:-CIPHER-ALL:+AES-%d-GCM",
		 options.tls13 ? 3 : 2, options.key_bits);
	if (gnutls_certificate_allocate_credentials(&credentials) ||
	    gnutls_certificate_set_x509_key_mem(credentials, &c, &k, GNUTLS_X509_FMT_DER) ||
	    gnutls_priority_init(&priorities, text, NULL))
		die("GnuTLS can't be set up");
	OPENSSL_free(c.data);
	OPENSSL_free(k.data);
}

void userspace_init(void)
{
	make_certificate();
	openssl_init();
	gnutls_init_all();
}

static void set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/* ---- OpenSSL ---- */

static int openssl_result(SSL *ssl, int ret)
{
	switch (SSL_get_error(ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return errno ? -1 : 0;
	default:
		errno = EPROTO;
		return -1;
	}
}

static const char *openssl_open(struct end *a, struct end *b, enum ends ends)
{
	struct end *e[2] = { a, b };
	bool done[2] = {};
	int i, ret;

	(void)ends;
	for (i = 0; i < 2; i++) {
		e[i]->session = SSL_new(contexts[i]);
		if (!e[i]->session || !SSL_set_fd(e[i]->session, e[i]->fd))
			die("SSL_new failed");
		set_nonblock(e[i]->fd, true);
	}
	while (!done[0] || !done[1]) {
		for (i = 0; i < 2; i++) {
			ret = i ? SSL_accept(e[i]->session) : SSL_connect(e[i]->session);
			done[i] = ret == 1;
			if (!done[i] && (!openssl_result(e[i]->session, ret) || errno != EAGAIN))
				return "the handshake failed";
		}
	}
	for (i = 0; i < 2; i++)
		set_nonblock(e[i]->fd, false);
	return NULL;
}

static ssize_t openssl_send(struct end *e, const void *data, size_t len)
{
	int ret = SSL_write(e->session, data, len);

	return ret > 0 ? ret : openssl_result(e->session, ret);
}

static ssize_t openssl_recv(struct end *e, void *data, size_t len)
{
	int ret = SSL_read(e->session, data, len);

	return ret > 0 ? ret : openssl_result(e->session, ret);
}

static void openssl_capture(struct end *e, size_t record, size_t len, struct buffer *out)
{
	BIO *memory = BIO_new(BIO_s_mem());
	size_t pos, n, written;
	char *data;

	SSL_set0_wbio(e->session, memory);
	for (pos = 0; pos < len; pos += n) {
		n = len - pos < record ? len - pos : record;
		if (SSL_write(e->session, data_at(pos), n) != (int)n)
			die("SSL_write failed");
		written = BIO_get_mem_data(memory, &data);
		buffer_add(out, data, written);
		(void)BIO_reset(memory);
	}
}

static void openssl_close(struct end *e)
{
	SSL_free(e->session);
	ERR_clear_error();
}

const struct transport openssl_transport = {
	.name		= "openssl",
	.open		= openssl_open,
	.send		= openssl_send,
	.recv		= openssl_recv,
	.capture	= openssl_capture,
	.close		= openssl_close,
};

/* ---- GnuTLS ---- */

static ssize_t gnutls_result(ssize_t ret)
{
	if (ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED)
		errno = EAGAIN;
	else
		errno = EPROTO;
	return -1;
}

static const char *gnutls_open(struct end *a, struct end *b, enum ends ends)
{
	struct end *e[2] = { a, b };
	bool done[2] = {};
	int i, ret;

	(void)ends;
	for (i = 0; i < 2; i++) {
		gnutls_session_t s;

		if (gnutls_init(&s, (i ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS |
				GNUTLS_NO_SIGNAL) ||
		    gnutls_priority_set(s, priorities) ||
		    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, credentials))
			die("gnutls_init failed");
		gnutls_transport_set_int(s, e[i]->fd);
		gnutls_handshake_set_timeout(s, 0);
		e[i]->session = s;
		set_nonblock(e[i]->fd, true);
	}
	while (!done[0] || !done[1]) {
		for (i = 0; i < 2; i++) {
			ret = done[i] ? 0 : gnutls_handshake(e[i]->session);
			if (ret && gnutls_error_is_fatal(ret))
				return gnutls_strerror(ret);
			done[i] = !ret;
		}
	}
	for (i = 0; i < 2; i++)
		set_nonblock(e[i]->fd, false);
	return NULL;
}

static ssize_t gnutls_send_all(struct end *e, const void *data, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = gnutls_record_send(e->session, data + done, len - done);
		if (n <= 0)
			return gnutls_result(n);
		done += n;
	}
	return done;
}

static ssize_t gnutls_recv_some(struct end *e, void *data, size_t len)
{
	ssize_t n = gnutls_record_recv(e->session, data, len);

	return n >= 0 ? n : gnutls_result(n);
}

static ssize_t push_to_buffer(gnutls_transport_ptr_t to, const void *data, size_t len)
{
	buffer_add(to, data, len);
	return len;
}

static void gnutls_capture(struct end *e, size_t record, size_t len, struct buffer *out)
{
	size_t pos, n;

	gnutls_transport_set_ptr(e->session, out);
	gnutls_transport_set_push_function(e->session, push_to_buffer);
	for (pos = 0; pos < len; pos += n) {
		n = len - pos < record ? len - pos : record;
		if (gnutls_record_send(e->session, data_at(pos), n) != (ssize_t)n)
			die("gnutls_record_send failed");
	}
}

static void gnutls_close(struct end *e)
{
	gnutls_deinit(e->session);
}

const struct transport gnutls_transport = {
	.name		= "gnutls",
	.open		= gnutls_open,
	.send		= gnutls_send_all,
	.recv		= gnutls_recv_some,
	.capture	= gnutls_capture,
	.close		= gnutls_close,
};
