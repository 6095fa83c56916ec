/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The outgoing direction: bytes become records, records go to TCP. Used by the
 * open proto (socket.c), sockopt.c, proxy.c, and by rx.c and alert.c for what
 * they have to answer.
 */
#ifndef _KSEAL_TX_H
#define _KSEAL_TX_H

#include <linux/bvec.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "cipher.h"

struct kseal_tx_ring;

/**
 * enum kseal_update_reason - why a direction goes on to its next key
 * @KSEAL_UPDATE_PEER: the peer has
 * @KSEAL_UPDATE_ASKED: the peer has asked for it
 * @KSEAL_UPDATE_USER: KSEAL_REKEY, by socket option or netlink
 * @KSEAL_UPDATE_LIMIT: the key has protected as many records as it may
 * @KSEAL_UPDATE_KEY_SET: the application has set it
 */
enum kseal_update_reason {
	KSEAL_UPDATE_PEER,
	KSEAL_UPDATE_ASKED,
	KSEAL_UPDATE_USER,
	KSEAL_UPDATE_LIMIT,
	KSEAL_UPDATE_KEY_SET,
};

/**
 * struct kseal_tx - the outgoing direction of a socket
 * @key: its key
 * @ring: records on their way; NULL if there are none
 * @err: negative errno that every later send gets; 0 while the stream is intact
 * @worn: the key has reached its limit and there is no next one
 * @closed: close_notify (or a fatal alert) has been sent
 * @alert: that fatal alert, else KSEAL_ALERT_NONE
 * @stuck: TCP has had no memory for what is sealed; read without the lock by poll
 * @more: the application has announced more for the open record (MSG_MORE,
 *	TCP_CORK)
 * @stopping: the socket is being closed; @work is not scheduled any more
 * @max_payload: bytes of plaintext that a record of data may have
 * @hw: what is in @ring is for a device to seal (offload.h)
 * @update_due: a KeyUpdate has to go out before the next application data
 * @update_request: it asks the peer for its own
 * @update_reason: why it has to; &enum kseal_update_reason
 * @fin: shutdown() has been called, but there is no memory for all that goes before it,
 *	or an error to be told first
 * @work: seals and sends what is in the ring when no call of the application does
 * @write_space: the socket's callback before ours (cork.c); NULL while it is not
 *	ours
 * @records: records sealed
 * @bytes: application bytes in them
 * @rekeys: KeyUpdates sent, or next keys set
 *
 * Guarded by the socket lock.
 */
struct kseal_tx {
	struct kseal_key key;
	struct kseal_tx_ring *ring;
	int err;
	bool worn;
	bool closed;
	u8 alert;
	bool stuck;
	bool more;
	bool stopping;
	bool hw;
	bool update_due;
	bool update_request;
	u8 update_reason;
	bool fin;
	u16 max_payload;
	struct delayed_work work;
	void (*write_space)(struct sock *sk);
	u64 records;
	u64 bytes;
	u64 rekeys;
};

/*
 * Is there an error that the connection has survived (IP_RECVERR)? It is the
 * application's to take; until then TCP sends nothing more. Under the socket lock.
 */
static inline bool kseal_tx_untold(const struct sock *sk)
{
	return sk->sk_err && sk->sk_state != TCP_CLOSE;
}

void kseal_tx_init(struct kseal_tx *tx);
int kseal_tx_set_key(struct sock *sk, sockptr_t optval, unsigned int optlen);
int kseal_tx_set_secret(struct sock *sk, sockptr_t optval,
			unsigned int optlen);
int kseal_tx_set_max_payload(struct sock *sk, u16 max_payload);
bool kseal_tx_keyed(const struct kseal_tx *tx);
bool kseal_tx_info(const struct kseal_tx *tx, struct tls_crypto_info *info);
int kseal_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
void kseal_splice_eof(struct socket *sock);
void kseal_tx_uncork(struct sock *sk);
int kseal_tx_control(struct sock *sk, u8 type, const void *data,
		     unsigned int len);
int kseal_tx_fail(struct kseal_tx *tx, int err);
void kseal_tx_push(struct sock *sk);
void kseal_tx_want_update(struct sock *sk, enum kseal_update_reason reason);
bool kseal_tx_stuck(const struct kseal_tx *tx);
unsigned int kseal_tx_unsent(struct sock *sk);
bool kseal_tx_shutdown(struct sock *sk, bool last);
void kseal_tx_release(struct sock *sk);

#endif /* _KSEAL_TX_H */
