// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the agent's handshakes, without the kernel module: sessions run
 * over socket pairs against GnuTLS clients in threads, and what would go to the
 * kernel is used by hand, to open and to seal the records that follow. Run by
 * tests/agent/run with the directory of test certificates; speaks TAP.
 */
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <stdio.h>

#include "../../agent/log.h"
#include "check.h"
#include "server.h"

bool test_failed;
const char *test_directory;
static int tests, failures;

/* Called by CHECK(). */
void complain(const char *file, int line, const char *condition, const char *fmt, ...)
{
	va_list ap;

	printf("# %s:%d: %s:", file, line, condition);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	test_failed = true;
}

/* Runs one test and prints its line. */
void run_test(const char *name, void (*test)(void))
{
	test_failed = false;
	test();
	printf("%sok %d - %s\n", test_failed ? "not " : "", ++tests, name);
	fflush(stdout);
	failures += test_failed;
}

/* Prints a line for one that can not be run here. */
void skip_test(const char *name, const char *reason)
{
	printf("ok %d - %s # SKIP %s\n", ++tests, name, reason);
}

int main(int argc, char **argv)
{
	char path[512], error[KSEAL_ERROR_MAX];

	if (argc != 2)
		return 2;
	test_directory = argv[1];
	kseal_log_set_level(KSEAL_LOG_ERROR);
	snprintf(path, sizeof(path), "%s/sessions.conf", test_directory);
	test_config = kseal_config_load(path, error, sizeof(error));
	if (!test_config) {
		printf("Bail out! %s\n", error);
		return 1;
	}
	test_records();
	test_peers();
	test_resumption_tickets();
	test_ends();
	test_parts();
	test_confine();
	test_tokens();
	test_clients();
	test_client_tickets();
	test_preambles();
	test_negotiation();
	test_limits();
	test_endpoints();
	test_watch();
	test_revocations();
	test_certificates();
	test_rule_kinds();
	printf("1..%d\n", tests);
	kseal_config_put(test_config);
	return failures ? 1 : 0;
}
