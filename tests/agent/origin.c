// SPDX-License-Identifier: GPL-2.0
/*
 * A TLS server in a thread, for the agent's unit tests of its client role, and a
 * session of the agent that reaches it, takes the keys instead of the kernel, goes on
 * with them and hands tickets on as the kernel does.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "origin.h"
#include "records.h"

bool corrupt_tickets;
int tickets_taken;

static void talk(struct origin *o, gnutls_session_t tls)
{
	const char line[] = "line of the server";
	int ret;

	gnutls_record_send(tls, line, sizeof(line));
	do {
		ret = gnutls_record_recv(tls, o->answer, sizeof(o->answer) - 1);
	} while (ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED);
}

static void set_up(struct origin *o, gnutls_session_t tls)
{
	CHECK(gnutls_priority_set_direct(tls, o->priority, NULL) == 0, "%s", o->priority);
	gnutls_transport_set_int(tls, o->fd);
	gnutls_handshake_set_timeout(tls, TIMEOUT_MS);
	if (o->record_size)
		CHECK(gnutls_record_set_max_recv_size(tls, o->record_size) == 0);
	if (o->ask)
		gnutls_certificate_server_set_request(tls, GNUTLS_CERT_REQUIRE);
	if (o->tickets)
		gnutls_session_ticket_enable_server(tls, o->tickets);
	if (o->alpn) {
		gnutls_datum_t alpn = { (unsigned char *)o->alpn, strlen(o->alpn) };

		gnutls_alpn_set_protocols(tls, &alpn, 1, 0);
	}
}

static void *run(void *data)
{
	gnutls_certificate_credentials_t cred;
	struct origin *o = data;
	size_t len = sizeof(o->name) - 1;
	char cert[512], key[512];
	gnutls_session_t tls;
	unsigned int n;

	if (!o->cert)
		o->cert = "server";
	snprintf(cert, sizeof(cert), "%s/%s.pem", test_directory, o->cert);
	snprintf(key, sizeof(key), "%s/%s.key", test_directory, o->cert);
	gnutls_certificate_allocate_credentials(&cred);
	CHECK(gnutls_certificate_set_x509_key_file(cred, cert, key, GNUTLS_X509_FMT_PEM) == 0);
	if (o->staple) {
		snprintf(cert, sizeof(cert), "%s/%s", test_directory, o->staple);
		gnutls_certificate_set_flags(cred, GNUTLS_CERTIFICATE_SKIP_OCSP_RESPONSE_CHECK);
		CHECK(gnutls_certificate_set_ocsp_status_request_file(cred, cert, 0) == 0);
	}
	gnutls_init(&tls, GNUTLS_SERVER);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_session_set_ptr(tls, &o->limit);
	gnutls_handshake_set_hook_function(tls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
					   note_limit);
	set_up(o, tls);

	do {
		o->error = gnutls_handshake(tls);
	} while (o->error < 0 && !gnutls_error_is_fatal(o->error));
	gnutls_server_name_get(tls, o->name, &len, &n, 0);
	o->resumed = gnutls_session_is_resumed(tls);
	o->client = gnutls_certificate_get_peers(tls, &n);
	if (o->error == 0 && !o->quiet)
		talk(o, tls);
	o->alert = gnutls_alert_get(tls);
	o->send_size = kseal_record_limit_payload(&o->limit, tls);
	if (o->error && o->error != GNUTLS_E_FATAL_ALERT_RECEIVED)
		gnutls_alert_send_appropriate(tls, o->error);
	gnutls_deinit(tls);
	gnutls_certificate_free_credentials(cred);
	shutdown(o->fd, SHUT_RDWR);
	return NULL;
}

/* As the kernel does: each message of the record by itself. */
static void hand_on(struct server *s, const unsigned char *text, size_t len)
{
	while (len >= 4) {
		size_t size = 4 + ((size_t)text[1] << 16 | text[2] << 8 | text[3]);

		CHECK(text[0] == 4 && size <= len, "type %u, %zu of %zu", text[0], size, len);
		if (text[0] != 4 || size > len)
			return;
		tickets_taken++;
		if (s->session && !kseal_session_ticket(s->session, text,
							size - corrupt_tickets)) {
			kseal_session_free(s->session);
			s->session = NULL;
		}
		text += size;
		len -= size;
	}
}

static void carry_on_as_client(struct server *s, struct origin *o)
{
	const char line[] = "line of the client";
	struct direction tx, rx;
	unsigned char type;
	char text[RECORD_MAX];
	int len;

	open_direction(&rx, &captured.rx);
	open_direction(&tx, &captured.tx);
	while ((len = open_record(&rx, s->keep_fd, &type, text)) > 0 && type == 22)
		hand_on(s, (unsigned char *)text, len);
	CHECK(len > 0 && type == 23 && strcmp(text, "line of the server") == 0, "%d", len);
	seal_record(&tx, s->keep_fd, line, sizeof(line));
	if (captured.tx.info.version == TLS_1_3_VERSION) {
		check_secret(&captured.tx, captured.secrets.write, captured.secrets.write_size);
		check_secret(&captured.rx, captured.secrets.read, captured.secrets.read_size);
	}
	gnutls_aead_cipher_deinit(rx.aead);
	gnutls_aead_cipher_deinit(tx.aead);
	pthread_join(o->thread, NULL);
	CHECK(strcmp(o->answer, line) == 0, "%s", o->answer);
}

void connect_to(struct server *s, struct origin *o)
{
	s->role = KSEAL_ROLE_CLIENT;
	if (!s->profile)
		s->profile = "trust";
	tickets_taken = 0;
	server_begin(s);
	o->fd = s->fds[1];
	pthread_create(&o->thread, NULL, run, o);
	server_loop(s);
	if (s->done && !s->outcome.status && !o->quiet) {
		carry_on_as_client(s, o);
	} else {
		shutdown(s->keep_fd, SHUT_WR);
		pthread_join(o->thread, NULL);
	}
	kseal_session_free(s->session);
	close(s->keep_fd);
	close(s->fds[1]);
	s->event = sd_event_unref(s->event);
}

void must_reach(struct server *s, struct origin *o)
{
	connect_to(s, o);
	CHECK(s->outcome.status == 0, "%d %s", s->outcome.status, s->outcome.reason);
	CHECK(o->error == 0, "server: %s", gnutls_strerror(o->error));
	CHECK(captures == 1, "%d", captures);
}

void must_not_reach(struct server *s, struct origin *o, int status, const char *reason)
{
	connect_to(s, o);
	CHECK(s->outcome.status == status, "%d %s", s->outcome.status, s->outcome.reason);
	CHECK(strstr(s->outcome.reason, reason), "%s", s->outcome.reason);
	CHECK(captures == 0, "keys were handed out");
}
