// SPDX-License-Identifier: GPL-2.0
/*
 * kseal top: the sealed connections that move most, again and again.
 *
 * Rates are differences of two looks at the module, by the number of the socket. On a
 * terminal the table fills the screen and q ends it; elsewhere one table follows the
 * other.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "query.h"

#define HEAD_LINES	4
#define CLEAR		"\033[H\033[J"

struct request {
	double delay;
	uint64_t count;
};

static const struct argp_option options[] = {
	{ "delay", 'd', "SECONDS", 0, "between two looks (default 2)", 0 },
	{ "count", 'n', "N", 0, "end after N tables", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;
	char *end;

	switch (key) {
	case 'd':
		request->delay = strtod(arg, &end);
		if (*end || end == arg || !(request->delay >= 0.1 && request->delay <= 3600))
			argp_error(state, "--delay: '%s' is not 0.1 to 3600 seconds", arg);
		return 0;
	case 'n':
		if (!kseal_parse_number(arg, &request->count) || !request->count)
			argp_error(state, "--count: '%s' is not a number of tables", arg);
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
	.doc = "Show the sealed connections of this network namespace, those that move most "
	       "first, until q is pressed.\v"
	       "Needs CAP_NET_ADMIN. The exit status is 0 if the module answered, else 1.",
};

static struct termios saved;
static bool raw;

static void restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	raw = false;
}

static void on_signal(int number)
{
	restore();
	_exit(128 + number);
}

/* Keys count at once, and aren't shown. */
static void take_keyboard(void)
{
	struct termios mine;

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved))
		return;
	mine = saved;
	mine.c_lflag &= ~(ICANON | ECHO);
	raw = true;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	tcsetattr(STDIN_FILENO, TCSANOW, &mine);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

/* 1234567: "1.2M"; fits in 6 columns. */
static const char *human(double value, char text[16])
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;

	while (value >= 1000 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	if (unit)
		snprintf(text, 16, "%.*f%c", value < 99.95 ? 1 : 0, value, units[unit]);
	else
		snprintf(text, 16, "%.0f", value);
	return text;
}

/* By id: of a socket that was there before. */
static const json_t *find(const json_t *index, json_int_t id)
{
	char key[24];

	snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT, id);
	return json_object_get(index, key);
}

static json_t *index_of(const json_t *rows)
{
	json_t *index = json_object(), *row;
	char key[24];
	size_t i;

	json_array_foreach(rows, i, row) {
		snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT, number(row, "id"));
		json_object_set(index, key, row);
	}
	return index;
}

/* Adds the members tx_rate and rx_rate, bytes a second; those of a new socket are all its bytes. */
static void rate(json_t *rows, const json_t *before, double seconds)
{
	static const char *const names[][2] = { { "tx_bytes", "tx_rate" },
						{ "rx_bytes", "rx_rate" } };
	const json_t *old;
	json_t *row;
	size_t i, k;

	json_array_foreach(rows, i, row) {
		old = find(before, number(row, "id"));
		for (k = 0; k < 2; k++) {
			double grown = number(row, names[k][0]) -
				       (old ? number(old, names[k][0]) : 0);

			json_object_set_new(row, names[k][1], json_real(grown / seconds));
		}
	}
}

static double speed(const json_t *row)
{
	return json_real_value(json_object_get(row, "tx_rate")) +
	       json_real_value(json_object_get(row, "rx_rate"));
}

static int by_speed(const void *a, const void *b)
{
	const json_t *one = *(const json_t *const *)a, *other = *(const json_t *const *)b;
	double difference = speed(other) - speed(one);

	if (difference)
		return difference > 0 ? 1 : -1;
	return number(one, "id") > number(other, "id") ? 1 : -1;
}

/* What counters have gained, all together. */
static json_int_t gain(const json_t *status, const json_t *before, const char *const *names)
{
	json_int_t sum = 0;

	for (; *names; names++)
		sum += number(json_object_get(status, "counters"), *names) -
		       number(json_object_get(before, "counters"), *names);
	return sum;
}

static void print_head(const json_t *status, const json_t *before, double seconds)
{
	static const char *const sealed[] = { "KsealSealed", NULL };
	static const char *const lost[] = { "KsealRefused", "KsealTimeout", "KsealNoAgent",
					    "KsealAborted", NULL };
	static const char *const sent[] = { "KsealTxBytes", NULL };
	static const char *const received[] = { "KsealRxBytes", NULL };
	json_int_t held = 0, ready = 0;
	const json_t *row;
	char text[4][16];
	size_t i;

	json_array_foreach(json_object_get(status, "listeners"), i, row) {
		held += number(row, "held");
		ready += number(row, "ready");
	}
	printf("%zu sealed connections, %zu listeners: %" JSON_INTEGER_FORMAT
	       " connections held, %" JSON_INTEGER_FORMAT " ready; agent: %zu workers\n",
	       json_array_size(json_object_get(status, "sockets")),
	       json_array_size(json_object_get(status, "listeners")), held, ready,
	       json_array_size(json_object_get(status, "workers")));
	printf("per second: %s sealed, %s refused or lost, %sB sent, %sB received\n\n",
	       human(gain(status, before, sealed) / seconds, text[0]),
	       human(gain(status, before, lost) / seconds, text[1]),
	       human(gain(status, before, sent) / seconds, text[2]),
	       human(gain(status, before, received) / seconds, text[3]));
}

static void print_rows(json_t *rows, size_t limit)
{
	size_t count = json_array_size(rows), i;
	const json_t **sorted = calloc(count + 1, sizeof(*sorted));
	char text[4][16], a[32], b[32], c[32], d[32];
	const json_t *row;

	if (!sorted)
		return;
	for (i = 0; i < count; i++)
		sorted[i] = json_array_get(rows, i);
	qsort(sorted, count, sizeof(*sorted), by_speed);
	printf("%8s  %-8s  %6s  %6s  %6s  %6s  %-22s  %-22s  %s\n", "ID", "ROLE", "TX B/s",
	       "RX B/s", "TX B", "RX B", "PEER", "LOCAL", "PROFILE");
	for (i = 0; i < count && i < limit; i++) {
		row = sorted[i];
		printf("%8" JSON_INTEGER_FORMAT "  %-8s  %6s  %6s  %6s  %6s  %-22s  %-22s  %s\n",
		       number(row, "id"), kseal_cell(row, "role", a, sizeof(a)),
		       human(json_real_value(json_object_get(row, "tx_rate")), text[0]),
		       human(json_real_value(json_object_get(row, "rx_rate")), text[1]),
		       human(number(row, "tx_bytes"), text[2]),
		       human(number(row, "rx_bytes"), text[3]),
		       kseal_cell(row, "peer", b, sizeof(b)),
		       kseal_cell(row, "local", c, sizeof(c)),
		       kseal_cell(row, "profile", d, sizeof(d)));
	}
	free(sorted);
}

static size_t room(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ||
	    size.ws_row <= HEAD_LINES + 1)
		return SIZE_MAX;
	return size.ws_row - HEAD_LINES - 1;
}

/* Return: false if q was pressed meanwhile. */
static bool pause_for(double seconds)
{
	struct pollfd keyboard = { .fd = raw ? STDIN_FILENO : -1, .events = POLLIN };
	double end = now() + seconds;
	char c;

	while (seconds > 0) {
		if (poll(&keyboard, 1, (int)(seconds * 1000) + 1) > 0 &&
		    (read(STDIN_FILENO, &c, 1) != 1 || c == 'q'))
			return false;
		seconds = end - now();
	}
	return true;
}

/* Return: exit status */
static int watch(const struct request *request)
{
	char why[KSEAL_MESSAGE_LEN];
	json_t *before = kseal_query(why), *status, *index, *sockets;
	double last = now(), seconds;
	uint64_t shown = 0;

	while (before && (!request->count || shown < request->count)) {
		if (!pause_for(request->delay))
			break;
		status = kseal_query(why);
		if (!status) {
			json_decref(before);
			before = NULL;
			break;
		}
		seconds = now() - last;
		last += seconds;
		sockets = json_object_get(status, "sockets");
		kseal_tame_json(sockets);
		index = index_of(json_object_get(before, "sockets"));
		rate(sockets, index, seconds);
		json_decref(index);
		if (isatty(STDOUT_FILENO))
			fputs(CLEAR, stdout);
		else if (shown)
			putchar('\n');
		print_head(status, before, seconds);
		print_rows(sockets, room());
		json_decref(before);
		before = status;
		shown++;
		if (fflush(stdout))
			break;
	}
	if (!before) {
		restore();
		kseal_say("%s", why);
		return EXIT_FAILURE;
	}
	json_decref(before);
	return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * kseal_cmd_top() - the subcommand
 * @argc: of @argv
 * @argv: "kseal top", options
 *
 * Return: exit status
 */
int kseal_cmd_top(int argc, char **argv)
{
	struct request request = { .delay = 2 };
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	take_keyboard();
	ret = watch(&request);
	restore();
	return ret;
}
