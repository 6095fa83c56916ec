// SPDX-License-Identifier: GPL-2.0
/* proto.recvmsg takes int *addr_len (until 7.2) */
#include <net/sock.h>

int probe(struct proto *p, struct sock *sk, struct msghdr *msg);
int probe(struct proto *p, struct sock *sk, struct msghdr *msg)
{
	int addr_len;

	return p->recvmsg(sk, msg, 1, 0, &addr_len);
}
