// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the module (generic netlink family "kseal") and /proc/net/kseal_stat for
 * what `kseal status` shows. Every attribute becomes a member of a JSON object
 * under its name of the UAPI header, in lower case.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/tls.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#include "query.h"

#define STAT_FILE	"/proc/net/kseal_stat"

enum form { STRING, U16, U32, U64, FLAG, ADDRESS, HEX, VERSION, CIPHER, CIPHERS, ROLE };

static const struct {
	const char *name;
	enum form form;
} members[KSEAL_A_MAX + 1] = {
	[KSEAL_A_ID] = { "id", U64 },
	[KSEAL_A_ROLE] = { "role", ROLE },
	[KSEAL_A_PROFILE] = { "profile", STRING },
	[KSEAL_A_SERVER_NAME] = { "server_name", STRING },
	[KSEAL_A_LOCAL] = { "local", ADDRESS },
	[KSEAL_A_PEER] = { "peer", ADDRESS },
	[KSEAL_A_TIMEOUT] = { "timeout_ms", U32 },
	[KSEAL_A_UID] = { "uid", U32 },
	[KSEAL_A_GID] = { "gid", U32 },
	[KSEAL_A_ALPN] = { "alpn", STRING },
	[KSEAL_A_RESUMED] = { "resumed", FLAG },
	[KSEAL_A_PEER_SUBJECT] = { "peer_subject", STRING },
	[KSEAL_A_PEER_NAMES] = { "peer_names", STRING },
	[KSEAL_A_PEER_FINGERPRINT] = { "peer_fingerprint", HEX },
	[KSEAL_A_VERSION] = { "version", STRING },
	[KSEAL_A_ULP_NAME] = { "ulp_name", STRING },
	[KSEAL_A_PORTID] = { "portid", U32 },
	[KSEAL_A_PID] = { "pid", U32 },
	[KSEAL_A_ACTIVE] = { "active", U32 },
	[KSEAL_A_HELD] = { "held", U32 },
	[KSEAL_A_READY] = { "ready", U32 },
	[KSEAL_A_BACKLOG] = { "backlog", U32 },
	[KSEAL_A_TLS_VERSION] = { "tls_version", VERSION },
	[KSEAL_A_TLS_CIPHER] = { "tls_cipher", CIPHER },
	[KSEAL_A_TX_RECORDS] = { "tx_records", U64 },
	[KSEAL_A_RX_RECORDS] = { "rx_records", U64 },
	[KSEAL_A_TX_BYTES] = { "tx_bytes", U64 },
	[KSEAL_A_RX_BYTES] = { "rx_bytes", U64 },
	[KSEAL_A_TX_REKEYS] = { "tx_rekeys", U64 },
	[KSEAL_A_RX_REKEYS] = { "rx_rekeys", U64 },
	[KSEAL_A_CIPHERS] = { "ciphers", CIPHERS },
};

/* Text of a name that a peer may have chosen: never empty handed for being no UTF-8. */
static json_t *text(const char *data, size_t size)
{
	size_t length = strnlen(data, size), i;
	char copy[KSEAL_IDENTITY_MAX];
	json_t *value = json_stringn(data, length);

	if (value)
		return value;
	if (length > sizeof(copy))
		length = sizeof(copy);
	for (i = 0; i < length; i++)
		copy[i] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
	return json_stringn(copy, length);
}

static json_t *hex(const unsigned char *data, size_t size)
{
	char out[2 * KSEAL_FINGERPRINT_LEN + 1] = "";
	size_t i;

	for (i = 0; i < size && i < KSEAL_FINGERPRINT_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", data[i]);
	return json_string(out);
}

static json_t *address(struct nlattr *attr)
{
	struct sockaddr_storage copy = { 0 };
	char out[KSEAL_ADDRESS_LEN];

	nla_memcpy(&copy, attr, sizeof(copy));
	kseal_format_address((struct sockaddr *)&copy, out, sizeof(out));
	return json_string(out);
}

static json_t *version(uint16_t number)
{
	switch (number) {
	case 0x0303:
		return json_string("TLS 1.2");
	case 0x0304:
		return json_string("TLS 1.3");
	default:
		return json_sprintf("0x%04x", number);
	}
}

static json_t *cipher(uint16_t number)
{
	switch (number) {
	case TLS_CIPHER_AES_GCM_128:
		return json_string("AES-128-GCM");
	case TLS_CIPHER_AES_GCM_256:
		return json_string("AES-256-GCM");
	case TLS_CIPHER_AES_CCM_128:
		return json_string("AES-128-CCM");
	case TLS_CIPHER_CHACHA20_POLY1305:
		return json_string("CHACHA20-POLY1305");
	case TLS_CIPHER_SM4_GCM:
		return json_string("SM4-GCM");
	case TLS_CIPHER_SM4_CCM:
		return json_string("SM4-CCM");
	case TLS_CIPHER_ARIA_GCM_128:
		return json_string("ARIA-128-GCM");
	case TLS_CIPHER_ARIA_GCM_256:
		return json_string("ARIA-256-GCM");
	default:
		return json_sprintf("%u", number);
	}
}

static json_t *ciphers(const unsigned char *data, size_t size)
{
	json_t *list = json_array();
	uint16_t number;
	size_t i;

	for (i = 0; i + sizeof(number) <= size; i += sizeof(number)) {
		memcpy(&number, data + i, sizeof(number));
		json_array_append_new(list, cipher(number));
	}
	return list;
}

static json_t *role(uint32_t number)
{
	switch (number) {
	case KSEAL_ROLE_SERVER:
		return json_string("server");
	case KSEAL_ROLE_EXPLICIT:
		return json_string("explicit");
	default:
		return json_sprintf("%u", number);
	}
}

/* The value of an attribute; NULL if it is too short for its type. */
static json_t *convert(struct nlattr *attr, enum form form)
{
	size_t size = nla_len(attr);

	switch (form) {
	case STRING:
		return text(nla_data(attr), size);
	case U16:
		return size < 2 ? NULL : json_integer(nla_get_u16(attr));
	case U32:
		return size < 4 ? NULL : json_integer(nla_get_u32(attr));
	case U64:
		return size < 8 ? NULL : json_integer(nla_get_u64(attr));
	case FLAG:
		return json_true();
	case ADDRESS:
		return address(attr);
	case HEX:
		return hex(nla_data(attr), size);
	case VERSION:
		return size < 2 ? NULL : version(nla_get_u16(attr));
	case CIPHER:
		return size < 2 ? NULL : cipher(nla_get_u16(attr));
	case CIPHERS:
		return ciphers(nla_data(attr), size);
	case ROLE:
		return size < 4 ? NULL : role(nla_get_u32(attr));
	}
	return NULL;
}

/* One message of a dump: one more object in the array. */
static int collect(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[KSEAL_A_MAX + 1];
	json_t *row = json_object();
	int i;

	if (!row || genlmsg_parse(nlmsg_hdr(msg), 0, attrs, KSEAL_A_MAX, NULL)) {
		json_decref(row);
		return NL_STOP;
	}
	for (i = 1; i <= KSEAL_A_MAX; i++)
		if (members[i].name && attrs[i])
			json_object_set_new(row, members[i].name,
					    convert(attrs[i], members[i].form));
	json_array_append_new(arg, row);
	return NL_OK;
}

/* Sends one request and gathers the answers. Return: 0 or a negative NLE_* code. */
static int ask(struct nl_sock *sock, int family, uint8_t command, int flags, json_t *rows)
{
	struct nl_msg *msg = nlmsg_alloc();
	int error;

	if (!msg)
		return -NLE_NOMEM;
	if (!genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, command,
			 KSEAL_GENL_VERSION)) {
		nlmsg_free(msg);
		return -NLE_NOMEM;
	}
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, collect, rows);
	error = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	/* One answer, or all up to the end of the dump, or an error. */
	return error < 0 ? error : nl_recvmsgs_default(sock);
}

static void label_handshakes(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		json_object_set_new(row, "state",
				    json_string(json_integer_value(json_object_get(row, "portid")) ?
							"in work" : "waiting"));
}

static void label_sockets(json_t *rows)
{
	json_t *row;
	size_t i;

	/* A flag is there or not; JSON readers want a value. */
	json_array_foreach(rows, i, row)
		if (!json_object_get(row, "resumed"))
			json_object_set_new(row, "resumed", json_false());
}

static int query_all(struct nl_sock *sock, int family, json_t *status)
{
	static const struct {
		const char *name;
		uint8_t command;
	} dumps[] = {
		{ "workers", KSEAL_CMD_WORKER_GET },
		{ "listeners", KSEAL_CMD_LISTENER_GET },
		{ "handshakes", KSEAL_CMD_HANDSHAKE_GET },
		{ "sockets", KSEAL_CMD_SOCKET_GET },
	};
	json_t *rows = json_array();
	size_t i;
	int error;

	error = ask(sock, family, KSEAL_CMD_MODULE_GET, 0, rows);
	if (!error && !json_array_size(rows))
		error = -NLE_OBJ_NOTFOUND;
	if (!error)
		json_object_set(status, "module", json_array_get(rows, 0));
	json_decref(rows);
	for (i = 0; !error && i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		rows = json_array();
		error = ask(sock, family, dumps[i].command, NLM_F_DUMP, rows);
		json_object_set_new(status, dumps[i].name, rows);
	}
	if (error)
		return error;
	label_handshakes(json_object_get(status, "handshakes"));
	label_sockets(json_object_get(status, "sockets"));
	return 0;
}

/* "Name value" lines. */
static json_t *counters(void)
{
	json_t *object = json_object();
	char name[64];
	uint64_t value;
	FILE *file;

	file = fopen(STAT_FILE, "re");
	if (!file)
		return object;
	while (fscanf(file, "%63s %" SCNu64, name, &value) == 2)
		json_object_set_new(object, name, json_integer(value));
	fclose(file);
	return object;
}

static void explain(int error, char why[KSEAL_MESSAGE_LEN])
{
	switch (-error) {
	case NLE_OBJ_NOTFOUND:
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "the kseal module is not loaded; load it with 'modprobe kseal'");
		break;
	case NLE_PERM:
	case NLE_NOACCESS:
		snprintf(why, KSEAL_MESSAGE_LEN, "needs CAP_NET_ADMIN: run as root");
		break;
	default:
		snprintf(why, KSEAL_MESSAGE_LEN, "the kseal module does not answer: %s",
			 nl_geterror(error));
	}
}

/**
 * kseal_query() - everything that `kseal status` shows
 * @why: what went wrong, if NULL is returned
 *
 * Return: an object with the members module, workers, listeners, handshakes,
 * sockets, counters
 */
json_t *kseal_query(char why[KSEAL_MESSAGE_LEN])
{
	json_t *status = json_object();
	struct nl_sock *sock = nl_socket_alloc();
	int family, error = -NLE_NOMEM;

	if (status && sock)
		error = genl_connect(sock);
	if (!error) {
		nl_socket_disable_auto_ack(sock);
		family = genl_ctrl_resolve(sock, KSEAL_GENL_NAME);
		error = family < 0 ? family : query_all(sock, family, status);
	}
	nl_socket_free(sock);
	if (error) {
		explain(error, why);
		json_decref(status);
		return NULL;
	}
	json_object_set_new(status, "counters", counters());
	return status;
}
