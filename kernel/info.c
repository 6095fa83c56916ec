// SPDX-License-Identifier: GPL-2.0
/*
 * What there is to know of a socket: the socket option KSEAL_INFO. Called by
 * sockopt.c. The tools get the same by netlink.c.
 */
#include <net/netlink.h>
#include <net/tcp.h>

#include "info.h"
#include "listen.h"
#include "offload.h"
#include "socket.h"

static const struct nlattr *find(const struct kseal_peer *peer, int type)
{
	return nla_find((const struct nlattr *)peer->attrs, peer->len, type);
}

static void get_string(const struct kseal_peer *peer, int type, char *to,
		       size_t size)
{
	const struct nlattr *a = find(peer, type);

	if (a)
		nla_strscpy(to, a, size);
}

/* What the agent has told. */
static void get_peer(const struct kseal_peer *peer, struct kseal_info *info)
{
	const struct nlattr *a;

	get_string(peer, KSEAL_A_PROFILE, info->profile,
		   sizeof(info->profile));
	get_string(peer, KSEAL_A_SERVER_NAME, info->server_name,
		   sizeof(info->server_name));
	get_string(peer, KSEAL_A_ALPN, info->alpn, sizeof(info->alpn));
	get_string(peer, KSEAL_A_PEER_SUBJECT, info->peer_subject,
		   sizeof(info->peer_subject));
	get_string(peer, KSEAL_A_PEER_NAMES, info->peer_names,
		   sizeof(info->peer_names));
	if (find(peer, KSEAL_A_RESUMED))
		info->flags |= KSEAL_INFO_RESUMED;
	a = find(peer, KSEAL_A_GROUP);
	if (a)
		info->group = nla_get_u16(a);
	a = find(peer, KSEAL_A_PEER_FINGERPRINT);
	if (a) {
		info->flags |= KSEAL_INFO_PEER_CERTIFICATE;
		nla_memcpy(info->peer_fingerprint, a,
			   sizeof(info->peer_fingerprint));
	}
}

/**
 * kseal_info_get() - fill in a struct kseal_info
 * @sk: socket
 * @info: result; zeroed
 *
 * Context: process, under the socket lock.
 */
void kseal_info_get(struct sock *sk, struct kseal_info *info)
{
	struct kseal_sock *ks = kseal_get(sk);
	struct tls_crypto_info keys = {};
	struct kseal_owner owner;

	info->id = ks->id;
	info->role = ks->role;
	if (ks->state == KSEAL_SEALED)
		info->flags |= KSEAL_INFO_SEALED;
	if (ks->rx.eof && !ks->rx.truncated)
		info->flags |= KSEAL_INFO_EOF;
	if (kseal_is_open(ks) && (kseal_tx_info(&ks->tx, &keys) ||
				  kseal_rx_info(&ks->rx, &keys))) {
		info->tls_version = keys.version;
		info->tls_cipher = keys.cipher_type;
	}
	info->tx_alert = ks->tx.alert;
	info->rx_alert = ks->rx.alert;
	info->tx_records = ks->tx.records;
	info->rx_records = ks->rx.records;
	info->tx_bytes = ks->tx.bytes;
	info->rx_bytes = ks->rx.bytes;
	info->tx_rekeys = ks->tx.rekeys;
	info->rx_rekeys = ks->rx.rekeys;
	if (ks->listener) {
		kseal_listener_owner(ks->listener, &owner);
		strscpy(info->profile, owner.profile, sizeof(info->profile));
	}
	if (ks->server_name)
		strscpy(info->server_name, ks->server_name,
			sizeof(info->server_name));
	if (ks->peer)
		get_peer(ks->peer, info);
	if (ks->reason)
		strscpy(info->reason, ks->reason, sizeof(info->reason));
	info->offload = READ_ONCE(ks->dev_dirs);
	info->offload_policy = ks->policy;
	info->offload_ifindex = kseal_offload_ifindex(ks);
}
