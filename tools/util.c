// SPDX-License-Identifier: GPL-2.0
/*
 * Messages, the parsers of ports and profile names, and the names of addresses
 * and processes, for all subcommands.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kseal-cli.h"

/**
 * kseal_say() - a line on stderr, in one write
 * @format: as printf(3), without "kseal: " and newline
 */
void kseal_say(const char *format, ...)
{
	char text[KSEAL_MESSAGE_LEN * 2];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "kseal: %s\n", text);
}

static error_t parse_nothing(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "too many arguments");
	return 0;
}

/**
 * kseal_parse_no_arguments() - the command line of a command that takes none
 * @argp: its description
 * @argc: of @argv
 * @argv: its name and arguments
 */
void kseal_parse_no_arguments(const struct argp *argp, int argc, char **argv)
{
	struct argp with_parser = *argp;

	with_parser.parser = parse_nothing;
	argp_parse(&with_parser, argc, argv, 0, NULL, NULL);
}

/**
 * kseal_parse_port() - a TCP port, 1 to 65535, decimal
 * @text: nothing but digits
 * @port: result
 *
 * Return: false if it is none.
 */
bool kseal_parse_port(const char *text, uint16_t *port)
{
	unsigned long value;
	const char *c;

	for (c = text; *c; c++)
		if (!isdigit((unsigned char)*c))
			return false;
	if (c == text || c - text > 5)
		return false;
	value = strtoul(text, NULL, 10);
	if (!value || value > UINT16_MAX)
		return false;
	*port = value;
	return true;
}

/**
 * kseal_parse_number() - decimal, up to 2^63 - 1
 * @text: nothing but digits
 * @number: result
 *
 * Return: false if it is none.
 */
bool kseal_parse_number(const char *text, uint64_t *number)
{
	const char *c;

	for (c = text; *c; c++)
		if (!isdigit((unsigned char)*c))
			return false;
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return c != text && !errno && *number <= INT64_MAX;
}

/**
 * kseal_parse_profile() - the name of a profile
 * @text: 1 to KSEAL_PROFILE_MAX - 1 printable characters without blanks
 * @profile: result
 *
 * Return: false if it is none.
 */
bool kseal_parse_profile(const char *text, char profile[KSEAL_PROFILE_MAX])
{
	size_t length = strlen(text), i;

	if (!length || length >= KSEAL_PROFILE_MAX)
		return false;
	for (i = 0; i < length; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	memcpy(profile, text, length + 1);
	return true;
}

/**
 * kseal_format_address() - "192.0.2.1:443", "[2001:db8::1]:443"
 * @address: struct sockaddr_in or sockaddr_in6
 * @text: result, KSEAL_ADDRESS_LEN bytes are enough
 * @size: of @text
 */
void kseal_format_address(const struct sockaddr *address, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct sockaddr_in *in = (const void *)address;
	char host[INET6_ADDRSTRLEN];

	switch (address->sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		if (in6->sin6_scope_id)
			snprintf(text, size, "[%s%%%u]:%u", host, in6->sin6_scope_id,
				 ntohs(in6->sin6_port));
		else
			snprintf(text, size, "[%s]:%u", host, ntohs(in6->sin6_port));
		break;
	default:
		snprintf(text, size, "?");
	}
}

/**
 * kseal_tame() - take from a text what a terminal would obey
 * @text: UTF-8, changed in place: control characters become question marks
 *
 * Programs and peers choose their names.
 */
void kseal_tame(char *text)
{
	unsigned char *c;

	for (c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
		else if (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)	/* U+0080 to U+009F */
			memset(c, '?', 2);
	}
}

/**
 * kseal_process_name() - the name of a process as ps(1) shows it
 * @pid: process or thread
 * @name: result; "?" if it is gone
 * @size: of @name
 */
void kseal_process_name(pid_t pid, char *name, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, size, file))
		snprintf(name, size, "?");
	name[strcspn(name, "\n")] = '\0';
	kseal_tame(name);
	if (file)
		fclose(file);
}
