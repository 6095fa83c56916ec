// SPDX-License-Identifier: GPL-2.0
/*
 * See agent.h.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/kseal.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"

#define PATIENCE 5000	/* ms for an answer */

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	uint8_t attrs[256];
};

static void put(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((uint8_t *)r + NLMSG_ALIGN(r->nl.nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memcpy(a + 1, data, len);
	r->nl.nlmsg_len = NLMSG_ALIGN(r->nl.nlmsg_len) + a->nla_len;
}

static void prepare(struct agent *a, struct request *r, uint16_t family, uint8_t cmd,
		    uint16_t flags)
{
	memset(r, 0, sizeof(*r));
	r->nl.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	r->nl.nlmsg_type = family;
	r->nl.nlmsg_flags = NLM_F_REQUEST | flags;
	r->nl.nlmsg_seq = ++a->seq;
	r->genl.cmd = cmd;
	r->genl.version = 1;
}

static const struct nlattr *find(const struct nlmsghdr *nl, uint16_t type)
{
	const uint8_t *p = (const uint8_t *)NLMSG_DATA(nl) + GENL_HDRLEN;
	const uint8_t *end = (const uint8_t *)nl + nl->nlmsg_len;
	const struct nlattr *at;

	for (; p + NLA_HDRLEN <= end; p += NLA_ALIGN(at->nla_len)) {
		at = (const void *)p;
		if ((at->nla_type & NLA_TYPE_MASK) == type)
			return at;
		if (at->nla_len < NLA_HDRLEN)
			break;
	}
	return NULL;
}

/*
 * Send a request and read to its end. Answers are looked for in @want and copied
 * to @values. Returns 0 or a negative errno.
 */
static int call(struct agent *a, struct request *r, const uint16_t *want, void **values,
		const size_t *sizes)
{
	struct pollfd p = { a->fd, POLLIN, 0 };
	const struct nlattr *at;
	struct nlmsghdr *nl;
	bool found = false, lost = false;
	uint8_t buf[16384];
	ssize_t n;
	int i, err;

	if (send(a->fd, r, r->nl.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		if (!poll(&p, 1, lost ? 100 : PATIENCE))
			return found ? 0 : lost ? -ENOBUFS : -ETIMEDOUT;
		n = recv(a->fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == ENOBUFS) {	/* the end has got lost: what has not? */
			lost = true;
			continue;
		}
		if (n < 0)
			return -errno;
		for (nl = (void *)buf; NLMSG_OK(nl, n); nl = NLMSG_NEXT(nl, n)) {
			if (nl->nlmsg_seq != a->seq)
				continue;	/* READY */
			if (nl->nlmsg_type == NLMSG_ERROR || nl->nlmsg_type == NLMSG_DONE) {
				memcpy(&err, NLMSG_DATA(nl), sizeof(err));
				return err;
			}
			for (i = 0; want && want[i]; i++) {
				at = find(nl, want[i]);
				if (at && at->nla_len >= NLA_HDRLEN + sizes[i])
					memcpy(values[i], at + 1, sizes[i]);
				found |= !!at;
			}
		}
	}
}

/* All of these return 0 (or what they say) or a negative errno. */
int agent_open(struct agent *a)
{
	static const uint16_t want[] = { CTRL_ATTR_FAMILY_ID, 0 };
	static const size_t sizes[] = { sizeof(a->family) };
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	void *values[] = { &a->family };
	struct request r;

	memset(a, 0, sizeof(*a));
	a->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (a->fd < 0 || bind(a->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	prepare(a, &r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	put(&r, CTRL_ATTR_FAMILY_NAME, KSEAL_GENL_NAME, sizeof(KSEAL_GENL_NAME));
	return call(a, &r, want, values, sizes);
}

int agent_register(struct agent *a)
{
	struct request r;

	prepare(a, &r, a->family, KSEAL_CMD_REGISTER, NLM_F_ACK);
	return call(a, &r, NULL, NULL, NULL);
}

/* Returns the proxy. */
int agent_accept(struct agent *a, uint64_t *id)
{
	static const uint16_t want[] = { KSEAL_A_ID, KSEAL_A_FD, 0 };
	static const size_t sizes[] = { sizeof(*id), sizeof(int) };
	int fd = -1, err;
	void *values[] = { id, &fd };
	struct request r;

	prepare(a, &r, a->family, KSEAL_CMD_ACCEPT, NLM_F_ACK);
	err = call(a, &r, want, values, sizes);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

int agent_done(struct agent *a, uint64_t id, uint32_t status)
{
	struct request r;

	prepare(a, &r, a->family, KSEAL_CMD_DONE, NLM_F_ACK);
	put(&r, KSEAL_A_ID, &id, sizeof(id));
	put(&r, KSEAL_A_STATUS, &status, sizeof(status));
	put(&r, KSEAL_A_SERVER_NAME, "a.test", sizeof("a.test"));
	put(&r, KSEAL_A_ALPN, "http/1.1", sizeof("http/1.1"));
	put(&r, KSEAL_A_PEER_SUBJECT, "CN=peer", sizeof("CN=peer"));
	return call(a, &r, NULL, NULL, NULL);
}

int agent_dump(struct agent *a, uint8_t command)
{
	struct request r;

	prepare(a, &r, a->family, command, NLM_F_DUMP);
	return call(a, &r, NULL, NULL, NULL);
}

void agent_close(struct agent *a)
{
	close(a->fd);
}
