// SPDX-License-Identifier: GPL-2.0
/*
 * What the counters of the module mean, and what a collector calls them. Linked into
 * kseal and kseald.
 */
#include <ctype.h>
#include <string.h>

#include "counters.h"

/* What the counters of /proc/net/kseal_stat mean; a newer module may have more. */
static const struct {
	const char *name, *help, *unit;
} counters[] = {
	{ "KsealListeners", "Sockets armed as listeners", NULL },
	{ "KsealConnectors", "Connections begun by sealed connectors", NULL },
	{ "KsealHandshakes", "Connections handed to the agent", NULL },
	{ "KsealSealed", "Handshakes completed", NULL },
	{ "KsealAccepted", "Sealed connections taken by accept()", NULL },
	{ "KsealRefused", "Handshakes ended by the agent", NULL },
	{ "KsealTimeout", "Handshakes ended by their deadline", NULL },
	{ "KsealNoAgent", "Connections ended for want of an agent", NULL },
	{ "KsealAborted", "Handshakes ended otherwise", NULL },
	{ "KsealExplicit", "Sockets keyed by their application", NULL },
	{ "KsealTxRecords", "Records sealed", NULL },
	{ "KsealRxRecords", "Records opened", NULL },
	{ "KsealTxBytes", "Application bytes sealed", "bytes" },
	{ "KsealRxBytes", "Application bytes opened", "bytes" },
	{ "KsealTxRekeys", "Own keys replaced", NULL },
	{ "KsealRxRekeys", "Keys of the peer replaced", NULL },
	{ "KsealBadRecord", "Streams ended by a forged or malformed record", NULL },
	{ "KsealRxFlood", "Streams ended by too many records without data", NULL },
	{ "KsealRxAlerts", "Streams ended by a fatal alert of the peer", NULL },
	{ "KsealTruncated", "Streams cut without close_notify", NULL },
	{ "KsealTxLimit", "Streams ended by the limit of a key", NULL },
	{ "KsealTxDevice", "Outgoing streams given to a device", NULL },
	{ "KsealRxDevice", "Incoming streams given to a device", NULL },
	{ "KsealTxDeviceRecords", "Records sealed by devices", NULL },
	{ "KsealRxDeviceRecords", "Records opened by devices", NULL },
	{ "KsealRxMixed", "Records that a device had opened in part", NULL },
	{ "KsealTxResync", "Resynchronisations of devices that seal", NULL },
	{ "KsealRxResync", "Resynchronisations of devices that open", NULL },
	{ "KsealDeviceLost", "Streams taken back from a device that was in use", NULL },
};

/* KsealTxBytes: kseal_tx_bytes */
static void snake(const char *camel, char *out, size_t size)
{
	size_t length = 0;

	for (; *camel && length + 2 < size; camel++) {
		if (isupper((unsigned char)*camel) && length)
			out[length++] = '_';
		out[length++] = tolower((unsigned char)*camel);
	}
	out[length] = '\0';
}

/**
 * kseal_counter_describe() - what a collector needs to know of a counter
 * @key: as /proc/net/kseal_stat calls it
 * @name: result: what OpenMetrics calls it
 * @size: of @name
 * @help: result
 * @unit: result, NULL if it counts events
 */
void kseal_counter_describe(const char *key, char *name, size_t size, const char **help,
			    const char **unit)
{
	snake(key, name, size);
	*help = "A counter of /proc/net/kseal_stat";
	*unit = NULL;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		if (strcmp(key, counters[i].name))
			continue;
		*help = counters[i].help;
		*unit = counters[i].unit;
	}
}

/**
 * kseal_counter_head() - the lines before the values of a family
 * @f: where to
 * @name: of the family
 * @type: of the family
 * @unit: the end of @name, or NULL
 * @help: what it is
 */
void kseal_counter_head(FILE *f, const char *name, const char *type, const char *unit,
			const char *help)
{
	fprintf(f, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(f, "# UNIT %s %s\n", name, unit);
	fprintf(f, "# HELP %s %s\n", name, help);
}
