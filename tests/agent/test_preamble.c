// SPDX-License-Identifier: GPL-2.0
/*
 * The header of the PROXY protocol: taken apart as a receiver does, and compared with
 * what the handshake was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "server.h"

static const unsigned char *tlv(const unsigned char *p, size_t size, unsigned char type,
				size_t *len)
{
	while (size >= 3) {
		size_t n = p[1] << 8 | p[2];

		CHECK(n <= size - 3, "a value beyond the end");
		if (n > size - 3)
			break;
		*len = n;
		if (p[0] == type)
			return p + 3;
		p += 3 + n;
		size -= 3 + n;
	}
	CHECK(size < 3 && (size == 0 || p[0] != 0), "bytes that are no value");
	*len = 0;
	return NULL;
}

static void want(const unsigned char *p, size_t size, unsigned char type, const char *text)
{
	size_t len;
	const unsigned char *v = tlv(p, size, type, &len);

	if (!text)
		CHECK(!v, "type %#x: %.*s", type, (int)len, v);
	else
		CHECK(v && len == strlen(text) && memcmp(v, text, len) == 0,
		      "type %#x: %.*s, not %s", type, (int)len, v ? v : (unsigned char *)"", text);
}

/* Where the values begin. */
static size_t check_head(const struct server *s, unsigned char family, size_t addresses)
{
	const unsigned char *p = s->preamble;

	CHECK(s->outcome.preamble_size > 16 + addresses, "%zu", s->outcome.preamble_size);
	CHECK(memcmp(p, "\r\n\r\n\0\r\nQUIT\n", 12) == 0 && p[12] == 0x21);
	CHECK(p[13] == family, "%#x", p[13]);
	CHECK((size_t)(p[14] << 8 | p[15]) == s->outcome.preamble_size - 16);
	return 16 + addresses;
}

static struct server from(const char *peer, const char *local)
{
	struct server s = { .profile = "proxy", .conn = { .role = KSEAL_ROLE_SERVER } };
	struct sockaddr_in6 *p = (struct sockaddr_in6 *)&s.conn.peer;
	struct sockaddr_in6 *l = (struct sockaddr_in6 *)&s.conn.local;

	p->sin6_family = AF_INET6;
	l->sin6_family = AF_INET6;
	inet_pton(AF_INET6, peer, &p->sin6_addr);
	inet_pton(AF_INET6, local, &l->sin6_addr);
	p->sin6_port = htons(50000);
	l->sin6_port = htons(443);
	return s;
}

static void test_certified(void)
{
	struct client c = { .priority = PRIO_12 ONLY("AES-256-GCM"), .cert = "client",
			    .name = "example.test", .alpn = "http/1.1" };
	struct server s = from("2001:db8::1", "2001:db8::2");
	const unsigned char *ssl;
	size_t at, len;

	must_seal(&s, &c);
	at = check_head(&s, 0x21, 36);
	CHECK(s.preamble[16 + 15] == 1 && s.preamble[16 + 31] == 2);
	CHECK(s.preamble[48] == 50000 >> 8 && s.preamble[51] == (443 & 0xff));
	want(s.preamble + at, s.outcome.preamble_size - at, 0x01, "http/1.1");
	want(s.preamble + at, s.outcome.preamble_size - at, 0x02, "example.test");
	ssl = tlv(s.preamble + at, s.outcome.preamble_size - at, 0x20, &len);
	CHECK(ssl && len > 5);
	if (!ssl || len <= 5)
		return;
	CHECK(ssl[0] == 7 && memcmp(ssl + 1, "\0\0\0\0", 4) == 0, "%#x", ssl[0]);
	want(ssl + 5, len - 5, 0x21, "TLSv1.2");
	want(ssl + 5, len - 5, 0x22, "client one");
	want(ssl + 5, len - 5, 0x23, "ECDHE-ECDSA-AES256-GCM-SHA384");
	want(ssl + 5, len - 5, 0x24, "ECDSA-SHA256");
	want(ssl + 5, len - 5, 0x25, "EC256");
	CHECK(s.outcome.tolerate_truncation);
}

static void test_anonymous(void)
{
	struct client c = { .priority = PRIO_13 ONLY("AES-128-GCM") };
	struct server s = from("::ffff:192.0.2.1", "::ffff:192.0.2.2");
	const unsigned char *ssl;
	size_t at, len;

	must_seal(&s, &c);
	at = check_head(&s, 0x11, 12);
	CHECK(memcmp(s.preamble + 16, "\xc0\0\2\1\xc0\0\2\2", 8) == 0);
	want(s.preamble + at, s.outcome.preamble_size - at, 0x01, NULL);
	want(s.preamble + at, s.outcome.preamble_size - at, 0x02, NULL);
	ssl = tlv(s.preamble + at, s.outcome.preamble_size - at, 0x20, &len);
	CHECK(ssl && len > 5);
	if (!ssl || len <= 5)
		return;
	/* no certificate: "verify" must not be 0 */
	CHECK(ssl[0] == 1 && memcmp(ssl + 1, "\0\0\0\0", 4) != 0, "%#x", ssl[0]);
	want(ssl + 5, len - 5, 0x21, "TLSv1.3");
	want(ssl + 5, len - 5, 0x22, NULL);
	want(ssl + 5, len - 5, 0x23, "TLS_AES_128_GCM_SHA256");
}

static void test_none(void)
{
	struct client c = { .priority = PRIO_13 };
	struct server s = { .profile = "plain" };

	must_seal(&s, &c);
	CHECK(!s.outcome.preamble_size && !s.outcome.tolerate_truncation);
	CHECK(s.outcome.group, "no group");
}

void test_preambles(void)
{
	run_test("PROXY protocol: a certified client, TLS 1.2, IPv6", test_certified);
	run_test("PROXY protocol: an anonymous client, TLS 1.3, IPv4", test_anonymous);
	run_test("PROXY protocol: only where it is asked for", test_none);
}
