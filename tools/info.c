// SPDX-License-Identifier: GPL-2.0
/*
 * kseal info: all that there is to know of one sealed socket, by its number in
 * `kseal status`, or by process and descriptor.
 *
 * A socket that is no more in the module's list (its connection has ended), or not
 * yet, is only to be seen the second way, through a copy of the descriptor.
 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "query.h"

struct request {
	uint64_t numbers[2];
	int count;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case 'j':
		request->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (request->count == 2)
			argp_error(state, "too many arguments");
		if (!kseal_parse_number(arg, &request->numbers[request->count++]))
			argp_error(state, "'%s' is not a number", arg);
		return 0;
	case ARGP_KEY_END:
		if (!request->count)
			argp_error(state, "which ID, or PID and FD?");
		if (request->count == 2 &&
		    (!request->numbers[0] || request->numbers[0] > INT32_MAX ||
		     request->numbers[1] > INT32_MAX))
			argp_error(state, "not a PID and FD");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "ID\nPID FD",
	.doc = "Show what is known of a sealed socket: ID as 'kseal status' shows it, or "
	       "descriptor FD of process PID.\v"
	       "ID needs CAP_NET_ADMIN, PID the permission to trace it. The exit status is 0 if "
	       "there is such a socket, 1 if not, 2 for a wrong command line.",
};

static json_t *by_id(uint64_t id)
{
	char why[KSEAL_MESSAGE_LEN];
	json_t *status = kseal_query(why), *row, *found = NULL;
	size_t i;

	if (!status) {
		kseal_say("%s", why);
		return NULL;
	}
	json_array_foreach(json_object_get(status, "sockets"), i, row)
		if ((uint64_t)json_integer_value(json_object_get(row, "id")) == id)
			found = json_incref(row);
	json_decref(status);
	if (!found)
		kseal_say("there is no sealed socket %" PRIu64 " ('kseal status' lists them)", id);
	return found;
}

/* Members that are not known are left out, as in the module's list. */
static void set(json_t *row, const char *key, const char *data, size_t size)
{
	if (*data)
		json_object_set_new(row, key, kseal_text(data, size));
}

static json_t *convert(const struct kseal_info *info, const char *device)
{
	static const unsigned char none[KSEAL_FINGERPRINT_LEN];
	json_t *row = json_object();

	json_object_set_new(row, "id", json_integer(info->id));
	json_object_set_new(row, "role", kseal_role_name(info->role));
	set(row, "profile", info->profile, sizeof(info->profile));
	json_object_set_new(row, "sealed", json_boolean(info->flags & KSEAL_INFO_SEALED));
	json_object_set_new(row, "resumed", json_boolean(info->flags & KSEAL_INFO_RESUMED));
	json_object_set_new(row, "peer_verified",
			    json_boolean(info->flags & KSEAL_INFO_PEER_CERTIFICATE));
	json_object_set_new(row, "eof", json_boolean(info->flags & KSEAL_INFO_EOF));
	if (info->tls_version) {
		json_object_set_new(row, "tls_version", kseal_version_name(info->tls_version));
		json_object_set_new(row, "tls_cipher", kseal_cipher_name(info->tls_cipher));
	}
	if (info->group)
		json_object_set_new(row, "group", kseal_group_name(info->group));
	set(row, "server_name", info->server_name, sizeof(info->server_name));
	set(row, "alpn", info->alpn, sizeof(info->alpn));
	set(row, "peer_subject", info->peer_subject, sizeof(info->peer_subject));
	set(row, "peer_names", info->peer_names, sizeof(info->peer_names));
	if (memcmp(info->peer_fingerprint, none, sizeof(none)))
		json_object_set_new(row, "peer_fingerprint",
				    kseal_hex(info->peer_fingerprint, sizeof(none)));
	json_object_set_new(row, "tx_records", json_integer(info->tx_records));
	json_object_set_new(row, "rx_records", json_integer(info->rx_records));
	json_object_set_new(row, "tx_bytes", json_integer(info->tx_bytes));
	json_object_set_new(row, "rx_bytes", json_integer(info->rx_bytes));
	json_object_set_new(row, "tx_rekeys", json_integer(info->tx_rekeys));
	json_object_set_new(row, "rx_rekeys", json_integer(info->rx_rekeys));
	if (info->tx_alert != KSEAL_ALERT_NONE)
		json_object_set_new(row, "tx_alert", kseal_alert_name(info->tx_alert));
	if (info->rx_alert != KSEAL_ALERT_NONE)
		json_object_set_new(row, "rx_alert", kseal_alert_name(info->rx_alert));
	set(row, "reason", info->reason, sizeof(info->reason));
	kseal_set_offload(row, info->offload, info->offload_policy, device);
	return row;
}

static void explain_fetch(pid_t pid, int fd, int error)
{
	char name[32];

	kseal_process_name(pid, name, sizeof(name));
	if (error == ESRCH)
		kseal_say("there is no process %d", (int)pid);
	else if (error == EBADF)
		kseal_say("%s (pid %d) has no descriptor %d", name, (int)pid, fd);
	else if (error == EPERM)
		kseal_say("no permission to look into %s (pid %d): run as root, or as its owner "
			  "where kernel.yama.ptrace_scope is 0", name, (int)pid);
	else
		kseal_say("can't look into %s (pid %d): %s", name, (int)pid, strerror(error));
}

static json_t *by_descriptor(pid_t pid, int fd)
{
	struct kseal_info info = { .tx_alert = KSEAL_ALERT_NONE, .rx_alert = KSEAL_ALERT_NONE };
	char profile[KSEAL_PROFILE_MAX], name[32];
	struct ifreq device = { 0 };
	socklen_t length = sizeof(info);
	int pidfd, copy = -1;

	pidfd = pidfd_open(pid, 0);
	if (pidfd >= 0)
		copy = pidfd_getfd(pidfd, fd, 0);
	if (copy < 0) {
		explain_fetch(pid, fd, errno);
		return NULL;
	}
	kseal_process_name(pid, name, sizeof(name));
	if (getsockopt(copy, SOL_TLS, KSEAL_INFO, &info, &length)) {
		kseal_say("descriptor %d of %s (pid %d) %s", fd, name, (int)pid,
			  kseal_armed(copy, profile) ?
			  "tells nothing: the kseal module is older than this program" :
			  "is no sealed socket");
		return NULL;
	}
	/* The number is one of the socket's network namespace, which need not be ours. */
	device.ifr_ifindex = info.offload_ifindex;
	if (!device.ifr_ifindex || ioctl(copy, SIOCGIFNAME, &device))
		*device.ifr_name = '\0';
	close(copy);
	return convert(&info, device.ifr_name);
}

/* One member a line. */
static void print(const json_t *row)
{
	char buffer[32];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)row, key, value)
		printf("%-17s %s\n", key, kseal_cell(row, key, buffer, sizeof(buffer)));
}

/**
 * kseal_cmd_info() - the subcommand
 * @argc: of @argv
 * @argv: "kseal info", options, arguments
 *
 * Return: exit status
 */
int kseal_cmd_info(int argc, char **argv)
{
	struct request request = { 0 };
	json_t *row;
	int ret = EXIT_SUCCESS;

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	row = request.count == 1 ? by_id(request.numbers[0]) :
				   by_descriptor(request.numbers[0], request.numbers[1]);
	if (!row)
		return EXIT_FAILURE;
	if (!request.json) {
		kseal_tame_json(row);
		print(row);
	} else if (kseal_print_json(row)) {
		ret = EXIT_FAILURE;
	}
	json_decref(row);
	return fflush(stdout) || ferror(stdout) ? EXIT_FAILURE : ret;
}
