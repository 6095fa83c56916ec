// SPDX-License-Identifier: GPL-2.0
/*
 * kseal rekey: a sealed socket goes on with its next key (RFC 8446 section 4.6.3).
 * The module does so by itself before a key has protected too much; this is for
 * those whose rules say "daily".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "query.h"

struct request {
	uint64_t id;
	bool known, both;
};

static const struct argp_option options[] = {
	{ "both", 'b', NULL, 0, "ask the peer for its next key too", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case 'b':
		request->both = true;
		return 0;
	case ARGP_KEY_ARG:
		if (request->known)
			argp_error(state, "too many arguments");
		if (!kseal_parse_number(arg, &request->id))
			argp_error(state, "'%s' is not the number of a socket", arg);
		request->known = true;
		return 0;
	case ARGP_KEY_END:
		if (!request->known)
			argp_error(state, "which ID?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "ID",
	.doc = "Have the sealed socket ID (see 'kseal status') go on with its next key. TLS 1.3 "
	       "only.\v"
	       "Needs CAP_NET_ADMIN. The exit status is 0 if the KeyUpdate is on its way, 1 if "
	       "not, 2 for a wrong command line.",
};

/**
 * kseal_cmd_rekey() - the subcommand
 * @argc: of @argv
 * @argv: "kseal rekey", options, ID
 *
 * Return: exit status
 */
int kseal_cmd_rekey(int argc, char **argv)
{
	struct request request = { 0 };
	char why[KSEAL_MESSAGE_LEN];

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	if (kseal_rekey(request.id, request.both ? KSEAL_REKEY_BOTH : KSEAL_REKEY_OWN, why)) {
		kseal_say("%s", why);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
