// SPDX-License-Identifier: GPL-2.0
/* without HIGHMEM, ciphers don't stop at the end of a page (since 6.15) */
#include <crypto/scatterwalk.h>

int probe(struct scatter_walk *walk);
int probe(struct scatter_walk *walk)
{
	return scatterwalk_next(walk, 1);
}
