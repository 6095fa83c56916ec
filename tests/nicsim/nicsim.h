/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kseal_nicsim.ko: pairs of simulated network cards, wired to each other, that
 * seal and open TLS records of AES-GCM as Documentation/networking/tls-offload.rst
 * of the kernel wants it from a real one. For tests only.
 *
 * The card is the part that real hardware is: a stream engine (crypt.c) that sees
 * segments one after the other and knows no more than it has seen. The driver (tx.c,
 * rx.c) is the part that real drivers are. main.c is the netdev, wire.c the cable.
 */
#ifndef _NICSIM_H
#define _NICSIM_H

#include <crypto/aead.h>
#include <crypto/aes.h>
#include <crypto/skcipher.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/tls.h>

#include "compat.h"

#define NICSIM_HEADER	5
#define NICSIM_NONCE	8
#define NICSIM_TAG	16
#define NICSIM_BODY_MIN	(1 + NICSIM_TAG)
#define NICSIM_BODY_MAX	(TLS_MAX_PAYLOAD_SIZE + 2048)
#define NICSIM_RECORD_MAX (NICSIM_HEADER + NICSIM_BODY_MAX)

/**
 * struct nicsim_stream - one direction of a connection, as the card sees it
 * @seal: outgoing: plaintext becomes ciphertext; else the other way
 * @no_cipher: bytes stay as they are
 * @ctr: counter mode, for bytes as they come
 * @aead: GCM, for the tag once the record is complete
 * @req: for @aead
 * @tls13: TLS 1.3; no driver in Linux can be given it
 * @prefix: bytes ahead of the ciphertext: the header and, before 1.3, the explicit nonce
 * @iv: of the nonce, that is the implicit part of it or what the number is added to
 * @rcd_sn: number of the record in work
 * @pos: bytes of it seen
 * @len: its length; 0 until the header is complete
 * @records: complete ones
 * @aad: additional data
 * @buf: the record so far, as it went in
 */
struct nicsim_stream {
	bool seal;
	bool no_cipher;
	struct crypto_sync_skcipher *ctr;
	struct crypto_aead *aead;
	struct aead_request *req;
	bool tls13;
	unsigned int prefix;
	u8 iv[4 + NICSIM_NONCE];
	u64 rcd_sn;
	unsigned int pos;
	unsigned int len;
	u64 records;
	u8 aad[TLS_AAD_SPACE_SIZE];
	u8 *buf;
};

struct nicsim_tx {
	struct nicsim_stream stream;
	u32 next_seq;
};

/**
 * enum nicsim_rx_state - what the card knows of an incoming stream
 * @NICSIM_RX_SYNC: the stream's state is that at next_seq
 * @NICSIM_RX_WAIT: a record begins at next_seq
 * @NICSIM_RX_SCAN: nothing; looks for a header
 * @NICSIM_RX_TRACK: there may be one at track_seq; has asked the stack
 * @NICSIM_RX_IDLE: nothing; waits for the stack's hint
 */
enum nicsim_rx_state {
	NICSIM_RX_SYNC,
	NICSIM_RX_WAIT,
	NICSIM_RX_SCAN,
	NICSIM_RX_TRACK,
	NICSIM_RX_IDLE,
};

struct nicsim_tuple {
	struct in6_addr local, remote;
	__be16 lport, rport;
};

struct nicsim_rx {
	struct list_head node;
	struct sock *sk;
	struct nicsim_tuple tuple;
	struct nicsim_stream stream;
	enum tls_offload_sync_type sync;
	struct tls_offload_resync_async async;
	enum nicsim_rx_state state;
	u32 next_seq;
	u32 track_seq;		/* first header found by the scan */
	u32 track_next;		/* where the next one has to be */
	u32 track_count;	/* records from the one to the other */
	bool asked;
};

enum nicsim_counter {
	NICSIM_TX_CTX,		/* outgoing streams now in the card */
	NICSIM_RX_CTX,
	NICSIM_TX_ADD,
	NICSIM_RX_ADD,
	NICSIM_REFUSED,
	NICSIM_TX_RECORDS,	/* sealed, each counted once it is complete */
	NICSIM_TX_BYTES,
	NICSIM_TX_REBUILD,	/* out of order, state rebuilt by tls_get_record() */
	NICSIM_TX_FALLBACK,	/* out of order, sealed by tls_encrypt_skb() */
	NICSIM_TX_SKIP,		/* from before the offload */
	NICSIM_TX_DROP,
	NICSIM_TX_FOREIGN,	/* of a stream that another device has */
	NICSIM_TX_RESYNC_REQ,
	NICSIM_TX_RESYNC,
	NICSIM_RX_RECORDS,	/* opened and authenticated */
	NICSIM_RX_DECRYPTED,	/* segments */
	NICSIM_RX_PASSED,	/* segments of offloaded streams, as they came */
	NICSIM_RX_BAD_TAG,
	NICSIM_RX_LOST,
	NICSIM_RX_RESYNC_REQ,
	NICSIM_RX_RESYNC,
	NICSIM_RX_RESYNC_OK,
	NICSIM_WIRE,
	NICSIM_WIRE_DROP,
	NICSIM_WIRE_DUPLICATE,
	NICSIM_WIRE_REORDER,
	NICSIM_WIRE_CORRUPT,
	NICSIM_COUNTERS
};

/**
 * struct nicsim_knobs - what a test can set in debugfs
 * @drop: of 1000 segments with payload, how many the wire loses
 * @duplicate: ... brings twice
 * @reorder: ... brings three segments late
 * @corrupt: ... damages, so that the checksum tells
 * @forge: how many segments to damage so that only the tag tells; counts down
 * @partial: of 1000 segments that the card could open, how many it passes as they came
 * @refuse: tls_dev_add fails; bit 0: TX, bit 1: RX
 * @tx_fallback: seal out-of-order segments in software, rather than rebuild the state
 * @rx_sync: enum tls_offload_sync_type of new streams
 * @no_cipher: new streams are framed and tracked but not sealed, and believed and not
 *	opened: what the rest costs, as hardware's cipher costs the processor nothing
 */
struct nicsim_knobs {
	u32 drop;
	u32 duplicate;
	u32 reorder;
	u32 corrupt;
	u32 forge;
	u32 partial;
	u32 refuse;
	u32 tx_fallback;
	u32 rx_sync;
	u32 no_cipher;
};

/**
 * struct nicsim - a card
 * @dev: its netdev
 * @peer: at the other end of the wire
 * @lock: the card does one thing at a time: guards streams, lists, counters and
 *	@held. Not held while the stack gets a segment
 * @napi: receives from @rxq
 * @rxq: what the wire has brought
 * @rx_list: incoming streams
 * @held: segment that comes late
 * @held_for: after how many others
 * @release: and at the latest
 * @scratch: a record or segment
 * @knobs: see there
 * @count: enum nicsim_counter
 * @dir: debugfs
 */
struct nicsim {
	struct net_device *dev;
	struct nicsim *peer;
	spinlock_t lock;	/* see above */
	struct napi_struct napi;
	struct sk_buff_head rxq;
	struct list_head rx_list;
	struct sk_buff *held;
	unsigned int held_for;
	struct delayed_work release;
	u8 *scratch;
	struct nicsim_knobs knobs;
	u64 count[NICSIM_COUNTERS];
	struct dentry *dir;
};

#define NICSIM_SCRATCH	SZ_64K

static inline bool nicsim_hit(u32 permille)
{
	return permille && get_random_u32() % 1000 < permille;
}

/* crypt.c */
int nicsim_stream_init(struct nicsim_stream *s, bool seal,
		       const struct tls_crypto_info *info);
void nicsim_stream_exit(struct nicsim_stream *s);
void nicsim_stream_seek(struct nicsim_stream *s, u64 rcd_sn);
int nicsim_stream_feed(struct nicsim_stream *s, u8 *p, unsigned int n);
int nicsim_record_len(const u8 *header);

/* tx.c */
int nicsim_tx_add(struct nicsim *nic, struct sock *sk,
		  const struct tls_crypto_info *info, u32 seq);
void nicsim_tx_del(struct nicsim *nic, struct tls_context *ctx);
int nicsim_tx_resync(struct nicsim *nic, struct sock *sk, u32 seq, u64 rcd_sn);
netdev_tx_t nicsim_start_xmit(struct sk_buff *skb, struct net_device *dev);

/* rx.c */
int nicsim_rx_add(struct nicsim *nic, struct sock *sk,
		  const struct tls_crypto_info *info, u32 seq);
void nicsim_rx_del(struct nicsim *nic, struct tls_context *ctx);
int nicsim_rx_resync(struct nicsim *nic, struct sock *sk, u32 seq, u64 rcd_sn);
int nicsim_poll(struct napi_struct *napi, int budget);

/* wire.c */
void nicsim_wire(struct nicsim *nic, struct sk_buff *skb, unsigned int payload);
void nicsim_wire_release(struct work_struct *work);

#endif /* _NICSIM_H */
