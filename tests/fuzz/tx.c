// SPDX-License-Identifier: GPL-2.0
/*
 * The outgoing direction. Several threads write to one socket, with every call
 * there is: send, writev, MSG_MORE, TCP_CORK, sendfile, splice, vmsplice, control
 * records, blocking and not. The peer opens every record.
 *
 * Calls of several threads may mix, but each thread's own bytes must come in its
 * order. So every byte says whose it is (its two highest bits) and which (the rest:
 * its number modulo PERIOD).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "fuzz.h"

#define THREADS_MAX	4
#define PERIOD		61
#define PATTERN		(256 * 1024)	/* bytes ahead of the longest write */
#define LONGEST		100000

/**
 * struct writer - one thread
 * @who: its number
 * @fd: the socket
 * @count: bytes that the socket has taken from it
 * @alerts: control records that the socket has taken from it
 * @sealed: the socket is, so it takes no control records
 * @budget: bytes to write
 * @pattern: its bytes; @file holds the same
 * @pipe: for splice
 * @small: most writes are
 */
struct writer {
	pthread_t thread;
	struct dice d;
	unsigned int who;
	int fd;
	uint64_t count;
	unsigned int alerts;
	bool sealed;
	uint64_t budget;
	uint8_t *pattern;
	int file;
	int pipe[2];
	bool small;
};

static const uint8_t alert[] = { 1, 90 };	/* user_canceled, which ends nothing */
static const uint8_t close_notify[] = { 1, 0 };

static void make_pattern(struct writer *w)
{
	size_t i;

	w->pattern = mmap(NULL, PATTERN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	need(w->pattern != MAP_FAILED, "memory");
	for (i = 0; i < PATTERN; i++)
		w->pattern[i] = w->who << 6 | i % PERIOD;
	w->file = memfd_create("pattern", MFD_CLOEXEC);
	need(w->file >= 0 && write(w->file, w->pattern, PATTERN) == PATTERN, "a file");
	need(!pipe2(w->pipe, O_CLOEXEC), "a pipe");
	fcntl(w->pipe[1], F_SETPIPE_SZ, 1 << 18);
}

/* Where in the pattern the thread is: somewhere, so that pages differ. */
static size_t position(struct writer *w)
{
	return w->count % PERIOD + PERIOD * below(&w->d, (PATTERN - LONGEST) / PERIOD - 1);
}

static size_t some_size(struct dice *d, bool small)
{
	if (small && !chance(d, 1))
		return 1 + below(d, 60);
	switch (below(d, 8)) {
	case 0: return 1 + below(d, LONGEST);
	case 1: return MAX_PLAIN - 2 + below(d, 4);
	case 2: return 1 + below(d, 5000);
	case 3: return 1;
	default: return 1 + below(d, 300);
	}
}

/* What is in the pipe has to reach the socket, whatever that takes. */
static ssize_t drain(struct writer *w, size_t len, int more)
{
	struct pollfd p = { w->fd, POLLOUT, 0 };
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = splice(w->pipe[0], NULL, w->fd, NULL, len - done,
			   (more ? SPLICE_F_MORE : 0) |
			   (chance(&w->d, 20) ? SPLICE_F_NONBLOCK : 0));
		if (n < 0 && errno == EAGAIN) {
			if (!poll(&p, 1, 10000))
				fail("thread %u: no room for 10 s", w->who);
			continue;
		}
		if (n <= 0)
			return n;
		done += n;
	}
	return done;
}

static ssize_t write_some(struct writer *w, size_t size)
{
	int more = chance(&w->d, 30) ? MSG_MORE : 0;
	int flags = MSG_NOSIGNAL | more | (chance(&w->d, 20) ? MSG_DONTWAIT : 0);
	size_t at = position(w), cut = below(&w->d, size + 1);
	uint8_t *from = w->pattern + at;
	struct iovec iov[3] = { { from, cut }, { NULL, 0 }, { from + cut, size - cut } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	int pair[2];
	off_t off = at;
	ssize_t n;

	switch (below(&w->d, 8)) {
	case 0:
		n = sendfile(w->fd, w->file, &off, size);
		did("%u: sendfile %zu = %zd", w->who, size, n);
		return n;
	case 1:
		n = splice(w->file, &off, w->pipe[1], NULL, size, 0);
		did("%u: splice from a file %zu = %zd", w->who, size, n);
		return n > 0 ? drain(w, n, more) : n;
	case 2:		/* the pages never change */
		iov[0].iov_len = size;
		n = vmsplice(w->pipe[1], iov, 1, SPLICE_F_NONBLOCK);
		did("%u: vmsplice %zu = %zd", w->who, size, n);
		return n > 0 ? drain(w, n, more) : n;
	case 3:		/* tee: a pipe that shares its pages with another */
		need(!pipe2(pair, O_CLOEXEC), "a pipe");
		if (size > 4000)
			size = 4000;
		need(write(pair[1], from, size) == (ssize_t)size, "a pipe takes a page");
		n = tee(pair[0], w->pipe[1], size, SPLICE_F_NONBLOCK);
		did("%u: tee %zu = %zd", w->who, size, n);
		n = n > 0 ? drain(w, n, more) : n;
		close(pair[0]);
		close(pair[1]);
		return n;
	case 4:
		n = writev(w->fd, iov, 3);
		did("%u: writev %zu = %zd", w->who, size, n);
		return n;
	case 5:
		n = send(w->fd, from, size, flags);
		break;
	default:
		n = sendmsg(w->fd, &msg, flags);
	}
	did("%u: send %zu flags %x = %zd", w->who, size, flags, n);
	return n;
}

static void send_alert(struct writer *w)
{
	char control[CMSG_SPACE(1)] __attribute__((aligned(8))) = {};
	struct iovec iov = { (void *)alert, sizeof(alert) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = TYPE_ALERT;
	n = sendmsg(w->fd, &msg, MSG_NOSIGNAL);
	did("%u: alert = %zd", w->who, n);
	if (w->sealed && n < 0 && errno == EINVAL)
		return;
	if (w->sealed || n != sizeof(alert))
		fail("thread %u: a control record: %zd, %s", w->who, n, strerror(errno));
	w->alerts++;
}

static void *write_all(void *arg)
{
	struct writer *w = arg;
	struct pollfd p = { w->fd, POLLOUT, 0 };
	int n, on;
	ssize_t got;

	while (w->count < w->budget) {
		if (chance(&w->d, 3)) {
			on = below(&w->d, 2);
			setsockopt(w->fd, IPPROTO_TCP, chance(&w->d, 50) ? TCP_CORK : TCP_NODELAY,
				   &on, sizeof(on));
			did("%u: cork or nodelay %d", w->who, on);
		}
		if (chance(&w->d, 3))
			send_alert(w);
		if (chance(&w->d, 5) && (ioctl(w->fd, SIOCOUTQ, &n) || n < 0))
			fail("SIOCOUTQ: %d", n);
		got = write_some(w, some_size(&w->d, w->small));
		if (got > 0)
			w->count += got;
		else if (got < 0 && errno == EAGAIN && !poll(&p, 1, 10000))
			fail("thread %u: no room for 10 s", w->who);
		else if (got < 0 && errno != EAGAIN)
			fail("thread %u: %s", w->who, strerror(errno));
	}
	return NULL;
}

/**
 * struct reader - the peer
 * @c: connection
 * @d: its dice
 * @slow: it sleeps now and then
 * @records: opened
 * @count: bytes of each thread
 * @alerts: control records
 * @closed: close_notify, which has to be the last
 */
struct reader {
	pthread_t thread;
	struct connection *c;
	struct dice d;
	bool slow;
	unsigned long records;
	uint64_t count[THREADS_MAX];
	unsigned int alerts;
	bool closed;
};

static void open_record(struct reader *r, const uint8_t *record)
{
	static __thread uint8_t content[MAX_RECORD];
	uint8_t type, who;
	int i, len = tls_open(&r->c->out, record, &type, content);

	if (len < 0)
		fail("record %lu does not open: %d", r->records, len);
	r->records++;
	if (r->closed)
		fail("record %lu follows close_notify", r->records);
	if (type == TYPE_ALERT && len == sizeof(close_notify) &&
	    !memcmp(content, close_notify, len)) {
		r->closed = true;
		return;
	}
	if (type == TYPE_ALERT) {
		if (len != sizeof(alert) || memcmp(content, alert, len))
			fail("record %lu is another alert than was sent", r->records);
		r->alerts++;
		return;
	}
	if (type != TYPE_DATA || !len || len > MAX_PLAIN)
		fail("record %lu: type %d, %d bytes", r->records, type, len);
	for (i = 0; i < len; i++) {
		who = content[i] >> 6;
		if ((content[i] & 63) != r->count[who] % PERIOD)
			fail("record %lu: byte %d is number %d of thread %d, not %d", r->records,
			     i, content[i] & 63, who, (int)(r->count[who] % PERIOD));
		r->count[who]++;
	}
}

static void *read_all(void *arg)
{
	static __thread uint8_t buf[4 * MAX_RECORD];
	struct reader *r = arg;
	size_t have = 0, off, len;
	ssize_t n;

	for (;;) {
		n = recv(r->c->peer, buf + have, sizeof(buf) - have, 0);
		if (n < 0)
			fail("the peer: %s", strerror(errno));
		if (!n)
			break;
		have += n;
		for (off = 0; have - off >= HEADER; off += len) {
			len = HEADER + (buf[off + 3] << 8 | buf[off + 4]);
			if (len > MAX_RECORD)
				fail("a record of %zu bytes", len);
			if (have - off < len)
				break;
			open_record(r, buf + off);
		}
		memmove(buf, buf + off, have - off);
		have -= off;
		if (r->slow && chance(&r->d, 10))
			usleep(below(&r->d, 3000));
	}
	if (have)
		fail("the stream ends inside a record");
	return NULL;
}

void fuzz_tx(struct session *s)
{
	struct writer w[THREADS_MAX] = {};
	struct dice d = { s->seed };
	struct connection c;
	struct reader r = { .c = &c };
	unsigned int i, alerts = 0, n = 1 + below(&d, THREADS_MAX);
	bool small = chance(&d, 90);
	int off = 0;

	s->suite = usable[below(&d, nr_usable)];
	connect_pair(&c, &d, s, 0, chance(&d, 60) ? 0 : 1 << (10 + below(&d, 8)),
		     s->suite->version == TLS13 && chance(&d, 50));
	r.slow = chance(&d, 30);
	r.d.state = roll(&d);
	did("%u threads%s", n, r.slow ? ", a slow reader" : "");
	need(!pthread_create(&r.thread, NULL, read_all, &r), "a thread");
	for (i = 0; i < n; i++) {
		w[i].who = i;
		w[i].fd = c.kseal;
		w[i].d.state = roll(&d);
		w[i].small = small;
		w[i].sealed = s->sealed;
		w[i].budget = 1 + below(&d, small ? 1 << 15 : 1 << 19);
		make_pattern(&w[i]);
		need(!pthread_create(&w[i].thread, NULL, write_all, &w[i]), "a thread");
	}
	for (i = 0; i < n; i++)
		pthread_join(w[i].thread, NULL);
	if (chance(&d, 50))	/* else shutdown() has to take the cork off */
		setsockopt(c.kseal, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	need(!shutdown(c.kseal, SHUT_WR), "shutdown");
	pthread_join(r.thread, NULL);
	for (i = 0; i < n; i++) {
		if (r.count[i] != w[i].count)
			fail("thread %u: %lu bytes of %lu have come", i,
			     (unsigned long)r.count[i], (unsigned long)w[i].count);
		alerts += w[i].alerts;
		munmap(w[i].pattern, PATTERN);
		close(w[i].file);
		close(w[i].pipe[0]);
		close(w[i].pipe[1]);
	}
	if (r.closed != s->sealed)
		fail("the end is %s close_notify", r.closed ? "a" : "without");
	if (alerts != r.alerts)
		fail("%u control records of %u have come", r.alerts, alerts);
	s->records = r.records;
	disconnect(&c);
}
