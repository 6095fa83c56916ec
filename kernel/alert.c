// SPDX-License-Identifier: GPL-2.0
/*
 * What is not application data on a sealed stream: alerts (RFC 8446 §6, RFC 5246
 * §7.2), KeyUpdate (RFC 8446 §4.6.3), and the ends of a stream. Called by rx.c
 * for what comes in and by tx.c for what goes out, in process context and under
 * the socket lock.
 *
 * What the application of a sealed socket sees of it, all of it sticky:
 *
 *	close_notify received		read: 0
 *	FIN without close_notify, RST	read: ECONNRESET
 *	fatal alert received		read: ECONNABORTED	write: EPIPE
 *	record forged or out of place	read: EBADMSG		write: EPIPE
 */
#include <linux/unaligned.h>
#include <net/tcp.h>

#include "alert.h"
#include "socket.h"
#include "stats.h"

/* RFC 8446 §4: handshake messages */
#define HANDSHAKE_HEADER_LEN	4

enum key_update_request {
	UPDATE_NOT_REQUESTED,
	UPDATE_REQUESTED,
};

/*
 * A peer may send no more than this many records in a row without a byte of
 * application data: empty ones, warnings, KeyUpdates. Each costs us work.
 */
#define IDLE_RECORDS_MAX	32

/**
 * kseal_alert_send() - send an alert as our last record
 * @sk: socket, keyed
 * @description: TLS_ALERT_DESC_*; all but close_notify are fatal
 *
 * Does nothing if the stream has ended already. Never blocks.
 *
 * Context: process, under the socket lock.
 */
void kseal_alert_send(struct sock *sk, u8 description)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;
	u8 alert[2] = { TLS_ALERT_LEVEL_FATAL, description };

	if (tx->closed || !kseal_tx_keyed(tx))
		return;
	if (description == TLS_ALERT_DESC_CLOSE_NOTIFY)
		alert[0] = TLS_ALERT_LEVEL_WARNING;
	if (!kseal_tx_control(sk, TLS_RECORD_TYPE_ALERT, alert, sizeof(alert)))
		tx->closed = true;
}

/* The "tls" ULP has an errno for each kind of bad header. */
static int explicit_errno(u8 description)
{
	switch (description) {
	case TLS_ALERT_DESC_RECORD_OVERFLOW:
		return -EMSGSIZE;
	case TLS_ALERT_DESC_PROTOCOL_VERSION:
		return -EINVAL;
	default:
		return -EBADMSG;
	}
}

/**
 * kseal_stream_fail() - what came is not what a peer with the keys sends
 * @sk: socket, keyed
 * @description: the alert that it deserves
 *
 * Ends a sealed stream in both directions; the alert is the last that goes out.
 * In the explicit mode alerts are the application's business.
 *
 * Context: process, under the socket lock.
 */
void kseal_stream_fail(struct sock *sk, u8 description)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (ks->rx.err)
		return;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_BAD_RECORD);
	if (!ks->rx.sealed) {
		ks->rx.err = explicit_errno(description);
		return;
	}
	ks->rx.err = -EBADMSG;
	if (kseal_tx_keyed(&ks->tx)) {
		kseal_alert_send(sk, description);
		kseal_tx_push(sk);
	}
	ks->tx.err = -EPIPE;
	WRITE_ONCE(sk->sk_err, EBADMSG);
	smp_wmb();	/* pairs with tcp_poll() */
	sk_error_report(sk);
}

static void alert_receive(struct sock *sk, const u8 *body, unsigned int len)
{
	struct kseal_sock *ks = kseal_get(sk);
	bool tls13 = ks->rx.key.format.version == TLS_1_3_VERSION;

	if (len != 2) {
		kseal_stream_fail(sk, len ? TLS_ALERT_DESC_DECODE_ERROR :
				  TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		return;
	}
	if (body[1] == TLS_ALERT_DESC_CLOSE_NOTIFY) {
		ks->rx.eof = true;
		return;
	}
	/* RFC 8446 §6: the level is implied by the description. */
	if (body[1] == TLS_ALERT_DESC_USER_CANCELED ||
	    (!tls13 && body[0] == TLS_ALERT_LEVEL_WARNING))
		return;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_ALERTS);
	ks->rx.err = -ECONNABORTED;
	ks->tx.err = -EPIPE;
	ks->tx.closed = true;	/* RFC 8446 §6.2: no alert in return */
	sk_error_report(sk);
}

/* RFC 8446 §4.6.3; the message ends its record (§5.1). */
static void key_update_receive(struct sock *sk, u8 request)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (request > UPDATE_REQUESTED) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_ILLEGAL_PARAMETER);
		return;
	}
	if (!ks->rx.key.hmac ||
	    (request == UPDATE_REQUESTED && !ks->tx.key.hmac)) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		return;
	}
	if (kseal_key_update(&ks->rx.key)) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
		return;
	}
	ks->rx.rekeys++;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_REKEYS);
	if (request == UPDATE_REQUESTED)
		kseal_tx_want_update(sk);
}

/**
 * kseal_is_key_update() - is this a KeyUpdate and nothing else?
 * @type: content type
 * @body: content
 * @len: its bytes
 *
 * Context: any.
 * Return: whether it is.
 */
bool kseal_is_key_update(u8 type, const u8 *body, unsigned int len)
{
	return type == TLS_RECORD_TYPE_HANDSHAKE &&
	       len == HANDSHAKE_HEADER_LEN + 1 &&
	       get_unaligned_be32(body) == (KSEAL_HANDSHAKE_KEY_UPDATE << 24 | 1);
}

/**
 * kseal_control_receive() - act on a record that carries no application data
 * @sk: socket, SEALED, or EXPLICIT with a secret and a KeyUpdate
 * @type: content type; application_data for an empty record
 * @body: content
 * @len: its bytes
 *
 * The outcome, if it is an end of the stream, is in @eof or @err of struct
 * kseal_rx.
 *
 * Context: process, under the socket lock.
 */
void kseal_control_receive(struct sock *sk, u8 type, const u8 *body,
			   unsigned int len)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (++ks->rx.idle_records > IDLE_RECORDS_MAX) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		return;
	}
	if (type == TLS_RECORD_TYPE_DATA)
		return;
	if (type == TLS_RECORD_TYPE_ALERT)
		alert_receive(sk, body, len);
	else if (ks->rx.key.format.version == TLS_1_3_VERSION &&
		 kseal_is_key_update(type, body, len))
		key_update_receive(sk, body[HANDSHAKE_HEADER_LEN]);
	else
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
}

/**
 * kseal_key_update_send() - announce our next key and go on to it
 * @sk: socket with a TX secret
 *
 * Context: process, under the socket lock.
 * Return: 0, -ENOMEM (nothing has happened), or another negative errno, which is
 * the end of the outgoing stream.
 */
int kseal_key_update_send(struct sock *sk)
{
	static const u8 msg[HANDSHAKE_HEADER_LEN + 1] = {
		KSEAL_HANDSHAKE_KEY_UPDATE, 0, 0, 1, UPDATE_NOT_REQUESTED,
	};
	struct kseal_tx *tx = &kseal_get(sk)->tx;
	int err;

	err = kseal_tx_control(sk, TLS_RECORD_TYPE_HANDSHAKE, msg, sizeof(msg));
	if (err)
		return err;
	tx->update_due = false;
	err = kseal_key_update(&tx->key);
	if (err)
		return kseal_tx_fail(tx, err);
	tx->rekeys++;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_REKEYS);
	return 0;
}
