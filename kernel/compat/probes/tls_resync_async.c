// SPDX-License-Identifier: GPL-2.0
/* tls_offload_rx_resync_async_request_*() take the request (since 6.18) */
#include <net/tls.h>

void probe(struct tls_offload_resync_async *async);
void probe(struct tls_offload_resync_async *async)
{
	tls_offload_rx_resync_async_request_start(async, 0, 1);
}
