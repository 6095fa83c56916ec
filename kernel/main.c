// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading: brings up the parts in the order in which they need
 * each other and takes them down in reverse.
 */
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/tcp.h>
#include <uapi/linux/kseal.h>

#include "handshake.h"
#include "net.h"
#include "netlink.h"
#include "pages.h"
#include "proxy.h"
#include "schedule.h"
#include "seal.h"
#include "socket.h"
#include "ulp.h"
#include "unseal.h"

unsigned int kseal_net_id __read_mostly;

static int __net_init kseal_init_net(struct net *net)
{
	struct kseal_net *kn = kseal_net(net);

	spin_lock_init(&kn->lock);
	INIT_LIST_HEAD(&kn->workers);
	INIT_LIST_HEAD(&kn->waiting);
	INIT_LIST_HEAD(&kn->active);
	INIT_LIST_HEAD(&kn->listeners);
	INIT_LIST_HEAD(&kn->sockets);
	kn->agentless_since = jiffies;
	return kseal_stats_init_net(net);
}

/* Every socket holds its namespace, so the lists are empty by now. */
static void __net_exit kseal_exit_net(struct net *net)
{
	kseal_netlink_exit_net(net);
	kseal_stats_exit_net(net);
}

static struct pernet_operations kseal_net_ops = {
	.init = kseal_init_net,
	.exit = kseal_exit_net,
	.id   = &kseal_net_id,
	.size = sizeof(struct kseal_net),
};

static int __init kseal_init(void)
{
	int err;

	err = register_pernet_subsys(&kseal_net_ops);
	if (err)
		return err;
	err = kseal_socket_init();
	if (err)
		goto err_net;
	kseal_pages_init();
	err = kseal_seal_init();
	if (err)
		goto err_socket;
	err = kseal_unseal_init();
	if (err)
		goto err_seal;
	err = kseal_handshake_init();
	if (err)
		goto err_unseal;
	err = kseal_proxy_init();
	if (err)
		goto err_handshake;
	err = kseal_netlink_init();
	if (err)
		goto err_proxy;
	err = kseal_ulp_init();
	if (err)
		goto err_netlink;
	return 0;

err_netlink:
	kseal_netlink_exit();
err_proxy:
	kseal_proxy_exit();
err_handshake:
	kseal_handshake_exit();
err_unseal:
	kseal_unseal_exit();
err_seal:
	kseal_seal_exit();
err_socket:
	kseal_socket_exit();
err_net:
	unregister_pernet_subsys(&kseal_net_ops);
	return err;
}

static void __exit kseal_exit(void)
{
	kseal_ulp_exit();
	kseal_netlink_exit();
	kseal_proxy_exit();
	kseal_handshake_exit();
	unregister_pernet_subsys(&kseal_net_ops);
	rcu_barrier();
	kseal_unseal_exit();
	kseal_seal_exit();
	kseal_pages_exit();
	kseal_socket_exit();
	kseal_schedule_exit();
}

module_init(kseal_init);
module_exit(kseal_exit);

MODULE_DESCRIPTION("TLS sealed in the kernel for TCP sockets, keyed by an agent");
MODULE_AUTHOR("The kseal authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(KSEAL_VERSION);
MODULE_ALIAS_TCP_ULP(KSEAL_ULP_NAME);
MODULE_ALIAS_GENL_FAMILY(KSEAL_GENL_NAME);
