// SPDX-License-Identifier: GPL-2.0
/*
 * Handshake messages that a server sends after the handshake, to a sealed
 * connector: NewSessionTicket (RFC 8446 §4.6.1), which goes to the agent, KeyUpdate
 * (§4.6.3), and in TLS 1.2 HelloRequest (RFC 5246 §7.4.1.1). Called by alert.c
 * under the socket lock.
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
 * The header of a message is there, and @more bytes behind it in its record. Returns
 * false if that is the end of the stream.
 */
static bool message_begin(struct sock *sk, struct kseal_rx *rx,
			  unsigned int more)
{
	u32 header = get_unaligned_be32(rx->message_header);
	int alert = -1;

	rx->message_left = header & 0xffffff;
	switch (header >> 24) {
	case KSEAL_HANDSHAKE_KEY_UPDATE:
		/* What follows it has another key. */
		if (rx->message_left != 1 || more != 1)
			alert = TLS_ALERT_DESC_UNEXPECTED_MESSAGE;
		break;
	case NEW_SESSION_TICKET:
		if (!rx->message_left)
			alert = TLS_ALERT_DESC_DECODE_ERROR;
		break;
	default:
		alert = TLS_ALERT_DESC_UNEXPECTED_MESSAGE;
	}
	if (alert >= 0) {
		kseal_stream_fail(sk, alert);
		return false;
	}
	/* One that is too long, or for which there is no memory, is passed over. */
	if (rx->tickets < TICKETS_MAX &&
	    KSEAL_HANDSHAKE_HEADER_LEN + rx->message_left <= KSEAL_TICKET_MAX)
		rx->message = kmalloc(KSEAL_HANDSHAKE_HEADER_LEN +
				      rx->message_left, GFP_KERNEL);
	if (rx->message)
		memcpy(rx->message, rx->message_header,
		       KSEAL_HANDSHAKE_HEADER_LEN);
	return true;
}

static void message_end(struct sock *sk, struct kseal_rx *rx, u8 last)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (rx->message_header[0] == KSEAL_HANDSHAKE_KEY_UPDATE) {
		kseal_key_update_receive(sk, last);
	} else if (rx->message && kseal_worker_is(kseal_net(sock_net(sk)),
						  ks->portid, ks->worker)) {
		kseal_netlink_ticket(sock_net(sk), ks->portid, ks->id,
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
			    !message_begin(sk, rx, end - off - n))
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
			message_end(sk, rx, last);
	}
	return 0;
}

/**
 * kseal_message_receive() - act on a handshake record from a server
 * @sk: socket, SEALED, client
 * @skb: its content
 * @len: bytes of it
 *
 * Context: process, under the socket lock.
 */
void kseal_message_receive(struct sock *sk, const struct sk_buff *skb,
			   unsigned int len)
{
	struct kseal_rx *rx = &kseal_get(sk)->rx;
	__be32 header;

	if (rx->key.format.version == TLS_1_3_VERSION && len) {
		if (messages_take(sk, rx, skb, 0, len))
			kseal_stream_fail(sk, TLS_ALERT_DESC_INTERNAL_ERROR);
	} else if (len == sizeof(header) &&
		   !skb_copy_bits(skb, 0, &header, sizeof(header)) &&
		   header == cpu_to_be32(HELLO_REQUEST)) {
		kseal_alert_warn(sk, NO_RENEGOTIATION);
	} else {
		kseal_stream_fail(sk, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
	}
}
