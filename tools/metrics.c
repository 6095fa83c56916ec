// SPDX-License-Identifier: GPL-2.0
/*
 * kseal metrics: the counters and the state of the module in this network namespace,
 * for a collector: OpenMetrics 1.0. With them the agent's own numbers, if it has its
 * endpoint at the usual place.
 *
 * All else comes from kseal_query(); nothing names a peer, so that the number of
 * time series stays that of listeners, profiles and ciphers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "counters.h"
#include "query.h"

#define ENDPOINT	"/run/kseal/metrics"	/* kseald.conf(5), metrics */
#define ANSWER_MAX	(64 * 1024)

static const struct argp argp = {
	.doc = "Print the counters and the state of the module in this network namespace as "
	       "OpenMetrics text.\v"
	       "Needs CAP_NET_ADMIN. The exit status is 0 if the module answered, else 1.",
};

/* The value of a label: the text with backslash, quote and newline escaped. */
static void label(const char *name, const char *value, bool first)
{
	printf("%s%s=\"", first ? "" : ",", name);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", stdout);
			continue;
		}
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

static void print_counters(const json_t *status)
{
	const char *key, *help, *unit;
	json_t *value;
	char name[80];

	json_object_foreach(json_object_get(status, "counters"), key, value) {
		kseal_counter_describe(key, name, sizeof(name), &help, &unit);
		kseal_counter_head(stdout, name, "counter", unit, help);
		printf("%s_total %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
	}
}

static void add(json_t *object, const char *key, json_int_t n)
{
	n += json_integer_value(json_object_get(object, key));
	json_object_set_new(object, key, json_integer(n));
}

/*
 * Adds up the rows that agree in @keys. Return: an array of objects with those members,
 * "count", and of each key in @sums the sum.
 */
static json_t *group(const json_t *rows, const char *const *keys, const char *const *sums)
{
	json_t *groups = json_array(), *row, *one, *found;
	size_t i, j, k;

	json_array_foreach(rows, i, row) {
		found = NULL;
		json_array_foreach(groups, j, one) {
			for (k = 0; keys[k]; k++)
				if (!json_equal(json_object_get(row, keys[k]),
						json_object_get(one, keys[k])))
					break;
			if (!keys[k])
				found = one;
		}
		if (!found) {
			found = json_object();
			json_array_append_new(groups, found);
			for (k = 0; keys[k]; k++)
				json_object_set(found, keys[k], json_object_get(row, keys[k]));
		}
		add(found, "count", 1);
		for (k = 0; sums[k]; k++)
			add(found, sums[k], json_integer_value(json_object_get(row, sums[k])));
	}
	return groups;
}

/* A gauge: the member @value of each row, labelled by @labels. */
static void print_gauge(const char *name, const char *help, const json_t *rows,
			const char *const *labels, const char *value)
{
	char buffer[32];
	json_t *row;
	size_t i, k;

	kseal_counter_head(stdout, name, "gauge", NULL, help);
	json_array_foreach(rows, i, row) {
		printf("%s{", name);
		for (k = 0; labels[k]; k++)
			label(labels[k], kseal_cell(row, labels[k], buffer, sizeof(buffer)), !k);
		printf("} %" JSON_INTEGER_FORMAT "\n",
		       json_integer_value(json_object_get(row, value)));
	}
}

static void print_number(const char *name, const char *help, json_int_t value)
{
	kseal_counter_head(stdout, name, "gauge", NULL, help);
	printf("%s %" JSON_INTEGER_FORMAT "\n", name, value);
}

static void print_module(const json_t *module)
{
	char buffer[32];

	kseal_counter_head(stdout, "kseal_module", "info", NULL, "The module that is loaded");
	printf("kseal_module_info{");
	label("version", kseal_cell(module, "version", buffer, sizeof(buffer)), true);
	label("ulp_name", kseal_cell(module, "ulp_name", buffer, sizeof(buffer)), false);
	printf("} 1\n");
}

static void print_agent(const json_t *workers)
{
	json_int_t active = 0;
	json_t *row;
	size_t i;

	json_array_foreach(workers, i, row)
		active += json_integer_value(json_object_get(row, "active"));
	print_number("kseal_agent_workers", "Workers of the agent that are registered",
		     json_array_size(workers));
	print_number("kseal_agent_handshakes", "Handshakes that the agent has in work", active);
}

static void print_listeners(const json_t *listeners)
{
	static const char *const keys[] = { "local", "profile", NULL };
	static const char *const sums[] = { "held", "ready", "backlog", NULL };
	json_t *rows = group(listeners, keys, sums);

	print_gauge("kseal_listener_sockets", "Sealed listeners", rows, keys, "count");
	print_gauge("kseal_listener_held", "Connections whose handshake is not done", rows, keys,
		    "held");
	print_gauge("kseal_listener_ready", "Sealed connections that wait for accept()", rows,
		    keys, "ready");
	print_gauge("kseal_listener_backlog", "Connections that may wait", rows, keys, "backlog");
	json_decref(rows);
}

static void print_sockets(const json_t *sockets)
{
	static const char *const keys[] = { "role", "profile", "tls_version", "tls_cipher", NULL };
	static const char *const sums[] = { NULL };
	json_t *rows = group(sockets, keys, sums);

	print_gauge("kseal_sockets", "Sealed sockets that are open", rows, keys, "count");
	json_decref(rows);
}

static void print_handshakes(const json_t *handshakes)
{
	static const char *const keys[] = { "profile", "state", NULL };
	static const char *const sums[] = { NULL };
	json_t *rows = group(handshakes, keys, sums);

	print_gauge("kseal_pending_handshakes", "Handshakes that are not done", rows, keys,
		    "count");
	json_decref(rows);
}

/* Of this network namespace: another's may have its endpoint in the same file system. */
static bool is_our_agent(int fd, const json_t *workers)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	json_t *row;
	size_t i;

	/* 0: in a pid namespace that is not ours */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) || peer.pid <= 0)
		return false;
	json_array_foreach(workers, i, row)
		if (json_integer_value(json_object_get(row, "pid")) == peer.pid)
			return true;
	return false;
}

/* Return: connected to the endpoint of the agent with these workers, -1 if there is none */
static int connect_agent(const json_t *workers)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = ENDPOINT };
	struct timeval limit = { .tv_sec = 2 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Before connect(), which waits while an agent that hangs takes nobody. */
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) &&
	    !connect(fd, (struct sockaddr *)&un, sizeof(un)) && is_our_agent(fd, workers))
		return fd;
	close(fd);
	return -1;
}

/* The answer to "GET /agent" of a server that may be gone at any moment. */
static char *ask_agent(const json_t *workers)
{
	static const char request[] = "GET /agent HTTP/1.0\r\n\r\n";
	char *text = malloc(ANSWER_MAX + 1);
	int fd = connect_agent(workers);
	size_t size = 0;
	ssize_t n = -1;

	if (text && fd >= 0) {
		n = send(fd, request, strlen(request), MSG_NOSIGNAL);
		while (n > 0 && size < ANSWER_MAX) {
			n = read(fd, text + size, ANSWER_MAX - size);
			size += n > 0 ? n : 0;
		}
	}
	if (fd >= 0)
		close(fd);
	if (n) {
		free(text);
		return NULL;
	}
	text[size] = '\0';
	return text;
}

/* Whole lines between the head and the end, or nothing. */
static void print_handshake_times(const json_t *workers)
{
	char *text = ask_agent(workers), *body, *end;

	if (!text)
		return;
	body = strstr(text, "\r\n\r\n");
	end = body ? strstr(body, "# EOF\n") : NULL;
	if (end && strncmp(text, "HTTP/1.", 7) == 0 && strncmp(text + 8, " 200 ", 5) == 0) {
		*end = '\0';
		fputs(body + 4, stdout);
	}
	free(text);
}

/**
 * kseal_cmd_metrics() - the subcommand
 * @argc: of @argv
 * @argv: "kseal metrics"
 *
 * Return: exit status
 */
int kseal_cmd_metrics(int argc, char **argv)
{
	char why[KSEAL_MESSAGE_LEN];
	json_t *status;

	kseal_parse_no_arguments(&argp, argc, argv);
	status = kseal_query(why);
	if (!status) {
		kseal_say("%s", why);
		return EXIT_FAILURE;
	}
	print_module(json_object_get(status, "module"));
	print_agent(json_object_get(status, "workers"));
	print_listeners(json_object_get(status, "listeners"));
	print_handshakes(json_object_get(status, "handshakes"));
	print_sockets(json_object_get(status, "sockets"));
	print_counters(status);
	print_handshake_times(json_object_get(status, "workers"));
	puts("# EOF");
	json_decref(status);
	return fflush(stdout) || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
