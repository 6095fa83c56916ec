/* SPDX-License-Identifier: GPL-2.0 */
/* Where Linux before 6.12 has it. */
#include <asm/unaligned.h>
