/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records on their way out. Used by tx.c and cork.c, and by main.c to load and
 * unload.
 */
#ifndef _KSEAL_SEAL_H
#define _KSEAL_SEAL_H

#include <linux/bvec.h>
#include <linux/mm_types_task.h>
#include <linux/scatterlist.h>

#include "record.h"

#define TX_SEGS		18	/* pieces of a record, the AAD included */
#define TX_BVECS	40	/* pieces of all records in the ring */

struct kseal_tx;
struct msghdr;
struct sock;

/**
 * struct kseal_tx_ring - records on their way
 * @bvec: ciphertext: of sealed records that TCP has not taken yet, then of the
 *	open one. Each entry holds a page reference
 * @nr: entries used
 * @nr_sealed: those of sealed records
 * @sealed: bytes in these
 * @open: there is an open record
 * @type: its content type
 * @in_place: it has no lent pages
 * @payload: its bytes of plaintext
 * @prefix: where its header goes
 * @nr_src: entries of @src
 * @nr_dst: entries of @dst
 * @lent: the entries of @src that hold a reference of a lent page
 * @src: AAD and plaintext of the open record
 * @dst: AAD and ciphertext of the open record
 * @ctl: AAD and content of a control record
 * @spare: memory for the headers and tags of records of lent pages; its own
 *	page reference
 */
struct kseal_tx_ring {
	struct bio_vec bvec[TX_BVECS];
	unsigned int nr;
	unsigned int nr_sealed;
	unsigned int sealed;
	bool open;
	u8 type;
	bool in_place;
	unsigned int payload;
	u8 *prefix;
	unsigned int nr_src;
	unsigned int nr_dst;
	DECLARE_BITMAP(lent, TX_SEGS);
	struct scatterlist src[TX_SEGS];
	struct scatterlist dst[TX_SEGS];
	struct scatterlist ctl[2];
	struct page_frag spare;
};

/* The ring can take a whole record, however fragmented. */
static inline bool kseal_ring_has_room(const struct kseal_tx_ring *ring)
{
	return ring->nr + TX_SEGS + 2 <= TX_BVECS;
}

static inline bool kseal_record_has_room(const struct kseal_tx_ring *ring,
					 unsigned int max_payload)
{
	return ring->payload < max_payload &&
	       ring->nr_src < TX_SEGS - 2 && ring->nr_dst < TX_SEGS - 2;
}

/* There is something in the open record. */
static inline bool kseal_record_pending(const struct kseal_tx_ring *ring)
{
	return ring && ring->open && ring->payload;
}

int kseal_seal_init(void);
void kseal_seal_exit(void);
int kseal_ring_get(struct kseal_tx *tx);
void kseal_ring_put(struct kseal_tx *tx);
int kseal_record_open(struct sock *sk, struct kseal_tx *tx, u8 type,
		      const struct msghdr *msg);
int kseal_record_fill(struct sock *sk, struct kseal_tx_ring *ring,
		      struct msghdr *msg, unsigned int want);
int kseal_record_seal(struct sock *sk, struct kseal_tx *tx);
unsigned int kseal_record_len(const struct kseal_tx *tx);
void kseal_record_drop(struct kseal_tx_ring *ring);
void kseal_ring_taken(struct kseal_tx_ring *ring, unsigned int len);
void kseal_ring_empty(struct kseal_tx_ring *ring);

#endif /* _KSEAL_SEAL_H */
