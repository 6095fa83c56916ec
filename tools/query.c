// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the module (generic netlink family "kseal") and /proc/net/kseal_stat for
 * what `kseal status` shows, and asks it for new keys. Every attribute becomes a
 * member of a JSON object under its name of the UAPI header, in lower case.
 */
#include <errno.h>
#include <inttypes.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "query.h"

#define STAT_FILE	"/proc/self/net/kseal_stat"

enum form {
	STRING,
	U32,
	U64,
	FLAG,
	ADDRESS,
	HEX,
	VERSION,
	CIPHER,
	CIPHERS,
	GROUP,
	ALERT,
	ROLE,
};

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
	[KSEAL_A_GROUP] = { "group", GROUP },
	[KSEAL_A_TX_ALERT] = { "tx_alert", ALERT },
	[KSEAL_A_RX_ALERT] = { "rx_alert", ALERT },
	[KSEAL_A_OFFLOAD] = { "offload", U32 },
	[KSEAL_A_OFFLOAD_POLICY] = { "offload_policy", U32 },
	[KSEAL_A_OFFLOAD_IFINDEX] = { "offload_device", U32 },
};

static json_t *address(struct nlattr *attr)
{
	struct sockaddr_storage copy = { 0 };
	char out[KSEAL_ADDRESS_LEN];

	nla_memcpy(&copy, attr, sizeof(copy));
	kseal_format_address((struct sockaddr *)&copy, out, sizeof(out));
	return json_string(out);
}

static json_t *ciphers(const unsigned char *data, size_t size)
{
	json_t *list = json_array();
	uint16_t number;
	size_t i;

	for (i = 0; i + sizeof(number) <= size; i += sizeof(number)) {
		memcpy(&number, data + i, sizeof(number));
		json_array_append_new(list, kseal_cipher_name(number));
	}
	return list;
}

/* The value of an attribute; NULL if it is too short for its type. */
static json_t *convert(struct nlattr *attr, enum form form)
{
	size_t size = nla_len(attr);

	switch (form) {
	case STRING:
		return kseal_text(nla_data(attr), size);
	case U32:
		return size < 4 ? NULL : json_integer(nla_get_u32(attr));
	case U64:
		return size < 8 ? NULL : json_integer(nla_get_u64(attr));
	case FLAG:
		return json_true();
	case ADDRESS:
		return address(attr);
	case HEX:
		return kseal_hex(nla_data(attr), size);
	case VERSION:
		return size < 2 ? NULL : kseal_version_name(nla_get_u16(attr));
	case CIPHER:
		return size < 2 ? NULL : kseal_cipher_name(nla_get_u16(attr));
	case CIPHERS:
		return ciphers(nla_data(attr), size);
	case GROUP:
		return size < 2 ? NULL : kseal_group_name(nla_get_u16(attr));
	case ALERT:
		return size < 1 ? NULL : kseal_alert_name(nla_get_u8(attr));
	case ROLE:
		return size < 4 ? NULL : kseal_role_name(nla_get_u32(attr));
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

/* Begins a request; @flags are those of netlink. */
static struct nl_msg *begin(int family, uint8_t command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg)
		return NULL;
	if (genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, command,
			KSEAL_GENL_VERSION))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

/* Sends one request and gathers the answers. Return: 0 or a negative NLE_* code. */
static int ask(struct nl_sock *sock, int family, uint8_t command, int flags, json_t *rows)
{
	struct nl_msg *msg = begin(family, command, flags);
	int error;

	if (!msg)
		return -NLE_NOMEM;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, collect, rows);
	error = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	/* One answer, or all up to the end of the dump, or an error. */
	return error < 0 ? error : nl_recvmsgs_default(sock);
}

/* Who owns the socket: a name beside the number. */
static void label_owners(json_t *rows)
{
	const struct passwd *user;
	json_t *row, *uid;
	size_t i;

	json_array_foreach(rows, i, row) {
		uid = json_object_get(row, "uid");
		if (!uid)
			continue;
		user = getpwuid(json_integer_value(uid));
		json_object_set_new(row, "user", user ?
				    kseal_text(user->pw_name, strlen(user->pw_name)) :
				    json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(uid)));
	}
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

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static void label_sockets(json_t *rows)
{
	char device[IF_NAMESIZE];
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		/* A flag is there or not; JSON readers want a value. */
		if (!json_object_get(row, "resumed"))
			json_object_set_new(row, "resumed", json_false());
		if (!if_indextoname(number(row, "offload_device"), device))
			*device = '\0';
		json_object_del(row, "offload_device");
		kseal_set_offload(row, number(row, "offload"), number(row, "offload_policy"),
				  device);
		json_object_del(row, "offload");
	}
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
	label_owners(json_object_get(status, "listeners"));
	label_owners(json_object_get(status, "sockets"));
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

/* Return: a socket for the module's family, NULL with @why if there is none. */
static struct nl_sock *open_family(int *family, char why[KSEAL_MESSAGE_LEN])
{
	struct nl_sock *sock = nl_socket_alloc();
	int error = -NLE_NOMEM;

	if (sock)
		error = genl_connect(sock);
	if (!error) {
		nl_socket_disable_auto_ack(sock);
		*family = genl_ctrl_resolve(sock, KSEAL_GENL_NAME);
		error = *family < 0 ? *family : 0;
	}
	if (!error)
		return sock;
	nl_socket_free(sock);
	explain(error, why);
	return NULL;
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
	struct nl_sock *sock;
	int family, error;

	sock = open_family(&family, why);
	if (!sock) {
		json_decref(status);
		return NULL;
	}
	error = query_all(sock, family, status);
	nl_socket_free(sock);
	if (error) {
		explain(error, why);
		json_decref(status);
		return NULL;
	}
	json_object_set_new(status, "counters", counters());
	return status;
}

/**
 * kseal_rekey() - have a sealed socket go on with the next key
 * @id: of the socket
 * @whose: &enum kseal_rekey
 * @why: what went wrong, if anything did
 *
 * Return: 0 or -1
 */
int kseal_rekey(uint64_t id, uint32_t whose, char why[KSEAL_MESSAGE_LEN])
{
	struct nl_sock *sock;
	struct nl_msg *msg;
	int family, error = -NLE_NOMEM;

	sock = open_family(&family, why);
	if (!sock)
		return -1;
	msg = begin(family, KSEAL_CMD_REKEY, NLM_F_ACK);
	if (msg && !nla_put_u64(msg, KSEAL_A_ID, id) && !nla_put_u32(msg, KSEAL_A_REKEY, whose))
		error = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	if (error >= 0)
		error = nl_wait_for_ack(sock);
	nl_socket_free(sock);
	if (!error)
		return 0;
	if (error == -NLE_OBJ_NOTFOUND)
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "there is no sealed socket %" PRIu64 " ('kseal status' lists them)", id);
	else if (error == -NLE_OPNOTSUPP)
		snprintf(why, KSEAL_MESSAGE_LEN,
			 "socket %" PRIu64 " can't change its key: it is not TLS 1.3, or the module "
			 "was not given its traffic secret", id);
	else
		explain(error, why);
	return -1;
}
