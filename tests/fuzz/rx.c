// SPDX-License-Identifier: GPL-2.0
/*
 * The incoming direction. A session makes a stream of records, most of them good,
 * some with a fault; decodes it by itself to know what has to come out, in which
 * order and with which end; sends it in segments of any size; and reads it with
 * every call there is, in any size.
 *
 * Half of the sessions do all of that in one thread, in steps, and so know what
 * the socket must know by then; the other half read with blocking calls while a
 * thread writes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

#define WIRE_MAX	(2 * 1024 * 1024)
#define ITEMS_MAX	2048
#define IDLE_MAX	32	/* records in a row without application data */
#define UPDATES_MAX	32	/* KeyUpdates that no data has paid for */
#define UPDATE_BYTES	128	/* pay for one */
#define USER_CANCELED	90
#define PATIENCE	10000	/* ms until something that has to come counts as lost */

/*
 * What has to come out: a record, or what is left of it. @empty: there are records
 * of application data without any before it. A read that meets only those, before
 * a record of another type, returns 0, as the kernel's own TLS does.
 */
struct item {
	uint8_t type;
	bool empty;
	size_t off;
	size_t len;
};

/**
 * struct rx - a session
 * @wire: the stream
 * @wire_len: its bytes
 * @fed: how many of them have been written
 * @plain: contents, one after the other
 * @items: what has to come out
 * @nr: how many
 * @at: which is next
 * @end: and then: an errno, or 0 for the end of the stream
 * @updates: KeyUpdates in it that want an answer
 * @bytes: application bytes in it
 * @paid: of these, the ones that have paid for KeyUpdates
 * @unpaid: KeyUpdates that none have paid for
 * @message_len: bytes of a handshake message that has not come whole
 * @message_bad: it is no KeyUpdate
 * @records: in it
 * @secrets: the kernel has the traffic secrets
 * @sealed: what is no data is the kernel's business, and so is how it ends
 * @reset: the connection is reset at the end
 * @told: the reader has been told of a bad header; a read that must not wait is
 *	told once only, as by the kernel's own TLS
 * @lowat: SO_RCVLOWAT
 * @small: most records are, so that many fit into the time there is
 * @sent: what the kseal end has written meanwhile
 */
struct rx {
	struct connection c;
	struct dice d;
	uint8_t *wire;
	size_t wire_len;
	size_t fed;
	uint8_t *plain;
	struct item items[ITEMS_MAX];
	size_t nr;
	size_t at;
	int end;
	unsigned int updates;
	size_t bytes;
	size_t paid;
	unsigned int unpaid;
	unsigned int message_len;
	bool message_bad;
	unsigned long records;
	bool secrets;
	bool sealed;
	bool reset;
	bool told;
	int lowat;
	bool small;
	uint8_t *sent;
	size_t nr_sent;
	int pipe[2];
};

#define SENT_MAX (1024 * 1024)

/* ---- the stream ---------------------------------------------------------- */

static size_t some_length(struct dice *d, bool small)
{
	if (small && !chance(d, 1))
		return below(d, chance(d, 90) ? 48 : 400);
	switch (below(d, 12)) {
	case 0: return 0;
	case 1: return 1;
	case 2: return MAX_PLAIN;
	case 3: return MAX_PLAIN - below(d, 40);
	case 4: return below(d, MAX_PLAIN + 1);
	case 5: return 1000 + below(d, 100);
	case 6: return 4096 - 20 + below(d, 40);
	default: return below(d, 200);
	}
}

static uint8_t some_type(struct dice *d, const struct suite *s)
{
	switch (below(d, 6)) {
	case 0: return TYPE_ALERT;
	case 1: return TYPE_HANDSHAKE;
	case 2: return TYPE_CCS;
	/* zero is padding in TLS 1.3 */
	default: return s->version == TLS13 ? 1 + below(d, 255) : below(d, 256);
	}
}

static void add_key_update(struct rx *r, struct direction *dir)
{
	uint8_t request = chance(&r->d, 2) ? roll(&r->d) : below(&r->d, 2);
	const uint8_t msg[KEY_UPDATE_LEN] = { 24, 0, 0, 1, request };

	r->wire_len += tls_seal(dir, TYPE_HANDSHAKE, msg, sizeof(msg),
				chance(&r->d, 10) ? below(&r->d, 50) : 0, 0,
				r->wire + r->wire_len);
	direction_update(dir);
}

static void add_record(struct rx *r, struct direction *dir, unsigned int control)
{
	static __thread uint8_t content[MAX_PLAIN];
	size_t len = some_length(&r->d, r->small), padding = 0;
	uint8_t type = TYPE_DATA;

	if (chance(&r->d, control)) {
		type = some_type(&r->d, dir->suite);
		if (type != TYPE_DATA)
			len = below(&r->d, r->small || chance(&r->d, 90) ? 50 : MAX_PLAIN);
	}
	fill(&r->d, content, len);
	/* Few others leave a sealed stream alive. */
	if (r->sealed && type != TYPE_DATA && chance(&r->d, 95)) {
		type = TYPE_ALERT;
		len = 2;
		content[0] = 1 + (below(&r->d, 2) && dir->suite->version == TLS13);
		content[1] = USER_CANCELED;
	}
	/* What looks like a KeyUpdate may be one. */
	if (type == TYPE_HANDSHAKE && content[0] == 24)
		content[0] = 4;
	if (chance(&r->d, 15))
		padding = below(&r->d, r->small || chance(&r->d, 80) ? 64 : MAX_PLAIN + 1);
	if (len + padding > MAX_PLAIN)
		padding = MAX_PLAIN - len;
	r->wire_len += tls_seal(dir, type, content, len, padding, roll(&r->d),
				r->wire + r->wire_len);
}

/* Do something to the record that begins at @off, the last so far. */
static void add_fault(struct rx *r, struct direction *dir, size_t off)
{
	uint8_t *rec = r->wire + off;
	size_t n, len = r->wire_len - off;
	uint8_t *inner;

	switch (below(&r->d, 12)) {
	case 0:
	case 1:
	case 2:		/* a bit */
		rec[below(&r->d, len)] ^= 1 << below(&r->d, 8);
		break;
	case 3:		/* a bit of the header or the nonce */
		rec[below(&r->d, HEADER + 8)] ^= 1 << below(&r->d, 8);
		break;
	case 4:		/* length */
		n = roll(&r->d);
		rec[3] = n >> 8;
		rec[4] = n;
		break;
	case 5:
		n = (chance(&r->d, 50) ? 0 : MAX_PLAIN) + overhead(dir->suite) - 3 +
		    below(&r->d, 6);
		rec[3] = n >> 8;
		rec[4] = n;
		break;
	case 6:		/* type */
		rec[0] = roll(&r->d);
		break;
	case 7:		/* version */
		rec[1 + below(&r->d, 2)] = roll(&r->d);
		break;
	case 8:		/* twice */
		memcpy(rec + len, rec, len);
		r->wire_len += len;
		break;
	case 9:		/* left out */
		r->wire_len = off;
		break;
	case 10:	/* cut off */
		r->wire_len -= 1 + below(&r->d, len);
		break;
	default:	/* nothing but padding, or more than a record may hold */
		if (dir->suite->version != TLS13)
			break;
		n = chance(&r->d, 50) ? below(&r->d, MAX_PLAIN + 1) :
		    MAX_PLAIN + 1 + below(&r->d, 3);
		inner = calloc(1, n + 1);
		need(inner, "memory");
		if (n > MAX_PLAIN)
			memset(inner, TYPE_DATA, n);
		r->wire_len += tls_seal_inner(dir, inner, n, r->wire + r->wire_len);
		free(inner);
	}
}

static void make_stream(struct rx *r)
{
	struct direction dir = r->c.in;
	unsigned int count = 1 + below(&r->d, r->small ? 1500 : chance(&r->d, 70) ? 60 : 300);
	unsigned int control = chance(&r->d, 50) ? below(&r->d, 50) : 0;
	unsigned int update = r->secrets && chance(&r->d, 60) ? 1 + below(&r->d, 20) : 0;
	unsigned int fault = chance(&r->d, 50) ? 1 + below(&r->d, count) : 0;
	unsigned int i;
	size_t off;

	for (i = 1; i <= count && r->wire_len < WIRE_MAX - 8 * MAX_RECORD; i++) {
		off = r->wire_len;
		if (chance(&r->d, update))
			add_key_update(r, &dir);
		else
			add_record(r, &dir, control);
		if (i == fault)
			add_fault(r, &dir, off);
	}
	if (r->sealed && chance(&r->d, 80)) {
		static const uint8_t close_notify[] = { 1, 0 };

		r->wire_len += tls_seal(&dir, TYPE_ALERT, close_notify, sizeof(close_notify), 0,
					roll(&r->d), r->wire + r->wire_len);
	}
	/* a long run of records that carry nothing */
	if (chance(&r->d, 3)) {
		count = IDLE_MAX - 2 + below(&r->d, 5);
		for (i = 0; i < count; i++)
			r->wire_len += tls_seal(&dir, TYPE_DATA, "", 0, 0, roll(&r->d),
						r->wire + r->wire_len);
		add_record(r, &dir, 0);
	}
}

static const uint8_t key_update[] = { 24, 0, 0, 1 };

static int errno_of(const struct rx *r, int verdict)
{
	switch (r->sealed ? RECORD_FORGED : verdict) {
	case RECORD_VERSION: return EINVAL;
	case RECORD_LONG: return EMSGSIZE;
	default: return EBADMSG;
	}
}

/* As many KeyUpdates as this are no flood; no session takes a minute. */
static bool update_paid(struct rx *r)
{
	size_t earned = (r->bytes - r->paid) / UPDATE_BYTES;

	r->paid += earned * UPDATE_BYTES;
	r->unpaid -= earned < r->unpaid ? earned : r->unpaid;
	return ++r->unpaid <= UPDATES_MAX;
}

/* A KeyUpdate may be cut anywhere and ends its record (RFC 8446 §5.1); there is nothing else. */
static bool key_update_parts(struct rx *r, struct direction *dir, const uint8_t *content, int len)
{
	for (int i = 0; i < len; i++) {
		if (r->message_len < sizeof(key_update)) {
			if (content[i] != key_update[r->message_len])
				r->message_bad = true;
			if (++r->message_len == sizeof(key_update) && r->message_bad)
				return false;
			continue;
		}
		r->message_len = 0;
		if (i + 1 < len || !r->secrets || content[i] > 1 || !update_paid(r))
			return false;
		direction_update(dir);
		r->updates += content[i];
	}
	return true;
}

/*
 * What the kernel makes of a record without data on a sealed stream (RFC 8446 §6, RFC
 * 5246 §7.2). Returns whether the stream goes on.
 */
static bool sealed_control(struct rx *r, struct direction *dir, uint8_t type,
			   const uint8_t *content, int len)
{
	bool tls13 = dir->suite->version == TLS13;

	r->end = EBADMSG;
	if (type == TYPE_DATA)
		return !r->message_len;
	if (type == TYPE_ALERT && len == 2) {
		if (tls13 ? content[1] == USER_CANCELED : content[0] == 1 && content[1])
			return true;
		r->end = content[1] ? ECONNABORTED : 0;
		return false;
	}
	return type == TYPE_HANDSHAKE && tls13 && len && key_update_parts(r, dir, content, len);
}

static void expect(struct rx *r, uint8_t type, bool empty, size_t off, size_t len)
{
	need(r->nr < ITEMS_MAX, "room for items");
	r->items[r->nr++] = (struct item){ type, empty, off, len };
}

/* What has to come out of it. */
static void decode_stream(struct rx *r)
{
	struct direction dir = r->c.in;
	size_t off = 0, used = 0;
	unsigned int idle = 0;
	bool empty = false;
	uint8_t *content;
	uint8_t type;
	int len;

	for (;;) {
		/* unless something else ends it before: cut off */
		r->end = r->sealed ? ECONNRESET : 0;
		if (r->wire_len - off < HEADER)
			return;
		len = tls_header(dir.suite, r->wire + off);
		if (len >= 0 && r->wire_len - off < (size_t)HEADER + len)
			return;
		content = r->plain + used;
		if (len >= 0) {
			size_t next = off + HEADER + len;

			len = tls_open(&dir, r->wire + off, &type, content);
			off = next;
		}
		r->records++;
		if (len < 0) {
			r->end = errno_of(r, len);
			return;
		}
		if (type == TYPE_DATA && len && r->message_len) {
			r->end = EBADMSG;
			return;
		}
		if (type == TYPE_DATA && len) {
			idle = 0;
			r->bytes += len;
			expect(r, type, empty, used, len);
			empty = false;
			used += len;
			continue;
		}
		if (r->sealed) {
			r->end = EBADMSG;
			if (++idle > IDLE_MAX || !sealed_control(r, &dir, type, content, len))
				return;
			continue;
		}
		if (type != TYPE_DATA && !(r->secrets && type == TYPE_HANDSHAKE &&
					   len == KEY_UPDATE_LEN &&
					   !memcmp(content, key_update, 4))) {
			expect(r, type, empty, used, len);
			empty = false;
			used += len;
			continue;
		}
		if (++idle > IDLE_MAX ||
		    (type != TYPE_DATA && (content[4] > 1 || !update_paid(r)))) {
			r->end = EBADMSG;
			return;
		}
		empty |= type == TYPE_DATA;
		if (type != TYPE_DATA) {
			direction_update(&dir);
			r->updates += content[4];
		}
	}
}

/* ---- the writer ---------------------------------------------------------- */

static size_t segment(struct dice *d)
{
	switch (below(d, 6)) {
	case 0: return 1;
	case 1: return 1 + below(d, 10);
	case 2: return 1 + below(d, 200);
	case 3: return 1 + below(d, 3000);
	case 4: return 1 + below(d, 40000);
	default: return 1 << 20;
	}
}

static void finish(struct rx *r)
{
	static const struct linger none = { 1, 0 };

	if (r->reset) {
		setsockopt(r->c.peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		close(r->c.peer);
		r->c.peer = -1;
	} else {
		shutdown(r->c.peer, SHUT_WR);
	}
}

static void *write_all(void *arg)
{
	struct rx *r = arg;
	struct dice d = { r->d.state ^ 0x5eed };
	ssize_t n;
	size_t len;

	while (r->fed < r->wire_len) {
		len = segment(&d);
		if (len > r->wire_len - r->fed)
			len = r->wire_len - r->fed;
		n = send(r->c.peer, r->wire + r->fed, len, MSG_NOSIGNAL);
		if (n < 0)
			return NULL;
		r->fed += n;
		if (chance(&d, 5))
			usleep(below(&d, 300));
	}
	finish(r);
	return NULL;
}

/* ---- the reader ---------------------------------------------------------- */

static size_t left_of_type(const struct rx *r)
{
	size_t i, sum = 0;

	for (i = r->at; i < r->nr; i++) {
		if (r->items[i].type != TYPE_DATA)
			return i == r->at ? r->items[i].len : sum;
		sum += r->items[i].len;
	}
	return sum;
}

static size_t left_in_all(const struct rx *r)
{
	size_t i, sum = 0;

	for (i = r->at; i < r->nr; i++)
		sum += r->items[i].len;
	return sum;
}

/* @got bytes have come out, of @type (-1: nobody said). */
static void take(struct rx *r, const uint8_t *buf, size_t got, int type, bool peek,
		 bool compare)
{
	size_t at = r->at, n;
	struct item it;

	if (at == r->nr)
		fail("%zu bytes after the last record", got);
	if (type >= 0 && type != r->items[at].type)
		fail("item %zu: type %d instead of %d", at, type, r->items[at].type);
	if (got > left_of_type(r))
		fail("item %zu: %zu bytes, and only %zu of its type are left", at, got,
		     left_of_type(r));
	it = r->items[at];
	do {
		n = got < it.len ? got : it.len;
		if (compare && memcmp(buf, r->plain + it.off, n))
			fail("item %zu: other bytes than were sent", at);
		buf += n;
		got -= n;
		it.off += n;
		it.len -= n;
		if (!peek)
			r->items[at] = it;
		if (it.len)
			break;
		it = r->items[++at];
	} while (got);
	if (!peek)
		r->at = at;
}

/*
 * A call has returned @n (or failed with @err). Returns false if there is nothing
 * to read by now.
 */
static bool judge(struct rx *r, ssize_t n, int err, const uint8_t *buf, size_t size,
		  int type, int flags, bool room, bool splice)
{
	bool done = r->at == r->nr, blocking = !(flags & MSG_DONTWAIT);
	uint8_t next = done ? 0 : r->items[r->at].type;

	if (n > 0) {
		if ((size_t)n > size)
			fail("%zd bytes into %zu", n, size);
		if (!room && next != TYPE_DATA && !done)
			fail("a control record (%d) without a word", next);
		take(r, buf, n, type, flags & MSG_PEEK, !(flags & MSG_TRUNC));
		if (flags & MSG_WAITALL && blocking && !(flags & MSG_PEEK) &&
		    (size_t)n < size && r->at < r->nr && next == TYPE_DATA &&
		    r->items[r->at].type == TYPE_DATA && !r->reset)
			fail("MSG_WAITALL: %zd of %zu, with more to come", n, size);
		return true;
	}
	if (!n && !size)
		return true;
	if (!n && !done && r->items[r->at].empty && next != TYPE_DATA && !splice &&
	    (type == TYPE_DATA || !room)) {
		r->items[r->at].empty = false;
		return true;
	}
	if (!n && !done && !r->items[r->at].len) {	/* an empty control record */
		if (type != next && !splice)
			fail("nothing, of type %d instead of %d", type, next);
		if (!(flags & MSG_PEEK))
			r->at++;
		return true;
	}
	if (n < 0 && err == EAGAIN && !blocking)
		return false;
	if (n < 0 && err == EIO && !room && !done && next != TYPE_DATA)
		return true;
	if (n < 0 && err == EINVAL && splice && !done && next != TYPE_DATA)
		return true;
	if (r->reset && n < 0 && err == ECONNRESET) {
		r->end = err;
		r->nr = r->at;
		return true;
	}
	if (!done)
		fail("item %zu of %zu (type %d, %zu bytes): %s", r->at, r->nr, next,
		     r->items[r->at].len, n ? strerror(err) : "end of the stream");
	if (n < 0 ? err != r->end : r->end && !r->reset)
		fail("at the end: %s instead of %s", n ? strerror(err) : "end of the stream",
		     r->end ? strerror(r->end) : "end of the stream");
	r->told = n < 0 && (err == EMSGSIZE || err == EINVAL);
	return true;
}

static uint8_t room_to_read[WIRE_MAX];

static size_t some_size(struct dice *d)
{
	switch (below(d, 8)) {
	case 0: return below(d, 2);
	case 1: return 1 + below(d, 20);
	case 2: return MAX_PLAIN;
	case 3: return 1 + below(d, 100000);
	case 4: return 1 << 17;
	default: return 1 + below(d, 3000);
	}
}

static bool read_splice(struct rx *r, size_t size, int flags)
{
	ssize_t n, m, at;
	int err;

	if (size > 60000)
		size = 60000;
	if (!size)
		return true;
	n = splice(r->c.kseal, NULL, r->pipe[1], NULL, size,
		   flags & MSG_DONTWAIT ? SPLICE_F_NONBLOCK : 0);
	err = errno;
	did("splice %zu = %zd", size, n);
	for (at = 0; at < n; at += m) {
		m = read(r->pipe[0], room_to_read + at, n - at);
		need(m > 0, "what was spliced");
	}
	return judge(r, n, err, room_to_read, size, -1, flags, true, true);
}

static bool read_some(struct rx *r, int flags)
{
	size_t off = below(&r->d, 4096), size = some_size(&r->d), cut;
	char control[CMSG_SPACE(1)] __attribute__((aligned(8)));
	struct msghdr msg = {};
	bool room = chance(&r->d, 80);
	struct iovec iov[3];
	struct cmsghdr *cmsg;
	int err, type = -1;
	ssize_t n;

	if (chance(&r->d, 10))
		return read_splice(r, size, flags);
	if (chance(&r->d, 15))
		flags |= MSG_PEEK;
	if (chance(&r->d, 15))
		flags |= MSG_WAITALL;
	if (chance(&r->d, 3))
		flags |= MSG_TRUNC;
	cut = below(&r->d, size + 1);
	iov[0] = (struct iovec){ room_to_read + off, cut };
	iov[1] = (struct iovec){ NULL, 0 };
	iov[2] = (struct iovec){ room_to_read + off + cut, size - cut };
	msg.msg_iov = iov;
	msg.msg_iovlen = 3;
	if (room) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	n = recvmsg(r->c.kseal, &msg, flags);
	err = errno;
	if (n >= 0 && room && r->sealed && CMSG_FIRSTHDR(&msg))
		fail("a control message on a sealed socket");
	if (n >= 0 && room) {
		cmsg = CMSG_FIRSTHDR(&msg);
		if (cmsg && cmsg->cmsg_level == SOL_TLS &&
		    cmsg->cmsg_type == TLS_GET_RECORD_TYPE)
			type = *CMSG_DATA(cmsg);
		else if (n && !r->sealed)
			fail("%zd bytes without a type", n);
	}
	did("recv %zu flags %x room %d = %zd (%s)", size, flags, room, n, n < 0 ? strerror(err) : "");
	if (n < 0 && err == EIO && !room)
		flags |= MSG_PEEK;
	return judge(r, n, err, room_to_read + off, size, type, flags, room, false);
}

static void look(struct rx *r)
{
	int n = 0, lowat;

	if (chance(&r->d, 10)) {
		lowat = some_size(&r->d);
		if (!setsockopt(r->c.kseal, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)))
			r->lowat = lowat;
	}
	if (chance(&r->d, 20) && !ioctl(r->c.kseal, FIONREAD, &n) &&
	    (n < 0 || (size_t)n > left_in_all(r)) && !r->reset)
		fail("FIONREAD says %d, and only %zu bytes are left", n, left_in_all(r));
	if (chance(&r->d, 5) && r->nr_sent < SENT_MAX - 40000 && !r->reset) {
		n = below(&r->d, 40000);
		fill(&r->d, r->sent + r->nr_sent, n);
		n = send(r->c.kseal, r->sent + r->nr_sent, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		did("send = %d", n);
		if (n > 0)
			r->nr_sent += n;
	}
}

static bool feed(struct rx *r)
{
	unsigned int i, count = below(&r->d, 20);
	bool any = false;
	ssize_t n;
	size_t len;

	for (i = 0; i < count && r->fed < r->wire_len; i++) {
		len = segment(&r->d);
		if (len > r->wire_len - r->fed)
			len = r->wire_len - r->fed;
		n = send(r->c.peer, r->wire + r->fed, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		need(n > 0, "the peer can send");
		r->fed += n;
		any = true;
		if (r->fed == r->wire_len)
			finish(r);
	}
	did("fed %zu of %zu", r->fed, r->wire_len);
	return any || count == 0;
}

static bool over(const struct rx *r)
{
	return r->at == r->nr;
}

static void run_in_steps(struct rx *r)
{
	unsigned int i, count, tail = 3;
	struct pollfd p[2];
	bool fed, got;

	if (!r->wire_len)
		finish(r);
	while (!over(r) || tail--) {
		fed = r->fed < r->wire_len && feed(r);
		count = over(r) ? 1 : below(&r->d, 10);
		for (i = 0, got = true; i < count && got && !over(r); i++) {
			look(r);
			p[0] = (struct pollfd){ r->c.kseal, POLLIN, 0 };
			poll(p, 1, 0);
			got = read_some(r, MSG_DONTWAIT);
			if (!got && p[0].revents & POLLIN)
				fail("poll says readable, a read says EAGAIN");
		}
		if ((over(r) && r->fed == r->wire_len) || (!got && !fed)) {
			/* Either end has to be able to go on. */
			p[0] = (struct pollfd){ r->c.kseal, POLLIN, 0 };
			p[1] = (struct pollfd){ r->c.peer, POLLOUT, 0 };
			if (!poll(p, r->fed < r->wire_len ? 2 : 1, PATIENCE))
				fail("stuck at item %zu of %zu with %zu of %zu bytes fed",
				     r->at, r->nr, r->fed, r->wire_len);
			if (over(r) && p[0].revents && !read_some(r, MSG_DONTWAIT) && !r->told)
				fail("poll says readable at the end, a read says EAGAIN");
		}
	}
}

static void run_blocking(struct rx *r)
{
	unsigned int tail = 3;
	pthread_t writer;
	struct pollfd p;

	need(!pthread_create(&writer, NULL, write_all, r), "a thread");
	while (!over(r) || tail--) {
		look(r);
		p = (struct pollfd){ r->c.kseal, POLLIN, 0 };
		if (chance(&r->d, 30) && !poll(&p, 1, PATIENCE))
			fail("poll says nothing at item %zu of %zu with %zu of %zu bytes fed",
			     r->at, r->nr, r->fed, r->wire_len);
		read_some(r, p.revents && chance(&r->d, 50) ? MSG_DONTWAIT : 0);
	}
	/* A stream that ended early leaves the writer with a full window. */
	shutdown(r->c.kseal, SHUT_RDWR);
	if (r->fed < r->wire_len && r->c.peer >= 0)
		shutdown(r->c.peer, SHUT_RDWR);
	pthread_join(writer, NULL);
}

/* What the kseal end has sent: what it was told to, and answers to KeyUpdates. */
static void check_answers(struct rx *r)
{
	static const uint8_t answer[] = { 24, 0, 0, 1, 0 };
	uint8_t *buf = malloc(SENT_MAX * 2), content[MAX_RECORD], type;
	size_t have = 0, off = 0, got = 0;
	unsigned int answers = 0;
	bool closed = false;
	ssize_t n;
	int len;

	need(buf, "memory");
	shutdown(r->c.kseal, SHUT_WR);
	while ((n = recv(r->c.peer, buf + have, SENT_MAX * 2 - have, 0)) > 0)
		have += n;
	while (have - off >= HEADER) {
		len = tls_header(r->c.out.suite, buf + off);
		if (len < 0 || have - off < (size_t)HEADER + len)
			break;
		n = tls_open(&r->c.out, buf + off, &type, content);
		if (n < 0)
			fail("what was sent does not open: %zd", n);
		off += HEADER + len;
		if (r->sealed && type == TYPE_ALERT && n == 2 && content[0] == 1 && !content[1] &&
		    off == have) {
			closed = true;
			continue;
		}
		if (type == TYPE_HANDSHAKE && n == KEY_UPDATE_LEN &&
		    !memcmp(content, answer, sizeof(answer))) {
			answers++;
			direction_update(&r->c.out);
			continue;
		}
		if (type != TYPE_DATA || got + n > r->nr_sent ||
		    memcmp(r->sent + got, content, n))
			fail("what was sent is not what was written");
		got += n;
	}
	free(buf);
	if (n < 0)
		return;		/* it has been reset: unread data at a dead end */
	if (off != have || got != r->nr_sent)
		fail("sent %zu bytes of %zu, %zu of %zu of the stream", got, r->nr_sent, off,
		     have);
	if (closed != r->sealed)
		fail("the end is %s close_notify", closed ? "a" : "without");
	if (answers > r->updates || (r->updates && !answers && !r->end))
		fail("%u answers to %u KeyUpdates", answers, r->updates);
}

void fuzz_rx(struct session *s)
{
	struct rx *r = calloc(1, sizeof(*r));
	bool steps;

	need(r, "memory");
	r->sealed = s->sealed;
	r->d.state = s->seed;
	s->suite = usable[below(&r->d, nr_usable)];
	r->wire = malloc(WIRE_MAX);
	r->plain = malloc(WIRE_MAX);
	r->sent = malloc(SENT_MAX);
	need(r->wire && r->plain && r->sent, "memory");
	r->secrets = s->suite->version == TLS13 && chance(&r->d, 50);
	r->reset = chance(&r->d, 3);
	r->lowat = 1;
	r->small = chance(&r->d, 85);
	steps = chance(&r->d, 50);
	connect_pair(&r->c, &r->d, s,
		     chance(&r->d, 70) ? 0 : 1 << (8 + below(&r->d, 12)), 0, r->secrets);
	need(!pipe(r->pipe), "a pipe");
	fcntl(r->pipe[1], F_SETPIPE_SZ, 1 << 18);
	make_stream(r);
	decode_stream(r);
	did("%s: %lu records, %zu bytes, %zu items, end %d%s%s", steps ? "steps" : "blocking",
	    r->records, r->wire_len, r->nr, r->end, r->secrets ? ", secrets" : "",
	    r->reset ? ", reset" : "");
	if (steps)
		run_in_steps(r);
	else
		run_blocking(r);
	if (steps && !r->reset && r->fed == r->wire_len && !r->end)
		check_answers(r);
	s->records = r->records;
	close(r->pipe[0]);
	close(r->pipe[1]);
	disconnect(&r->c);
	free(r->wire);
	free(r->plain);
	free(r->sent);
	free(r);
}
