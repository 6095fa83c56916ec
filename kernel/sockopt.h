/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Socket options at level SOL_TLS.
 */
#ifndef _KSEAL_SOCKOPT_H
#define _KSEAL_SOCKOPT_H

#include <linux/sockptr.h>

struct sock;

int kseal_set_keys(struct sock *sk, int optname, sockptr_t optval,
		   unsigned int optlen);
int kseal_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		     unsigned int optlen);
int kseal_getsockopt(struct sock *sk, int level, int optname,
		     char __user *optval, int __user *optlen);

#endif /* _KSEAL_SOCKOPT_H */
