/* SPDX-License-Identifier: GPL-2.0 */
/* Until 6.5 what <net/gso.h> has is in <linux/netdevice.h>. */
#include <linux/netdevice.h>
