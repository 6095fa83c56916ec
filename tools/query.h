/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of the module in this network namespace as one JSON object.
 */
#ifndef _KSEAL_QUERY_H
#define _KSEAL_QUERY_H

#include <jansson.h>

#include "kseal-cli.h"

json_t *kseal_query(char why[KSEAL_MESSAGE_LEN]);

#endif /* _KSEAL_QUERY_H */
