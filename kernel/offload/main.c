// SPDX-License-Identifier: GPL-2.0
/*
 * kseal_offload.ko: loading and unloading. Once loaded, sockets that kseal seals are
 * offered to their devices (Documentation/offload.rst). It can be removed when no
 * socket has a device any more.
 */
#include <linux/module.h>

#include "device.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static const struct kseal_offload_ops offload_ops = {
	.owner		= THIS_MODULE,
	.tx_add		= kseal_dev_tx_add,
	.rx_add		= kseal_dev_rx_add,
	.tx_prepare	= kseal_dev_tx_prepare,
	.tx_record	= kseal_dev_tx_record,
	.rx_header	= kseal_dev_rx_header,
	.rx_record	= kseal_dev_rx_record,
	.rx_close	= kseal_dev_rx_close,
};

static int __init kseal_offload_init(void)
{
	int err;

	err = kseal_dev_init();
	if (err)
		return err;
	err = kseal_offload_register(&offload_ops);
	if (err)
		kseal_dev_exit();
	return err;
}

static void __exit kseal_offload_exit(void)
{
	kseal_offload_unregister(&offload_ops);
	kseal_dev_exit();
}

module_init(kseal_offload_init);
module_exit(kseal_offload_exit);
MODULE_DESCRIPTION("kseal: records sealed and opened by network devices");
MODULE_VERSION(KSEAL_VERSION);
MODULE_LICENSE("GPL");
