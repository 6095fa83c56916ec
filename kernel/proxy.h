/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The proxy: a socket that the agent holds in place of the real one, and that
 * can be taken from it at any moment.
 */
#ifndef _KSEAL_PROXY_H
#define _KSEAL_PROXY_H

#include <linux/types.h>

struct file;
struct kseal_handshake;
struct kseal_proxy;

int kseal_proxy_init(void);
void kseal_proxy_exit(void);

struct file *kseal_proxy_open(struct kseal_handshake *hs, u32 portid);
struct kseal_handshake *kseal_proxy_revoke(struct kseal_proxy *proxy);
bool kseal_proxy_at_boundary(const struct kseal_proxy *proxy);
void kseal_proxy_get(struct kseal_proxy *proxy);
void kseal_proxy_put(struct kseal_proxy *proxy);

#endif /* _KSEAL_PROXY_H */
