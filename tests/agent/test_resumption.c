// SPDX-License-Identifier: GPL-2.0
/*
 * What a client resumes from: tickets of TLS 1.3 that come after the handshake, those
 * of TLS 1.2, and the store that they are kept in.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../agent/resumption.h"
#include "check.h"
#include "origin.h"

static const char *priority;
static gnutls_datum_t sealing_key;

static struct server to(const char *name, unsigned int port, uid_t uid)
{
	struct server s = { .profile = "trust", .conn = { .role = KSEAL_ROLE_CLIENT, .uid = uid } };
	struct sockaddr_in *in = (struct sockaddr_in *)&s.conn.peer;

	snprintf(s.conn.server_name, sizeof(s.conn.server_name), "%s", name);
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	return s;
}

/* A server that gives tickets; one connection each time. */
static struct server reach(const char *name, unsigned int port, uid_t uid)
{
	struct origin o = { .priority = priority, .tickets = &sealing_key };
	struct server s = to(name, port, uid);

	must_reach(&s, &o);
	CHECK(s.outcome.resumed == o.resumed);
	CHECK(s.outcome.peer.present);
	return s;
}

/* Each test has a port of its own: the store lives as long as the configuration. */
static void test_resumes(void)
{
	static unsigned int port = 1000;
	struct server s;

	port++;
	s = reach("example.test", port, 0);
	CHECK(!s.outcome.resumed);
	CHECK((tickets_taken > 0) == (strcmp(priority, PRIO_13) == 0), "%d", tickets_taken);
	for (int i = 0; i < 3; i++) {
		s = reach("example.test", port, 0);
		CHECK(s.outcome.resumed, "%d", i);
		CHECK(strcmp(s.outcome.peer.subject, "CN=example.test") == 0, "%s",
		      s.outcome.peer.subject);
	}
	/* what is another connection's */
	s = reach("example.test.", port, 0);
	CHECK(s.outcome.resumed, "a final dot is no other name");
	s = reach("example.test", port + 1000, 0);
	CHECK(!s.outcome.resumed, "another port");
	s = reach("example.test", port, 1);
	CHECK(!s.outcome.resumed, "another user");
}

/* A resumed handshake has no response, but began with one. */
static void test_must_staple(void)
{
	struct origin o1 = { .priority = priority, .tickets = &sealing_key, .cert = "must-staple",
			     .staple = "must-staple.ocsp" }, o2 = o1;
	struct server s1 = to("example.test", 9000, 0), s2 = s1;

	must_reach(&s1, &o1);
	must_reach(&s2, &o2);
	CHECK(s2.outcome.resumed);
}

static void test_switched_off(void)
{
	struct origin o1 = { .priority = priority, .tickets = &sealing_key }, o2 = o1;
	struct server s1 = to("example.test", 8000, 0), s2;

	s1.profile = "no-tickets";
	s2 = s1;
	must_reach(&s1, &o1);
	CHECK(!s1.session);
	must_reach(&s2, &o2);
	CHECK(!s2.outcome.resumed);
}

static void test_no_tickets(void)
{
	struct origin o = { .priority = PRIO_13 }, p = o;
	struct server s1 = to("example.test", 3000, 0), s2 = s1;

	must_reach(&s1, &o);
	CHECK(tickets_taken == 0);
	must_reach(&s2, &p);
	CHECK(!s2.outcome.resumed);
}

static void test_damaged(void)
{
	struct server s;

	corrupt_tickets = true;
	reach("example.test", 4000, 0);
	corrupt_tickets = false;
	CHECK(tickets_taken > 0);
	s = reach("example.test", 4000, 0);
	CHECK(!s.outcome.resumed);
}

/* A server that has lost its ticket keys does a full handshake. */
static void test_forgotten(void)
{
	gnutls_datum_t other;
	struct origin o = { .priority = priority, .tickets = &other };
	struct server s = to("example.test", 5000, 0);

	gnutls_session_ticket_key_generate(&other);
	reach("example.test", 5000, 0);
	must_reach(&s, &o);
	CHECK(!s.outcome.resumed && !o.resumed);
	gnutls_free(other.data);
}

static void test_verified_anew(void)
{
	struct origin o1 = { .priority = priority, .tickets = &sealing_key, .cert = "soon" };
	struct origin o2 = o1;
	struct server s1 = to("example.test", 6000, 0), s2 = s1;

	must_reach(&s1, &o1);
	time_shift = 25 * 3600;
	connect_to(&s2, &o2);
	time_shift = 0;
	CHECK(s2.outcome.status == EKEYREJECTED, "%d %s", s2.outcome.status, s2.outcome.reason);
	CHECK(strstr(s2.outcome.reason, "expired"), "%s", s2.outcome.reason);
}

/*
 * What a session remembers of its server comes to an end: then it is a full handshake
 * again, in which the server shows what it has now.
 */
static void test_out_of_date(void)
{
	static const struct origin first[] = {
		{ .cert = "short-server" },
		{ .cert = "server", .staple = "short-server.ocsp" },
	};
	static unsigned int port = 10000;

	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
		struct origin o1 = first[i];
		struct origin o2 = { .priority = priority, .tickets = &sealing_key };
		struct server s1 = to("example.test", ++port, 0), s2 = s1;

		o1.priority = priority;
		o1.tickets = &sealing_key;
		must_reach(&s1, &o1);
		time_shift = 3 * 3600;
		must_reach(&s2, &o2);
		time_shift = 0;
		CHECK(!s2.outcome.resumed, "%zu", i);
	}
}

/* A real session's data, under any key. */
static gnutls_datum_t some_data(void)
{
	struct kseal_resumption_key key = { .server = "example.test", .port = 7000 };
	const struct kseal_profile *p = kseal_config_profile(test_config, KSEAL_ROLE_CLIENT,
							     "trust");
	gnutls_datum_t data = { NULL, 0 };

	reach("example.test", 7000, 0);
	CHECK(kseal_resumption_take(p->resumption, &key, &data) == 0);
	return data;
}

static void put_copy(struct kseal_resumption *t, const gnutls_datum_t *data, const char *server,
		     unsigned int port)
{
	struct kseal_resumption_key key = { .port = port };
	gnutls_datum_t copy = { gnutls_malloc(data->size), data->size };

	snprintf(key.server, sizeof(key.server), "%s", server);
	memcpy(copy.data, data->data, data->size);
	kseal_resumption_put(t, &key, &copy, time(NULL) + 3600);
	CHECK(!copy.data);
}

static int count(struct kseal_resumption *t, const char *server, unsigned int port)
{
	struct kseal_resumption_key key = { .port = port };
	gnutls_datum_t data;
	int n = 0;

	snprintf(key.server, sizeof(key.server), "%s", server);
	while (kseal_resumption_take(t, &key, &data) == 0) {
		n++;
		kseal_resumption_wipe(&data);
		CHECK(!data.data);
	}
	return n;
}

static void test_store(void)
{
	gnutls_datum_t data = some_data(), garbage = { gnutls_malloc(10), 10 };
	struct kseal_resumption *t = kseal_resumption_new();
	struct kseal_resumption_key key = { .server = "g" };
	int left = 0;

	memset(garbage.data, 0, 10);
	kseal_resumption_put(t, &key, &garbage, time(NULL) + 3600);
	CHECK(count(t, "g", 0) == 0, "no session's data");

	for (int i = 0; i < 10; i++) {
		put_copy(t, &data, "a.test", 443);
		put_copy(t, &data, "b.test", 443);
	}
	CHECK(count(t, "a.test", 443) == KSEAL_RESUMPTION_A_SERVER);
	CHECK(count(t, "a.test", 443) == 0, "handed out twice");
	CHECK(count(t, "a.test", 444) == 0 && count(t, "b.test.evil", 443) == 0);
	CHECK(count(t, "b.test", 443) == KSEAL_RESUMPTION_A_SERVER);

	for (unsigned int i = 0; i < KSEAL_RESUMPTION_MAX + 100; i++)
		put_copy(t, &data, "c.test", i);
	CHECK(count(t, "c.test", 0) == 0 && count(t, "c.test", 99) == 0, "the oldest go first");
	for (unsigned int i = 100; i < KSEAL_RESUMPTION_MAX + 100; i++)
		left += count(t, "c.test", i);
	CHECK(left == KSEAL_RESUMPTION_MAX, "%d", left);

	put_copy(t, &data, "d.test", 1);
	kseal_resumption_free(t);
	gnutls_free(data.data);
}

void test_client_tickets(void)
{
	gnutls_session_ticket_key_generate(&sealing_key);
	priority = PRIO_13;
	run_test("as client: TLS 1.3 resumes, once with each ticket", test_resumes);
	run_test("as client: TLS 1.3, a server that has forgotten", test_forgotten);
	run_test("as client: TLS 1.3 resumption verifies the server anew", test_verified_anew);
	run_test("as client: TLS 1.3, resumed with a certificate that must be stapled",
		 test_must_staple);
	run_test("as client: TLS 1.3, a session that remembers what is out of date",
		 test_out_of_date);
	run_test("as client: TLS 1.3, a ticket that is not whole", test_damaged);
	run_test("as client: a server without tickets", test_no_tickets);
	run_test("as client: tickets = off", test_switched_off);
	run_test("tickets are kept for their server only, and not without bounds", test_store);
	priority = PRIO_12;
	run_test("as client: TLS 1.2 resumes", test_resumes);
	run_test("as client: TLS 1.2, resumed with a certificate that must be stapled",
		 test_must_staple);
	run_test("as client: TLS 1.2, a session that remembers what is out of date",
		 test_out_of_date);
	run_test("as client: TLS 1.2, a server that has forgotten", test_forgotten);
	run_test("as client: TLS 1.2 resumption verifies the server anew", test_verified_anew);
	gnutls_free(sealing_key.data);
}
