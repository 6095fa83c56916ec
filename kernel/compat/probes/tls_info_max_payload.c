// SPDX-License-Identifier: GPL-2.0
/* inet_diag tells how much plaintext a record may have (7.0) */
#include <linux/tls.h>

int probe(void);
int probe(void)
{
	return TLS_INFO_TX_MAX_PAYLOAD_LEN;
}
