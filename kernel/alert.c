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
#include "message.h"
#include "socket.h"
#include "stats.h"
#include "trace.h"

enum key_update_request {
	UPDATE_NOT_REQUESTED,
	UPDATE_REQUESTED,
};

/**
 * kseal_alert_send() - send an alert as our last record
 * @sk: socket, keyed
 * @description: TLS_ALERT_DESC_*; all but close_notify are fatal
 *
 * Does nothing if the stream has ended already. Never waits for room.
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
	if (kseal_tx_control(sk, TLS_RECORD_TYPE_ALERT, alert, sizeof(alert)))
		return;
	tx->closed = true;
	trace_kseal_alert(sk, true, alert[0], description);
	if (alert[0] == TLS_ALERT_LEVEL_FATAL)
		WRITE_ONCE(tx->alert, description);
}

/**
 * kseal_alert_warn() - send a warning, if it is no trouble
 * @sk: socket, keyed, TLS 1.2
 * @description: TLS_ALERT_DESC_*
 *
 * Not to a peer that does not read, nor with the last records of a key.
 *
 * Context: process, under the socket lock.
 */
void kseal_alert_warn(struct sock *sk, u8 description)
{
	struct kseal_tx *tx = &kseal_get(sk)->tx;
	u8 alert[2] = { TLS_ALERT_LEVEL_WARNING, description };

	if (tx->closed || !kseal_tx_keyed(tx) || !sk_stream_memory_free(sk) ||
	    kseal_key_left(&tx->key) <= 2)
		return;
	if (kseal_tx_control(sk, TLS_RECORD_TYPE_ALERT, alert, sizeof(alert)))
		return;
	trace_kseal_alert(sk, true, alert[0], description);
	kseal_tx_push(sk);
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
	trace_kseal_record_error(sk, description);
	if (!ks->rx.sealed) {
		ks->rx.err = explicit_errno(description);
		return;
	}
	ks->rx.err = -EBADMSG;
	if (kseal_tx_keyed(&ks->tx)) {
		if (kseal_tx_untold(sk))	/* EBADMSG takes its place */
			WRITE_ONCE(sk->sk_err, 0);
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
	trace_kseal_alert(sk, false, body[0], body[1]);
	if (body[1] == TLS_ALERT_DESC_CLOSE_NOTIFY) {
		ks->rx.eof = true;
		return;
	}
	/* RFC 8446 §6: the level is implied by the description. Before, it counts. */
	if (tls13 ? body[1] == TLS_ALERT_DESC_USER_CANCELED :
		    body[0] == TLS_ALERT_LEVEL_WARNING)
		return;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_ALERTS);
	WRITE_ONCE(ks->rx.alert, body[1]);
	ks->rx.err = -ECONNABORTED;
	ks->tx.err = -EPIPE;
	ks->tx.closed = true;	/* RFC 8446 §6.2: no alert in return */
	sk_error_report(sk);
}

/* The peer keeps us busy with what is no data (flood.c). */
static void flooded(struct sock *sk)
{
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_FLOOD);
	kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
}

/**
 * kseal_key_update_receive() - the peer goes on to its next key
 * @sk: socket, keyed, TLS 1.3
 * @request: request_update of its KeyUpdate, which has ended its record
 *	(RFC 8446 §4.6.3, §5.1)
 *
 * Context: process, under the socket lock.
 */
void kseal_key_update_receive(struct sock *sk, u8 request)
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
	if (!kseal_flood_update(&ks->rx.updates, ks->rx.bytes, jiffies)) {
		flooded(sk);
		return;
	}
	if (kseal_key_update(&ks->rx.key)) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
		return;
	}
	ks->rx.rekeys++;
	ks->rx.update_awaited = false;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_RX_REKEYS);
	trace_kseal_rekey(sk, false, KSEAL_UPDATE_PEER, ks->rx.rekeys);
	if (request != UPDATE_REQUESTED)
		return;
	/* The answer must not ask, and need not: the peer's key is new. */
	ks->tx.update_request = false;
	kseal_tx_want_update(sk, KSEAL_UPDATE_ASKED);
}

/**
 * kseal_rekey() - go on to our next key (RFC 8446 §4.6.3)
 * @sk: socket
 * @whose: &enum kseal_rekey
 *
 * If the send buffer is full, before the next application data goes out. A peer that
 * has yet to answer is not asked again.
 *
 * Context: process, under the socket lock.
 * Return: 0; -ENOTCONN if it is not open; -EOPNOTSUPP without the secrets for it,
 * as in TLS 1.2; -EPIPE or another errno if the outgoing stream has ended.
 */
int kseal_rekey(struct sock *sk, u32 whose)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (!ks || !kseal_is_open(ks))
		return -ENOTCONN;
	if (!ks->tx.key.hmac || (whose == KSEAL_REKEY_BOTH && !ks->rx.key.hmac))
		return -EOPNOTSUPP;
	if (ks->tx.err)
		return ks->tx.err;
	if (ks->tx.closed || sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	/* One request at a time (RFC 9846 §4.7.3). */
	if (whose == KSEAL_REKEY_BOTH && !ks->rx.update_awaited)
		ks->tx.update_request = true;
	kseal_tx_want_update(sk, KSEAL_UPDATE_USER);
	return 0;
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
	       len == KSEAL_HANDSHAKE_HEADER_LEN + 1 &&
	       get_unaligned_be32(body) == (KSEAL_HANDSHAKE_KEY_UPDATE << 24 | 1);
}

/**
 * kseal_control_receive() - act on a record that carries no application data
 * @sk: socket, SEALED, or EXPLICIT with a secret and a KeyUpdate
 * @type: content type; application_data for an empty record
 * @body: content, the first bytes of it
 * @len: its bytes
 * @skb: content, all of it
 *
 * The outcome, if it is an end of the stream, is in @eof or @err of struct
 * kseal_rx.
 *
 * Context: process, under the socket lock.
 */
void kseal_control_receive(struct sock *sk, u8 type, const u8 *body,
			   unsigned int len, const struct sk_buff *skb)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (!kseal_flood_idle(&ks->rx.idle, ks->rx.bytes, jiffies)) {
		flooded(sk);
		return;
	}
	if (type == TLS_RECORD_TYPE_ALERT)
		alert_receive(sk, body, len);
	else if (type == TLS_RECORD_TYPE_HANDSHAKE)
		kseal_message_receive(sk, skb, len);
	else if (type != TLS_RECORD_TYPE_DATA ||
		 ks->rx.message_len)	/* RFC 8446 §5.1: nothing in between */
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
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_tx *tx = &ks->tx;
	u8 msg[KSEAL_HANDSHAKE_HEADER_LEN + 1] = {
		KSEAL_HANDSHAKE_KEY_UPDATE, 0, 0, 1,
		tx->update_request ? UPDATE_REQUESTED : UPDATE_NOT_REQUESTED,
	};
	u8 reason = tx->update_due ? tx->update_reason : KSEAL_UPDATE_LIMIT;
	int err;

	err = kseal_tx_control(sk, TLS_RECORD_TYPE_HANDSHAKE, msg, sizeof(msg));
	if (err)
		return err;
	ks->rx.update_awaited |= tx->update_request;
	tx->update_due = false;
	tx->update_request = false;
	err = kseal_key_update(&tx->key);
	if (err)
		return kseal_tx_fail(tx, err);
	tx->rekeys++;
	kseal_stat_inc(sock_net(sk), KSEAL_STAT_TX_REKEYS);
	trace_kseal_rekey(sk, true, reason, tx->rekeys);
	return 0;
}
