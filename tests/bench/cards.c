// SPDX-License-Identifier: GPL-2.0
/*
 * Connections through two simulated network cards (tests/nicsim) instead of loopback, for
 * what a card that does the cryptography saves. tests/bench/guest has put nicsim0 into
 * the namespace nic-a, where connections come from, and nicsim1 into nic-b. Called by
 * transport.c, measure.c and bench.c.
 *
 * The cards' cipher would run on the processor whose instructions are counted. So while
 * data is verified the cards seal and open, and while it is measured they do all but
 * that: what the sender's leaves in plaintext, the receiver's believes to be open.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define DEBUGFS	"/sys/kernel/debug/nicsim"

/* What each card has taken before: outgoing streams of A, incoming ones of B. */
static unsigned long long taken_before[2];

/* Have this thread in the namespace of the card of @end: "a" or "b". */
void cards_enter(const char *end)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/nic-%s", end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static void set(int card, const char *knob, int value)
{
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), DEBUGFS "/nicsim%d/%s", card, knob);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%d\n", value) < 0 || fclose(f))
		die("%s: %s", path, strerror(errno));
}

static unsigned long long count(int card, const char *name)
{
	unsigned long long value, found = 0;
	char path[80], word[32];
	FILE *f;

	snprintf(path, sizeof(path), DEBUGFS "/nicsim%d/counters", card);
	f = fopen(path, "r");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fscanf(f, "%31s %llu", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	fclose(f);
	return found;
}

/* Before @t is opened: are the cards to take its streams, and to seal and open? */
void cards_prepare(const struct transport *t, bool cipher)
{
	int card;

	for (card = 0; card < 2; card++) {
		set(card, "refuse", t->in_card ? 0 : 3);
		set(card, "no_cipher", !cipher);
	}
	taken_before[0] = count(0, "tx_add");
	taken_before[1] = count(1, "rx_add");
}

/* Once it is open: NULL, or what is wrong with who does the work. */
const char *cards_check(const struct transport *t, enum ends ends)
{
	bool sent = count(0, "tx_add") != taken_before[0];
	bool received = count(1, "rx_add") != taken_before[1];

	if (sent != (t->in_card && ends != RX))
		return sent ? "the card seals" : "the card does not seal";
	if (received != (t->in_card && ends != TX))
		return received ? "the card opens" : "the card does not open";
	return NULL;
}
