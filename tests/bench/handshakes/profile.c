// SPDX-License-Identifier: GPL-2.0
/*
 * One side of handshakes in user space, for callgrind: the agent's sessions as its workers
 * run them, or a server that does nothing but gnutls_handshake(). Both over socket pairs,
 * with the client of the agent's tests in a thread of its own, which callgrind counts
 * apart. Built and run by profile.
 */
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../agent/log.h"
#include "../../agent/check.h"
#include "../../agent/server.h"

#define NARROW	":-GROUP-ALL:+GROUP-X25519:-CIPHER-ALL:+AES-128-GCM"

bool test_failed;
const char *test_directory;
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static gnutls_datum_t ticket_key;

void complain(const char *file, int line, const char *condition, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: %s:", file, line, condition);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void prepare_bare(const char *cert)
{
	char pem[512], key[512];

	snprintf(pem, sizeof(pem), "%s/%s.pem", test_directory, cert);
	snprintf(key, sizeof(key), "%s/%s.key", test_directory, cert);
	gnutls_certificate_allocate_credentials(&credentials);
	CHECK(gnutls_certificate_set_x509_key_file(credentials, pem, key,
						   GNUTLS_X509_FMT_PEM) == 0);
	CHECK(gnutls_priority_init(&priority, "NORMAL", NULL) == 0);
	CHECK(gnutls_session_ticket_key_generate(&ticket_key) == 0);
}

static void serve_bare(struct client *c)
{
	gnutls_session_t tls;
	int fds[2], ret;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	client_start(c, fds[1]);
	gnutls_init(&tls, GNUTLS_SERVER);
	gnutls_priority_set(tls, priority);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_session_ticket_enable_server(tls, &ticket_key);
	gnutls_transport_set_int(tls, fds[0]);
	do {
		ret = gnutls_handshake(tls);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	CHECK(ret == 0, "%s", gnutls_strerror(ret));
	if (c->after == AFTER_TALK)
		gnutls_record_send(tls, "bare", sizeof("bare"));
	gnutls_deinit(tls);
	shutdown(fds[0], SHUT_WR);
	client_join(c);
	close(fds[0]);
}

int main(int argc, char **argv)
{
	char path[512], error[KSEAL_ERROR_MAX], wanted[128];
	gnutls_datum_t ticket = { NULL, 0 };
	static struct client c;
	bool bare, resumed;
	int count;

	if (argc != 7) {
		fprintf(stderr, "profile DIRECTORY agent|bare CERTIFICATE 1.2|1.3 full|resumed COUNT\n");
		return 2;
	}
	test_directory = argv[1];
	bare = strcmp(argv[2], "bare") == 0;
	resumed = strcmp(argv[5], "resumed") == 0;
	count = atoi(argv[6]);
	kseal_log_set_level(KSEAL_LOG_ERROR);
	snprintf(path, sizeof(path), "%s/profile.conf", test_directory);
	test_config = kseal_config_load(path, error, sizeof(error));
	CHECK(test_config, "%s", error);
	if (bare)
		prepare_bare(argv[3]);
	snprintf(wanted, sizeof(wanted), "%s" NARROW,
		 strcmp(argv[4], "1.2") == 0 ? PRIO_12 : PRIO_13);
	for (int i = -resumed; i < count; i++) {
		struct server s = { .profile = argv[3], .timeout_ms = 60000 };

		/* its buffer is as it is: clearing that would be counted */
		memset(&c, 0, offsetof(struct client, out));
		c.out_len = 0;
		c.priority = wanted;
		c.name = "example.test";
		/* the first one, of which the difference of two counts knows nothing */
		if (i < 0)
			c.keep = &ticket;
		else
			c.after = AFTER_NOTHING;
		if (i >= 0 && resumed)
			c.resume = &ticket;
		if (bare)
			serve_bare(&c);
		else
			must_seal(&s, &c);
		CHECK(bare || i < 0 || s.outcome.resumed == resumed, "resumed: %d",
		      s.outcome.resumed);
		CHECK(c.error == 0, "client: %s", gnutls_strerror(c.error));
	}
	gnutls_free(ticket.data);
	kseal_config_put(test_config);
	return 0;
}
