// SPDX-License-Identifier: GPL-2.0
/*
 * The conversation with the kernel's family "handshake"
 * (Documentation/netlink/specs/handshake.yaml of Linux). Called by consumers.c, from
 * its thread alone.
 *
 * Two sockets: one is told that a consumer waits (READY, multicast), the other asks.
 * Generic netlink answers inside sendmsg(), and each request of ours is answered by
 * exactly one message, an acknowledgment only where there is no other answer: so
 * reading it never waits, and nothing else is in between.
 */
#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "upcall.h"

#define FAMILY_NAME	"handshake"
#define FAMILY_VERSION	1
#define GROUP_NAME	"tlshd"
#define HANDLER_CLASS	1	/* TLS, in user space */

enum {
	CMD_ACCEPT = 2,
	CMD_DONE,
};

enum {
	ACCEPT_SOCKFD = 1,
	ACCEPT_HANDLER_CLASS,
	ACCEPT_MESSAGE_TYPE,
	ACCEPT_TIMEOUT,
	ACCEPT_AUTH_MODE,
	ACCEPT_PEER_IDENTITY,
	ACCEPT_CERTIFICATE,
	ACCEPT_PEERNAME,
	ACCEPT_MAX = ACCEPT_PEERNAME,
};

enum {
	DONE_STATUS = 1,
	DONE_SOCKFD,
	DONE_REMOTE_AUTH,
};

/**
 * struct kseal_upcall - see the file's head
 * @events: told that somebody waits; non-blocking
 * @requests: asks
 * @family: of "handshake"
 * @request: where an ACCEPT answer goes
 * @error: of the request under way, 0 or a negative errno
 */
struct kseal_upcall {
	struct nl_sock *events;
	struct nl_sock *requests;
	int family;
	struct kseal_upcall_request *request;
	int error;
};

static struct nla_policy policy[ACCEPT_MAX + 1] = {
	[ACCEPT_SOCKFD] = { .type = NLA_S32 },
	[ACCEPT_MESSAGE_TYPE] = { .type = NLA_U32 },
	[ACCEPT_TIMEOUT] = { .type = NLA_U32 },
	[ACCEPT_AUTH_MODE] = { .type = NLA_U32 },
	[ACCEPT_CERTIFICATE] = { .type = NLA_NESTED },
	[ACCEPT_PEERNAME] = { .type = NLA_STRING },
};

static int on_valid(struct nl_msg *msg, void *data)
{
	struct kseal_upcall *u = data;
	struct kseal_upcall_request *req = u->request;
	struct nlattr *a[ACCEPT_MAX + 1];

	if (!req || genlmsg_parse(nlmsg_hdr(msg), 0, a, ACCEPT_MAX, policy) < 0)
		return NL_OK;
	if (a[ACCEPT_SOCKFD])
		req->fd = nla_get_s32(a[ACCEPT_SOCKFD]);
	if (a[ACCEPT_MESSAGE_TYPE])
		req->type = nla_get_u32(a[ACCEPT_MESSAGE_TYPE]);
	if (a[ACCEPT_TIMEOUT])
		req->timeout_ms = nla_get_u32(a[ACCEPT_TIMEOUT]);
	if (a[ACCEPT_AUTH_MODE])
		req->auth = nla_get_u32(a[ACCEPT_AUTH_MODE]);
	if (a[ACCEPT_PEERNAME])
		nla_strlcpy(req->peer_name, a[ACCEPT_PEERNAME], sizeof(req->peer_name));
	req->foreign_certificate = a[ACCEPT_CERTIFICATE];
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *data)
{
	struct kseal_upcall *u = data;

	(void)from;
	u->error = err->error;
	/* not NL_STOP: libnl would return the kernel's error as one of reading */
	return NL_SKIP;
}

static struct nl_msg *new_request(struct kseal_upcall *u, uint8_t command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, u->family, 0,
				NLM_F_REQUEST | flags, command, FAMILY_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int transact(struct kseal_upcall *u, struct nl_msg *msg)
{
	u->error = 0;
	nl_complete_msg(u->requests, msg);
	if (nl_send(u->requests, msg) < 0 || nl_recvmsgs_default(u->requests) < 0)
		return -EIO;
	return u->error;
}

static struct nl_sock *new_socket(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (sk && genl_connect(sk) < 0) {
		nl_socket_free(sk);
		return NULL;
	}
	if (sk) {
		nl_socket_disable_seq_check(sk);
		nl_socket_disable_auto_ack(sk);
	}
	return sk;
}

/**
 * kseal_upcall_open() - be the one who does handshakes for the kernel's consumers
 * @result: on success
 *
 * Return: 0; -ENOENT when the kernel has no family "handshake"; another negative errno.
 */
int kseal_upcall_open(struct kseal_upcall **result)
{
	struct kseal_upcall *u = calloc(1, sizeof(*u));
	int group, ret = -ENOMEM;

	if (!u)
		return -ENOMEM;
	u->requests = new_socket();
	u->events = new_socket();
	if (!u->requests || !u->events)
		goto fail;
	ret = -ENOENT;
	u->family = genl_ctrl_resolve(u->requests, FAMILY_NAME);
	group = genl_ctrl_resolve_grp(u->requests, FAMILY_NAME, GROUP_NAME);
	if (u->family < 0 || group < 0)
		goto fail;
	nl_socket_modify_cb(u->requests, NL_CB_VALID, NL_CB_CUSTOM, on_valid, u);
	nl_socket_modify_err_cb(u->requests, NL_CB_CUSTOM, on_error, u);
	ret = -EIO;
	if (nl_socket_set_nonblocking(u->events) < 0 ||
	    nl_socket_add_membership(u->events, group) < 0)
		goto fail;
	*result = u;
	return 0;

fail:
	kseal_upcall_close(u);
	return ret;
}

/**
 * kseal_upcall_close() - leave; consumers are refused by the kernel from now on
 * @u: may be NULL
 */
void kseal_upcall_close(struct kseal_upcall *u)
{
	if (!u)
		return;
	nl_socket_free(u->events);
	nl_socket_free(u->requests);
	free(u);
}

/**
 * kseal_upcall_fd() - descriptor to wait on for reading
 * @u: open
 *
 * Return: the descriptor, owned by @u.
 */
int kseal_upcall_fd(const struct kseal_upcall *u)
{
	return nl_socket_get_fd(u->events);
}

/**
 * kseal_upcall_receive() - read all that has been notified
 * @u: open
 *
 * Whatever it was, even nothing for want of room: kseal_upcall_accept() tells.
 */
void kseal_upcall_receive(struct kseal_upcall *u)
{
	int ret;

	do {
		ret = nl_recvmsgs_default(u->events);
	} while (ret >= 0 || ret == -NLE_INTR || ret == -NLE_NOMEM);
}

/**
 * kseal_upcall_accept() - take a socket that waits
 * @u: open
 * @req: filled in
 *
 * Return: 0; -EAGAIN when none waits; another negative errno.
 */
int kseal_upcall_accept(struct kseal_upcall *u, struct kseal_upcall_request *req)
{
	struct nl_msg *msg = new_request(u, CMD_ACCEPT, 0);
	int ret = -ENOMEM;

	memset(req, 0, sizeof(*req));
	req->fd = -1;
	if (!msg || nla_put_u32(msg, ACCEPT_HANDLER_CLASS, HANDLER_CLASS) < 0)
		goto out;
	u->request = req;
	ret = transact(u, msg);
	u->request = NULL;
	if (ret == 0 && req->fd < 0)
		ret = -EPROTO;
out:
	nlmsg_free(msg);
	return ret;
}

/**
 * kseal_upcall_done() - tell the consumer how its handshake ended
 * @u: that accepted it
 * @fd: of the request, still open
 * @status: 0 or a positive errno
 * @peer: serial number of the key that holds the peer's certificate, 0 if it has shown none
 *
 * Return: 0; -EBUSY when the consumer has given up; another negative errno.
 */
int kseal_upcall_done(struct kseal_upcall *u, int fd, int status, int32_t peer)
{
	struct nl_msg *msg = new_request(u, CMD_DONE, NLM_F_ACK);
	int ret = -ENOMEM;

	if (msg && nla_put_u32(msg, DONE_STATUS, status) == 0 &&
	    nla_put_s32(msg, DONE_SOCKFD, fd) == 0 &&
	    (!peer || nla_put_u32(msg, DONE_REMOTE_AUTH, peer) == 0))
		ret = transact(u, msg);
	nlmsg_free(msg);
	return ret;
}
