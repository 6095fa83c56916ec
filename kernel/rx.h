/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The incoming direction: records are taken from TCP's receive queue and
 * opened. Used by the open proto and its socket operations (socket.c) and by
 * sockopt.c.
 */
#ifndef _KSEAL_RX_H
#define _KSEAL_RX_H

#include <linux/net.h>
#include <linux/poll.h>
#include <linux/skbuff.h>
#include <linux/socket.h>

#include "cipher.h"
#include "flood.h"

struct pipe_inode_info;
struct kseal_rx_ring;

/**
 * struct kseal_rx - the incoming direction of a socket
 * @key: its key
 * @ring: work space; NULL between calls
 * @held: records that are open but not read yet, oldest first
 * @held_bytes: their bytes
 * @partial_len: bytes of @partial; 0 if there is none
 * @partial: start of a record that TCP's receive buffer has no room for as a
 *	whole; the stream goes on in TCP's queue
 * @scan_off: bytes of the whole records at the head of the stream
 * @scan_plain: bytes of plaintext in these, at most
 * @scan_alerts: how many of these may be alerts (or other control records, in
 *	TLS 1.2)
 * @scan_records: how many these are
 * @scan_need: bytes of the stream that it takes to scan further
 * @scan_bad: the alert that what follows these deserves, or -1
 * @head: header of the first record
 * @head_seen: it is known
 * @hw: a device may have decrypted what comes (offload.h)
 * @plain: it has opened the record in work
 * @ready: a read would not have to wait; read without the lock by poll
 * @squeezed: TCP has no room for the rest of the record; likewise
 * @sealed: what is not application data is ours to act on
 * @update_pending: a KeyUpdate has been given to the application, which has yet
 *	to set the next key (RFC 8446 §4.6.3)
 * @eof: the stream has ended in order: close_notify, or @truncated
 * @tolerate: a FIN without close_notify is an end, too
 * @truncated: there was one
 * @empty: a record of application data without any has been passed over
 * @told: the explicit mode's reader knows of a bad header
 * @alert: fatal alert received, else KSEAL_ALERT_NONE
 * @message_header: of a handshake message that is coming in
 * @update_awaited: the peer has been asked for a KeyUpdate and has sent none since
 * @err: negative errno that every later read gets, after what is @held
 * @readers: calls that sleep until a record comes
 * @lowat: the application's SO_RCVLOWAT
 * @idle: records without application data
 * @updates: KeyUpdates among them
 * @message_len: bytes that have come of that message; 0 if there is none
 * @message_left: bytes of it yet to come, if its header has
 * @max_payload: bytes of plaintext that a record may have: what the peer was told
 * @tickets: how many have been given to the agent
 * @rekeys: KeyUpdates received, or next keys set
 * @message: that message, as far as it has come; NULL if it is not kept
 * @data_ready: the socket's callback before ours; NULL while it is not ours
 * @records: records opened
 * @bytes: application bytes in them
 *
 * Guarded by the socket lock; the scan is kept up from softirq too.
 */
struct kseal_rx {
	struct kseal_key key;
	struct kseal_rx_ring *ring;
	struct sk_buff_head held;
	unsigned int held_bytes;
	unsigned int partial_len;
	u8 *partial;
	unsigned int scan_off;
	unsigned int scan_plain;
	unsigned int scan_alerts;
	unsigned int scan_records;
	unsigned int scan_need;
	int scan_bad;
	u8 head[KSEAL_HEADER_LEN];
	bool head_seen;
	bool hw;
	bool plain;
	bool ready;
	bool squeezed;
	bool sealed;
	bool update_pending;
	bool eof;
	bool tolerate;
	bool truncated;
	bool empty;
	bool told;
	u8 alert;
	u8 message_header[4];
	bool update_awaited;
	int err;
	unsigned int readers;
	int lowat;
	struct kseal_flood idle;
	struct kseal_flood updates;
	unsigned int message_len;
	unsigned int message_left;
	u16 max_payload;
	unsigned int tickets;
	u32 rekeys;
	u8 *message;
	void (*data_ready)(struct sock *sk);
	u64 records;
	u64 bytes;
};

void kseal_rx_init(struct kseal_rx *rx);
int kseal_rx_set_key(struct sock *sk, sockptr_t optval, unsigned int optlen);
int kseal_rx_set_secret(struct sock *sk, sockptr_t optval,
			unsigned int optlen);
bool kseal_rx_keyed(const struct kseal_rx *rx);
bool kseal_rx_info(const struct kseal_rx *rx, struct tls_crypto_info *info);
void kseal_rx_open(struct sock *sk);
int kseal_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags);
ssize_t kseal_splice_read(struct socket *sock, loff_t *ppos,
			  struct pipe_inode_info *pipe, size_t len,
			  unsigned int flags);
__poll_t kseal_poll(struct file *file, struct socket *sock, poll_table *wait);
bool kseal_sock_is_readable(struct sock *sk);
int kseal_peek_len(struct socket *sock);
int kseal_set_rcvlowat(struct sock *sk, int val);
int kseal_ioctl(struct sock *sk, int cmd, int *karg);
void kseal_rx_release(struct sock *sk);

#endif /* _KSEAL_RX_H */
