// SPDX-License-Identifier: GPL-2.0
/*
 * Handshake messages after the handshake: KeyUpdate (RFC 8446 §4.6.3), and what only
 * servers send, to a sealed connector: NewSessionTicket (§4.6.1), which goes to the
 * agent, and in TLS 1.2 HelloRequest (RFC 5246 §7.4.1.1). Called by alert.c under the
 * socket lock.
 *
 * Messages of TLS 1.3 may share a record and may go on in the next (RFC 8446 §5.1),
 * so they are put together here.
 */
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <net/tcp.h>

#include "alert.h"
#include "handshake.h"
#include "message.h"
#include "net.h"
#include "netlink.h"
#include "socket.h"

#define HELLO_REQUEST		0
#define NEW_SESSION_TICKET	4

#define NO_RENEGOTIATION	100	/* RFC 5246 §7.2 */

/*
 * What one connection may give to the agent. Servers send a few when the handshake
 * is over, and hardly any later; those beyond this are dropped, so that nobody
 * keeps the agent busy with them. How many may come in a row is bounded as for all
 * records without application data.
 */
#define TICKETS_MAX		32

static void message_forget(struct kseal_rx *rx)
{
	kfree(rx->message);
	rx->message = NULL;
	rx->message_len = 0;
}

/*
 * The header of a message is there. Returns false if that is the end of the stream.
 */
static bool message_begin(struct sock *sk, struct kseal_rx *rx)
{
	bool client = kseal_get(sk)->role == KSEAL_ROLE_CLIENT;
	u32 header = get_unaligned_be32(rx->message_header);
	bool update = header >> 24 == KSEAL_HANDSHAKE_KEY_UPDATE;

	rx->message_left = header & 0xffffff;
	if (!update && !(client && header >> 24 == NEW_SESSION_TICKET)) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		return false;
	}
	if (update ? rx->message_left != 1 : !rx->message_left) {
		kseal_stream_fail(sk, TLS_ALERT_DESC_DECODE_ERROR);
		return false;
	}
	/* A ticket too long, or for which there is no memory, is passed over. */
	if (!update && rx->tickets < TICKETS_MAX &&
	    KSEAL_HANDSHAKE_HEADER_LEN + rx->message_left <= KSEAL_TICKET_MAX)
		rx->message = kmalloc(KSEAL_HANDSHAKE_HEADER_LEN +
				      rx->message_left, GFP_KERNEL);
	if (rx->message)
		memcpy(rx->message, rx->message_header,
		       KSEAL_HANDSHAKE_HEADER_LEN);
	return true;
}

/* All of a message is there, and @more bytes behind it in its record. */
static void message_end(struct sock *sk, struct kseal_rx *rx, u8 last,
			unsigned int more)
{
	struct kseal_sock *ks = kseal_get(sk);
	const struct kseal_peer *peer = ks->peer;

	if (rx->message_header[0] == KSEAL_HANDSHAKE_KEY_UPDATE) {
		/* What follows it has another key (RFC 8446 §5.1). */
		if (more)
			kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		else
			kseal_key_update_receive(sk, last);
	} else if (rx->message && kseal_worker_is(kseal_net(sock_net(sk)),
						  peer->portid, peer->worker)) {
		kseal_netlink_ticket(sock_net(sk), peer->portid, ks->id,
				     rx->message, rx->message_len);
		rx->tickets++;
	}
	message_forget(rx);
}

/* A record's content, from @off to @end. */
static int messages_take(struct sock *sk, struct kseal_rx *rx,
			 const struct sk_buff *skb, unsigned int off,
			 unsigned int end)
{
	unsigned int n;
	u8 last;

	for (; off < end && !rx->err; off += n) {
		if (rx->message_len < KSEAL_HANDSHAKE_HEADER_LEN) {
			n = min(end - off, KSEAL_HANDSHAKE_HEADER_LEN -
					   rx->message_len);
			if (skb_copy_bits(skb, off, rx->message_header +
						    rx->message_len, n))
				return -EFAULT;
			rx->message_len += n;
			if (rx->message_len == KSEAL_HANDSHAKE_HEADER_LEN &&
			    !message_begin(sk, rx))
				break;
			continue;
		}
		n = min(end - off, rx->message_left);
		if (skb_copy_bits(skb, off + n - 1, &last, 1) ||
		    (rx->message &&
		     skb_copy_bits(skb, off, rx->message + rx->message_len, n)))
			return -EFAULT;
		rx->message_len += n;
		rx->message_left -= n;
		if (!rx->message_left)
			message_end(sk, rx, last, end - off - n);
	}
	return 0;
}

/**
 * kseal_message_receive() - act on a handshake record
 * @sk: socket, SEALED, or EXPLICIT with a secret and a KeyUpdate
 * @skb: its content
 * @len: bytes of it
 *
 * Context: process, under the socket lock.
 */
void kseal_message_receive(struct sock *sk, const struct sk_buff *skb,
			   unsigned int len)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct kseal_rx *rx = &ks->rx;
	__be32 header;

	if (rx->key.format.version == TLS_1_3_VERSION && len) {
		if (messages_take(sk, rx, skb, 0, len))
			kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
	} else if (ks->role == KSEAL_ROLE_CLIENT && len == sizeof(header) &&
		   !skb_copy_bits(skb, 0, &header, sizeof(header)) &&
		   header == cpu_to_be32(HELLO_REQUEST)) {
		kseal_alert_warn(sk, NO_RENEGOTIATION);
	} else {
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
	}
}
