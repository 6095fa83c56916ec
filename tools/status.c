// SPDX-License-Identifier: GPL-2.0
/*
 * kseal status: what the module tells about itself, the agent, listeners and
 * connections of this network namespace.
 *
 * The dumps of the netlink family become one JSON object (query.c), which is
 * printed as it is (--json) or as tables.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kseal-cli.h"
#include "query.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case 'j':
		*(bool *)state->input = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "too many arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Show the module, the agent's workers, sealed listeners, pending handshakes, "
	       "sealed connections and counters of this network namespace.\v"
	       "Needs CAP_NET_ADMIN. The exit status is 0 if the module answered, else 1.",
};

#define MAX_COLUMNS	16

/**
 * kseal_cell() - a member as a word
 * @row: an object
 * @key: its member
 * @buffer: for those that are no strings
 * @size: of @buffer
 *
 * Return: its text; "-" for what isn't there.
 */
const char *kseal_cell(const json_t *row, const char *key, char *buffer, size_t size)
{
	const json_t *value = json_object_get(row, key);

	if (json_is_string(value) && json_string_length(value))
		return json_string_value(value);
	if (json_is_integer(value)) {
		snprintf(buffer, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return buffer;
	}
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	return "-";
}

static void print_row(const json_t *row, const char *const *keys, const int *widths)
{
	char buffer[32];
	size_t i;

	for (i = 0; keys[i]; i++)
		printf("  %-*s", keys[i + 1] ? widths[i] : 0,
		       kseal_cell(row, keys[i], buffer, sizeof(buffer)));
	putchar('\n');
}

/* A table of the members @keys of each element of @rows, headed by their names. */
static void print_table(const char *title, const json_t *rows, const char *const *keys)
{
	int widths[MAX_COLUMNS] = { 0 }, width;
	json_t *row, *head = json_object();
	char buffer[32], *c;
	size_t i, index;

	printf("\n%s: %zu\n", title, json_array_size(rows));
	if (!json_array_size(rows)) {
		json_decref(head);
		return;
	}
	for (i = 0; keys[i]; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s", keys[i]);
		for (c = name; *c; c++)
			*c = *c == '_' ? ' ' : *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c;
		json_object_set_new(head, keys[i], json_string(name));
		widths[i] = strlen(name);
		json_array_foreach(rows, index, row) {
			width = strlen(kseal_cell(row, keys[i], buffer, sizeof(buffer)));
			if (width > widths[i])
				widths[i] = width;
		}
	}
	print_row(head, keys, widths);
	json_array_foreach(rows, index, row)
		print_row(row, keys, widths);
	json_decref(head);
}

static void print_ciphers(const json_t *ciphers)
{
	json_t *name;
	size_t i;

	printf("ciphers:");
	json_array_foreach(ciphers, i, name)
		printf("%s %s", i ? "," : "", json_string_value(name));
	putchar('\n');
}

static void print_agent(const json_t *workers)
{
	json_int_t active = 0;
	json_t *row;
	size_t i;

	json_array_foreach(workers, i, row)
		active += json_integer_value(json_object_get(row, "active"));
	if (json_array_size(workers))
		printf("agent: pid %" JSON_INTEGER_FORMAT ", %zu worker%s, %" JSON_INTEGER_FORMAT
		       " handshake%s in work\n",
		       json_integer_value(json_object_get(json_array_get(workers, 0), "pid")),
		       json_array_size(workers), json_array_size(workers) == 1 ? "" : "s", active,
		       active == 1 ? "" : "s");
	else
		printf("agent: none is running, connections to sealed listeners are refused\n");
}

static void print_counters(const json_t *counters)
{
	const char *key;
	json_t *value;

	printf("\ncounters\n");
	json_object_foreach((json_t *)counters, key, value)
		printf("  %-16s %20" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
}

static void print_text(const json_t *status)
{
	static const char *const listener[] = { "local", "profile", "user",  "held",
						"ready", "backlog", NULL };
	static const char *const handshake[] = { "role",    "peer",  "local",
						 "profile", "state", "timeout_ms",
						 NULL };
	static const char *const socket[] = { "id",	     "role",	   "peer",
					      "local",	     "profile",	   "user",
					      "tls_version", "tls_cipher", "group",
					      "alpn",	     "tx_alert",   "rx_alert",
					      "tx_offload",  "rx_offload",
					      "server_name", "peer_subject", NULL };
	const json_t *module = json_object_get(status, "module");

	printf("module: kseal %s, upper layer protocol \"%s\"\n",
	       json_string_value(json_object_get(module, "version")),
	       json_string_value(json_object_get(module, "ulp_name")));
	print_ciphers(json_object_get(module, "ciphers"));
	print_agent(json_object_get(status, "workers"));
	print_table("sealed listeners", json_object_get(status, "listeners"), listener);
	print_table("pending handshakes", json_object_get(status, "handshakes"), handshake);
	print_table("sealed connections", json_object_get(status, "sockets"), socket);
	print_counters(json_object_get(status, "counters"));
}

/**
 * kseal_print_json() - a value for programs
 * @value: any
 *
 * Return: 0, or -1 if it can't be written
 */
int kseal_print_json(json_t *value)
{
	if (json_dumpf(value, stdout, JSON_INDENT(2)))
		return -1;
	putchar('\n');
	return fflush(stdout) || ferror(stdout) ? -1 : 0;
}

/**
 * kseal_cmd_status() - the subcommand
 * @argc: of @argv
 * @argv: "kseal status", options
 *
 * Return: exit status
 */
int kseal_cmd_status(int argc, char **argv)
{
	char why[KSEAL_MESSAGE_LEN];
	json_t *status;
	bool json = false;
	int ret = EXIT_SUCCESS;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	status = kseal_query(why);
	if (!status) {
		ret = EXIT_FAILURE;
		kseal_say("%s", why);
		if (json)
			status = json_pack("{s:n, s:s}", "module", "error", why);
	}
	if (status && json) {
		if (kseal_print_json(status))
			ret = EXIT_FAILURE;
	} else if (status) {
		kseal_tame_json(status);
		print_text(status);
	}
	json_decref(status);
	if (fflush(stdout) || ferror(stdout))
		ret = EXIT_FAILURE;
	return ret;
}
