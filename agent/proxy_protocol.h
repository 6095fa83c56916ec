/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The header of the PROXY protocol, version 2, that tells an application behind a
 * sealed listener what TLS knows. Used by session.c.
 */
#ifndef KSEALD_PROXY_PROTOCOL_H
#define KSEALD_PROXY_PROTOCOL_H

#include <gnutls/gnutls.h>
#include <stddef.h>

struct kseal_connection;
struct kseal_outcome;

size_t kseal_proxy_header(unsigned char *to, size_t size, gnutls_session_t tls,
			  const struct kseal_connection *conn,
			  const struct kseal_outcome *outcome);

#endif /* KSEALD_PROXY_PROTOCOL_H */
