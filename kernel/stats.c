// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of a network namespace: /proc/net/kseal_stat, a name and a number a
 * line, in the manner of /proc/net/tls_stat.
 */
#include <linux/export.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "net.h"
#include "stats.h"

static const char * const stat_name[KSEAL_STAT_COUNT] = {
	[KSEAL_STAT_LISTENERS]	= "KsealListeners",
	[KSEAL_STAT_CONNECTORS]	= "KsealConnectors",
	[KSEAL_STAT_HANDSHAKES]	= "KsealHandshakes",
	[KSEAL_STAT_SEALED]	= "KsealSealed",
	[KSEAL_STAT_REFUSED]	= "KsealRefused",
	[KSEAL_STAT_TIMEOUT]	= "KsealTimeout",
	[KSEAL_STAT_NO_AGENT]	= "KsealNoAgent",
	[KSEAL_STAT_ABORTED]	= "KsealAborted",
	[KSEAL_STAT_ACCEPTED]	= "KsealAccepted",
	[KSEAL_STAT_EXPLICIT]	= "KsealExplicit",
	[KSEAL_STAT_TX_RECORDS]	= "KsealTxRecords",
	[KSEAL_STAT_RX_RECORDS]	= "KsealRxRecords",
	[KSEAL_STAT_TX_BYTES]	= "KsealTxBytes",
	[KSEAL_STAT_RX_BYTES]	= "KsealRxBytes",
	[KSEAL_STAT_TX_REKEYS]	= "KsealTxRekeys",
	[KSEAL_STAT_RX_REKEYS]	= "KsealRxRekeys",
	[KSEAL_STAT_BAD_RECORD]	= "KsealBadRecord",
	[KSEAL_STAT_RX_FLOOD]	= "KsealRxFlood",
	[KSEAL_STAT_RX_ALERTS]	= "KsealRxAlerts",
	[KSEAL_STAT_TRUNCATED]	= "KsealTruncated",
	[KSEAL_STAT_TX_LIMIT]	= "KsealTxLimit",
	[KSEAL_STAT_TX_DEVICE]	= "KsealTxDevice",
	[KSEAL_STAT_RX_DEVICE]	= "KsealRxDevice",
	[KSEAL_STAT_TX_DEVICE_RECORDS] = "KsealTxDeviceRecords",
	[KSEAL_STAT_RX_DEVICE_RECORDS] = "KsealRxDeviceRecords",
	[KSEAL_STAT_RX_MIXED]	= "KsealRxMixed",
	[KSEAL_STAT_TX_RESYNC]	= "KsealTxResync",
	[KSEAL_STAT_RX_RESYNC]	= "KsealRxResync",
	[KSEAL_STAT_DEVICE_LOST] = "KsealDeviceLost",
};

/**
 * kseal_stat_add() - count
 * @net: network namespace of the socket
 * @item: what to count
 * @n: how many
 *
 * Context: any.
 */
void kseal_stat_add(struct net *net, enum kseal_stat item, u64 n)
{
	this_cpu_add(kseal_net(net)->counters->item[item], n);
}
EXPORT_SYMBOL_GPL(kseal_stat_add);

/**
 * kseal_stat_record() - count a record
 * @net: network namespace of the socket
 * @tx: it has been sealed, else opened
 * @bytes: application bytes in it
 *
 * Context: any.
 */
void kseal_stat_record(struct net *net, bool tx, u64 bytes)
{
	struct kseal_counters __percpu *c = kseal_net(net)->counters;

	this_cpu_inc(c->item[tx ? KSEAL_STAT_TX_RECORDS : KSEAL_STAT_RX_RECORDS]);
	this_cpu_add(c->item[tx ? KSEAL_STAT_TX_BYTES : KSEAL_STAT_RX_BYTES], bytes);
}

static int kseal_stat_show(struct seq_file *seq, void *v)
{
	struct kseal_net *kn = kseal_net(seq->private);
	int cpu, i;

	for (i = 0; i < KSEAL_STAT_COUNT; i++) {
		u64 sum = 0;

		for_each_possible_cpu(cpu)
			sum += per_cpu_ptr(kn->counters, cpu)->item[i];
		seq_printf(seq, "%-32s\t%llu\n", stat_name[i], sum);
	}
	return 0;
}

/**
 * kseal_stats_init_net() - allocate the counters of a namespace and show them
 * @net: network namespace
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int kseal_stats_init_net(struct net *net)
{
	struct kseal_net *kn = kseal_net(net);

	kn->counters = alloc_percpu(struct kseal_counters);
	if (!kn->counters)
		return -ENOMEM;
	if (!proc_create_net_single("kseal_stat", 0444, net->proc_net,
				    kseal_stat_show, NULL)) {
		free_percpu(kn->counters);
		return -ENOMEM;
	}
	return 0;
}

/**
 * kseal_stats_exit_net() - undo kseal_stats_init_net()
 * @net: network namespace
 *
 * Context: process.
 */
void kseal_stats_exit_net(struct net *net)
{
	remove_proc_entry("kseal_stat", net->proc_net);
	free_percpu(kseal_net(net)->counters);
}
