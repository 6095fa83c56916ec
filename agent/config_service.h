/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sections "kernel" and "metrics" of the configuration: whom the agent serves beside
 * sockets sealed by kseal.ko. Used by config.c.
 */
#ifndef KSEALD_CONFIG_SERVICE_H
#define KSEALD_CONFIG_SERVICE_H

#include <confuse.h>

struct kseal_config;

extern cfg_opt_t kseal_config_kernel_options[];
extern cfg_opt_t kseal_config_metrics_options[];

void kseal_config_service_validate(cfg_t *root);
int kseal_config_service_build(struct kseal_config *config, cfg_t *root);

#endif /* KSEALD_CONFIG_SERVICE_H */
