// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "kseal": the agent's workers register, take
 * handshakes and report on them; the tools list what there is. The conversation
 * is told in include/uapi/linux/kseal.h.
 */
#include <linux/file.h>
#include <linux/netlink.h>
#include <linux/pid_namespace.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "alert.h"
#include "handshake.h"
#include "listen.h"
#include "net.h"
#include "netlink.h"
#include "offload.h"
#include "proxy.h"
#include "socket.h"
#include "ulp.h"

static_assert(BIT(KSEAL_DEV_TX) == KSEAL_OFFLOAD_TX);
static_assert(BIT(KSEAL_DEV_RX) == KSEAL_OFFLOAD_RX);
static_assert(BIT(KSEAL_DEV_TX_LOST) == KSEAL_OFFLOAD_TX_LOST);
static_assert(BIT(KSEAL_DEV_RX_LOST) == KSEAL_OFFLOAD_RX_LOST);

#define CIPHERS_TTL	(3600 * HZ)

static struct genl_family kseal_genl_family;

static const struct nla_policy done_policy[KSEAL_A_MAX + 1] = {
	[KSEAL_A_ID]			= { .type = NLA_U64 },
	[KSEAL_A_STATUS]		= NLA_POLICY_MAX(NLA_U32, MAX_ERRNO),
	[KSEAL_A_SERVER_NAME]		= { .type = NLA_NUL_STRING,
					    .len = KSEAL_NAME_MAX - 1 },
	[KSEAL_A_ALPN]			= { .type = NLA_NUL_STRING,
					    .len = KSEAL_ALPN_MAX - 1 },
	[KSEAL_A_RESUMED]		= { .type = NLA_FLAG },
	[KSEAL_A_PEER_SUBJECT]		= { .type = NLA_NUL_STRING,
					    .len = KSEAL_IDENTITY_MAX - 1 },
	[KSEAL_A_PEER_NAMES]		= { .type = NLA_NUL_STRING,
					    .len = KSEAL_IDENTITY_MAX - 1 },
	[KSEAL_A_PEER_FINGERPRINT]	=
		NLA_POLICY_EXACT_LEN(KSEAL_FINGERPRINT_LEN),
	[KSEAL_A_GROUP]			= { .type = NLA_U16 },
	[KSEAL_A_REASON]		= { .type = NLA_NUL_STRING,
					    .len = KSEAL_REASON_MAX - 1 },
	[KSEAL_A_TOLERATE_TRUNCATION]	= { .type = NLA_FLAG },
	[KSEAL_A_PREAMBLE]		= { .type = NLA_BINARY,
					    .len = KSEAL_PREAMBLE_MAX },
};

static const struct nla_policy rekey_policy[KSEAL_A_MAX + 1] = {
	[KSEAL_A_ID]			= { .type = NLA_U64 },
	[KSEAL_A_REKEY]			=
		NLA_POLICY_MAX(NLA_U32, KSEAL_REKEY_BOTH),
};

static int put_u64(struct sk_buff *skb, int attr, u64 val)
{
	return nla_put_u64_64bit(skb, attr, val, KSEAL_A_PAD);
}

/* One address of a connection, as userspace's struct sockaddr_in or _in6. */
static int put_addr(struct sk_buff *skb, int attr, const struct sock *sk,
		    bool peer)
{
	const struct inet_sock *inet = inet_sk(sk);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

		a.sin6_port = peer ? inet->inet_dport : inet->inet_sport;
		a.sin6_addr = peer ? sk->sk_v6_daddr : sk->sk_v6_rcv_saddr;
		a.sin6_scope_id =
			ipv6_iface_scope_id(&a.sin6_addr,
					    sk->sk_bound_dev_if);
		return nla_put(skb, attr, sizeof(a), &a);
	}
#endif
	{
		struct sockaddr_in a = { .sin_family = AF_INET };

		a.sin_port = peer ? inet->inet_dport : inet->inet_sport;
		a.sin_addr.s_addr = peer ? inet->inet_daddr :
					   inet->inet_rcv_saddr;
		return nla_put(skb, attr, sizeof(a), &a);
	}
}

static int put_ids(struct sk_buff *skb, kuid_t uid, kgid_t gid)
{
	struct user_namespace *ns = current_user_ns();

	return nla_put_u32(skb, KSEAL_A_UID, from_kuid_munged(ns, uid)) ?:
	       nla_put_u32(skb, KSEAL_A_GID, from_kgid_munged(ns, gid));
}

static int put_owner(struct sk_buff *skb, const struct kseal_owner *owner)
{
	return nla_put_string(skb, KSEAL_A_PROFILE, owner->profile) ?:
	       put_ids(skb, owner->uid, owner->gid);
}

static int put_name(struct sk_buff *skb, const struct kseal_handshake *hs)
{
	return hs->server_name ?
	       nla_put_string(skb, KSEAL_A_SERVER_NAME, hs->server_name) : 0;
}

/**
 * kseal_netlink_ready() - tell a worker that a connection waits
 * @net: namespace
 * @portid: worker; may be gone, may have no room: then it reads what it has and
 *	asks for all that waits
 *
 * Context: process.
 */
void kseal_netlink_ready(struct net *net, u32 portid)
{
	struct sk_buff *skb = genlmsg_new(0, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, &kseal_genl_family, 0, KSEAL_CMD_READY);
	if (!hdr) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_unicast(net, skb, portid);
}

/**
 * kseal_netlink_ticket() - give a worker what its session can be resumed with
 * @net: namespace
 * @portid: worker; may be gone, or have no room: then it is lost
 * @id: of the handshake, which is the socket's
 * @message: NewSessionTicket
 * @len: its bytes
 *
 * Context: process.
 */
void kseal_netlink_ticket(struct net *net, u32 portid, u64 id,
			  const void *message, unsigned int len)
{
	struct sk_buff *skb = genlmsg_new(nla_total_size_64bit(sizeof(id)) +
					  nla_total_size(len), GFP_KERNEL);
	void *hdr;

	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, &kseal_genl_family, 0, KSEAL_CMD_TICKET);
	if (!hdr || put_u64(skb, KSEAL_A_ID, id) ||
	    nla_put(skb, KSEAL_A_MESSAGE, len, message)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_unicast(net, skb, portid);
}

static int register_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err = kseal_worker_add(kseal_net(genl_info_net(info)),
				   info->snd_portid, task_tgid(current));

	if (err == -EEXIST)
		NL_SET_ERR_MSG(info->extack,
			       "this socket is registered already");
	return err;
}

static struct sk_buff *accept_reply(struct genl_info *info,
				    struct kseal_handshake *hs, int fd)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return NULL;
	hdr = genlmsg_put_reply(skb, info, &kseal_genl_family, 0,
				KSEAL_CMD_ACCEPT);
	if (!hdr ||
	    put_u64(skb, KSEAL_A_ID, hs->id) ||
	    nla_put_s32(skb, KSEAL_A_FD, fd) ||
	    nla_put_u32(skb, KSEAL_A_ROLE, hs->role) ||
	    put_owner(skb, &hs->owner) ||
	    put_name(skb, hs) ||
	    put_addr(skb, KSEAL_A_LOCAL, hs->sk, false) ||
	    put_addr(skb, KSEAL_A_PEER, hs->sk, true) ||
	    nla_put_u32(skb, KSEAL_A_TIMEOUT, kseal_handshake_left(hs))) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

/* The sender is the caller of sendmsg(2): the file lands in its table. */
static int accept_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kseal_net *kn = kseal_net(genl_info_net(info));
	struct kseal_handshake *hs;
	struct sk_buff *reply;
	struct file *file;
	int fd, err;

	hs = kseal_handshake_next(kn, info->snd_portid);
	if (IS_ERR(hs)) {
		NL_SET_ERR_MSG(info->extack, "register first");
		return PTR_ERR(hs);
	}
	if (!hs)
		return -EAGAIN;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto err_return;
	}
	file = kseal_proxy_open(hs, info->snd_portid);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		if (err == -ENOENT)
			err = -EAGAIN;	/* it ended just now */
		goto err_fd;
	}
	err = -ENOMEM;
	reply = accept_reply(info, hs, fd);
	if (!reply)
		goto err_file;
	err = genlmsg_reply(reply, info);
	if (err)
		goto err_file;
	fd_install(fd, file);
	kseal_handshake_put(hs);
	return 0;

err_file:
	fput(file);	/* gives the handshake back */
	put_unused_fd(fd);
	kseal_handshake_put(hs);
	return err;
err_fd:
	put_unused_fd(fd);
err_return:
	kseal_handshake_return(hs, NULL);
	kseal_handshake_put(hs);
	return err;
}

/*
 * What is kept of a connection, from its listener or connector and from the agent.
 */
static struct kseal_peer *peer_from(struct genl_info *info,
				    struct kseal_handshake *hs)
{
	static const u8 kept[] = {
		KSEAL_A_SERVER_NAME, KSEAL_A_ALPN, KSEAL_A_GROUP,
		KSEAL_A_RESUMED, KSEAL_A_PEER_SUBJECT, KSEAL_A_PEER_NAMES,
		KSEAL_A_PEER_FINGERPRINT,
	};
	const struct nlattr *preamble = info->attrs[KSEAL_A_PREAMBLE];
	struct kseal_peer *peer = NULL;
	struct sk_buff *skb;
	int i, err;

	skb = alloc_skb(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	err = nla_put_string(skb, KSEAL_A_PROFILE, hs->owner.profile);
	if (!err && !info->attrs[KSEAL_A_SERVER_NAME])
		err = put_name(skb, hs);
	for (i = 0; !err && i < ARRAY_SIZE(kept); i++) {
		const struct nlattr *a = info->attrs[kept[i]];

		if (a)
			err = nla_put(skb, kept[i], nla_len(a), nla_data(a));
	}
	if (!err)
		peer = kzalloc(struct_size(peer, attrs, skb->len), GFP_KERNEL);
	if (peer) {
		peer->len = skb->len;
		memcpy(peer->attrs, skb->data, skb->len);
		peer->tolerate_truncation =
			info->attrs[KSEAL_A_TOLERATE_TRUNCATION];
	}
	kfree_skb(skb);
	if (!peer || !preamble || !nla_len(preamble))
		return peer;
	peer->preamble = alloc_skb(nla_len(preamble), GFP_KERNEL);
	if (!peer->preamble) {
		kfree(peer);
		return NULL;
	}
	skb_put_data(peer->preamble, nla_data(preamble), nla_len(preamble));
	return peer;
}

static int done_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kseal_net *kn = kseal_net(genl_info_net(info));
	struct kseal_handshake *hs;
	struct kseal_peer *peer;
	const char *reason;
	int err = 0;
	u32 status;

	if (GENL_REQ_ATTR_CHECK(info, KSEAL_A_ID) ||
	    GENL_REQ_ATTR_CHECK(info, KSEAL_A_STATUS))
		return -EINVAL;
	status = nla_get_u32(info->attrs[KSEAL_A_STATUS]);
	hs = kseal_handshake_find(kn, info->snd_portid,
				  nla_get_u64(info->attrs[KSEAL_A_ID]));
	if (!hs) {
		NL_SET_ERR_MSG(info->extack, "no such handshake, or it is over");
		return -ENOENT;
	}

	if (status) {
		reason = info->attrs[KSEAL_A_REASON] ?
			 nla_data(info->attrs[KSEAL_A_REASON]) : NULL;
		if (!kseal_handshake_end(hs, status == ETIMEDOUT ?
					 KSEAL_TIMEOUT : KSEAL_REFUSE,
					 status, reason))
			err = -ENOENT;
	} else if (info->attrs[KSEAL_A_PREAMBLE] &&
		   hs->role != KSEAL_ROLE_SERVER) {
		NL_SET_ERR_MSG(info->extack, "a client reads no preamble");
		kseal_handshake_end(hs, KSEAL_ABORT, 0, NULL);
		err = -EINVAL;
	} else {
		peer = peer_from(info, hs);
		err = peer ? kseal_handshake_seal(hs, peer) : -ENOMEM;
		if (err)
			kseal_peer_free(peer);
		if (err == -EINVAL)
			NL_SET_ERR_MSG(info->extack,
				       "a direction has no key, or a record was read in part");
	}
	kseal_handshake_put(hs);
	return err;
}

/*
 * To look for an algorithm that is not there takes several runs of modprobe, so
 * what was found is remembered for a while.
 */
static int put_ciphers(struct sk_buff *skb)
{
	static DEFINE_MUTEX(mutex);	/* guards what follows */
	static unsigned int count;
	static unsigned long expires;
	static u16 types[16];
	const struct kseal_cipher *c = NULL;
	int err;

	mutex_lock(&mutex);
	if (!count || time_after(jiffies, expires)) {
		count = 0;
		while ((c = kseal_cipher_next(c)) && count < ARRAY_SIZE(types))
			if (kseal_cipher_available(c))
				types[count++] = c->type;
		expires = jiffies + CIPHERS_TTL;
	}
	err = nla_put(skb, KSEAL_A_CIPHERS, count * sizeof(types[0]), types);
	mutex_unlock(&mutex);
	return err;
}

static int module_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!reply)
		return -ENOMEM;
	hdr = genlmsg_put_reply(reply, info, &kseal_genl_family, 0,
				KSEAL_CMD_MODULE_GET);
	if (!hdr || nla_put_string(reply, KSEAL_A_VERSION, KSEAL_VERSION) ||
	    nla_put_string(reply, KSEAL_A_ULP_NAME, kseal_ulp_name()) ||
	    put_ciphers(reply)) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	genlmsg_end(reply, hdr);
	return genlmsg_reply(reply, info);
}

/*
 * Dumps: each goes through one list under kn->lock, and goes on in the next
 * message behind the entries that went before (cb->args[0]). What comes or goes
 * meanwhile may be missed or be seen twice, as in any dump.
 */
struct dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	long index;
	void *hdr;
	u8 cmd;
};

static bool dump_begin(struct dump *d)
{
	if (d->index++ < d->cb->args[0])
		return false;
	d->hdr = genlmsg_put(d->skb, NETLINK_CB(d->cb->skb).portid,
			     d->cb->nlh->nlmsg_seq, &kseal_genl_family,
			     NLM_F_MULTI, d->cmd);
	return true;
}

/* False: the message is full. */
static bool dump_end(struct dump *d, int err)
{
	if (!d->hdr)
		return false;
	if (err) {
		genlmsg_cancel(d->skb, d->hdr);
		return false;
	}
	genlmsg_end(d->skb, d->hdr);
	d->cb->args[0] = d->index;
	return true;
}

static int worker_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump d = { skb, cb, .cmd = KSEAL_CMD_WORKER_GET };
	struct kseal_net *kn = kseal_net(sock_net(skb->sk));
	struct kseal_worker *w;

	spin_lock(&kn->lock);
	list_for_each_entry(w, &kn->workers, node) {
		if (!dump_begin(&d))
			continue;
		if (!dump_end(&d, !d.hdr ||
			      nla_put_u32(skb, KSEAL_A_PORTID, w->portid) ||
			      nla_put_u32(skb, KSEAL_A_PID,
					  pid_vnr(w->pid)) ||
			      nla_put_u32(skb, KSEAL_A_ACTIVE, w->active)))
			break;
	}
	spin_unlock(&kn->lock);
	return skb->len;
}

static int put_listener(struct sk_buff *skb, struct kseal_listener *l)
{
	unsigned int held, ready;
	struct kseal_owner owner;

	spin_lock_bh(&l->lock);
	owner = l->owner;
	held = l->n_held;
	ready = l->n_ready;
	spin_unlock_bh(&l->lock);
	return put_u64(skb, KSEAL_A_ID, l->id) ?:
	       put_addr(skb, KSEAL_A_LOCAL, l->sk, false) ?:
	       put_owner(skb, &owner) ?:
	       nla_put_u32(skb, KSEAL_A_HELD, held) ?:
	       nla_put_u32(skb, KSEAL_A_READY, ready) ?:
	       nla_put_u32(skb, KSEAL_A_BACKLOG,
			   READ_ONCE(l->sk->sk_max_ack_backlog));
}

/* A socket that is armed but does not listen is not listed. */
static int listener_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump d = { skb, cb, .cmd = KSEAL_CMD_LISTENER_GET };
	struct kseal_net *kn = kseal_net(sock_net(skb->sk));
	struct kseal_listener *l;

	spin_lock(&kn->lock);
	list_for_each_entry(l, &kn->listeners, node) {
		if (inet_sk_state_load(l->sk) != TCP_LISTEN ||
		    !dump_begin(&d))
			continue;
		if (!dump_end(&d, !d.hdr || put_listener(skb, l)))
			break;
	}
	spin_unlock(&kn->lock);
	return skb->len;
}

static int put_handshake(struct sk_buff *skb, struct kseal_handshake *hs)
{
	return put_u64(skb, KSEAL_A_ID, hs->id) ?:
	       nla_put_u32(skb, KSEAL_A_ROLE, hs->role) ?:
	       put_addr(skb, KSEAL_A_LOCAL, hs->sk, false) ?:
	       put_addr(skb, KSEAL_A_PEER, hs->sk, true) ?:
	       put_owner(skb, &hs->owner) ?:
	       put_name(skb, hs) ?:
	       nla_put_u32(skb, KSEAL_A_TIMEOUT, kseal_handshake_left(hs)) ?:
	       nla_put_u32(skb, KSEAL_A_PORTID, hs->portid);
}

static int handshake_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump d = { skb, cb, .cmd = KSEAL_CMD_HANDSHAKE_GET };
	struct kseal_net *kn = kseal_net(sock_net(skb->sk));
	struct list_head *lists[] = { &kn->active, &kn->waiting };
	struct kseal_handshake *hs;
	int i;

	spin_lock(&kn->lock);
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		list_for_each_entry(hs, lists[i], node) {
			if (!dump_begin(&d))
				continue;
			if (!dump_end(&d, !d.hdr || put_handshake(skb, hs)))
				goto out;
		}
	}
out:
	spin_unlock(&kn->lock);
	return skb->len;
}

static int put_alert(struct sk_buff *skb, int attr, u8 alert)
{
	return alert == KSEAL_ALERT_NONE ? 0 : nla_put_u8(skb, attr, alert);
}

static int put_offload(struct sk_buff *skb, const struct kseal_sock *ks)
{
	u32 ifindex = kseal_offload_ifindex(ks);

	return nla_put_u32(skb, KSEAL_A_OFFLOAD, READ_ONCE(ks->dev_dirs)) ?:
	       nla_put_u32(skb, KSEAL_A_OFFLOAD_POLICY,
			   READ_ONCE(ks->policy)) ?:
	       (ifindex ? nla_put_u32(skb, KSEAL_A_OFFLOAD_IFINDEX, ifindex) :
			  0);
}

static int put_socket(struct sk_buff *skb, struct kseal_sock *ks)
{
	struct tls_crypto_info info = {};

	if (ks->peer) {
		if (skb_tailroom(skb) < ks->peer->len)
			return -EMSGSIZE;
		skb_put_data(skb, ks->peer->attrs, ks->peer->len);
	}
	if (kseal_tx_info(&ks->tx, &info) || kseal_rx_info(&ks->rx, &info)) {
		if (nla_put_u16(skb, KSEAL_A_TLS_VERSION, info.version) ||
		    nla_put_u16(skb, KSEAL_A_TLS_CIPHER, info.cipher_type))
			return -EMSGSIZE;
	}
	return put_u64(skb, KSEAL_A_ID, ks->id) ?:
	       nla_put_u32(skb, KSEAL_A_ROLE, ks->role) ?:
	       put_ids(skb, ks->uid, ks->gid) ?:
	       put_alert(skb, KSEAL_A_TX_ALERT, READ_ONCE(ks->tx.alert)) ?:
	       put_alert(skb, KSEAL_A_RX_ALERT, READ_ONCE(ks->rx.alert)) ?:
	       put_addr(skb, KSEAL_A_LOCAL, ks->tls.sk, false) ?:
	       put_addr(skb, KSEAL_A_PEER, ks->tls.sk, true) ?:
	       put_u64(skb, KSEAL_A_TX_RECORDS, READ_ONCE(ks->tx.records)) ?:
	       put_u64(skb, KSEAL_A_RX_RECORDS, READ_ONCE(ks->rx.records)) ?:
	       put_u64(skb, KSEAL_A_TX_BYTES, READ_ONCE(ks->tx.bytes)) ?:
	       put_u64(skb, KSEAL_A_RX_BYTES, READ_ONCE(ks->rx.bytes)) ?:
	       put_u64(skb, KSEAL_A_TX_REKEYS, READ_ONCE(ks->tx.rekeys)) ?:
	       put_u64(skb, KSEAL_A_RX_REKEYS, READ_ONCE(ks->rx.rekeys)) ?:
	       put_offload(skb, ks);
}

static int socket_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump d = { skb, cb, .cmd = KSEAL_CMD_SOCKET_GET };
	struct kseal_net *kn = kseal_net(sock_net(skb->sk));
	struct kseal_sock *ks;

	spin_lock(&kn->lock);
	list_for_each_entry(ks, &kn->sockets, node) {
		if (!dump_begin(&d))
			continue;
		if (!dump_end(&d, !d.hdr || put_socket(skb, ks)))
			break;
	}
	spin_unlock(&kn->lock);
	return skb->len;
}

static int rekey_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kseal_net *kn = kseal_net(genl_info_net(info));
	struct kseal_sock *ks;
	struct sock *sk = NULL;
	int err;
	u64 id;

	if (GENL_REQ_ATTR_CHECK(info, KSEAL_A_ID) ||
	    GENL_REQ_ATTR_CHECK(info, KSEAL_A_REKEY))
		return -EINVAL;
	id = nla_get_u64(info->attrs[KSEAL_A_ID]);
	spin_lock(&kn->lock);
	list_for_each_entry(ks, &kn->sockets, node) {
		if (ks->id == id) {
			sk = ks->tls.sk;
			sock_hold(sk);
			break;
		}
	}
	spin_unlock(&kn->lock);
	if (!sk)
		return -ENOENT;
	lock_sock(sk);
	err = kseal_rekey(sk, nla_get_u32(info->attrs[KSEAL_A_REKEY]));
	release_sock(sk);
	sock_put(sk);
	return err;
}

static const struct genl_ops kseal_genl_ops[] = {
	{
		.cmd	= KSEAL_CMD_REGISTER,
		.doit	= register_doit,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_ACCEPT,
		.doit	= accept_doit,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_DONE,
		.doit	= done_doit,
		.policy	= done_policy,
		.maxattr = KSEAL_A_MAX,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_REKEY,
		.doit	= rekey_doit,
		.policy	= rekey_policy,
		.maxattr = KSEAL_A_MAX,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_MODULE_GET,
		.doit	= module_doit,
	}, {
		.cmd	= KSEAL_CMD_WORKER_GET,
		.dumpit	= worker_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_LISTENER_GET,
		.dumpit	= listener_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_HANDSHAKE_GET,
		.dumpit	= handshake_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM,
	}, {
		.cmd	= KSEAL_CMD_SOCKET_GET,
		.dumpit	= socket_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM,
	},
};

static struct genl_family kseal_genl_family __ro_after_init = {
	.name		= KSEAL_GENL_NAME,
	.version	= KSEAL_GENL_VERSION,
	.module		= THIS_MODULE,
	.netnsok	= true,
	.parallel_ops	= true,
	.ops		= kseal_genl_ops,
	.n_ops		= ARRAY_SIZE(kseal_genl_ops),
	.resv_start_op	= __KSEAL_CMD_MAX,
};

/* A netlink socket is closed, perhaps a worker's. */
static int notify_release(struct notifier_block *nb, unsigned long event,
			  void *data)
{
	struct netlink_notify *n = data;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC)
		kseal_worker_gone(kseal_net(n->net), n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block kseal_netlink_notifier = {
	.notifier_call = notify_release,
};

/**
 * kseal_netlink_init() - register the family
 *
 * Context: process, module load.
 * Return: 0 or a negative errno.
 */
int kseal_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&kseal_netlink_notifier);
	if (err)
		return err;
	err = genl_register_family(&kseal_genl_family);
	if (err)
		netlink_unregister_notifier(&kseal_netlink_notifier);
	return err;
}

/**
 * kseal_netlink_exit() - unregister the family
 *
 * Context: process, module unload.
 */
void kseal_netlink_exit(void)
{
	genl_unregister_family(&kseal_genl_family);
	netlink_unregister_notifier(&kseal_netlink_notifier);
}

/**
 * kseal_netlink_exit_net() - forget the workers of a namespace
 * @net: namespace that ends, or whose module does
 *
 * Context: process.
 */
void kseal_netlink_exit_net(struct net *net)
{
	struct kseal_net *kn = kseal_net(net);

	while (!list_empty(&kn->workers))
		kseal_worker_gone(kn, list_first_entry(&kn->workers,
						       struct kseal_worker,
						       node)->portid);
}
