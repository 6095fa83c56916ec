// SPDX-License-Identifier: GPL-2.0
/*
 * One case over one transport: a sender (the main thread) and a receiver, the
 * same loops for every transport. Called by bench.c, for the time it takes, and
 * before that to see that the data arrives.
 *
 * A part of the data goes ahead unmeasured, until both ends are idle: windows are
 * open and memory is allocated then. The clock stops when the receiver has all.
 *
 * Large memory is kept from run to run: what one gave back to the kernel would be
 * work for the kernel during the next.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define DISCARD		MIB
#define CHECK_BYTES	(MIB + 777)
#define CHECK_ROUNDS	50
#define TIMEOUT		60	/* seconds without progress */

/* RX: ciphertext to be replayed */
static struct buffer stream;
/* TX, verify(): what the receiver got */
static struct buffer caught;

/**
 * struct run - of a case
 * @t: over what
 * @c: what
 * @a: the sender's ends
 * @b: the receiver's
 * @warm: bytes (PINGPONG: messages) ahead of the measurement
 * @total: bytes (or messages), with @warm
 * @check: compare the data with what it must be
 * @file: for SENDFILE
 * @sent: position in each stream
 * @got: bytes that have arrived
 * @failed: the receiver has given up
 * @error: why
 * @t0: when the measurement began
 * @t1: when it ended
 */
struct run {
	const struct transport *t;
	const struct bench_case *c;
	struct end a[MAX_CONNS];
	struct end b[MAX_CONNS];
	size_t warm;
	size_t total;
	bool check;
	int file;
	size_t sent[MAX_CONNS];
	atomic_size_t got;
	atomic_bool failed;
	char error[160];
	uint64_t t0;
	uint64_t t1;
};

static void fail(struct run *r, const char *where, const char *why)
{
	if (!*r->error)
		snprintf(r->error, sizeof(r->error), "%s: %s", where, why);
}

/* ---- the clock ---- */

static int idle_file(void)
{
	static int fd = -2;

	if (fd == -2)
		fd = open("/proc/kseal_idle", O_RDONLY | O_CLOEXEC);
	return fd;
}

/* Whether idle time is known to the microsecond. */
bool idle_is_exact(void)
{
	return idle_file() >= 0;
}

/*
 * Time that the processor slept, in ns. Where the clock counts instructions it
 * jumps over that; elsewhere waiting is part of what is measured.
 */
static uint64_t idle_ns(void)
{
	static int uptime = -2;
	char buf[64] = "";
	double idle = 0;

	if (!options.instructions)
		return 0;
	if (idle_is_exact()) {
		if (pread(idle_file(), buf, sizeof(buf) - 1, 0) > 0)
			return strtoull(buf, NULL, 10) * 1000;
		return 0;
	}
	if (uptime == -2)
		uptime = open("/proc/uptime", O_RDONLY | O_CLOEXEC);
	if (pread(uptime, buf, sizeof(buf) - 1, 0) > 0)
		sscanf(buf, "%*f %lf", &idle);
	return idle * 1e9;
}

/* Instructions without effect that tell plugin.c when to count. */
static void mark_start(void)
{
#ifdef __x86_64__
	asm volatile("xchg %%r12, %%r12" : : : "memory");
#endif
}

static void mark_stop(void)
{
#ifdef __x86_64__
	asm volatile("xchg %%r13, %%r13" : : : "memory");
#endif
}

static void clock_start(struct run *r)
{
	uint64_t idle = idle_ns();

	r->t0 = now_ns() - idle;
	if (!r->check)
		mark_start();
}

static void clock_stop(struct run *r)
{
	uint64_t now;

	if (!r->check)
		mark_stop();
	now = now_ns();
	r->t1 = now - idle_ns();
}

/* ---- the receiver ---- */

static bool is_right(struct run *r, const uint8_t *data, size_t pos, size_t len)
{
	size_t n;

	for (; len; data += n, pos += n, len -= n) {
		n = len < DATA_CHUNK ? len : DATA_CHUNK;
		if (memcmp(data, data_at(pos), n)) {
			fail(r, "receiver", "the data is not what was sent");
			return false;
		}
	}
	return true;
}

/* One recv() on connection @i; bytes, or -1 for EAGAIN and the end. */
static ssize_t receive(struct run *r, int i, uint8_t *buf, size_t *pos)
{
	size_t want = r->c->read;
	ssize_t n;

	if (r->c->conns == 1 && want > r->total - *pos)
		want = r->total - *pos;
	n = r->t->recv(&r->b[i], buf, want);
	if (n <= 0) {
		if (!n || errno != EAGAIN || r->c->conns == 1)
			fail(r, "receiver", n ? strerror(errno) : "unexpected end");
		return -1;
	}
	if (r->check && !is_right(r, buf, *pos, n))
		return -1;
	*pos += n;
	return n;
}

static void receive_one(struct run *r, uint8_t *buf)
{
	size_t pos = 0;

	while (pos < r->total && receive(r, 0, buf, &pos) > 0)
		atomic_store_explicit(&r->got, pos, memory_order_release);
}

static void receive_many(struct run *r, uint8_t *buf)
{
	struct epoll_event events[MAX_CONNS], e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), i, n;
	size_t pos[MAX_CONNS] = {}, sum = 0;
	ssize_t ret;

	for (i = 0; i < r->c->conns; i++) {
		e.data.u32 = i;
		fcntl(r->b[i].fd, F_SETFL, O_NONBLOCK);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, r->b[i].fd, &e))
			fail(r, "epoll_ctl", strerror(errno));
	}
	while (sum < r->total && !*r->error) {
		n = epoll_wait(ep, events, MAX_CONNS, TIMEOUT * 1000);
		if (n <= 0)
			fail(r, "epoll_wait", n ? strerror(errno) : "nothing comes");
		for (i = 0; i < n; i++) {
			unsigned int conn = events[i].data.u32;

			while ((ret = receive(r, conn, buf, &pos[conn])) > 0)
				sum += ret;
		}
		atomic_store_explicit(&r->got, sum, memory_order_release);
	}
	close(ep);
}

/* The plain receiver of TX: to the end of the stream, without looking at it. */
static void discard(struct run *r, uint8_t *buf)
{
	ssize_t n;

	while ((n = recv(r->b[0].fd, buf, DISCARD, r->check ? 0 : MSG_TRUNC)) > 0)
		if (r->check)
			buffer_add(&caught, buf, n);
	if (n < 0)
		fail(r, "receiver", strerror(errno));
}

static ssize_t receive_message(struct run *r, struct end *e, uint8_t *buf)
{
	size_t pos = 0;
	ssize_t n;

	while (pos < r->c->write) {
		n = r->t->recv(e, buf + pos, r->c->write - pos);
		if (n <= 0) {
			fail(r, "receiver", n ? strerror(errno) : "unexpected end");
			return -1;
		}
		pos += n;
	}
	return pos;
}

static void echo(struct run *r, uint8_t *buf)
{
	size_t i;

	for (i = 0; i < r->total; i++) {
		if (receive_message(r, &r->b[0], buf) < 0)
			return;
		if (r->t->send(&r->b[0], buf, r->c->write) < 0) {
			fail(r, "echo", strerror(errno));
			return;
		}
	}
}

/*
 * With one processor the ends would change places at every packet, which is how
 * often a record layer sends one. Let each run its turn, as if it had a machine of
 * its own: being woken is then no reason to interrupt the other.
 */
static void take_turns(void)
{
	const struct sched_param param = {};

	if (options.instructions && sched_setscheduler(0, SCHED_BATCH, &param))
		die("sched_setscheduler: %s", strerror(errno));
}

static void *receiver(void *arg)
{
	static uint8_t pages[DISCARD + 4096] __attribute__((aligned(4096)));
	uint8_t *buf = pages + 16;	/* where malloc would begin */
	struct run *r = arg;
	int i;

	take_turns();
	if (r->c->kind == PINGPONG)
		echo(r, buf);
	else if (r->c->ends == TX)
		discard(r, buf);
	else if (r->c->conns > 1)
		receive_many(r, buf);
	else
		receive_one(r, buf);
	clock_stop(r);
	if (*r->error) {
		atomic_store(&r->failed, true);
		for (i = 0; i < r->c->conns; i++)
			shutdown(r->b[i].fd, SHUT_RDWR);
	}
	return NULL;
}

/* ---- the sender ---- */

static bool replay(struct run *r, size_t from, size_t to)
{
	size_t pos = from, n;
	ssize_t ret;

	while (pos < to) {
		n = to - pos < 64 * KIB ? to - pos : 64 * KIB;
		ret = send(r->a[0].fd, stream.data + pos, n, MSG_NOSIGNAL);
		if (ret < 0)
			return false;
		pos += ret;
	}
	return true;
}

static bool send_file(struct run *r, size_t from, size_t to)
{
	static uint8_t buf[64 * KIB];
	off_t off = from;
	ssize_t n;

	while (off < (off_t)to) {
		if (r->t->in_kernel) {
			n = sendfile(r->a[0].fd, r->file, &off, to - off);
		} else {
			n = to - off < sizeof(buf) ? to - off : sizeof(buf);
			n = pread(r->file, buf, n, off);
			if (n > 0 && r->t->send(&r->a[0], buf, n) < 0)
				return false;
			off += n;
		}
		if (n <= 0)
			return false;
	}
	return true;
}

static bool send_chunks(struct run *r, size_t from, size_t to)
{
	size_t pos = from, n;
	int i = 0;

	while (pos < to) {
		n = to - pos < r->c->write ? to - pos : r->c->write;
		if (r->t->send(&r->a[i], data_at(r->sent[i]), n) < 0)
			return false;
		pos += n;
		r->sent[i] += n;
		if (++i == r->c->conns)
			i = 0;
	}
	return true;
}

static bool ping(struct run *r, size_t from, size_t to)
{
	uint8_t buf[1024];
	size_t i;

	for (i = from; i < to; i++) {
		if (r->t->send(&r->a[0], data_at(i), r->c->write) < 0 ||
		    receive_message(r, &r->a[0], buf) < 0)
			return false;
		if (r->check && !is_right(r, buf, i, r->c->write))
			return false;
	}
	return true;
}

/* Send what lies between two positions in the plaintext. */
static bool send_part(struct run *r, size_t from, size_t to)
{
	size_t len = stream.len;

	if (r->c->kind == PINGPONG)
		return ping(r, from, to);
	if (r->c->kind == SENDFILE)
		return send_file(r, from, to);
	/* all records are equally long if there is a part ahead */
	if (r->c->ends == RX)
		return replay(r, (double)from / r->total * len + 0.5,
			      (double)to / r->total * len + 0.5);
	return send_chunks(r, from, to);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Until what has been sent has been received. */
static void settle(struct run *r)
{
	int out, in, quiet = 0;

	while (quiet < 3 && !atomic_load(&r->failed)) {
		nap();
		if (r->c->kind == PINGPONG)
			quiet++;
		else if (r->c->ends != TX)
			quiet += atomic_load(&r->got) == r->warm;
		else if (!ioctl(r->a[0].fd, SIOCOUTQ, &out) && !out &&
			 !ioctl(r->b[0].fd, SIOCINQ, &in) && !in)
			quiet++;
		else
			quiet = 0;
	}
}

static void send_all(struct run *r)
{
	bool ok = true;
	int i;

	if (r->warm)
		ok = send_part(r, 0, r->warm);
	if (ok)
		settle(r);
	clock_start(r);
	if (ok)
		ok = send_part(r, r->warm, r->total);
	if (!ok && !atomic_load(&r->failed))
		fail(r, "sender", strerror(errno));
	for (i = 0; i < r->c->conns; i++)
		if (!ok || r->c->ends == TX)
			shutdown(r->a[i].fd, ok ? SHUT_WR : SHUT_RDWR);
}

static void set_timeouts(const struct end *e)
{
	struct timeval tv = { .tv_sec = TIMEOUT };

	setsockopt(e->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(e->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void prepare_stream(struct run *r)
{
	size_t record = record_size(r->c);
	size_t pos, n;

	if (r->t->capture) {
		r->t->capture(&r->a[0], record, r->total, &stream);
	} else if (r->t->in_card && !r->check) {
		records_frame(record, r->total, &stream);
	} else if (r->t != &plain_transport) {
		records_seal(TO_B, record, r->total, &stream);
	} else {
		for (pos = 0; pos < r->total; pos += n) {
			n = r->total - pos < DATA_CHUNK ? r->total - pos : DATA_CHUNK;
			buffer_add(&stream, data_at(pos), n);
		}
	}
}

static bool prepare(struct run *r)
{
	const char *error = NULL;
	int i;

	if (options.cards)
		cards_prepare(r->t, r->check);
	connect_pairs(r->a, r->b, r->c->conns);
	for (i = 0; i < r->c->conns && !error; i++) {
		error = r->t->open(&r->a[i], &r->b[i], r->c->ends);
		set_timeouts(&r->a[i]);
		set_timeouts(&r->b[i]);
	}
	if (!error && options.cards)
		error = cards_check(r->t, r->c->ends);
	if (error)
		fail(r, r->t->name, error);
	else if (r->c->ends == RX)
		prepare_stream(r);
	return !error;
}

static void execute(struct run *r)
{
	pthread_t thread;

	take_turns();
	stream.len = 0;
	caught.len = 0;
	r->file = r->c->kind == SENDFILE ? data_file(r->total) : -1;
	if (prepare(r)) {
		if (pthread_create(&thread, NULL, receiver, r))
			die("pthread_create failed");
		send_all(r);
		pthread_join(thread, NULL);
	}
	close_pairs(r->t, r->a, r->b, r->c->conns);
}

/* Nanoseconds for a byte or a message; dies if the transport breaks. */
double measure(const struct transport *t, const struct bench_case *c)
{
	struct run r = { .t = t, .c = c };
	size_t units;

	switch (c->kind) {
	case SENDFILE:
		units = options.file;
		break;
	case STREAM:
		units = options.bytes / 4 / c->write * c->write;
		break;
	case PINGPONG:
		units = options.bytes / (4 * KIB);
		break;
	default:
		units = options.bytes;
	}
	r.warm = c->kind == STREAM ? units / 8 / c->write * c->write : units / 8;
	r.total = r.warm + units;
	execute(&r);
	if (*r.error)
		die("%s, %s: %s", c->name, t->name, r.error);
	if (c->kind == STREAM)
		units /= c->write;
	return (double)(r.t1 - r.t0) / units;
}

/* A little data, looked at byte for byte: NULL, or what is wrong. */
const char *verify(const struct transport *t, const struct bench_case *c)
{
	struct run r = { .t = t, .c = c, .check = true };
	struct buffer plain = {};
	static char error[200];
	const char *wrong;

	r.total = c->kind == PINGPONG ? CHECK_ROUNDS : CHECK_BYTES;
	execute(&r);
	if (c->ends == TX && t->in_kernel && !*r.error) {
		wrong = NULL;
		if (t == &plain_transport)
			buffer_add(&plain, caught.data, caught.len);
		else
			wrong = records_open(TO_B, &caught, &plain);
		if (wrong)
			fail(&r, "on the wire", wrong);
		if (plain.len != r.total)
			fail(&r, "on the wire", "not all the data");
		else
			is_right(&r, plain.data, 0, plain.len);
	}
	buffer_free(&plain);
	if (!*r.error)
		return NULL;
	snprintf(error, sizeof(error), "%s", r.error);
	return error;
}
