// SPDX-License-Identifier: GPL-2.0
/*
 * The upper layer protocols that the core knows us by: "kseal" and, if asked for
 * where the kernel's own is absent, "tls", for programs that use the kernel's TLS.
 * Under the latter name a socket can have the explicit mode only, as there.
 */
#include <linux/inet_diag.h>
#include <linux/module.h>
#include <net/netlink.h>
#include <net/tcp.h>

#include "socket.h"
#include "ulp.h"

static char *ulp_name = KSEAL_ULP_NAME;
module_param(ulp_name, charp, 0444);
MODULE_PARM_DESC(ulp_name, "\"kseal\", or \"tls\" to stand in for the kernel's own tls module as well, which must not be loaded then");

static int ulp_init(struct sock *sk)
{
	return kseal_sock_init(sk, true);
}

static int ulp_init_tls(struct sock *sk)
{
	return kseal_sock_init(sk, false);
}

static void ulp_clone(const struct request_sock *req, struct sock *newsk,
		      const gfp_t priority)
{
	kseal_sock_clone(newsk, priority);
}

static u16 info_conf(const struct kseal_sock *ks, bool keyed,
		     enum kseal_dev_dir dir)
{
	if (!keyed)
		return TLS_CONF_BASE;
	return test_bit(dir, &ks->dev_dirs) ? TLS_CONF_HW : TLS_CONF_SW;
}

/**
 * kseal_ulp_get_info() - for inet_diag (ss -tie): what the kernel's own tls says
 * @sk: socket
 * @skb: message
 * @net_admin: the reader is an administrator; nothing here is secret
 *
 * Context: any, perhaps without the socket lock.
 * Return: 0 or -EMSGSIZE.
 */
int kseal_ulp_get_info(struct sock *sk, struct sk_buff *skb, bool net_admin)
{
	struct tls_crypto_info info = {};
	struct kseal_sock *ks;
	struct nlattr *start;
	bool tx, rx;

	start = nla_nest_start_noflag(skb, INET_ULP_INFO_TLS);
	if (!start)
		return -EMSGSIZE;
	rcu_read_lock();
	ks = rcu_dereference(inet_csk(sk)->icsk_ulp_data);
	if (!ks) {
		rcu_read_unlock();
		nla_nest_cancel(skb, start);
		return 0;
	}
	rx = kseal_rx_info(&ks->rx, &info);
	tx = kseal_tx_info(&ks->tx, &info);
	if ((info.version &&
	     (nla_put_u16(skb, TLS_INFO_VERSION, info.version) ||
	      nla_put_u16(skb, TLS_INFO_CIPHER, info.cipher_type))) ||
	    nla_put_u16(skb, TLS_INFO_TXCONF,
			info_conf(ks, tx, KSEAL_DEV_TX)) ||
	    nla_put_u16(skb, TLS_INFO_RXCONF,
			info_conf(ks, rx, KSEAL_DEV_RX)) ||
	    nla_put_u16(skb, TLS_INFO_TX_MAX_PAYLOAD_LEN,
			ks->tx.max_payload) ||
	    (ks->tls.rx_no_pad && nla_put_flag(skb, TLS_INFO_RX_NO_PAD))) {
		rcu_read_unlock();
		nla_nest_cancel(skb, start);
		return -EMSGSIZE;
	}
	rcu_read_unlock();
	nla_nest_end(skb, start);
	return 0;
}

/**
 * kseal_ulp_get_info_size() - room that kseal_ulp_get_info() needs
 * @sk: socket
 * @net_admin: see there
 *
 * Context: any.
 * Return: bytes.
 */
size_t kseal_ulp_get_info_size(const struct sock *sk, bool net_admin)
{
	return nla_total_size(0) +		/* INET_ULP_INFO_TLS */
	       nla_total_size(sizeof(u16)) +	/* TLS_INFO_VERSION */
	       nla_total_size(sizeof(u16)) +	/* TLS_INFO_CIPHER */
	       nla_total_size(sizeof(u16)) +	/* TLS_INFO_TXCONF */
	       nla_total_size(sizeof(u16)) +	/* TLS_INFO_RXCONF */
	       nla_total_size(0) +		/* TLS_INFO_RX_NO_PAD */
	       nla_total_size(sizeof(u16));	/* TLS_INFO_TX_MAX_PAYLOAD_LEN */
}

struct tcp_ulp_ops kseal_ulp_ops __read_mostly = {
	.name		= KSEAL_ULP_NAME,
	.owner		= THIS_MODULE,
	.init		= ulp_init,
	.clone		= ulp_clone,
	.release	= kseal_sock_release,
	.get_info	= kseal_ops_get_info,
	.get_info_size	= kseal_ops_get_info_size,
};

static struct tcp_ulp_ops tls_ulp_ops __read_mostly = {
	.name		= "tls",
	.owner		= THIS_MODULE,
	.init		= ulp_init_tls,
	.release	= kseal_sock_release,
	.get_info	= kseal_ops_get_info,
	.get_info_size	= kseal_ops_get_info_size,
};

/**
 * kseal_ulp_name() - the module's parameter
 *
 * Context: any.
 * Return: "kseal" or "tls".
 */
const char *kseal_ulp_name(void)
{
	return ulp_name;
}

/**
 * kseal_ulp_init() - become known to the core
 *
 * Context: process, module load.
 * Return: 0; -EINVAL for a bad ulp_name; -EEXIST if the name is taken.
 */
int kseal_ulp_init(void)
{
	bool tls = !strcmp(ulp_name, tls_ulp_ops.name);
	int err;

	if (!tls && strcmp(ulp_name, KSEAL_ULP_NAME)) {
		pr_err("kseal: ulp_name is \"kseal\" or \"tls\", not \"%s\"\n",
		       ulp_name);
		return -EINVAL;
	}
	err = tcp_register_ulp(&kseal_ulp_ops);
	if (err || !tls)
		return err;
	err = tcp_register_ulp(&tls_ulp_ops);
	if (err) {
		pr_err("kseal: ulp_name=tls: the kernel's own tls is there; \"rmmod tls\" first and keep it out: \"blacklist tls\" and \"install tls /bin/false\" in modprobe.d\n");
		tcp_unregister_ulp(&kseal_ulp_ops);
	}
	return err;
}

/**
 * kseal_ulp_exit() - undo kseal_ulp_init()
 *
 * Context: process, module unload.
 */
void kseal_ulp_exit(void)
{
	if (!strcmp(ulp_name, tls_ulp_ops.name))
		tcp_unregister_ulp(&tls_ulp_ops);
	tcp_unregister_ulp(&kseal_ulp_ops);
}
