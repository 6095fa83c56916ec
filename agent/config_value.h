/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Single values of the configuration: what may be written, and what it means. Used by
 * config_profile.c.
 */
#ifndef KSEALD_CONFIG_VALUE_H
#define KSEALD_CONFIG_VALUE_H

#include <confuse.h>
#include <sys/types.h>

#include "config_profile.h"

int kseal_config_value_check(int line, enum kseal_option which, cfg_opt_t *opt,
			     unsigned int index);
int kseal_config_word(enum kseal_option which, const char *text);
int kseal_config_user(const char *text, uid_t *uid);
int kseal_config_group(const char *text, gid_t *gid);
unsigned int kseal_config_version(const char *text);

#endif /* KSEALD_CONFIG_VALUE_H */
