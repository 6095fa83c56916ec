// SPDX-License-Identifier: GPL-2.0
/*
 * How a handshake ended, in the kernel's terms and in words. Called by session.c and
 * worker.c, from any thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "log.h"
#include "named_group.h"
#include "outcome.h"

/**
 * kseal_outcome_peer() - how reasons call the other side
 * @o: its role is known
 *
 * Return: "server" or "client".
 */
const char *kseal_outcome_peer(const struct kseal_outcome *o)
{
	return o->role == KSEAL_ROLE_CLIENT ? "server" : "client";
}

/**
 * kseal_outcome_set() - note how it ended
 * @o: to be changed
 * @status: positive errno
 * @fmt: printf format: why
 *
 * Return: -1.
 */
int kseal_outcome_set(struct kseal_outcome *o, int status, const char *fmt, ...)
{
	va_list ap;

	o->status = status;
	va_start(ap, fmt);
	vsnprintf(o->reason, sizeof(o->reason), fmt, ap);
	va_end(ap);
	return -1;
}

/**
 * kseal_outcome_withdrawn() - the proxy was revoked while the handshake was in flight
 * @o: to be changed
 *
 * Return: -1.
 */
int kseal_outcome_withdrawn(struct kseal_outcome *o)
{
	return kseal_outcome_set(o, ESHUTDOWN, "withdrawn by the kernel: deadline, or socket closed");
}

/**
 * kseal_outcome_describe() - fill in what is known of the handshake so far
 * @o: to be changed
 * @tls: in any state
 *
 * A failed one is logged with it as well.
 */
void kseal_outcome_describe(struct kseal_outcome *o, gnutls_session_t tls)
{
	size_t len = sizeof(o->server_name) - 1;
	gnutls_datum_t alpn;
	unsigned int type;

	if (o->role != KSEAL_ROLE_CLIENT &&
	    gnutls_server_name_get(tls, o->server_name, &len, &type, 0) < 0)
		o->server_name[0] = '\0';
	if (gnutls_alpn_get_selected_protocol(tls, &alpn) == 0 && alpn.size < sizeof(o->alpn)) {
		memcpy(o->alpn, alpn.data, alpn.size);
		o->alpn[alpn.size] = '\0';
	}
	if (gnutls_cipher_get(tls) != GNUTLS_CIPHER_NULL) {
		o->version = gnutls_protocol_get_name(gnutls_protocol_get_version(tls));
		o->cipher = gnutls_cipher_get_name(gnutls_cipher_get(tls));
		o->group = kseal_named_group_number(gnutls_group_get(tls));
	}
	o->resumed = gnutls_session_is_resumed(tls);
}

static void explain_io(struct kseal_outcome *o, int io_error)
{
	switch (io_error) {
	case 0:
		kseal_outcome_set(o, ECONNRESET, "the %s left during the handshake",
				  kseal_outcome_peer(o));
		break;
	case ESHUTDOWN:
		kseal_outcome_withdrawn(o);
		break;
	default:
		kseal_outcome_set(o, io_error, "%s", strerror(io_error));
	}
}

/**
 * kseal_outcome_explain() - gnutls_handshake() has failed for good
 * @o: to be changed; a reason that is there already, from a callback of ours, stays
 * @tls: the session
 * @error: of GnuTLS
 * @io_error: errno behind it, 0 if none
 *
 * Return: whether the peer can still be told, by an alert.
 */
bool kseal_outcome_explain(struct kseal_outcome *o, gnutls_session_t tls, int error,
			   int io_error)
{
	const char *peer = kseal_outcome_peer(o), *name;

	switch (error) {
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		explain_io(o, io_error);
		return false;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		name = gnutls_alert_get_name(gnutls_alert_get(tls));
		kseal_outcome_set(o, o->role == KSEAL_ROLE_CLIENT ? EPROTO : ECONNABORTED,
				  "the %s refuses: alert \"%s\"", peer, name ? name : "unknown");
		return false;
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		if (!o->reason[0])
			kseal_outcome_set(o, EKEYREJECTED, "the %s has no certificate", peer);
		break;
	case GNUTLS_E_CERTIFICATE_ERROR:
	case GNUTLS_E_KEY_USAGE_VIOLATION:
		if (!o->reason[0])
			kseal_outcome_set(o, EKEYREJECTED, "%s certificate: %s", peer,
					  gnutls_strerror(error));
		break;
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
	case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
	case GNUTLS_E_RECORD_OVERFLOW:
	case GNUTLS_E_UNEXPECTED_PACKET:
		kseal_outcome_set(o, EPROTO, "not TLS, or damaged: %s", gnutls_strerror(error));
		break;
	case GNUTLS_E_MEMORY_ERROR:
		kseal_outcome_set(o, ENOMEM, "%s", gnutls_strerror(error));
		break;
	default:
		if (!o->reason[0])
			kseal_outcome_set(o, EPROTO, "%s", gnutls_strerror(error));
	}
	return true;
}

static void write_line(enum kseal_log_level level, const struct kseal_outcome *o,
		       const struct kseal_connection *conn, const char *profile)
{
	bool client = conn->role == KSEAL_ROLE_CLIENT;
	char peer[KSEAL_ADDRESS_MAX], local[KSEAL_ADDRESS_MAX], ms[16];
	char sni[KSEAL_NAME_MAX * 4], alpn[KSEAL_ALPN_MAX], certificate[KSEAL_IDENTITY_MAX];
	char subject[KSEAL_IDENTITY_MAX + 16] = "";
	const char *outcome = o->status ? "failed" : "sealed";
	const struct kseal_log_field fields[] = {
		{ "PEER", kseal_address_format(&conn->peer, peer, sizeof(peer)) },
		{ "LOCAL", kseal_address_format(&conn->local, local, sizeof(local)) },
		{ "PROFILE", profile },
		{ "SNI", o->server_name[0] ?
			 kseal_log_escape(sni, sizeof(sni), o->server_name) : "-" },
		{ "VERSION", o->version ? o->version : "-" },
		{ "CIPHER", o->cipher ? o->cipher : "-" },
		{ "ALPN", o->alpn[0] ? kseal_log_escape(alpn, sizeof(alpn), o->alpn) : "-" },
		{ "RESUMED", o->resumed ? "yes" : "no" },
		{ client ? "SERVER" : "CLIENT", o->peer.present ?
		  kseal_log_escape(certificate, sizeof(certificate), o->peer.subject) : NULL },
		{ "MS", ms },
		{ "OUTCOME", o->status == EACCES ? "refused" : outcome },
		{ "REASON", o->status ? o->reason : NULL },
		{ "ROLE", client ? "client" : "server" },
	};

	snprintf(ms, sizeof(ms), "%u", o->milliseconds);
	if (o->peer.present)
		snprintf(subject, sizeof(subject), " %s=\"%s\"", client ? "server" : "client",
			 certificate);
	kseal_log_fields(level, fields, sizeof(fields) / sizeof(*fields),
			 "handshake%s peer=%s local=%s profile=%s sni=%s version=%s cipher=%s alpn=%s resumed=%s%s ms=%s outcome=%s%s%s",
			 client ? " role=client" : "", peer, local, profile,
			 fields[3].value, fields[4].value, fields[5].value, fields[6].value,
			 fields[7].value, subject, ms, fields[10].value,
			 o->status ? ": " : "", o->status ? o->reason : "");
}

/**
 * kseal_outcome_log() - the line of a handshake; what the peer chose is escaped
 * @o: how it ended
 * @conn: who wanted it
 * @profile: name of the section
 */
void kseal_outcome_log(const struct kseal_outcome *o, const struct kseal_connection *conn,
		       const char *profile)
{
	enum kseal_log_level level = o->status == EACCES ? KSEAL_LOG_WARNING : KSEAL_LOG_INFO;

	if (kseal_log_enabled(level))
		write_line(level, o, conn, profile);
}
