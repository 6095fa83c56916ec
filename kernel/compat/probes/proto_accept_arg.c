// SPDX-License-Identifier: GPL-2.0
/* accept() takes struct proto_accept_arg (6.10) */
#include <net/sock.h>

struct sock *probe(struct proto *p, struct sock *sk);
struct sock *probe(struct proto *p, struct sock *sk)
{
	struct proto_accept_arg arg = { .is_empty = 0 };

	return p->accept(sk, &arg);
}
