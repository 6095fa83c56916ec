// SPDX-License-Identifier: GPL-2.0
/*
 * Keys in a PKCS#11 token, of softhsm2: handshakes of a confined agent that never has the
 * key. What can be wrong with such a key is in configuration.py.
 */
#include <stdio.h>
#include <string.h>

#include "../../agent/confine.h"
#include "../../agent/file.h"
#include "../../agent/token.h"
#include "check.h"
#include "server.h"

static struct kseal_config *load(void)
{
	char path[512], error[KSEAL_ERROR_MAX] = "";
	struct kseal_config *config;

	snprintf(path, sizeof(path), "%s/token.conf", test_directory);
	config = kseal_config_load(path, error, sizeof(error));
	CHECK(config, "%s", error);
	return config;
}

/* A process of its own, as modules stay loaded. */
static void work_with_token(void)
{
	static const char *const profiles[] = { "token", "token-rsa" };
	static const char *const priorities[] = { PRIO_13, PRIO_12 };
	struct kseal_config *fresh;
	int ret;

	test_config = load();
	if (!test_config)
		return;
	ret = kseal_confine_calls(true, false);
	CHECK(ret == 0, "%s", strerror(-ret));
	for (int i = 0; i < 4; i++) {
		struct client c = { .priority = priorities[i % 2] };
		struct server s = { .profile = profiles[i / 2] };

		must_seal(&s, &c);
		CHECK(strstr(c.shown, i / 2 ? "RSA" : "ECDSA"), "%s", c.shown);
	}
	fresh = load();
	CHECK(fresh);
	kseal_config_put(test_config);
	test_config = fresh;
	if (fresh) {
		struct client c = { .priority = PRIO_13 };
		struct server s = { .profile = "token" };

		must_seal(&s, &c);
	}
}

static void test_token(void)
{
	CHECK(in_child(work_with_token) == 0);
}

/* The first such key comes by a reload, to an agent that has confined itself to files. */
static void come_too_late(void)
{
	static const char late[] =
		"object=server: the first key that is not a file: restart kseald";
	char path[512], error[KSEAL_ERROR_MAX] = "";

	kseal_token_give_up();
	CHECK(kseal_confine_calls(false, false) == 0);
	snprintf(path, sizeof(path), "%s/token.conf", test_directory);
	CHECK(!kseal_config_load(path, error, sizeof(error)));
	CHECK(strstr(error, late), "%s", error);
	snprintf(path, sizeof(path), "%s/sessions.conf", test_directory);
	CHECK(kseal_config_load(path, error, sizeof(error)), "%s", error);
}

static void test_late(void)
{
	CHECK(in_child(come_too_late) == 0);
}

static void test_names(void)
{
	char name[32];

	CHECK(strcmp(kseal_token_name("pkcs11:token=a;object=b?pin-value=1", name, sizeof(name)),
		     "pkcs11:token=a;object=b") == 0, "%s", name);
	CHECK(strcmp(kseal_token_name("/keys/what?", name, sizeof(name)), "/keys/what?") == 0);
}

void test_tokens(void)
{
	run_test("a key in a token: handshakes of a confined agent, and a reload", test_token);
	run_test("a key in a token that comes by a reload, and is the first", test_late);
	run_test("a key in a token is told without its PIN", test_names);
}
