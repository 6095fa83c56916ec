// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that runs out, or that the caller does not have, once, at every place
 * where it can: each call is made again and again, with its 1st, 2nd, 3rd ...
 * allocation or copy from or to user space failing (/proc/thread-self/fail-nth),
 * until all of them have. What must hold: a clear errno; what the call said it has
 * done is done, and no more; the stream goes on or is dead, but never wrong; nothing
 * but records ever reaches the wire. Run by tests/faults/run in a debug kernel.
 * Prints TAP.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/kseal.h>

#include "../fuzz/tls.h"
#include "agent.h"

#define NTH_MAX		1000
#define PATIENCE	5000	/* ms */
#define BIG		100000

static const char *scenario;
static unsigned int nth, tests, faults, dead;
static int fail_nth = -1;
static uint8_t data[BIG];

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *what, ...)
{
	va_list ap;

	printf("not ok %u - %s\n# fault %u: ", ++tests, scenario, nth);
	va_start(ap, what);
	vprintf(what, ap);
	va_end(ap);
	printf("\n1..%u\n", tests);
	fflush(stdout);
	_exit(1);
}

static void need(bool truth, const char *what)
{
	if (!truth)
		fail("%s: %s", what, strerror(errno));
}

static void timeout(int sig)
{
	(void)sig;
	fail("it hangs");
}

/* ---- faults -------------------------------------------------------------- */

static void put(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fail("%s: %s", file, strerror(errno));
	close(fd);
}

static void fault_option(const char *name, const char *value)
{
	static const char * const kind[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char file[128];
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "/sys/kernel/debug/%s/%s", kind[i], name);
		if (!access(file, F_OK))
			put(file, value);
	}
}

static void set_up_faults(void)
{
	fault_option("ignore-gfp-wait", "N");
	fault_option("verbose", "0");
	fault_option("task-filter", "Y");
	put("/sys/kernel/debug/failslab/cache-filter", "N");
	put("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	need(fail_nth >= 0, "fail-nth");
}

/* From here on the nth allocation or copy of this thread fails, once. */
static void arm(void)
{
	char buf[16];
	int n = snprintf(buf, sizeof(buf), "%u", nth);

	need(pwrite(fail_nth, buf, n, 0) == n, "fail-nth");
}

/* Has it? Keeps errno. */
static bool disarm(void)
{
	char buf[16] = "";
	int err = errno;

	/* Where copies to user space fail too, this may be the nth. */
	need(pread(fail_nth, buf, sizeof(buf) - 1, 0) > 0 || errno == EFAULT, "fail-nth");
	need(pwrite(fail_nth, "0", 1, 0) == 1 || errno == EFAULT, "fail-nth");
	errno = err;
	return buf[0] && !atoi(buf);
}

static bool fault_errno(int err)
{
	return err == ENOMEM || err == ENOBUFS || err == ENFILE || err == EAGAIN || err == EFAULT;
}

/* ---- connections --------------------------------------------------------- */

/**
 * struct connection - a socket with keys, and its peer
 * @kseal: our end
 * @peer: the other one, a plain socket
 * @in: keys of what @kseal reads
 * @out: keys of what @kseal writes
 * @buf: read by the peer, not decoded yet
 * @have: bytes of it
 */
struct connection {
	int kseal;
	int peer;
	struct direction in;
	struct direction out;
	uint8_t buf[4 * MAX_RECORD];
	size_t have;
};

static struct connection c;
static struct dice dice = { 1 };

static int listen_any(struct sockaddr_in *a, int rcvbuf)
{
	socklen_t len = sizeof(*a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), big = 1 << 20;

	*a = (struct sockaddr_in){ .sin_family = AF_INET };
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(l >= 0, "socket");
	setsockopt(l, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	if (rcvbuf)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	need(!bind(l, (struct sockaddr *)a, len) &&
	     !getsockname(l, (struct sockaddr *)a, &len), "bind");
	return l;
}

static int dial(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(fd >= 0, "socket");
	return connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? (close(fd), -1) : fd;
}

static void pair(const struct suite *s, int rcvbuf)
{
	struct sockaddr_in a;
	int l = listen_any(&a, rcvbuf);

	need(!listen(l, 1), "listen");
	c.peer = dial(&a);
	need(c.peer >= 0, "connect");
	c.kseal = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	need(c.kseal >= 0, "accept");
	close(l);
	c.have = 0;
	direction_init(&c.in, s, &dice);
	direction_init(&c.out, s, &dice);
}

static int set_ulp(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, KSEAL_ULP_NAME, strlen(KSEAL_ULP_NAME));
}

static int set_key(int fd, const struct direction *dir, int option)
{
	uint8_t buf[64];

	return setsockopt(fd, SOL_TLS, option, buf, crypto_info(dir, buf));
}

static int set_secret(int fd, const struct direction *dir, int option)
{
	return setsockopt(fd, SOL_TLS, option, dir->secret, dir->suite->hash);
}

static void keyed(const struct suite *s, int rcvbuf)
{
	pair(s, rcvbuf);
	need(!set_ulp(c.kseal) && !set_key(c.kseal, &c.out, TLS_TX) &&
	     !set_key(c.kseal, &c.in, TLS_RX), "keys");
	if (s->version == TLS13)
		need(!set_secret(c.kseal, &c.out, KSEAL_TX_SECRET) &&
		     !set_secret(c.kseal, &c.in, KSEAL_RX_SECRET), "secrets");
}

static void part(void)
{
	static const struct linger none = { 1, 0 };

	if (c.peer >= 0) {
		setsockopt(c.peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		close(c.peer);
	}
	if (c.kseal >= 0)
		close(c.kseal);
}

/*
 * The next record that the peer gets. Returns bytes of content; -1 at the end of
 * the stream, -2 after a reset.
 */
static int peer_record(uint8_t *type, uint8_t *content)
{
	struct pollfd p = { c.peer, POLLIN, 0 };
	size_t len;
	ssize_t n;
	int ret;

	for (;;) {
		len = HEADER + (c.buf[3] << 8 | c.buf[4]);
		if (c.have >= HEADER && len > MAX_RECORD)
			fail("the wire carries what is no record");
		if (c.have >= HEADER && c.have >= len)
			break;
		if (!poll(&p, 1, PATIENCE))
			fail("the peer gets nothing");
		n = recv(c.peer, c.buf + c.have, sizeof(c.buf) - c.have, 0);
		if (n < 0)
			return -2;
		if (!n && c.have)
			fail("the stream ends inside a record");
		if (!n)
			return -1;
		c.have += n;
	}
	ret = tls_open(&c.out, c.buf, type, content);
	if (ret < 0)
		fail("the wire carries a record that does not open (%d)", ret);
	memmove(c.buf, c.buf + len, c.have - len);
	c.have -= len;
	return ret;
}

static void peer_sends(uint8_t type, const void *content, size_t len, size_t padding)
{
	static uint8_t record[MAX_RECORD];
	size_t n = tls_seal(&c.in, type, content, len, padding, roll(&dice), record);

	need(send(c.peer, record, n, MSG_NOSIGNAL) == (ssize_t)n, "the peer sends");
}

/* Both directions work. */
static void round_trip(void)
{
	static uint8_t content[MAX_RECORD];
	uint8_t type = 0;
	struct pollfd p = { c.kseal, POLLIN, 0 };
	int n;

	need(send(c.kseal, data, 100, MSG_NOSIGNAL) == 100, "send");
	n = peer_record(&type, content);
	if (n != 100 || type != TYPE_DATA || memcmp(content, data, n))
		fail("the peer gets something else (%d)", n);
	peer_sends(TYPE_DATA, data + 500, 200, 0);
	need(poll(&p, 1, PATIENCE) == 1, "poll");
	need(recv(c.kseal, content, sizeof(content), 0) == 200 &&
	     !memcmp(content, data + 500, 200), "recv");
}

/* ---- keys ---------------------------------------------------------------- */

/* A call that has met a fault may be made again. */
static void may_fail(int ret, const char *what)
{
	if (ret && !fault_errno(errno))
		fail("%s: %s", what, strerror(errno));
}

static bool ulp_is_set(const struct suite *s)
{
	bool hit;
	int ret;

	pair(s, 0);
	arm();
	ret = set_ulp(c.kseal);
	hit = disarm();
	may_fail(ret, "TCP_ULP");
	if (ret)
		need(!set_ulp(c.kseal), "TCP_ULP once more");
	need(!set_key(c.kseal, &c.out, TLS_TX) && !set_key(c.kseal, &c.in, TLS_RX), "keys");
	round_trip();
	part();
	return hit;
}

static bool key_is_set(const struct suite *s, int option)
{
	struct direction *dir = option == TLS_TX ? &c.out : &c.in;
	bool hit;
	int ret;

	pair(s, 0);
	need(!set_ulp(c.kseal), "TCP_ULP");
	arm();
	ret = set_key(c.kseal, dir, option);
	hit = disarm();
	may_fail(ret, "a key");
	if (ret)
		need(!set_key(c.kseal, dir, option), "a key once more");
	dir = option == TLS_TX ? &c.in : &c.out;
	need(!set_key(c.kseal, dir, option == TLS_TX ? TLS_RX : TLS_TX), "the other key");
	round_trip();
	part();
	return hit;
}

static bool tx_key_is_set(const struct suite *s) { return key_is_set(s, TLS_TX); }
static bool rx_key_is_set(const struct suite *s) { return key_is_set(s, TLS_RX); }

static bool secret_is_set(const struct suite *s, int option)
{
	struct direction *dir = option == KSEAL_TX_SECRET ? &c.out : &c.in;
	bool hit;
	int ret;

	pair(s, 0);
	need(!set_ulp(c.kseal) && !set_key(c.kseal, &c.out, TLS_TX) &&
	     !set_key(c.kseal, &c.in, TLS_RX), "keys");
	arm();
	ret = set_secret(c.kseal, dir, option);
	hit = disarm();
	may_fail(ret, "a secret");
	if (ret)
		need(!set_secret(c.kseal, dir, option), "a secret once more");
	round_trip();
	part();
	return hit;
}

static bool tx_secret_is_set(const struct suite *s) { return secret_is_set(s, KSEAL_TX_SECRET); }
static bool rx_secret_is_set(const struct suite *s) { return secret_is_set(s, KSEAL_RX_SECRET); }

/* ---- writing ------------------------------------------------------------- */

static int file = -1, pipes[2];

static ssize_t write_small(void) { return send(c.kseal, data, 100, MSG_NOSIGNAL); }
static ssize_t write_record(void) { return send(c.kseal, data, MAX_PLAIN, MSG_NOSIGNAL); }
static ssize_t write_big(void) { return send(c.kseal, data, BIG, MSG_NOSIGNAL); }
static ssize_t write_now(void) { return send(c.kseal, data, BIG, MSG_NOSIGNAL | MSG_DONTWAIT); }
static ssize_t write_more(void) { return send(c.kseal, data, 20000, MSG_NOSIGNAL | MSG_MORE); }

static ssize_t write_file(void)
{
	off_t off = 0;

	return sendfile(c.kseal, file, &off, BIG);
}

static ssize_t write_pipe(void)
{
	return splice(pipes[0], NULL, c.kseal, NULL, 60000, 0);
}

static ssize_t write_vector(void)
{
	struct iovec iov[3] = { { data, 1 }, { data + 1, 16383 }, { data + 16384, 3616 } };

	return writev(c.kseal, iov, 3);
}

/* The stream is what the socket has said that it has taken, or it is dead. */
static void check_written(ssize_t n)
{
	static uint8_t content[MAX_RECORD], want[BIG + 3];
	size_t got = 0, taken = n > 0 ? n : 0, all = taken;
	uint8_t type;
	ssize_t m;
	int i, len;

	m = send(c.kseal, "end", 3, MSG_NOSIGNAL);
	if (m != 3 && errno != EPIPE)
		fail("after it: %zd, %s", m, strerror(errno));
	if (m == 3)
		all += 3;
	else
		dead++;
	shutdown(c.kseal, SHUT_WR);
	memcpy(want, data, taken);
	memcpy(want + taken, "end", 3);
	while ((len = peer_record(&type, content)) >= 0) {
		for (i = 0; i < len && got + i < all && content[i] == want[got + i];)
			i++;
		if (type != TYPE_DATA || i < len)
			fail("type %d, %d bytes at %zu of %zu: not what was sent, from %d on", type,
			     len, got, all, i);
		got += len;
	}
	if (m == 3 && got != all)
		fail("%zu of %zu bytes have come", got, all);
}

static bool written(const struct suite *s, ssize_t (*op)(void))
{
	ssize_t n;
	bool hit;

	keyed(s, 0);
	if (op == write_pipe) {
		need(!pipe(pipes), "a pipe");
		fcntl(pipes[1], F_SETPIPE_SZ, 1 << 18);
		need(write(pipes[1], data, 60000) == 60000, "a pipe");
	}
	arm();
	n = op();
	hit = disarm();
	if (n < 0 && !fault_errno(errno) && errno != EPIPE)
		fail("%s", strerror(errno));
	check_written(n);
	part();
	if (op == write_pipe) {
		close(pipes[0]);
		close(pipes[1]);
	}
	return hit;
}

static bool small_write(const struct suite *s) { return written(s, write_small); }
static bool whole_record(const struct suite *s) { return written(s, write_record); }
static bool big_write(const struct suite *s) { return written(s, write_big); }
static bool nonblocking_write(const struct suite *s) { return written(s, write_now); }
static bool corked_write(const struct suite *s) { return written(s, write_more); }
static bool sendfile_write(const struct suite *s) { return written(s, write_file); }
static bool splice_write(const struct suite *s) { return written(s, write_pipe); }
static bool vector_write(const struct suite *s) { return written(s, write_vector); }

static bool control_record(const struct suite *s)
{
	static const uint8_t alert[] = { 1, 90 };
	char control[CMSG_SPACE(1)] __attribute__((aligned(8))) = {};
	struct iovec iov = { (void *)alert, sizeof(alert) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	uint8_t content[MAX_RECORD], type;
	ssize_t n;
	bool hit;
	int len;

	keyed(s, 0);
	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = TYPE_ALERT;
	need(send(c.kseal, data, 10, MSG_NOSIGNAL | MSG_MORE) == 10, "send");
	arm();
	n = sendmsg(c.kseal, &msg, MSG_NOSIGNAL);
	hit = disarm();
	if (n < 0 && !fault_errno(errno))
		fail("%s", strerror(errno));
	shutdown(c.kseal, SHUT_WR);
	len = peer_record(&type, content);
	if (len != 10 || type != TYPE_DATA)
		fail("the data before it: %d", len);
	len = peer_record(&type, content);
	if (n == 2 ? len != 2 || type != TYPE_ALERT || memcmp(content, alert, 2) : len != -1)
		fail("the alert (%zd): %d", n, len);
	part();
	return hit;
}

/* tcp_send_fin() gives up where it finds no memory. */
static bool fin_is_lost(void)
{
	struct pollfd p = { c.peer, POLLIN, 0 };

	return !c.have && !poll(&p, 1, 500);
}

/*
 * shutdown() and close() with a record that is open: all of it, or a reset; for
 * shutdown(), which can't reset, at least no end that TLS would believe in.
 */
static bool ended(const struct suite *s, bool by_close)
{
	uint8_t content[MAX_RECORD], type;
	bool hit;
	int len;

	keyed(s, 0);
	need(send(c.kseal, data, 300, MSG_NOSIGNAL | MSG_MORE) == 300, "send");
	arm();
	if (by_close)
		close(c.kseal);
	else
		shutdown(c.kseal, SHUT_WR);
	hit = disarm();
	if (!by_close)
		close(c.kseal);
	c.kseal = -1;
	len = peer_record(&type, content);
	if (len != -2 && (len != -1 || by_close || !hit)) {
		if (len != 300 || type != TYPE_DATA || memcmp(content, data, 300))
			fail("%d bytes of 300, and no reset", len);
		if (!(hit && fin_is_lost()) && peer_record(&type, content) != -1)
			fail("no end");
	}
	part();
	return hit;
}

static bool close_of_an_open_record(const struct suite *s) { return ended(s, true); }
static bool shutdown_of_an_open_record(const struct suite *s) { return ended(s, false); }

/* ---- reading ------------------------------------------------------------- */

static uint8_t into[BIG];

static ssize_t read_all_of_it(size_t len)
{
	return recv(c.kseal, into, len, MSG_DONTWAIT);
}

static ssize_t read_a_byte(size_t len)
{
	(void)len;
	return recv(c.kseal, into, 1, MSG_DONTWAIT);
}

static ssize_t read_peek(size_t len)
{
	ssize_t n = recv(c.kseal, into, len, MSG_DONTWAIT | MSG_PEEK);

	return n < 0 ? n : 0;
}

static ssize_t read_splice(size_t len)
{
	return splice(c.kseal, NULL, pipes[1], NULL, len, SPLICE_F_NONBLOCK);
}

static ssize_t read_poll(size_t len)
{
	struct pollfd p = { c.kseal, POLLIN, 0 };
	int n;

	(void)len;
	ioctl(c.kseal, FIONREAD, &n);
	return poll(&p, 1, 0) < 0 ? -1 : 0;
}

/* @sizes: of the records, ended by 0; each read in one call. */
static bool has_read(const struct suite *s, ssize_t (*op)(size_t), const size_t *sizes,
		     size_t padding)
{
	size_t all = 0, at = 0, i;
	struct pollfd p;
	ssize_t n;
	bool hit;

	keyed(s, 1 << 20);
	need(!pipe(pipes), "a pipe");
	fcntl(pipes[1], F_SETPIPE_SZ, 1 << 18);
	for (i = 0; sizes[i]; all += sizes[i++])
		peer_sends(TYPE_DATA, data + all, sizes[i], padding);
	/* without O_NONBLOCK, poll would open the first record */
	p = (struct pollfd){ c.kseal, POLLIN, 0 };
	fcntl(c.kseal, F_SETFL, O_NONBLOCK);
	need(poll(&p, 1, PATIENCE) == 1, "poll");
	fcntl(c.kseal, F_SETFL, 0);
	memset(into, 0, sizeof(into));
	arm();
	n = op(all);
	hit = disarm();
	if (n < 0 && !fault_errno(errno))
		fail("%s", strerror(errno));
	if (n > 0 && op == read_splice)
		need(read(pipes[0], into, n) == n, "the pipe");
	if (n > 0 && memcmp(into, data, n))
		fail("other bytes than were sent");
	for (at = n > 0 ? n : 0; at < all; at += n) {
		if (!poll(&p, 1, PATIENCE))
			fail("poll: nothing more, %zu of %zu bytes read", at, all);
		n = recv(c.kseal, into, sizeof(into), 0);
		if (n <= 0 || at + n > all || memcmp(into, data + at, n))
			fail("%zd bytes more, %zu of %zu read", n, at, all);
	}
	round_trip();
	part();
	close(pipes[0]);
	close(pipes[1]);
	return hit;
}

static const size_t one_small[] = { 77, 0 }, one_big[] = { MAX_PLAIN, 0 };
static const size_t three[] = { 3000, 1, 16000, 0 };

static bool small_read(const struct suite *s) { return has_read(s, read_all_of_it, one_small, 0); }
static bool direct_read(const struct suite *s) { return has_read(s, read_all_of_it, one_big, 0); }
static bool several_read(const struct suite *s) { return has_read(s, read_all_of_it, three, 0); }
static bool padded_read(const struct suite *s) { return has_read(s, read_all_of_it, three, 300); }
static bool partial_read(const struct suite *s) { return has_read(s, read_a_byte, one_big, 0); }
static bool peek_read(const struct suite *s) { return has_read(s, read_peek, three, 0); }
static bool spliced_read(const struct suite *s) { return has_read(s, read_splice, three, 0); }
static bool poll_before_read(const struct suite *s) { return has_read(s, read_poll, three, 0); }

static void *peer_writes(void *arg)
{
	(void)arg;
	peer_sends(TYPE_DATA, data, MAX_PLAIN, 0);
	return NULL;
}

/* A receive buffer that is smaller than a record. */
static bool squeezed_read(const struct suite *s)
{
	pthread_t peer;
	size_t at = 0;
	ssize_t n;
	bool hit;

	keyed(s, 2304);
	need(!pthread_create(&peer, NULL, peer_writes, NULL), "a thread");
	arm();
	n = recv(c.kseal, into, BIG, 0);
	hit = disarm();
	if (n < 0 && !fault_errno(errno))
		fail("%s", strerror(errno));
	for (at = n > 0 ? n : 0; at < MAX_PLAIN; at += n) {
		n = recv(c.kseal, into + at, BIG - at, 0);
		if (n <= 0)
			fail("%zd bytes more, %zu read: %s", n, at, strerror(errno));
	}
	pthread_join(peer, NULL);
	if (at != MAX_PLAIN || memcmp(into, data, at))
		fail("other bytes than were sent");
	part();
	return hit;
}

/* The keys change, or the stream is dead; there is no third. */
static bool key_update(const struct suite *s)
{
	static const uint8_t update[] = { 24, 0, 0, 1, 1 }, answer[] = { 24, 0, 0, 1, 0 };
	uint8_t content[MAX_RECORD], type;
	struct pollfd p;
	ssize_t n;
	bool hit;
	int len;

	if (s->version != TLS13)
		return false;
	keyed(s, 0);
	peer_sends(TYPE_HANDSHAKE, update, sizeof(update), 0);
	direction_update(&c.in);
	peer_sends(TYPE_DATA, data, 50, 0);
	p = (struct pollfd){ c.kseal, POLLIN, 0 };
	arm();
	n = recv(c.kseal, into, BIG, MSG_DONTWAIT);
	hit = disarm();
	if (n < 0 && errno == EBADMSG) {
		dead++;
		need(recv(c.kseal, into, BIG, MSG_DONTWAIT) < 0 && errno == EBADMSG, "dead for good");
		part();
		return hit;
	}
	if (n < 0 && !fault_errno(errno))
		fail("%s", strerror(errno));
	if (n < 0) {
		need(poll(&p, 1, PATIENCE) == 1, "poll");
		n = recv(c.kseal, into, BIG, 0);
	}
	if (n != 50 || memcmp(into, data, n))
		fail("%zd bytes behind a KeyUpdate: %s", n, strerror(errno));
	/* the answer comes now or with the next data */
	n = send(c.kseal, data, 100, MSG_NOSIGNAL);
	if (n == 100) {
		len = peer_record(&type, content);
		if (len != sizeof(answer) || type != TYPE_HANDSHAKE ||
		    memcmp(content, answer, len))
			fail("no KeyUpdate in answer (%d)", len);
		direction_update(&c.out);
		len = peer_record(&type, content);
		if (len != 100 || type != TYPE_DATA || memcmp(content, data, len))
			fail("data after the answer (%d)", len);
	} else if (errno != EPIPE) {
		fail("send: %s", strerror(errno));
	} else {
		dead++;
	}
	part();
	return hit;
}

/* ---- the sealed listener and connector ----------------------------------- */

enum step {
	STEP_ULP, STEP_PROFILE, STEP_LISTEN, STEP_REGISTER, STEP_ACCEPT, STEP_PROXY_IO,
	STEP_TX_KEY, STEP_RX_KEY, STEP_SECRETS, STEP_DONE, STEP_TAKE, STEP_DUMP, STEP_CLOSE,
	STEP_SERVER_NAME, STEP_CONNECT, STEP_INFO, STEPS
};

static const char * const step_names[STEPS] = {
	"arming a socket", "naming its profile", "listen()", "a worker registers",
	"a worker takes a connection", "the handshake's bytes", "TLS_TX by the worker",
	"TLS_RX by the worker", "secrets by the worker", "the worker is done", "accept()",
	"the dumps", "close() of a sealed socket", "KSEAL_SERVER_NAME", "connect()", "KSEAL_INFO",
};

static enum step failing;
static bool was_hit;

static enum step step_now;
static bool tried;

static void begin(enum step step)
{
	step_now = step;
	tried = step != failing;
	if (!tried)
		arm();
}

/* Has it failed, and is to be tried again, without a fault this time? */
static bool goes_on(int ret)
{
	if (tried)
		return false;
	tried = true;
	was_hit |= disarm();
	if (ret < 0 && !fault_errno(errno) && !fault_errno(-ret))
		fail("%s: %d, %s", step_names[step_now], ret, strerror(errno));
	return ret < 0;
}

/* Make a call; its allocations and copies fail if its step is to. */
#define TRY(step, call) ({						\
	int _ret;							\
									\
	begin(step);							\
	do {								\
		_ret = (call);						\
	} while (goes_on(_ret));					\
	_ret;								\
})

/* What a handshake does: read a record, write one. Goes on where it has stopped. */
static size_t proxy_got;
static bool proxy_sent;

static int proxy_io(int proxy)
{
	char buf[16];
	ssize_t n;

	if (recv(proxy, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT) < 0 && proxy_got < 7)
		return -1;
	while (proxy_got < 7) {
		n = recv(proxy, buf, 7 - proxy_got, 0);
		if (n <= 0)
			return -1;
		proxy_got += n;
	}
	if (!proxy_sent && send(proxy, "\x16\3\3\0\2hi", 7, MSG_NOSIGNAL) != 7)
		return -1;
	proxy_sent = true;
	return 0;
}

static int secrets(int proxy)
{
	if (c.in.suite->version != TLS13)
		return 0;
	if (set_secret(proxy, &c.out, KSEAL_TX_SECRET))
		return -1;
	return set_secret(proxy, &c.in, KSEAL_RX_SECRET);
}

static int dumps(struct agent *a)
{
	static const uint8_t cmds[] = { KSEAL_CMD_WORKER_GET, KSEAL_CMD_LISTENER_GET,
					KSEAL_CMD_HANDSHAKE_GET, KSEAL_CMD_SOCKET_GET };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < sizeof(cmds) && !ret; i++)
		ret = agent_dump(a, cmds[i]);
	return ret;
}

/* What the peer of a connection that is not to be gets: the handshake, no more. */
static void peer_gets_nothing(void)
{
	struct pollfd p = { c.peer, POLLIN, 0 };
	uint8_t buf[64];
	ssize_t n;

	for (;;) {
		if (!poll(&p, 1, PATIENCE))
			fail("the peer of a lost connection waits for ever");
		n = recv(c.peer, buf, sizeof(buf), 0);
		if (n <= 0)
			return;
		if (n > 7 || memcmp(buf, "\x16\3\3\0\2hi", n))
			fail("the peer of a lost connection gets %zd bytes", n);
	}
}

/* The agent's part. Returns false if the connection did not get there. */
static bool handshake(struct agent *a)
{
	int proxy = -EAGAIN, i, ret;
	uint64_t id = 0;

	proxy_got = 0;
	proxy_sent = false;
	need(send(c.peer, "\x16\3\1\0\2hi", 7, MSG_NOSIGNAL) == 7, "the peer sends");
	for (i = 0; i < (was_hit ? 50 : PATIENCE / 10); i++) {
		proxy = TRY(STEP_ACCEPT, agent_accept(a, &id));
		if (proxy != -EAGAIN)
			break;
		usleep(10000);
	}
	if (proxy == -EAGAIN && was_hit) {
		/* Taken, and the answer lost? The next agent gets what this one has not begun. */
		agent_close(a);
		need(!agent_open(a) && !agent_register(a), "the next agent");
		proxy = agent_accept(a, &id);
	}
	if (proxy == -EAGAIN && was_hit)
		return false;
	if (proxy < 0)
		fail("a worker gets no connection: %s", strerror(-proxy));
	ret = TRY(STEP_PROXY_IO, proxy_io(proxy));
	if (!ret)
		ret = TRY(STEP_TX_KEY, set_key(proxy, &c.out, TLS_TX));
	if (!ret)
		ret = TRY(STEP_RX_KEY, set_key(proxy, &c.in, TLS_RX));
	if (!ret)
		ret = TRY(STEP_SECRETS, secrets(proxy));
	if (ret && !was_hit)
		fail("keys: %s", strerror(errno));
	ret = TRY(STEP_DONE, agent_done(a, id, ret ? EIO : 0));
	close(proxy);
	/* It may be over, or done and only the answer lost. */
	if (ret && !(ret == -ENOENT && was_hit))
		fail("done: %s", strerror(-ret));
	return true;
}

/* One connection through a sealed listener. Returns whether it came to life. */
static bool serve(struct agent *a, int l, const struct sockaddr_in *addr)
{
	struct pollfd p = { l, POLLIN, 0 };
	uint8_t buf[7];

	c.have = 0;
	c.kseal = -1;
	c.peer = dial(addr);
	need(c.peer >= 0, "connect");
	if (!handshake(a))
		goto lost;
	if (poll(&p, 1, was_hit ? 500 : PATIENCE) != 1) {
		if (!was_hit)
			fail("accept() has nothing");
		goto lost;
	}
	c.kseal = TRY(STEP_TAKE, accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	if (c.kseal < 0)
		goto lost;
	fcntl(c.kseal, F_SETFL, 0);
	need(recv(c.peer, buf, sizeof(buf), MSG_WAITALL) == 7, "the handshake");
	round_trip();
	return true;
lost:
	if (!was_hit)
		fail("the connection is lost");
	dead++;
	peer_gets_nothing();
	part();
	return false;
}

static bool listener_step(const struct suite *s, enum step step)
{
	uint8_t content[MAX_RECORD], type;
	struct sockaddr_in addr;
	struct agent a;
	int l, ret;

	failing = step;
	was_hit = false;
	direction_init(&c.in, s, &dice);
	direction_init(&c.out, s, &dice);
	l = listen_any(&addr, 0);
	need(!TRY(STEP_ULP, set_ulp(l)), "TCP_ULP of a listener");
	need(!TRY(STEP_PROFILE, setsockopt(l, SOL_TLS, KSEAL_PROFILE, "web", 4)), "KSEAL_PROFILE");
	need(!TRY(STEP_LISTEN, listen(l, 8)), "listen");
	need(!agent_open(&a), "an agent");
	ret = TRY(STEP_REGISTER, agent_register(&a));
	/* done, and only the answer lost */
	if (ret && !(was_hit && (ret == -EEXIST || ret == -EALREADY)))
		fail("REGISTER: %s", strerror(-ret));
	if (serve(&a, l, &addr)) {
		need(!TRY(STEP_DUMP, dumps(&a)), "dumps");
		if (failing == STEP_CLOSE)
			arm();
		close(c.kseal);
		if (failing == STEP_CLOSE)
			was_hit = disarm();
		c.kseal = -1;
		switch (peer_record(&type, content)) {
		case 2:
			if (type != TYPE_ALERT || content[0] != 1 || content[1])
				fail("an alert that is no close_notify");
			if (!(was_hit && fin_is_lost()) && peer_record(&type, content) != -1)
				fail("no end");
			break;
		case -2:
			if (!was_hit)
				fail("a reset");
			break;
		default:
			fail("no close_notify");
		}
		part();
	}
	/* The listener serves the next one, whatever has happened. */
	failing = STEPS;
	direction_init(&c.in, s, &dice);
	direction_init(&c.out, s, &dice);
	if (!serve(&a, l, &addr))
		fail("the next connection");
	part();
	close(l);
	agent_close(&a);
	return was_hit;
}

/* Without waiting for the handshake; 0 if that goes on. */
static int begin_connect(int fd, const struct sockaddr_in *addr)
{
	int ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));

	return ret && errno == EINPROGRESS ? 0 : ret;
}

static int get_info(int fd)
{
	struct kseal_info info = {};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_TLS, KSEAL_INFO, &info, &len))
		return -1;
	if (info.role != KSEAL_ROLE_CLIENT || strcmp(info.server_name, "a.test"))
		fail("KSEAL_INFO: role %u, name \"%s\"", info.role, info.server_name);
	return 0;
}

static bool connector_step(const struct suite *s, enum step step)
{
	struct sockaddr_in addr;
	struct pollfd p;
	struct agent a;
	uint8_t buf[7];
	socklen_t len;
	int l, err;

	failing = step;
	was_hit = false;
	direction_init(&c.in, s, &dice);
	direction_init(&c.out, s, &dice);
	c.have = 0;
	need(!agent_open(&a) && !agent_register(&a), "an agent");
	l = listen_any(&addr, 0);
	need(!listen(l, 8), "listen");
	c.kseal = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	need(c.kseal >= 0, "socket");
	need(!TRY(STEP_ULP, set_ulp(c.kseal)), "TCP_ULP");
	need(!TRY(STEP_SERVER_NAME, setsockopt(c.kseal, SOL_TLS, KSEAL_SERVER_NAME, "a.test", 6)),
	     "KSEAL_SERVER_NAME");
	need(!TRY(STEP_CONNECT, begin_connect(c.kseal, &addr)), "connect");
	p = (struct pollfd){ l, POLLIN, 0 };
	need(poll(&p, 1, PATIENCE) == 1, "a connection");
	c.peer = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	need(c.peer >= 0, "accept");
	need(!TRY(STEP_INFO, get_info(c.kseal)), "KSEAL_INFO");
	handshake(&a);
	p = (struct pollfd){ c.kseal, POLLOUT, 0 };
	if (poll(&p, 1, PATIENCE) != 1)
		fail("connect() has no end");
	len = sizeof(err);
	need(!getsockopt(c.kseal, SOL_SOCKET, SO_ERROR, &err, &len), "SO_ERROR");
	if (!err) {
		fcntl(c.kseal, F_SETFL, 0);
		need(recv(c.peer, buf, sizeof(buf), MSG_WAITALL) == 7, "the handshake");
		round_trip();
	} else {
		if (!was_hit)
			fail("connect(): %s", strerror(err));
		if (send(c.kseal, "x", 1, MSG_NOSIGNAL) >= 0)
			fail("a connector that has failed can send");
		dead++;
		peer_gets_nothing();
	}
	part();
	close(l);
	agent_close(&a);
	return was_hit;
}

#define PROBABILITY "/sys/kernel/debug/failslab/probability"

/*
 * Children are made in soft interrupts, where fail-nth does not count: there,
 * some allocations fail for everybody, at random.
 */
static void make_children(const struct suite *s)
{
	static const char * const caches[] = { "kmalloc-512", "kmalloc-1k", "kmalloc-2k", "TCP" };
	unsigned int i, alive = 0, lost = 0;
	struct sockaddr_in addr;
	struct pollfd p;
	struct agent a;
	char path[128];
	int l;

	failing = STEPS;
	was_hit = true;
	l = listen_any(&addr, 0);
	need(!set_ulp(l) && !listen(l, 64) && !agent_open(&a) && !agent_register(&a),
	     "a listener");
	for (i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", caches[i]);
		if (!access(path, W_OK))
			put(path, "1");
	}
	put("/sys/kernel/debug/failslab/cache-filter", "Y");
	put("/sys/kernel/debug/failslab/task-filter", "N");
	put("/sys/kernel/debug/failslab/times", "-1");
	for (i = 0; i < 40; i++) {
		int proxy, probability, ret, tries = 0;
		uint64_t id;

		direction_init(&c.in, s, &dice);
		direction_init(&c.out, s, &dice);
		c.have = 0;
		c.kseal = -1;
		c.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		need(c.peer >= 0 && (probability = open(PROBABILITY, O_WRONLY)) >= 0, "files");
		need(write(probability, "30", 2) == 2, PROBABILITY);
		ret = connect(c.peer, (struct sockaddr *)&addr, sizeof(addr));
		usleep(10000);	/* the worker that takes it from TCP */
		need(write(probability, "0", 1) == 1, PROBABILITY);
		close(probability);
		if (ret) {
			part();
			lost++;
			continue;
		}
		/* TCP may have to send its SYN-ACK once more */
		p = (struct pollfd){ c.peer, POLLIN, 0 };
		do {
			proxy = agent_accept(&a, &id);
		} while (proxy == -EAGAIN && ++tries < PATIENCE / 10 && !poll(&p, 1, 10));
		p = (struct pollfd){ l, POLLIN, 0 };
		if (proxy >= 0 && !set_key(proxy, &c.out, TLS_TX) &&
		    !set_key(proxy, &c.in, TLS_RX) && !agent_done(&a, id, 0) &&
		    poll(&p, 1, PATIENCE) == 1) {
			c.kseal = accept4(l, NULL, NULL, SOCK_CLOEXEC);
			need(c.kseal >= 0, "accept");
			round_trip();
			alive++;
		} else {
			peer_gets_nothing();
			lost++;
		}
		if (proxy >= 0)
			close(proxy);
		part();
	}
	fault_option("task-filter", "Y");
	put("/sys/kernel/debug/failslab/cache-filter", "N");
	for (i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", caches[i]);
		if (!access(path, W_OK))
			put(path, "0");
	}
	close(l);
	agent_close(&a);
	printf("ok %u - children of a sealed listener without memory (%s): %u served, %u lost\n",
	       ++tests, s->name, alive, lost);
}

/* -------------------------------------------------------------------------- */

/* @one, with each allocation failing in turn. */
static void each(const char *name, bool (*one)(const struct suite *), const struct suite *s)
{
	char full[128];

	snprintf(full, sizeof(full), "%s (%s)", name, s->name);
	scenario = full;
	dead = 0;
	alarm(120);
	for (nth = 1; nth < NTH_MAX && one(s); nth++)
		;
	alarm(0);
	if (nth == NTH_MAX)
		fail("there is no end of faults");
	printf("ok %u - %s: %u faults", ++tests, scenario, nth - 1);
	if (dead)
		printf(", %u of them the end of the stream", dead);
	printf("\n");
	faults += nth - 1;
}

static void each_step(const char *what, bool (*one)(const struct suite *, enum step),
		      enum step step, const struct suite *s)
{
	char full[128];

	snprintf(full, sizeof(full), "%s: %s (%s)", what, step_names[step], s->name);
	scenario = full;
	dead = 0;
	alarm(300);
	for (nth = 1; nth < NTH_MAX && one(s, step); nth++)
		;
	alarm(0);
	if (nth == NTH_MAX)
		fail("there is no end of faults");
	printf("ok %u - %s: %u faults", ++tests, scenario, nth - 1);
	if (dead)
		printf(", %u of them the end of the connection", dead);
	printf("\n");
	faults += nth - 1;
}

#define EACH(function) each(#function, function, s)

int main(int argc, char **argv)
{
	static const enum step connecting[] = {
		STEP_ULP, STEP_SERVER_NAME, STEP_CONNECT, STEP_ACCEPT, STEP_PROXY_IO, STEP_TX_KEY,
		STEP_DONE, STEP_INFO,
	};
	const struct suite *s;
	enum step step;
	size_t i, n;

	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, timeout);
	scenario = "set-up";
	need(!access("/sys/kernel/debug/failslab", F_OK) &&
	     !access("/proc/thread-self/fail-nth", F_OK), "fault injection");
	need(!mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");	/* no page faults */
	set_up_faults();
	fill(&dice, data, sizeof(data));
	memcpy(into, data, sizeof(into));
	file = memfd_create("data", MFD_CLOEXEC);
	need(file >= 0 && write(file, data, BIG) == BIG, "a file");
	for (i = argc > 1; i < 2; i++) {
		s = &suites[i];
		EACH(ulp_is_set);
		EACH(tx_key_is_set);
		EACH(rx_key_is_set);
		if (s->version == TLS13) {
			EACH(tx_secret_is_set);
			EACH(rx_secret_is_set);
		}
		EACH(small_write);
		EACH(whole_record);
		EACH(big_write);
		EACH(nonblocking_write);
		EACH(corked_write);
		EACH(vector_write);
		EACH(sendfile_write);
		EACH(splice_write);
		EACH(control_record);
		EACH(shutdown_of_an_open_record);
		EACH(close_of_an_open_record);
		EACH(small_read);
		EACH(direct_read);
		EACH(several_read);
		EACH(padded_read);
		EACH(partial_read);
		EACH(peek_read);
		EACH(spliced_read);
		EACH(poll_before_read);
		EACH(squeezed_read);
		if (s->version == TLS13)
			EACH(key_update);
		for (step = 0; step <= STEP_CLOSE; step++)
			each_step("listener", listener_step, step, s);
		for (n = 0; n < sizeof(connecting) / sizeof(connecting[0]); n++)
			each_step("connector", connector_step, connecting[n], s);
		scenario = "soft interrupts";
		make_children(s);
	}
	scenario = "faults";
	if (!faults)
		fail("no allocation and no copy has ever failed");
	printf("# %u faults\n1..%u\n", faults, tests);
	return 0;
}
