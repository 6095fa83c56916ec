// SPDX-License-Identifier: GPL-2.0
/*
 * A worker's conversation with the kernel. Each worker has its own socket and
 * thread, so nothing here is locked.
 *
 * Generic netlink handles a request inside sendmsg(), so its answer is in the
 * receive queue when sendmsg() returns, possibly behind notifications. So requests
 * are synchronous without ever blocking: send, then read until the acknowledgment
 * of this request's number. Notifications met on the way are kept as events.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "netlink.h"
#include "session.h"

#define RECEIVE_BUFFER	(1024 * 1024)
#define CIPHERS_MAX	64
#define REQUEST_MAX	(KSEAL_PREAMBLE_MAX + 8192)	/* bytes of a DONE */
#define MESSAGE_BUFFER	(32 * 1024)	/* a ticket of KSEAL_TICKET_MAX, and more */
#define TICKETS_MAX	256		/* not yet fetched; a lost one costs a resumption */

/**
 * struct kseal_netlink - see the file's head
 * @sk: non-blocking
 * @family: of "kseal", changes when the module is loaded again
 * @events: KSEAL_EVENT_* not yet fetched
 * @seq: number of the request under way
 * @answered: its acknowledgment, or its error, has come
 * @error: 0 or a negative errno of the kernel
 * @message: what the kernel said beside the error
 * @request: where an ACCEPT answer goes
 * @tickets: not yet fetched, the oldest first
 * @ticket_end: where the next one goes
 * @ticket_count: of @tickets
 * @ciphers: that the kernel has, TLS_CIPHER_*
 * @cipher_count: how many
 */
struct kseal_netlink {
	struct nl_sock *sk;
	int family;
	unsigned int events;
	uint32_t seq;
	bool answered;
	int error;
	char message[128];
	struct kseal_request *request;
	struct kseal_message *tickets;
	struct kseal_message **ticket_end;
	unsigned int ticket_count;
	uint16_t ciphers[CIPHERS_MAX];
	size_t cipher_count;
};

static struct nla_policy policy[KSEAL_A_MAX + 1] = {
	[KSEAL_A_ID] = { .type = NLA_U64 },
	[KSEAL_A_FD] = { .type = NLA_S32 },
	[KSEAL_A_ROLE] = { .type = NLA_U32 },
	[KSEAL_A_PROFILE] = { .type = NLA_STRING, .maxlen = KSEAL_PROFILE_MAX },
	[KSEAL_A_SERVER_NAME] = { .type = NLA_STRING, .maxlen = KSEAL_NAME_MAX },
	[KSEAL_A_LOCAL] = { .minlen = sizeof(sa_family_t) },
	[KSEAL_A_PEER] = { .minlen = sizeof(sa_family_t) },
	[KSEAL_A_TIMEOUT] = { .type = NLA_U32 },
	[KSEAL_A_UID] = { .type = NLA_U32 },
	[KSEAL_A_GID] = { .type = NLA_U32 },
	[KSEAL_A_CIPHERS] = { .type = NLA_UNSPEC },
	[KSEAL_A_MESSAGE] = { .type = NLA_UNSPEC, .maxlen = KSEAL_TICKET_MAX },
};

static struct nla_policy ctrl_policy[CTRL_ATTR_MAX + 1] = {
	[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
	[CTRL_ATTR_FAMILY_NAME] = { .type = NLA_STRING, .maxlen = GENL_NAMSIZ },
};

static void copy_address(struct sockaddr_storage *to, const struct nlattr *attr)
{
	size_t len = nla_len(attr);

	memcpy(to, nla_data(attr), len < sizeof(*to) ? len : sizeof(*to));
}

static void read_accept(struct kseal_request *req, struct nlattr **a)
{
	struct kseal_connection *conn = &req->conn;

	if (a[KSEAL_A_ID])
		req->id = nla_get_u64(a[KSEAL_A_ID]);
	if (a[KSEAL_A_FD])
		req->fd = nla_get_s32(a[KSEAL_A_FD]);
	if (a[KSEAL_A_ROLE])
		conn->role = nla_get_u32(a[KSEAL_A_ROLE]);
	if (a[KSEAL_A_PROFILE])
		nla_strlcpy(req->profile, a[KSEAL_A_PROFILE], sizeof(req->profile));
	if (a[KSEAL_A_SERVER_NAME])
		nla_strlcpy(conn->server_name, a[KSEAL_A_SERVER_NAME],
			    sizeof(conn->server_name));
	if (a[KSEAL_A_LOCAL])
		copy_address(&conn->local, a[KSEAL_A_LOCAL]);
	if (a[KSEAL_A_PEER])
		copy_address(&conn->peer, a[KSEAL_A_PEER]);
	if (a[KSEAL_A_TIMEOUT])
		req->timeout_ms = nla_get_u32(a[KSEAL_A_TIMEOUT]);
	if (a[KSEAL_A_UID])
		conn->uid = nla_get_u32(a[KSEAL_A_UID]);
	if (a[KSEAL_A_GID])
		conn->gid = nla_get_u32(a[KSEAL_A_GID]);
}

static void read_ticket(struct kseal_netlink *nl, struct nlmsghdr *h)
{
	struct nlattr *a[KSEAL_A_MAX + 1];
	struct kseal_message *m;
	size_t size;

	if (genlmsg_parse(h, 0, a, KSEAL_A_MAX, policy) < 0 || !a[KSEAL_A_ID] ||
	    !a[KSEAL_A_MESSAGE] || nl->ticket_count >= TICKETS_MAX)
		return;
	size = nla_len(a[KSEAL_A_MESSAGE]);
	m = malloc(sizeof(*m) + size);
	if (!m)
		return;
	m->next = NULL;
	m->id = nla_get_u64(a[KSEAL_A_ID]);
	m->size = size;
	memcpy(m->data, nla_data(a[KSEAL_A_MESSAGE]), size);
	*nl->ticket_end = m;
	nl->ticket_end = &m->next;
	nl->ticket_count++;
}

static void read_module(struct kseal_netlink *nl, struct nlattr **a)
{
	size_t size = a[KSEAL_A_CIPHERS] ? nla_len(a[KSEAL_A_CIPHERS]) : 0;

	if (size > sizeof(nl->ciphers))
		size = sizeof(nl->ciphers);
	nl->cipher_count = size / sizeof(nl->ciphers[0]);
	if (size)
		memcpy(nl->ciphers, nla_data(a[KSEAL_A_CIPHERS]), size);
}

/* The module comes and goes: nlctrl tells, so that workers register again. */
static void read_ctrl(struct kseal_netlink *nl, struct nlmsghdr *h)
{
	struct genlmsghdr *g = nlmsg_data(h);
	struct nlattr *a[CTRL_ATTR_MAX + 1];

	if (genlmsg_parse(h, 0, a, CTRL_ATTR_MAX, ctrl_policy) < 0 ||
	    !a[CTRL_ATTR_FAMILY_NAME] || !a[CTRL_ATTR_FAMILY_ID] ||
	    strcmp(nla_get_string(a[CTRL_ATTR_FAMILY_NAME]), KSEAL_GENL_NAME) != 0)
		return;
	if (g->cmd == CTRL_CMD_DELFAMILY) {
		nl->events |= KSEAL_EVENT_GONE;
		nl->events &= ~KSEAL_EVENT_BACK;
	} else if (g->cmd == CTRL_CMD_NEWFAMILY) {
		nl->family = nla_get_u16(a[CTRL_ATTR_FAMILY_ID]);
		nl->events |= KSEAL_EVENT_BACK;
	}
}

static int on_valid(struct nl_msg *msg, void *data)
{
	struct kseal_netlink *nl = data;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct nlattr *a[KSEAL_A_MAX + 1];
	struct genlmsghdr *g;

	if (!genlmsg_valid_hdr(h, 0))
		return NL_SKIP;
	if (h->nlmsg_type == GENL_ID_CTRL) {
		read_ctrl(nl, h);
		return NL_OK;
	}
	if (h->nlmsg_type != nl->family)
		return NL_SKIP;
	g = nlmsg_data(h);
	if (g->cmd == KSEAL_CMD_READY) {
		nl->events |= KSEAL_EVENT_READY;
		return NL_OK;
	}
	if (g->cmd == KSEAL_CMD_TICKET) {
		read_ticket(nl, h);
		return NL_OK;
	}
	if (h->nlmsg_seq != nl->seq ||
	    genlmsg_parse(h, 0, a, KSEAL_A_MAX, policy) < 0)
		return NL_OK;
	if (g->cmd == KSEAL_CMD_ACCEPT && nl->request)
		read_accept(nl->request, a);
	else if (g->cmd == KSEAL_CMD_MODULE_GET)
		read_module(nl, a);
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *data)
{
	struct kseal_netlink *nl = data;

	if (nlmsg_hdr(msg)->nlmsg_seq == nl->seq)
		nl->answered = true;
	return NL_OK;
}

/* The extended acknowledgment follows the (capped) request in the error. */
static void read_extended_ack(struct kseal_netlink *nl, struct nlmsgerr *err)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)err - NLMSG_HDRLEN);
	size_t skip = sizeof(*err);
	struct nlattr *text;

	nl->message[0] = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(err->msg.nlmsg_len) - sizeof(err->msg);
	if (NLMSG_HDRLEN + skip > h->nlmsg_len)
		return;
	text = nla_find((struct nlattr *)((char *)err + skip),
			h->nlmsg_len - NLMSG_HDRLEN - skip, NLMSGERR_ATTR_MSG);
	if (text)
		nla_strlcpy(nl->message, text, sizeof(nl->message));
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *data)
{
	struct kseal_netlink *nl = data;

	(void)from;
	if (err->msg.nlmsg_seq != nl->seq)
		return NL_SKIP;
	nl->answered = true;
	nl->error = err->error;
	read_extended_ack(nl, err);
	/* not NL_STOP: libnl would return the kernel's error as one of reading */
	return NL_SKIP;
}

/*
 * A full receive buffer drops notifications (ENOBUFS): then a connection may wait
 * without our knowing, so pretend that one does; ACCEPT says EAGAIN if not.
 */
static int receive_some(struct kseal_netlink *nl)
{
	int ret = nl_recvmsgs_default(nl->sk);

	if (ret == -NLE_NOMEM) {
		nl->events |= KSEAL_EVENT_READY;
		return 0;
	}
	if (ret == -NLE_INTR)
		return 0;
	return ret;
}

/* Returns the kernel's answer; with nl->answered unset, -ENOBUFS if it got lost. */
static int transact(struct kseal_netlink *nl, struct nl_msg *msg)
{
	int ret;

	nl->answered = false;
	nl->error = 0;
	nl->message[0] = '\0';
	nl_complete_msg(nl->sk, msg);
	nl->seq = nlmsg_hdr(msg)->nlmsg_seq;
	ret = nl_send(nl->sk, msg);
	if (ret < 0)
		return -EIO;
	while (!nl->answered) {
		ret = receive_some(nl);
		/* Nothing more to read: the answer itself was dropped. */
		if (ret < 0 && !nl->answered)
			return ret == -NLE_AGAIN ? -ENOBUFS : -EIO;
	}
	return nl->error;
}

/*
 * The kernel has carried a request out although its acknowledgment was dropped, for
 * want of memory. Made once more, it is then refused with @done.
 */
static int transact_surely(struct kseal_netlink *nl, struct nl_msg *msg, int done)
{
	int ret = transact(nl, msg);

	if (nl->answered || ret != -ENOBUFS)
		return ret;
	ret = transact(nl, msg);
	return nl->answered && ret == done ? 0 : ret;
}

static struct nl_msg *new_request(struct kseal_netlink *nl, uint8_t command)
{
	struct nl_msg *msg = nlmsg_alloc_size(REQUEST_MAX);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0,
				NLM_F_REQUEST | NLM_F_ACK, command, KSEAL_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int simple_request(struct kseal_netlink *nl, uint8_t command, int done)
{
	struct nl_msg *msg = new_request(nl, command);
	int ret;

	if (!msg)
		return -ENOMEM;
	ret = transact_surely(nl, msg, done);
	nlmsg_free(msg);
	return ret;
}

static int set_up_socket(struct kseal_netlink *nl)
{
	const int on = 1;
	int fd, group;

	if (nl_socket_set_buffer_size(nl->sk, RECEIVE_BUFFER, 0) < 0)
		kseal_log(KSEAL_LOG_DEBUG, "netlink receive buffer: not enlarged");
	if (nl_socket_set_msg_buf_size(nl->sk, MESSAGE_BUFFER) < 0)
		return -ENOMEM;

	/* libnl would look at the size of each message first: a call more */
	nl_socket_disable_msg_peek(nl->sk);
	if (nl_socket_set_msg_buf_size(nl->sk, MESSAGE_BUFFER) < 0)
		return -ENOMEM;

	/* Best effort: without these, messages are terser, and no reload is seen. */
	fd = nl_socket_get_fd(nl->sk);
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	group = genl_ctrl_resolve_grp(nl->sk, "nlctrl", "notify");
	if (group >= 0)
		nl_socket_add_membership(nl->sk, group);

	nl_socket_disable_seq_check(nl->sk);
	nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_CUSTOM, on_valid, nl);
	nl_socket_modify_cb(nl->sk, NL_CB_ACK, NL_CB_CUSTOM, on_ack, nl);
	nl_socket_modify_err_cb(nl->sk, NL_CB_CUSTOM, on_error, nl);
	return nl_socket_set_nonblocking(nl->sk) < 0 ? -EIO : 0;
}

/**
 * kseal_netlink_open() - connect to the module
 * @result: on success
 *
 * Return: 0; -ENOENT when the kernel has no family "kseal" (it tries to load the
 * module itself where it may); another negative errno.
 */
int kseal_netlink_open(struct kseal_netlink **result)
{
	struct kseal_netlink *nl = calloc(1, sizeof(*nl));
	int ret = -ENOMEM;

	if (!nl)
		return -ENOMEM;
	nl->ticket_end = &nl->tickets;
	nl->sk = nl_socket_alloc();
	if (!nl->sk)
		goto fail;
	ret = -EPROTONOSUPPORT;
	if (genl_connect(nl->sk) < 0)
		goto fail;
	nl->family = genl_ctrl_resolve(nl->sk, KSEAL_GENL_NAME);
	ret = -ENOENT;
	if (nl->family < 0)
		goto fail;
	ret = set_up_socket(nl);
	if (ret < 0)
		goto fail;
	*result = nl;
	return 0;

fail:
	kseal_netlink_close(nl);
	return ret;
}

/**
 * kseal_netlink_close() - leave; the kernel takes back what this worker held
 * @nl: may be NULL
 */
void kseal_netlink_close(struct kseal_netlink *nl)
{
	struct kseal_message *m;

	if (!nl)
		return;
	while ((m = kseal_netlink_ticket(nl)))
		free(m);
	nl_socket_free(nl->sk);
	free(nl);
}

/**
 * kseal_netlink_fd() - descriptor to wait on for reading
 * @nl: open
 *
 * Return: the descriptor, owned by @nl.
 */
int kseal_netlink_fd(const struct kseal_netlink *nl)
{
	return nl_socket_get_fd(nl->sk);
}

/**
 * kseal_netlink_events() - fetch and clear the events met so far
 * @nl: open
 *
 * To be called after every request too: its answer may have been read together
 * with notifications, for which the descriptor is not ready again.
 *
 * Return: mask of KSEAL_EVENT_*.
 */
unsigned int kseal_netlink_events(struct kseal_netlink *nl)
{
	unsigned int events = nl->events;

	nl->events = 0;
	return events;
}

/**
 * kseal_netlink_ticket() - fetch a NewSessionTicket met so far
 * @nl: open
 *
 * To be called whenever kseal_netlink_events() is.
 *
 * Return: the oldest, to be freed by the caller, or NULL.
 */
struct kseal_message *kseal_netlink_ticket(struct kseal_netlink *nl)
{
	struct kseal_message *m = nl->tickets;

	if (m) {
		nl->tickets = m->next;
		nl->ticket_count--;
		if (!nl->tickets)
			nl->ticket_end = &nl->tickets;
	}
	return m;
}

/**
 * kseal_netlink_receive() - read all notifications that have come
 * @nl: open
 */
void kseal_netlink_receive(struct kseal_netlink *nl)
{
	while (receive_some(nl) >= 0)
		;
}

/**
 * kseal_netlink_message() - the kernel's words on the last refused request
 * @nl: open
 *
 * Return: the extended acknowledgment, or an empty string.
 */
const char *kseal_netlink_message(const struct kseal_netlink *nl)
{
	return nl->message;
}

/**
 * kseal_netlink_register() - become a worker of this network namespace
 * @nl: open
 *
 * Asks which ciphers the kernel has, too: for kseal_netlink_ciphers().
 *
 * Return: 0 or a negative errno.
 */
int kseal_netlink_register(struct kseal_netlink *nl)
{
	int ret = simple_request(nl, KSEAL_CMD_REGISTER, -EEXIST);

	nl->cipher_count = 0;
	return ret ? ret : simple_request(nl, KSEAL_CMD_MODULE_GET, 0);
}

/**
 * kseal_netlink_ciphers() - what the kernel can seal with
 * @nl: registered
 * @count: result: how many
 *
 * Return: TLS_CIPHER_* of <linux/tls.h>, valid until it registers again.
 */
const uint16_t *kseal_netlink_ciphers(const struct kseal_netlink *nl, size_t *count)
{
	*count = nl->cipher_count;
	return nl->ciphers;
}

/**
 * kseal_netlink_accept() - take the oldest waiting connection
 * @nl: registered
 * @req: filled in
 *
 * Return: 0; -EAGAIN when none waits; another negative errno.
 */
int kseal_netlink_accept(struct kseal_netlink *nl, struct kseal_request *req)
{
	struct nl_msg *msg = new_request(nl, KSEAL_CMD_ACCEPT);
	int ret;

	memset(req, 0, sizeof(*req));
	req->fd = -1;
	req->conn.uid = -1;
	req->conn.gid = -1;
	if (!msg)
		return -ENOMEM;
	nl->request = req;
	ret = transact(nl, msg);
	nl->request = NULL;
	nlmsg_free(msg);
	/* It has come, if not the acknowledgment behind it. */
	if (!nl->answered && req->fd >= 0)
		ret = 0;
	if (ret == 0 && req->fd < 0)
		ret = -EPROTO;
	if (ret < 0 && req->fd >= 0) {
		close(req->fd);
		req->fd = -1;
	}
	return ret;
}

static int put_identity(struct nl_msg *msg, const struct kseal_identity *id)
{
	if (!id->present)
		return 0;
	if (id->subject[0] && nla_put_string(msg, KSEAL_A_PEER_SUBJECT, id->subject) < 0)
		return -1;
	if (id->names[0] && nla_put_string(msg, KSEAL_A_PEER_NAMES, id->names) < 0)
		return -1;
	return nla_put(msg, KSEAL_A_PEER_FINGERPRINT, sizeof(id->fingerprint),
		       id->fingerprint);
}

/* As much of it as the kernel takes. */
static int put_reason(struct nl_msg *msg, const char *reason)
{
	char text[KSEAL_REASON_MAX];

	snprintf(text, sizeof(text), "%.*s", KSEAL_REASON_MAX - 1, reason);
	return nla_put_string(msg, KSEAL_A_REASON, text);
}

static int put_outcome(struct nl_msg *msg, uint64_t id, const struct kseal_outcome *o)
{
	if (nla_put_u64(msg, KSEAL_A_ID, id) < 0 ||
	    nla_put_u32(msg, KSEAL_A_STATUS, o->status) < 0)
		return -1;
	if (o->status)
		return put_reason(msg, o->reason);
	if (o->server_name[0] &&
	    nla_put_string(msg, KSEAL_A_SERVER_NAME, o->server_name) < 0)
		return -1;
	if (o->alpn[0] && nla_put_string(msg, KSEAL_A_ALPN, o->alpn) < 0)
		return -1;
	if (o->group && nla_put_u16(msg, KSEAL_A_GROUP, o->group) < 0)
		return -1;
	if (o->resumed && nla_put_flag(msg, KSEAL_A_RESUMED) < 0)
		return -1;
	if (o->tolerate_truncation && nla_put_flag(msg, KSEAL_A_TOLERATE_TRUNCATION) < 0)
		return -1;
	if (o->preamble_size &&
	    nla_put(msg, KSEAL_A_PREAMBLE, o->preamble_size, o->preamble) < 0)
		return -1;
	return put_identity(msg, &o->peer);
}

/**
 * kseal_netlink_done() - tell the kernel how a handshake ended
 * @nl: that accepted it
 * @id: of the request
 * @outcome: status 0 hands the connection to the application, else it is closed
 *
 * Return: 0; -ENOENT when the kernel has ended it already; another negative errno
 * with kseal_netlink_message().
 */
int kseal_netlink_done(struct kseal_netlink *nl, uint64_t id,
		       const struct kseal_outcome *outcome)
{
	struct nl_msg *msg = new_request(nl, KSEAL_CMD_DONE);
	int ret;

	if (!msg)
		return -ENOMEM;
	ret = put_outcome(msg, id, outcome) < 0 ? -EMSGSIZE :
						 transact_surely(nl, msg, -ENOENT);
	nlmsg_free(msg);
	return ret;
}
