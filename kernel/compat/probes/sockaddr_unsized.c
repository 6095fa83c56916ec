// SPDX-License-Identifier: GPL-2.0
/* connect() and bind() take struct sockaddr_unsized (7.0) */
#include <net/sock.h>

int probe(struct sockaddr_unsized *addr);
int probe(struct sockaddr_unsized *addr)
{
	return addr->sa_family;
}
