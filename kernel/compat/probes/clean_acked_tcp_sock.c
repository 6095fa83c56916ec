// SPDX-License-Identifier: GPL-2.0
/* clean_acked_data_enable() takes the struct tcp_sock (since 6.17) */
#include <net/tcp.h>

void probe(struct sock *sk);
void probe(struct sock *sk)
{
	clean_acked_data_enable(tcp_sk(sk), NULL);
}
