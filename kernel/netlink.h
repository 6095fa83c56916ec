/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "kseal".
 */
#ifndef _KSEAL_NETLINK_H
#define _KSEAL_NETLINK_H

#include <linux/types.h>

struct net;

int kseal_netlink_init(void);
void kseal_netlink_exit(void);
void kseal_netlink_exit_net(struct net *net);
void kseal_netlink_ticket(struct net *net, u32 portid, u64 id,
			  const void *message, unsigned int len);
void kseal_netlink_ready(struct net *net, u32 portid);

#endif /* _KSEAL_NETLINK_H */
