/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a network namespace, shown in /proc/net/kseal_stat.
 */
#ifndef _KSEAL_STATS_H
#define _KSEAL_STATS_H

#include <net/net_namespace.h>

/**
 * enum kseal_stat - counters; the names in /proc are in stats.c
 * @KSEAL_STAT_LISTENERS: sockets armed
 * @KSEAL_STAT_CONNECTORS: connects begun by armed sockets
 * @KSEAL_STAT_HANDSHAKES: connections handed to the agent
 * @KSEAL_STAT_SEALED: handshakes completed
 * @KSEAL_STAT_REFUSED: handshakes that the agent ended with an error
 * @KSEAL_STAT_TIMEOUT: handshakes ended by their deadline
 * @KSEAL_STAT_NO_AGENT: connections aborted because no agent was there
 * @KSEAL_STAT_ABORTED: handshakes ended otherwise (client or listener gone)
 * @KSEAL_STAT_ACCEPTED: sealed connections taken by accept()
 * @KSEAL_STAT_EXPLICIT: sockets that took the ULP in the explicit mode
 * @KSEAL_STAT_TX_RECORDS: records sealed
 * @KSEAL_STAT_RX_RECORDS: records opened
 * @KSEAL_STAT_TX_BYTES: application bytes sealed
 * @KSEAL_STAT_RX_BYTES: application bytes opened
 * @KSEAL_STAT_TX_REKEYS: KeyUpdates sent, or next keys set
 * @KSEAL_STAT_RX_REKEYS: KeyUpdates received, or next keys set
 * @KSEAL_STAT_BAD_RECORD: records that failed authentication, were malformed or
 *	out of place: the end of their streams
 * @KSEAL_STAT_RX_FLOOD: those of them that were too many without application data
 * @KSEAL_STAT_RX_ALERTS: fatal alerts received
 * @KSEAL_STAT_TRUNCATED: streams that ended without close_notify
 * @KSEAL_STAT_TX_LIMIT: streams that ended at the AEAD limit
 * @KSEAL_STAT_TX_DEVICE: outgoing streams given to a device
 * @KSEAL_STAT_RX_DEVICE: incoming streams given to a device
 * @KSEAL_STAT_TX_DEVICE_RECORDS: records of TX_RECORDS that were left to a device
 * @KSEAL_STAT_RX_DEVICE_RECORDS: records that a device has opened
 * @KSEAL_STAT_RX_MIXED: records that a device has decrypted in part
 * @KSEAL_STAT_TX_RESYNC: resyncs of a device's outgoing stream
 * @KSEAL_STAT_RX_RESYNC: ... incoming stream
 * @KSEAL_STAT_DEVICE_LOST: streams taken back from a device that was in use
 */
enum kseal_stat {
	KSEAL_STAT_LISTENERS,
	KSEAL_STAT_CONNECTORS,
	KSEAL_STAT_HANDSHAKES,
	KSEAL_STAT_SEALED,
	KSEAL_STAT_REFUSED,
	KSEAL_STAT_TIMEOUT,
	KSEAL_STAT_NO_AGENT,
	KSEAL_STAT_ABORTED,
	KSEAL_STAT_ACCEPTED,
	KSEAL_STAT_EXPLICIT,
	KSEAL_STAT_TX_RECORDS,
	KSEAL_STAT_RX_RECORDS,
	KSEAL_STAT_TX_BYTES,
	KSEAL_STAT_RX_BYTES,
	KSEAL_STAT_TX_REKEYS,
	KSEAL_STAT_RX_REKEYS,
	KSEAL_STAT_BAD_RECORD,
	KSEAL_STAT_RX_FLOOD,
	KSEAL_STAT_RX_ALERTS,
	KSEAL_STAT_TRUNCATED,
	KSEAL_STAT_TX_LIMIT,
	KSEAL_STAT_TX_DEVICE,
	KSEAL_STAT_RX_DEVICE,
	KSEAL_STAT_TX_DEVICE_RECORDS,
	KSEAL_STAT_RX_DEVICE_RECORDS,
	KSEAL_STAT_RX_MIXED,
	KSEAL_STAT_TX_RESYNC,
	KSEAL_STAT_RX_RESYNC,
	KSEAL_STAT_DEVICE_LOST,
	/* private: */
	KSEAL_STAT_COUNT
};

void kseal_stat_add(struct net *net, enum kseal_stat item, u64 n);
void kseal_stat_record(struct net *net, bool tx, u64 bytes);

static inline void kseal_stat_inc(struct net *net, enum kseal_stat item)
{
	kseal_stat_add(net, item, 1);
}
#endif /* _KSEAL_STATS_H */
