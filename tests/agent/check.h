/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of the agent's unit tests: a failed one says so as a TAP comment and fails
 * the test that runs. All test files include this.
 */
#ifndef KSEAL_TEST_CHECK_H
#define KSEAL_TEST_CHECK_H

#include <stdbool.h>
#include <time.h>

extern bool test_failed;
extern const char *test_directory;
extern time_t time_shift;		/* seconds that the agent and GnuTLS are ahead */

/* The linker's option --wrap has the agent call the latter in place of the former. */
time_t __real_time(time_t *t);
time_t __wrap_time(time_t *t);

void complain(const char *file, int line, const char *condition, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int in_child(void (*function)(void));
void run_test(const char *name, void (*test)(void));
void skip_test(const char *name, const char *reason);

/* The macro's blank is the format where the caller gives none. */
#define CHECK(cond, ...) do {						\
	if (!(cond))							\
		complain(__FILE__, __LINE__, #cond, " " __VA_ARGS__);	\
} while (0)

void test_records(void);
void test_peers(void);
void test_ends(void);
void test_confine(void);
void test_tokens(void);
void test_resumption_tickets(void);
void test_parts(void);
void test_clients(void);
void test_client_tickets(void);
void test_preambles(void);
void test_negotiation(void);
void test_limits(void);
void test_endpoints(void);
void test_watch(void);
void test_revocations(void);
void test_certificates(void);
void test_rule_kinds(void);

#endif /* KSEAL_TEST_CHECK_H */
