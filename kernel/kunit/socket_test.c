// SPDX-License-Identifier: GPL-2.0
/*
 * The incoming direction on real sockets over loopback: what comes out does not
 * depend on how the stream was cut into segments, and nothing comes out of a
 * record that is not as it was sent.
 */
#include <linux/net.h>
#include <linux/prandom.h>
#include <linux/tcp.h>
#include <linux/unaligned.h>
#include <net/net_namespace.h>
#include <net/tcp.h>

#include "../socket.h"
#include "rig.h"
#include "suites.h"

#define STREAM_MAX	16384
#define FILLER		(KSEAL_MAX_CIPHERTEXT_1_2 + 64)

static const u8 in_key[KSEAL_KEY_MAX] = { 1, 2, 3 };
static const u8 out_key[KSEAL_KEY_MAX] = { 4, 5, 6 };
static const u8 in_iv[KSEAL_NONCE_LEN] = { 7, 8, 9 };
static const u8 out_iv[KSEAL_NONCE_LEN] = { 10, 11, 12 };

struct kind {
	const char *name;
	u16 version;
	u16 cipher;
	u8 nonce;
};

static const struct kind kinds[] = {
	{ "tls12_gcm", TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128, 8 },
	{ "tls13_gcm", TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0 },
	{ "tls12_chacha", TLS_1_2_VERSION, TLS_CIPHER_CHACHA20_POLY1305, 0 },
	{ "tls13_chacha", TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305, 0 },
};

static void kind_name(const struct kind *k, char *name)
{
	strscpy(name, k->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, kind_name);

/**
 * struct wire - a connection with a kseal socket at one end
 * @test: test
 * @kind: version and cipher
 * @kseal: that end
 * @peer: the other one, a plain socket
 * @tx: seals what the peer sends
 * @rx: opens what it gets
 * @stream: what the peer sends
 * @len: its bytes
 * @content: what comes out, byte for byte
 * @types: of which content type each of them is
 * @got: how many
 * @want_content: what should come out
 * @want_types: likewise
 * @want: how many
 */
struct wire {
	struct kunit *test;
	const struct kind *kind;
	struct socket *kseal;
	struct socket *peer;
	struct rig tx;
	struct rig rx;
	u8 *stream;
	unsigned int len;
	u8 *content;
	u8 *types;
	unsigned int got;
	u8 *want_content;
	u8 *want_types;
	unsigned int want;
};

static void set_key(struct wire *w, int option, const u8 *key, const u8 *iv)
{
	struct rig_keys keys = { w->kind->version, w->kind->cipher, key, iv };
	union kseal_crypto_info u;
	unsigned int len = rig_info(&u, &keys);
	struct sock *sk = w->kseal->sk;

	KUNIT_ASSERT_EQ(w->test, 0,
			sk->sk_prot->setsockopt(sk, SOL_TLS, option,
						KERNEL_SOCKPTR(&u), len));
}

static void set_ulp(struct wire *w)
{
	struct sock *sk = w->kseal->sk;
	char name[] = KSEAL_ULP_NAME;

	KUNIT_ASSERT_EQ(w->test, 0,
			sk->sk_prot->setsockopt(sk, SOL_TCP, TCP_ULP,
						KERNEL_SOCKPTR(name),
						strlen(name)));
}

/* A new connection. As the agent leaves it, or explicit. */
static void wire_connect(struct wire *w, bool sealed)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct socket *l;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	KUNIT_ASSERT_EQ(w->test, 0, sock_create_kern(&init_net, AF_INET,
						     SOCK_STREAM, 0, &l));
	KUNIT_ASSERT_EQ(w->test, 0, kernel_bind(l, (void *)&a, sizeof(a)));
	KUNIT_ASSERT_EQ(w->test, 0, kernel_listen(l, 1));
	KUNIT_ASSERT_GT(w->test, kernel_getsockname(l, (void *)&a), 0);
	KUNIT_ASSERT_EQ(w->test, 0, sock_create_kern(&init_net, AF_INET,
						     SOCK_STREAM, 0, &w->peer));
	KUNIT_ASSERT_EQ(w->test, 0, kernel_connect(w->peer, (void *)&a,
						   sizeof(a), 0));
	KUNIT_ASSERT_EQ(w->test, 0, kernel_accept(l, &w->kseal, 0));
	sock_release(l);
	tcp_sock_set_nodelay(w->peer->sk);
	w->peer->sk->sk_rcvtimeo = 5 * HZ;
	w->kseal->sk->sk_rcvtimeo = 5 * HZ;

	set_ulp(w);
	set_key(w, TLS_TX, out_key, out_iv);
	set_key(w, TLS_RX, in_key, in_iv);
	if (sealed) {
		lock_sock(w->kseal->sk);
		kseal_get(w->kseal->sk)->state = KSEAL_SEALED;
		kseal_get(w->kseal->sk)->rx.sealed = true;
		release_sock(w->kseal->sk);
	}
	w->tx.key->seq = 0;
	w->rx.key->seq = 0;
	w->len = 0;
	w->got = 0;
	w->want = 0;
}

static void wire_close(struct wire *w)
{
	/* no TIME_WAIT: there are thousands of them */
	if (w->peer) {
		sock_no_linger(w->peer->sk);
		sock_release(w->peer);
	}
	if (w->kseal)
		sock_release(w->kseal);
	w->peer = NULL;
	w->kseal = NULL;
}

static void wire_free(void *wire)
{
	wire_close(wire);
}

static u8 *room(struct kunit *test, unsigned int len)
{
	u8 *p = kunit_kzalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static struct wire *wire_make(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct rig_keys in = { k->version, k->cipher, in_key, in_iv };
	struct rig_keys out = { k->version, k->cipher, out_key, out_iv };
	struct wire *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->test = test;
	w->kind = k;
	w->tx = rig_make(test, &in);
	w->rx = rig_make(test, &out);
	w->stream = room(test, STREAM_MAX + FILLER);
	w->content = room(test, STREAM_MAX);
	w->types = room(test, STREAM_MAX);
	w->want_content = room(test, STREAM_MAX);
	w->want_types = room(test, STREAM_MAX);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, wire_free, w));
	return w;
}

/* Add a record to the stream, and its content to what should come out. */
static unsigned int add(struct wire *w, u8 type, const void *data,
			unsigned int len)
{
	unsigned int n = rig_seal(w->test, &w->tx, type, data, len);

	KUNIT_ASSERT_LE(w->test, w->len + n, STREAM_MAX);
	memcpy(w->stream + w->len, w->tx.record, n);
	w->len += n;
	memcpy(w->want_content + w->want, data, len);
	memset(w->want_types + w->want, type, len);
	w->want += len;
	return n;
}

static void send(struct wire *w, unsigned int from, unsigned int to)
{
	struct kvec v = { w->stream + from, to - from };
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };

	if (from < to)
		KUNIT_ASSERT_EQ(w->test, to - from,
				kernel_sendmsg(w->peer, &msg, &v, 1, to - from));
}

/* Read once. Returns what recvmsg() does. */
static int receive(struct wire *w, int flags)
{
	char control[CMSG_SPACE(1)] __aligned(8) = {};
	struct cmsghdr *cmsg = (void *)control;
	struct kvec v = { w->content + w->got, STREAM_MAX - w->got };
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_flags = flags,
	};
	u8 type = TLS_RECORD_TYPE_DATA;
	int n;

	n = kernel_recvmsg(w->kseal, &msg, &v, 1, v.iov_len, flags);
	if (n <= 0)
		return n;
	if (cmsg->cmsg_level == SOL_TLS)
		type = *(u8 *)CMSG_DATA(cmsg);
	memset(w->types + w->got, type, n);
	w->got += n;
	return n;
}

static void receive_what_is_there(struct wire *w)
{
	while (receive(w, MSG_DONTWAIT) > 0)
		;
}

/* The rest, then nothing more. */
static void receive_all(struct wire *w)
{
	int n, nothing = 0;

	while (w->got < w->want) {
		n = receive(w, 0);
		KUNIT_ASSERT_GE(w->test, n, 0);
		/* an empty record before one of another type */
		nothing += !n;
		KUNIT_ASSERT_LE(w->test, nothing, 1);
	}
	KUNIT_ASSERT_EQ(w->test, w->got, w->want);
	KUNIT_ASSERT_MEMEQ(w->test, w->content, w->want_content, w->want);
	KUNIT_ASSERT_MEMEQ(w->test, w->types, w->want_types, w->want);
}

/* Several short records of several types. */
static void make_short_stream(struct wire *w)
{
	w->len = 0;
	w->got = 0;
	w->want = 0;
	add(w, TLS_RECORD_TYPE_DATA, "one", 3);
	add(w, TLS_RECORD_TYPE_DATA, "", 0);
	add(w, TLS_RECORD_TYPE_ALERT, "\1\132", 2);
	add(w, TLS_RECORD_TYPE_DATA, "of several", 10);
}

/* Every pair of splits, with a read after each segment or at the end only. */
static void every_split_gives_the_same_records(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int i, j, len;
	bool often = false;

	wire_connect(w, false);
	make_short_stream(w);
	len = w->len;
	send(w, 0, len);
	receive_all(w);
	for (i = 0; i <= len; i++) {
		for (j = i; j <= len; j++) {
			make_short_stream(w);
			KUNIT_ASSERT_EQ(test, len, w->len);
			send(w, 0, i);
			if (often)
				receive_what_is_there(w);
			send(w, i, j);
			if (often)
				receive_what_is_there(w);
			send(w, j, len);
			receive_all(w);
			often = !often;
		}
	}
}

static void bytes_one_by_one_give_the_same_records(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int i;

	wire_connect(w, false);
	make_short_stream(w);
	for (i = 0; i < w->len; i++) {
		send(w, i, i + 1);
		receive_what_is_there(w);
	}
	receive_all(w);
}

static void random_splits_give_the_same_records(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int round, at, n;
	struct rnd_state dice;
	u8 data[600];

	prandom_seed_state(&dice, 7);
	wire_connect(w, false);
	for (round = 0; round < 100; round++) {
		w->len = 0;
		w->got = 0;
		w->want = 0;
		while (w->len < STREAM_MAX - 1000) {
			prandom_bytes_state(&dice, data, sizeof(data));
			add(w, data[0] < 200 ? TLS_RECORD_TYPE_DATA :
			    TLS_RECORD_TYPE_ALERT, data,
			    1 + prandom_u32_state(&dice) % sizeof(data));
		}
		for (at = 0; at < w->len; at += n) {
			n = 1 + prandom_u32_state(&dice) % 2000;
			n = min(n, w->len - at);
			send(w, at, at + n);
			if (prandom_u32_state(&dice) & 1)
				receive_what_is_there(w);
		}
		receive_all(w);
	}
}

/*
 * What a receiver owes to a forged record with this header: RFC 8446 §5,
 * RFC 5246 §6.
 */
static u8 alert_for(const struct wire *w, const u8 *header)
{
	bool tls13 = w->kind->version == TLS_1_3_VERSION;
	unsigned int overhead = tls13 ? 17 : 16 + w->kind->nonce;

	if (get_unaligned_be16(header + 3) > KSEAL_MAX_PLAINTEXT + overhead)
		return TLS_ALERT_DESC_RECORD_OVERFLOW;
	if (tls13 && header[0] != TLS_RECORD_TYPE_DATA)
		return TLS_ALERT_DESC_UNEXPECTED_MESSAGE;
	if (header[1] != 3 || header[2] != 3)
		return TLS_ALERT_DESC_PROTOCOL_VERSION;
	return TLS_ALERT_DESC_BAD_RECORD_MAC;
}

/* The explicit mode has an errno for it, as the "tls" ULP. */
static int errno_for(u8 alert)
{
	switch (alert) {
	case TLS_ALERT_DESC_PROTOCOL_VERSION:
		return -EINVAL;
	case TLS_ALERT_DESC_RECORD_OVERFLOW:
		return -EMSGSIZE;
	default:
		return -EBADMSG;
	}
}

/* The peer gets this alert, and nothing else. */
static void expect_alert(struct wire *w, u8 alert)
{
	struct kunit *test = w->test;
	struct kvec v = { w->rx.record, KSEAL_HEADER_LEN };
	unsigned int payload, len;
	struct msghdr msg = {};
	u8 *plain = w->rx.record + w->rx.key->format.prefix;

	KUNIT_ASSERT_EQ(test, KSEAL_HEADER_LEN,
			kernel_recvmsg(w->peer, &msg, &v, 1, v.iov_len,
				       MSG_WAITALL));
	len = get_unaligned_be16(w->rx.record + 3);
	KUNIT_ASSERT_LE(test, KSEAL_HEADER_LEN + len, 64);
	v.iov_base = w->rx.record + KSEAL_HEADER_LEN;
	v.iov_len = len;
	KUNIT_ASSERT_EQ(test, len, kernel_recvmsg(w->peer, &msg, &v, 1, len,
						  MSG_WAITALL));
	KUNIT_ASSERT_EQ(test, 0, rig_open(&w->rx, &payload));
	KUNIT_EXPECT_EQ(test, payload, 2);
	KUNIT_EXPECT_EQ(test, plain[0], TLS_ALERT_LEVEL_FATAL);
	KUNIT_EXPECT_EQ(test, plain[1], alert);
}

/*
 * Send one good record, then what is in the stream behind it, then enough for any
 * length that it may pretend to have: the good one comes out, then an error that
 * stays.
 */
static void expect_dead(struct wire *w, bool sealed, u8 alert)
{
	int i, err = sealed ? -EBADMSG : errno_for(alert);

	memset(w->stream + w->len, 0, FILLER);
	send(w, 0, w->len + FILLER);
	w->want = 4;
	receive_all(w);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(w->test, err, receive(w, 0));
		KUNIT_ASSERT_EQ(w->test, w->got, 4);
	}
	if (sealed)
		expect_alert(w, alert);
}

/* A good record, and one more to do something to. Returns where that begins. */
static unsigned int two_records(struct wire *w, bool sealed)
{
	unsigned int first;

	wire_connect(w, sealed);
	first = add(w, TLS_RECORD_TYPE_DATA, "good", 4);
	add(w, TLS_RECORD_TYPE_DATA, "bad", 3);
	return first;
}

static void every_flipped_bit_is_the_end(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int bit, bits = 8, at;
	int sealed;
	u8 *rec;

	for (sealed = 0; sealed < 2; sealed++) {
		for (bit = 0; bit < bits; bit++) {
			at = two_records(w, sealed);
			bits = 8 * (w->len - at);
			rec = w->stream + at;
			rec[bit / 8] ^= BIT(bit % 8);
			expect_dead(w, sealed, alert_for(w, rec));
			wire_close(w);
		}
	}
}

static void every_type_and_version_of_a_header_is_judged(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int at, byte, value;
	u8 *rec, was;

	for (byte = 0; byte < 3; byte++) {
		for (value = 0; value <= U8_MAX; value++) {
			at = two_records(w, value & 1);
			rec = w->stream + at;
			was = rec[byte];
			rec[byte] = value;
			if (value != was)
				expect_dead(w, value & 1, alert_for(w, rec));
			wire_close(w);
		}
	}
}

/* All that there are is too slow here: those at the limits, and a sample. */
static void lengths_of_a_header_are_judged(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int at, len, was, max;
	u8 *rec;

	max = KSEAL_MAX_PLAINTEXT + 16 +
	      (w->kind->version == TLS_1_3_VERSION ? 1 : w->kind->nonce);
	for (len = 0; len <= U16_MAX; len++) {
		if (len > 64 && len % 499 && (len < max - 2 || len > max + 2) &&
		    len != U16_MAX)
			continue;
		at = two_records(w, len & 1);
		rec = w->stream + at;
		was = get_unaligned_be16(rec + 3);
		put_unaligned_be16(len, rec + 3);
		if (len != was)
			expect_dead(w, len & 1, alert_for(w, rec));
		wire_close(w);
	}
}

/*
 * Records with good keys and any content type. The explicit mode hands them all
 * out; on a sealed stream only data and alerts may come.
 */
static void every_content_type_is_judged(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int type, first;

	first = w->kind->version == TLS_1_3_VERSION ? 1 : 0; /* 0: padding */
	for (type = first; type <= U8_MAX; type++) {
		wire_connect(w, false);
		add(w, TLS_RECORD_TYPE_DATA, "good", 4);
		add(w, type, "\1\132", 2);
		add(w, TLS_RECORD_TYPE_DATA, "more", 4);
		send(w, 0, w->len);
		receive_all(w);
		wire_close(w);

		if (type == TLS_RECORD_TYPE_DATA ||
		    type == TLS_RECORD_TYPE_ALERT)
			continue;
		wire_connect(w, true);
		add(w, TLS_RECORD_TYPE_DATA, "good", 4);
		add(w, type, "\1\132", 2);
		expect_dead(w, true, TLS_ALERT_DESC_UNEXPECTED_MESSAGE);
		wire_close(w);
	}
}

static void records_out_of_order_are_the_end(struct kunit *test)
{
	struct wire *w = wire_make(test);
	unsigned int n;
	int sealed;

	for (sealed = 0; sealed < 2; sealed++) {
		/* twice */
		wire_connect(w, sealed);
		n = add(w, TLS_RECORD_TYPE_DATA, "good", 4);
		memcpy(w->stream + n, w->stream, n);
		w->len += n;
		expect_dead(w, sealed, TLS_ALERT_DESC_BAD_RECORD_MAC);
		wire_close(w);

		/* left out */
		wire_connect(w, sealed);
		n = add(w, TLS_RECORD_TYPE_DATA, "good", 4);
		add(w, TLS_RECORD_TYPE_DATA, "lost", 4);
		w->len = n;
		add(w, TLS_RECORD_TYPE_DATA, "late", 4);
		expect_dead(w, sealed, TLS_ALERT_DESC_BAD_RECORD_MAC);
		wire_close(w);
	}
}

static struct kunit_case socket_cases[] = {
	KUNIT_CASE_PARAM(every_split_gives_the_same_records, kind_gen_params),
	KUNIT_CASE_PARAM(bytes_one_by_one_give_the_same_records,
			 kind_gen_params),
	KUNIT_CASE_PARAM(random_splits_give_the_same_records, kind_gen_params),
	KUNIT_CASE_PARAM(every_flipped_bit_is_the_end, kind_gen_params),
	KUNIT_CASE_PARAM(every_type_and_version_of_a_header_is_judged,
			 kind_gen_params),
	KUNIT_CASE_PARAM(lengths_of_a_header_are_judged, kind_gen_params),
	KUNIT_CASE_PARAM(every_content_type_is_judged, kind_gen_params),
	KUNIT_CASE_PARAM(records_out_of_order_are_the_end, kind_gen_params),
	{}
};

struct kunit_suite kseal_socket_suite = {
	.name = "kseal_socket",
	.test_cases = socket_cases,
};
