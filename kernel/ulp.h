/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The upper layer protocols that the core knows us by.
 */
#ifndef _KSEAL_ULP_H
#define _KSEAL_ULP_H

#include <linux/types.h>

struct sk_buff;
struct sock;
struct tcp_ulp_ops;

extern struct tcp_ulp_ops kseal_ulp_ops;

int kseal_ulp_init(void);
void kseal_ulp_exit(void);
const char *kseal_ulp_name(void);
int kseal_ulp_get_info(struct sock *sk, struct sk_buff *skb, bool net_admin);
size_t kseal_ulp_get_info_size(const struct sock *sk, bool net_admin);

#endif /* _KSEAL_ULP_H */
