// SPDX-License-Identifier: GPL-2.0
/*
 * One TLS handshake in flight. Called by worker.c, all from the thread of one
 * event loop: a session needs no lock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "connection.h"
#include "credentials.h"
#include "keylog.h"
#include "outcome.h"
#include "proxy_protocol.h"
#include "record_limit.h"
#include "resumption.h"
#include "session.h"
#include "transport.h"
#include "verify.h"

#define HANDSHAKE_HEADER	4	/* RFC 8446 section 4: type, length */
#define TICKETS_A_SESSION	8	/* more than any server should send */

/**
 * struct kseal_session - see the file's head
 * @fd: the proxy; closed with the session
 * @config: held, because @profile and its credentials are part of it
 * @profile: how to serve this peer
 * @conn: who it is by its address
 * @expected: who it must be by its certificate
 * @key: of tickets, as client
 * @ops: of the owner
 * @data: for @ops
 * @tls: the GnuTLS session
 * @ready: readiness of @fd
 * @deadline: end of the time allowed
 * @started: CLOCK_MONOTONIC microseconds
 * @secrets: TLS 1.3 traffic secrets seen so far
 * @limit: on the length of our records
 * @announced: on the length of the peer's
 * @finished: the handshake is complete: no secret may change any more
 * @disturbed: a secret changed after @finished
 * @io: sends and receives on @fd
 * @verdict: on the peer's certificate
 * @tickets: that have come after the handshake
 * @preamble: of @outcome, NULL if none
 * @outcome: so far
 */
struct kseal_session {
	int fd;
	struct kseal_config *config;
	const struct kseal_profile *profile;
	struct kseal_connection conn;
	struct kseal_expected expected;
	struct kseal_resumption_key key;
	const struct kseal_session_ops *ops;
	void *data;
	gnutls_session_t tls;
	sd_event_source *ready;
	sd_event_source *deadline;
	uint64_t started;
	struct kseal_secrets secrets;
	struct kseal_record_limit limit;
	struct kseal_record_limit announced;
	bool finished;
	bool disturbed;
	struct kseal_transport io;
	struct kseal_verdict verdict;
	unsigned int tickets;
	unsigned char *preamble;
	struct kseal_outcome outcome;
};

static bool is_client(const struct kseal_session *s)
{
	return s->profile->role == KSEAL_ROLE_CLIENT;
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/*
 * GnuTLS reports each secret when it takes effect: ours to write before the
 * client's Finished, the client's after it (RFC 8446 section 7.1). A report later
 * than that is a KeyUpdate.
 */
static int keep_secret(gnutls_session_t tls, gnutls_record_encryption_level_t level,
		       const void *read, const void *write, size_t size)
{
	struct kseal_session *s = gnutls_session_get_ptr(tls);

	if (level != GNUTLS_ENCRYPTION_LEVEL_APPLICATION)
		return 0;
	if (size > KSEAL_SECRET_MAX)
		return GNUTLS_E_INTERNAL_ERROR;
	s->disturbed = s->finished;
	if (read) {
		memcpy(s->secrets.read, read, size);
		s->secrets.read_size = size;
	}
	if (write) {
		memcpy(s->secrets.write, write, size);
		s->secrets.write_size = size;
	}
	return 0;
}

/* Called by GnuTLS in a full handshake, and by check_peer() in a resumed one. */
static int verify_peer(gnutls_session_t tls)
{
	struct kseal_session *s = gnutls_session_get_ptr(tls);
	int ret = kseal_verify(tls, &s->expected, &s->verdict);

	if (ret < 0)
		kseal_outcome_set(&s->outcome, EKEYREJECTED, "%s", s->verdict.reason);
	return ret;
}

static void finish(struct kseal_session *s)
{
	s->outcome.milliseconds = (now_usec() - s->started) / 1000;
	sd_event_source_disable_unref(s->ready);
	sd_event_source_disable_unref(s->deadline);
	s->ready = NULL;
	s->deadline = NULL;
	s->ops->done(s, s->data, &s->outcome);
}

/* gnutls_handshake() failed for good: say so to the peer and to the owner. */
static void fail_handshake(struct kseal_session *s, int error)
{
	struct kseal_outcome *o = &s->outcome;

	/* The peer's own loss if the socket does not take it now. */
	if (kseal_outcome_explain(o, s->tls, error, s->io.error)) {
		if (s->verdict.alert)
			gnutls_alert_send(s->tls, GNUTLS_AL_FATAL, s->verdict.alert);
		else
			gnutls_alert_send_appropriate(s->tls, error);
	}
	kseal_outcome_describe(o, s->tls);
	finish(s);
}

/*
 * A resumed handshake shows no certificate: the ticket remembers it. What was
 * trusted then may have expired since, so it is verified like a fresh one.
 */
static int check_peer(struct kseal_session *s)
{
	struct kseal_outcome *o = &s->outcome;
	const gnutls_datum_t *certs;
	unsigned int count;
	int ret;

	if (!is_client(s) && s->profile->client_auth == KSEAL_CLIENT_AUTH_OFF)
		return 0;
	ret = verify_peer(s->tls);
	if (ret < 0)
		return ret;
	certs = gnutls_certificate_get_peers(s->tls, &count);
	if (!certs || !count)
		return 0;
	ret = kseal_identity_read(&o->peer, &certs[0]);
	if (ret < 0)
		kseal_outcome_set(o, EKEYREJECTED, "%s certificate: %s", kseal_outcome_peer(o),
				  gnutls_strerror(ret));
	return ret;
}

/* GnuTLS knows no way to insist: it lets peers go on that name no protocol at all. */
static int check_alpn(struct kseal_session *s)
{
	gnutls_datum_t agreed;

	if (!s->profile->alpn_count || s->profile->alpn_mode != KSEAL_ALPN_REQUIRED ||
	    gnutls_alpn_get_selected_protocol(s->tls, &agreed) == 0)
		return 0;
	return kseal_outcome_set(&s->outcome, EPROTO,
				 "the %s agrees on none of the protocols of alpn, which alpn-mode requires",
				 kseal_outcome_peer(&s->outcome));
}

/*
 * The kernel goes on from the record after the handshake. If GnuTLS held a byte
 * of it, or a message that came inside the handshake's last record, that byte
 * would be lost: RFC 8446 section 5.1 forbids such messages, so refuse them.
 */
static int check_boundary(struct kseal_session *s)
{
	struct kseal_outcome *o = &s->outcome;
	unsigned char number[8], byte;
	uint64_t next = 0;
	int ret;

	if (s->io.unsent)
		return kseal_outcome_set(o, EPROTO, "output is left over after the handshake");
	if (gnutls_record_check_pending(s->tls))
		return kseal_outcome_set(o, EPROTO, "data came inside the handshake's last record");

	s->io.muted = true;
	ret = gnutls_record_recv(s->tls, &byte, 1);
	s->io.muted = false;
	if (ret != GNUTLS_E_AGAIN || s->disturbed || s->io.unsent)
		return kseal_outcome_set(o, EPROTO,
					 "a message came inside the handshake's last record");

	/* Record 0 of TLS 1.2's only key was the peer's Finished. */
	ret = gnutls_record_get_state(s->tls, 1, NULL, NULL, NULL, number);
	for (int i = 0; i < 8; i++)
		next = next << 8 | number[i];
	if (ret < 0 || next != (gnutls_protocol_get_version(s->tls) == GNUTLS_TLS1_2))
		return kseal_outcome_set(o, EPROTO, "a record was read beyond the handshake");
	return 0;
}

static int seal(struct kseal_session *s)
{
	struct kseal_outcome *o = &s->outcome;
	const char *step = NULL;
	struct kseal_keys keys;
	int ret;

	ret = kseal_keys_extract(&keys, s->tls, &s->secrets);
	if (ret < 0)
		return kseal_outcome_set(o, EOPNOTSUPP, "no keys for the kernel: %s",
					 gnutls_strerror(ret));
	keys.tx_max_payload = kseal_record_limit_payload(&s->limit, s->tls);
	/* The peer is held to ours if it knows the extension. */
	keys.rx_max_payload = s->limit.record_size ?
			      kseal_record_limit_payload(&s->announced, s->tls) : 0;
	keys.offload = s->profile->offload;
	ret = s->ops->install(s->fd, &keys, &step);
	kseal_keys_wipe(&keys);
	if (ret == -ESHUTDOWN)
		return kseal_outcome_withdrawn(o);
	if (ret < 0)
		return kseal_outcome_set(o, -ret, "the kernel refuses %s: %s", step,
					 strerror(-ret));
	return 0;
}

static int make_preamble(struct kseal_session *s)
{
	struct kseal_outcome *o = &s->outcome;

	if (!s->profile->proxy_header)
		return 0;
	s->preamble = malloc(KSEAL_PREAMBLE_MAX);
	if (s->preamble)
		o->preamble_size = kseal_proxy_header(s->preamble, KSEAL_PREAMBLE_MAX, s->tls,
						      &s->conn, o);
	if (!o->preamble_size)
		return kseal_outcome_set(o, ENOMEM, "no header of the PROXY protocol: %s",
					 s->preamble ? "too long" : strerror(ENOMEM));
	o->preamble = s->preamble;
	return 0;
}

/* TLS 1.2 says during the handshake what to resume from; TLS 1.3 does so later. */
static void keep_session(struct kseal_session *s)
{
	gnutls_datum_t data = { NULL, 0 };

	if (s->profile->resumption && gnutls_session_get_data2(s->tls, &data) == 0)
		kseal_resumption_put(s->profile->resumption, &s->key, &data,
				     kseal_verify_until(s->tls));
}

static void complete(struct kseal_session *s)
{
	int ret;

	s->finished = true;
	ret = check_peer(s);
	if (ret < 0) {
		fail_handshake(s, GNUTLS_E_CERTIFICATE_ERROR);
		return;
	}
	if (check_alpn(s) < 0) {
		fail_handshake(s, GNUTLS_E_NO_APPLICATION_PROTOCOL);
		return;
	}
	kseal_outcome_describe(&s->outcome, s->tls);
	s->outcome.tolerate_truncation = s->profile->tolerate_truncation;
	/* Once the kernel may hold the keys, GnuTLS must not use them any more. */
	if (check_boundary(s) < 0)
		gnutls_alert_send(s->tls, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
	else if (make_preamble(s) < 0)
		gnutls_alert_send(s->tls, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
	else if (seal(s) == 0 && is_client(s) &&
		 gnutls_protocol_get_version(s->tls) == GNUTLS_TLS1_2)
		keep_session(s);
	finish(s);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct kseal_session *s = data;
	int ret;

	(void)fd;
	if (s->outcome.status) {
		finish(s);
		return 0;
	}
	do {
		ret = gnutls_handshake(s->tls);
	} while (ret < 0 && ret != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(ret));

	if (ret == 0) {
		complete(s);
	} else if (ret != GNUTLS_E_AGAIN) {
		fail_handshake(s, ret);
	} else if (revents & (EPOLLHUP | EPOLLERR)) {
		fail_handshake(s, GNUTLS_E_PREMATURE_TERMINATION);
	} else {
		sd_event_source_set_io_events(source, gnutls_record_get_direction(s->tls) ?
						      EPOLLOUT : EPOLLIN);
	}
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	struct kseal_session *s = data;

	(void)source;
	(void)usec;
	kseal_outcome_describe(&s->outcome, s->tls);
	kseal_outcome_set(&s->outcome, ETIMEDOUT, "the handshake took too long");
	finish(s);
	return 0;
}

/*
 * Whom a client wants to reach: the profile's word, else the connector's, else whoever
 * has the address. Only a host name is sent (RFC 6066 section 3).
 */
static int set_up_client(struct kseal_session *s)
{
	gnutls_datum_t data = { NULL, 0 };
	const char *name = s->profile->server_name;
	struct kseal_expected *e = &s->expected;
	int ret = 0;

	if (!name)
		name = s->conn.server_name;
	if (*name) {
		ret = kseal_expect_server(e, name);
		snprintf(s->outcome.server_name, sizeof(s->outcome.server_name), "%s", name);
	} else {
		e->ip_size = kseal_address_bytes(&s->conn.peer, e->ip);
		inet_ntop(e->ip_size == 4 ? AF_INET : AF_INET6, e->ip, e->name,
			  sizeof(e->name));
	}
	e->required = true;
	if (ret < 0 || (!e->host && !e->ip_size)) {
		kseal_outcome_set(&s->outcome, EKEYREJECTED,
				  "no certificate can be valid for this server name");
		return 0;
	}
	ret = e->host ? gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, e->name,
					       strlen(e->name)) : 0;
	if (ret < 0)
		return ret;

	memcpy(s->key.server, e->name, sizeof(s->key.server));
	s->key.port = kseal_address_port(&s->conn.peer);
	s->key.uid = s->conn.uid;
	if (s->profile->resumption && !s->conn.kernel &&
	    kseal_resumption_take(s->profile->resumption, &s->key, &data) == 0) {
		/* What it refuses, for its age say, is lost: a full handshake follows. */
		gnutls_session_set_data(s->tls, data.data, data.size);
		kseal_resumption_wipe(&data);
	}
	return 0;
}

/* Called by GnuTLS before anything is chosen. */
static int on_server_name(gnutls_session_t tls)
{
	struct kseal_session *s = gnutls_session_get_ptr(tls);
	size_t len = KSEAL_NAME_MAX - 1;
	char name[KSEAL_NAME_MAX];
	unsigned int type;
	int ret;

	if (gnutls_server_name_get(tls, name, &len, &type, 0) < 0 || type != GNUTLS_NAME_DNS)
		name[0] = '\0';
	ret = kseal_credentials_choose(s->profile->credentials, s->profile, tls, name);
	if (ret == 0 && check_alpn(s) < 0)
		return GNUTLS_E_NO_APPLICATION_PROTOCOL;
	if (ret == GNUTLS_E_UNRECOGNIZED_NAME)
		kseal_outcome_set(&s->outcome, EPROTO,
				  "no certificate for %s, and sni is \"strict\"",
				  name[0] ? "the name that the client asks for" :
				  "a client that asks for no name");
	return ret;
}

static int on_message(gnutls_session_t tls, unsigned int type, unsigned int when,
		      unsigned int incoming, const gnutls_datum_t *msg)
{
	struct kseal_session *s = gnutls_session_get_ptr(tls);

	(void)when;
	return kseal_record_limit_read(incoming ? &s->limit : &s->announced, type, msg);
}

static void set_hooks(struct kseal_session *s)
{
	gnutls_handshake_set_hook_function(s->tls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
					   on_message);
	gnutls_handshake_set_secret_function(s->tls, keep_secret);
	kseal_keylog_set(s->tls);
	kseal_transport_set(&s->io, s->tls, s->fd);
}

static int set_up_tls(struct kseal_session *s)
{
	unsigned int flags;
	int ret;

	flags = is_client(s) ? GNUTLS_CLIENT : GNUTLS_SERVER;
	if (s->conn.kernel)
		flags |= GNUTLS_NO_TICKETS;
	ret = gnutls_init(&s->tls, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (ret < 0)
		return ret;
	gnutls_session_set_ptr(s->tls, s);
	ret = kseal_credentials_apply(s->profile->credentials, s->profile, &s->conn, s->tls);
	if (ret < 0)
		return ret;
	set_hooks(s);
	if (!is_client(s))
		gnutls_handshake_set_post_client_hello_function(s->tls, on_server_name);
	s->expected.role = s->profile->role;
	s->expected.revocations = kseal_credentials_revocations(s->profile->credentials);
	s->expected.rules = s->profile->rules;
	s->expected.rule_count = s->profile->rule_count;
	s->expected.required = s->profile->client_auth == KSEAL_CLIENT_AUTH_REQUIRE;
	if (is_client(s) || s->profile->client_auth != KSEAL_CLIENT_AUTH_OFF)
		gnutls_session_set_verify_function(s->tls, verify_peer);
	return is_client(s) ? set_up_client(s) : 0;
}

/**
 * kseal_session_start() - begin a handshake
 * @event: loop of the calling thread
 * @fd: connected stream; the session owns it from here on, even on failure
 * @config: a reference is taken
 * @profile: of @config; its role is the session's
 * @conn: addresses, and whom a client wants to reach; copied
 * @timeout_ms: until the deadline
 * @ops: of the owner
 * @data: handed to @ops->done
 *
 * Return: the session, or NULL when memory is short.
 */
struct kseal_session *kseal_session_start(sd_event *event, int fd,
					  struct kseal_config *config,
					  const struct kseal_profile *profile,
					  const struct kseal_connection *conn,
					  unsigned int timeout_ms,
					  const struct kseal_session_ops *ops, void *data)
{
	struct kseal_session *s = calloc(1, sizeof(*s));
	uint32_t wait_for;

	if (!s) {
		close(fd);
		return NULL;
	}
	s->fd = fd;
	s->config = kseal_config_get(config);
	s->profile = profile;
	s->conn = *conn;
	s->ops = ops;
	s->data = data;
	s->started = now_usec();
	s->outcome.role = profile->role;
	/* The client speaks first. */
	wait_for = is_client(s) ? EPOLLOUT : EPOLLIN;
	if (set_up_tls(s) < 0 ||
	    sd_event_add_io(event, &s->ready, fd, wait_for, on_io, s) < 0 ||
	    sd_event_add_time_relative(event, &s->deadline, CLOCK_MONOTONIC,
				       timeout_ms * 1000ULL, 10000, on_deadline, s) < 0) {
		kseal_session_free(s);
		return NULL;
	}
	return s;
}

/* Messages of ours that GnuTLS would send: there are none, the kernel has the keys. */
static int send_nothing(gnutls_session_t tls, gnutls_record_encryption_level_t level,
			gnutls_handshake_description_t type, const void *data, size_t size)
{
	(void)tls;
	(void)level;
	(void)type;
	(void)data;
	(void)size;
	return GNUTLS_E_INTERNAL_ERROR;
}

/**
 * kseal_session_linger() - a sealed session may still be told what to resume from
 * @s: a client's, done, status 0; its descriptor is closed and what it does not need is forgotten
 *
 * Return: whether it is worth keeping, for kseal_session_ticket().
 */
bool kseal_session_linger(struct kseal_session *s)
{
	close(s->fd);
	s->fd = -1;
	kseal_secrets_wipe(&s->secrets);
	s->io.muted = true;
	gnutls_handshake_set_read_function(s->tls, send_nothing);
	return s->profile->resumption && gnutls_protocol_get_version(s->tls) == GNUTLS_TLS1_3;
}

/**
 * kseal_session_ticket() - a NewSessionTicket has come
 * @s: lingers
 * @message: with its header
 * @size: of @message
 *
 * Return: whether it is worth keeping further.
 */
bool kseal_session_ticket(struct kseal_session *s, const unsigned char *message, size_t size)
{
	gnutls_datum_t data = { NULL, 0 };

	/* Whole, or GnuTLS would wait for the rest. */
	if (size < HANDSHAKE_HEADER || message[0] != GNUTLS_HANDSHAKE_NEW_SESSION_TICKET ||
	    ((size_t)message[1] << 16 | message[2] << 8 | message[3]) != size - HANDSHAKE_HEADER)
		return false;
	if (gnutls_handshake_write(s->tls, GNUTLS_ENCRYPTION_LEVEL_APPLICATION, message,
				   size) < 0 ||
	    !(gnutls_session_get_flags(s->tls) & GNUTLS_SFLAGS_SESSION_TICKET) ||
	    gnutls_session_get_data2(s->tls, &data) < 0)
		return false;
	kseal_resumption_put(s->profile->resumption, &s->key, &data, kseal_verify_until(s->tls));
	return ++s->tickets < TICKETS_A_SESSION;
}

/**
 * kseal_session_certificate() - the peer's certificate
 * @s: done
 *
 * Return: DER, of the session; NULL if the peer has shown none.
 */
const gnutls_datum_t *kseal_session_certificate(const struct kseal_session *s)
{
	unsigned int count;

	return gnutls_certificate_get_peers(s->tls, &count);
}

/**
 * kseal_session_free() - end a session, wipe it, close its descriptor
 * @s: may be NULL; before it is done this aborts the connection
 */
void kseal_session_free(struct kseal_session *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->ready);
	sd_event_source_disable_unref(s->deadline);
	kseal_secrets_wipe(&s->secrets);
	if (s->tls)
		gnutls_deinit(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	free(s->preamble);
	kseal_config_put(s->config);
	explicit_bzero(s, sizeof(*s));
	free(s);
}
