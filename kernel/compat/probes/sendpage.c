// SPDX-License-Identifier: GPL-2.0
/* sendfile() comes by proto.sendpage, not by MSG_SPLICE_PAGES (until 6.5) */
#include <net/tcp.h>

int probe(struct proto *p, struct sock *sk, struct page *page);
int probe(struct proto *p, struct sock *sk, struct page *page)
{
	return p->sendpage(sk, page, 0, 1, 0) +
	       do_tcp_sendpages(sk, page, 0, 1, 0);
}
