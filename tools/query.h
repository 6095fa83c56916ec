/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of the module in this network namespace as one JSON object, the names
 * of its numbers, and tables and lists of it.
 */
#ifndef _KSEAL_QUERY_H
#define _KSEAL_QUERY_H

#include <jansson.h>

#include "kseal-cli.h"

json_t *kseal_query(char why[KSEAL_MESSAGE_LEN]);
int kseal_rekey(uint64_t id, uint32_t whose, char why[KSEAL_MESSAGE_LEN]);

json_t *kseal_text(const char *data, size_t size);
void kseal_tame_json(json_t *value);
json_t *kseal_hex(const unsigned char *data, size_t size);
json_t *kseal_version_name(uint16_t number);
json_t *kseal_cipher_name(uint16_t number);
json_t *kseal_group_name(uint16_t number);
json_t *kseal_alert_name(uint8_t number);
json_t *kseal_role_name(uint32_t number);
void kseal_set_offload(json_t *row, uint32_t mask, uint32_t policy, const char *device);

const char *kseal_cell(const json_t *row, const char *key, char *buffer, size_t size);
int kseal_print_json(json_t *value);

#endif /* _KSEAL_QUERY_H */
