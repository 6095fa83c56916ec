// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz [OPTION]...: random streams against the record layer, checked byte for byte
 * (rx.c: what is read; tx.c: what is written). Run by tests/fuzz/run in a guest.
 * Prints TAP.
 *
 *   -n N       records (20000), half of them read, half of them written
 *   -s SEED    where to begin; a new one every time otherwise
 *   -t SECONDS end after that, whatever -n says
 *   -c FILE    sessions to run first: lines of "rx SEED" or "tx SEED"
 *   -r KIND=SEED  run this session only
 *
 * A session that fails prints its seed, what it did last and what was wrong.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/kseal.h>

#include "../faults/agent.h"
#include "fuzz.h"

#define SESSION_LIMIT	120	/* seconds */
#define LAST		24	/* things done that are printed */

struct session *now;
const struct suite *usable[16];
size_t nr_usable;

static struct agent agent;
static char last[LAST][160];
static unsigned int nr_did;
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;

/* Remember what was done. */
void did(const char *what, ...)
{
	va_list ap;

	pthread_mutex_lock(&last_lock);
	va_start(ap, what);
	vsnprintf(last[nr_did++ % LAST], sizeof(last[0]), what, ap);
	va_end(ap);
	pthread_mutex_unlock(&last_lock);
}

static void tell(void)
{
	unsigned int i;

	printf("not ok 1 - %s %" PRIu64 " (%s, %s)\n", now->kind, now->seed,
	       now->suite ? now->suite->name : "no suite yet",
	       now->sealed ? "sealed" : "explicit");
	for (i = nr_did > LAST ? nr_did - LAST : 0; i < nr_did; i++)
		printf("#   %s\n", last[i % LAST]);
}

void fail(const char *what, ...)
{
	va_list ap;

	tell();
	printf("# ");
	va_start(ap, what);
	vprintf(what, ap);
	va_end(ap);
	printf("\n# again: fuzz -r %s=%" PRIu64 "; keep it in tests/fuzz/corpus\n1..1\n",
	       now->kind, now->seed);
	fflush(stdout);
	_exit(1);
}

/* What has nothing to do with the module. */
void need(bool truth, const char *what)
{
	if (!truth)
		fail("the test itself fails: %s: %s", what, strerror(errno));
}

static void timeout(int sig)
{
	(void)sig;
	fail("not done after %d s", SESSION_LIMIT);
}

static int push(int fd, const struct direction *dir, int option)
{
	uint8_t buf[64];

	return setsockopt(fd, SOL_TLS, option, buf, crypto_info(dir, buf));
}

static int set_ulp(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, KSEAL_ULP_NAME, strlen(KSEAL_ULP_NAME));
}

static void push_all(int fd, const struct connection *c, const struct suite *s, bool secrets)
{
	need(!push(fd, &c->out, TLS_TX), "TLS_TX");
	need(!push(fd, &c->in, TLS_RX), "TLS_RX");
	if (secrets)
		need(!setsockopt(fd, SOL_TLS, KSEAL_TX_SECRET, c->out.secret, s->hash) &&
		     !setsockopt(fd, SOL_TLS, KSEAL_RX_SECRET, c->in.secret, s->hash),
		     "secrets");
}

/* What the agent does with a connection that waits, but for the handshake. */
static void seal(const struct connection *c, const struct suite *s, bool secrets)
{
	uint64_t id;
	int proxy;

	while ((proxy = agent_accept(&agent, &id)) == -EAGAIN)
		usleep(100);
	errno = -proxy;
	need(proxy >= 0, "ACCEPT");
	push_all(proxy, c, s, secrets);
	errno = -agent_done(&agent, id, 0);
	need(!errno, "DONE");
	close(proxy);
}

/* Two ends of a connection; the caller's dice decide what has no parameter. */
void connect_pair(struct connection *c, struct dice *d, const struct session *s,
		  int rcvbuf, int sndbuf, bool secrets)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = {};
	bool v6 = chance(d, 30);
	socklen_t len = v6 ? sizeof(a.in6) : sizeof(a.in);
	int l, one = 1;

	a.sa.sa_family = v6 ? AF_INET6 : AF_INET;
	if (v6)
		a.in6.sin6_addr = in6addr_loopback;
	else
		a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(l >= 0, "socket");
	if (rcvbuf)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	if (sndbuf)
		setsockopt(l, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	need(!s->sealed || !set_ulp(l), "TCP_ULP");
	need(!bind(l, &a.sa, len) && !listen(l, 1) && !getsockname(l, &a.sa, &len), "listen");
	c->peer = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(c->peer >= 0 && !connect(c->peer, &a.sa, len), "connect");
	setsockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	direction_init(&c->in, s->suite, d);
	direction_init(&c->out, s->suite, d);
	if (s->sealed)
		seal(c, s->suite, secrets);
	c->kseal = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	need(c->kseal >= 0, "accept");
	close(l);
	if (s->sealed)
		return;
	need(!set_ulp(c->kseal), "TCP_ULP");
	push_all(c->kseal, c, s->suite, secrets);
}

void disconnect(struct connection *c)
{
	static const struct linger none = { 1, 0 };

	/* no TIME_WAIT: there would be too many of them */
	if (c->peer >= 0) {
		setsockopt(c->peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		close(c->peer);
	}
	close(c->kseal);
}

/* The suites that this kernel has. */
static void find_usable(void)
{
	struct session s = { .kind = "set-up", .suite = &suites[0], .sealed = true };
	struct connection c;
	struct dice d = {};
	size_t i;

	now = &s;
	errno = -agent_open(&agent);
	need(!errno, "the netlink family");
	errno = -agent_register(&agent);
	need(!errno, "REGISTER");
	connect_pair(&c, &d, &s, 0, 0, false);
	disconnect(&c);
	for (i = 0; i < nr_suites; i++) {
		struct direction dir;
		uint8_t buf[64];
		int fd[2], l = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in a = { .sin_family = AF_INET };
		socklen_t len = sizeof(a);

		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		bind(l, (struct sockaddr *)&a, len);
		listen(l, 1);
		getsockname(l, (struct sockaddr *)&a, &len);
		fd[0] = socket(AF_INET, SOCK_STREAM, 0);
		need(!connect(fd[0], (struct sockaddr *)&a, len), "connect");
		fd[1] = accept(l, NULL, NULL);
		direction_init(&dir, &suites[i], &d);
		set_ulp(fd[1]);
		if (!setsockopt(fd[1], SOL_TLS, TLS_TX, buf, crypto_info(&dir, buf)))
			usable[nr_usable++] = &suites[i];
		close(l);
		close(fd[0]);
		close(fd[1]);
	}
	need(nr_usable, "a cipher");
}

static unsigned long run(const char *kind, uint64_t seed)
{
	struct session s = { .kind = kind, .seed = seed };
	struct dice d = { ~seed };

	s.sealed = chance(&d, 50);
	now = &s;
	nr_did = 0;
	alarm(SESSION_LIMIT);
	if (!strcmp(kind, "rx"))
		fuzz_rx(&s);
	else
		fuzz_tx(&s);
	alarm(0);
	return s.records;
}

/* As many sessions of a kind as it takes. */
static unsigned long run_many(const char *kind, unsigned long count, time_t until,
			      uint64_t seed)
{
	struct dice d = { seed };
	unsigned long records = 0;

	while (records < count && (!until || time(NULL) < until))
		records += run(kind, roll(&d));
	return records;
}

static unsigned int run_corpus(const char *file)
{
	FILE *f = fopen(file, "r");
	unsigned int n = 0;
	uint64_t seed;
	char line[256];

	if (!f) {
		printf("Bail out! %s: %s\n", file, strerror(errno));
		exit(1);
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "rx %" SCNu64, &seed) == 1)
			run("rx", seed);
		else if (sscanf(line, "tx %" SCNu64, &seed) == 1)
			run("tx", seed);
		else
			continue;
		n++;
	}
	fclose(f);
	return n;
}

static void usage(void)
{
	fprintf(stderr, "fuzz [-n RECORDS] [-s SEED] [-t SECONDS] [-c CORPUS] [-r KIND=SEED]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const char *corpus = NULL, *one = NULL;
	unsigned long count = 20000, seconds = 0, done;
	uint64_t seed = (uint64_t)time(NULL) << 16 ^ getpid();
	time_t t;
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:t:c:r:")) != -1) {
		switch (opt) {
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			corpus = optarg;
			break;
		case 'r':
			one = optarg;
			break;
		default:
			usage();
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, timeout);
	signal(SIGPIPE, SIG_IGN);
	find_usable();
	printf("# seed %" PRIu64 "; ciphers:", seed);
	for (i = 0; i < nr_usable; i++)
		printf(" %s", usable[i]->name);
	printf("\n");

	if (one) {
		if (strncmp(one, "rx=", 3) && strncmp(one, "tx=", 3))
			usage();
		run(one[0] == 'r' ? "rx" : "tx", strtoull(one + 3, NULL, 0));
		printf("ok 1 - %s\n1..1\n", one);
		return 0;
	}
	printf("1..3\n");
	printf("ok 1 - %u sessions that once failed\n", corpus ? run_corpus(corpus) : 0);
	t = time(NULL);
	done = run_many("rx", (count + 1) / 2, seconds ? t + (seconds + 1) / 2 : 0, seed);
	printf("ok 2 - %lu records read as they were sent\n# %ld s\n", done, time(NULL) - t);
	t = time(NULL);
	done = run_many("tx", count / 2, seconds ? t + seconds / 2 : 0, ~seed);
	printf("ok 3 - %lu records written as they were meant\n# %ld s\n", done, time(NULL) - t);
	return 0;
}
