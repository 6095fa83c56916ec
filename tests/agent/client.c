// SPDX-License-Identifier: GPL-2.0
/*
 * A TLS client in a thread, for the agent's unit tests. It holds back all output
 * until it waits for input, so that what it sends in a row arrives in a row.
 */
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

static void client_flush(struct client *c)
{
	size_t done = 0;

	while (done < c->out_len) {
		ssize_t n = send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		done += n;
	}
	c->out_len = 0;
}

/* Everything is held back until the client waits for something. */
static ssize_t client_push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct client *c = ptr;

	if (c->out_len + len > sizeof(c->out))
		client_flush(c);
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return len;
}

static ssize_t client_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct client *c = ptr;

	client_flush(c);
	if (c->slow_read) {
		usleep(2000);
		if (len > 500)
			len = 500;
	}
	return recv(c->fd, data, len, 0);
}

static void client_talk(struct client *c, gnutls_session_t tls)
{
	const char line[] = "line of the client";
	int ret;

	if (c->after == AFTER_UPDATE)
		CHECK(gnutls_session_key_update(tls, 0) == 0);
	gnutls_record_send(tls, line, sizeof(line));
	do {
		ret = gnutls_record_recv(tls, c->answer, sizeof(c->answer) - 1);
	} while (ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED);
	if (ret < 0)
		c->error = ret;
	if (c->keep)
		gnutls_session_get_data2(tls, c->keep);
}

static void look_at_server(struct client *c, gnutls_session_t tls)
{
	const gnutls_datum_t *der;
	char name[256] = "";
	size_t size = sizeof(name);
	gnutls_x509_crt_t crt;
	unsigned int n;

	c->stapled = gnutls_ocsp_status_request_is_checked(tls, GNUTLS_OCSP_SR_IS_AVAIL);
	der = gnutls_certificate_get_peers(tls, &n);
	if (!der)
		return;
	gnutls_x509_crt_init(&crt);
	CHECK(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0);
	gnutls_x509_crt_get_subject_alt_name(crt, 0, name, &size, NULL);
	snprintf(c->shown, sizeof(c->shown), "%s %s", name,
		 gnutls_pk_get_name(gnutls_x509_crt_get_pk_algorithm(crt, NULL)));
	gnutls_x509_crt_deinit(crt);
}

/* Also of an origin: what the agent announces. */
int note_limit(gnutls_session_t tls, unsigned int type, unsigned int when,
	       unsigned int incoming, const gnutls_datum_t *msg)
{
	(void)when;
	return incoming ? kseal_record_limit_read(gnutls_session_get_ptr(tls), type, msg) : 0;
}

static void *client_run(void *data)
{
	gnutls_certificate_credentials_t cred;
	struct client *c = data;
	gnutls_session_t tls;
	char cert[512], key[512];

	gnutls_certificate_allocate_credentials(&cred);
	if (c->cert) {
		snprintf(cert, sizeof(cert), "%s/%s.pem", test_directory, c->cert);
		snprintf(key, sizeof(key), "%s/%s.key", test_directory, c->cert);
		CHECK(gnutls_certificate_set_x509_key_file(cred, cert, key,
							   GNUTLS_X509_FMT_PEM) == 0);
	}
	gnutls_init(&tls, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
	CHECK(gnutls_priority_set_direct(tls, c->priority, NULL) == 0, "%s", c->priority);
	if (c->record_size)
		CHECK(gnutls_record_set_max_recv_size(tls, c->record_size) == 0);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, cred);
	if (c->name)
		gnutls_server_name_set(tls, GNUTLS_NAME_DNS, c->name, strlen(c->name));
	if (c->alpn) {
		gnutls_datum_t alpn = { (unsigned char *)c->alpn, strlen(c->alpn) };

		gnutls_alpn_set_protocols(tls, &alpn, 1, 0);
	}
	if (c->distrust)
		gnutls_session_set_verify_cert(tls, "example.test", 0);
	if (c->resume)
		gnutls_session_set_data(tls, c->resume->data, c->resume->size);
	gnutls_session_set_ptr(tls, &c->limit);
	gnutls_handshake_set_hook_function(tls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
					   note_limit);
	gnutls_transport_set_ptr(tls, c);
	gnutls_transport_set_push_function(tls, client_push);
	gnutls_transport_set_pull_function(tls, client_pull);

	do {
		c->error = gnutls_handshake(tls);
	} while (c->error < 0 && !gnutls_error_is_fatal(c->error));
	look_at_server(c, tls);
	c->send_size = kseal_record_limit_payload(&c->limit, tls);
	c->kx = gnutls_kx_get(tls);
	if (c->error == 0 && c->after != AFTER_NOTHING) {
		if (c->after != AFTER_COALESCED)
			client_flush(c);
		client_talk(c, tls);
	}
	if (c->distrust && c->error)
		gnutls_alert_send_appropriate(tls, c->error);
	client_flush(c);
	if (c->error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		c->alert = gnutls_alert_get(tls);
	gnutls_deinit(tls);
	gnutls_certificate_free_credentials(cred);
	return NULL;
}

/* Starts the client on its end of a connection. */
void client_start(struct client *c, int fd)
{
	c->fd = fd;
	pthread_create(&c->thread, NULL, client_run, c);
}

/* Waits for its end and closes the connection. */
void client_join(struct client *c)
{
	pthread_join(c->thread, NULL);
	close(c->fd);
}
