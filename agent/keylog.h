/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Secrets of handshakes in a file, for debugging: in builds with KEYLOG=1 only, and
 * there only if --unsafe-keylog asks for it.
 */
#ifndef KSEALD_KEYLOG_H
#define KSEALD_KEYLOG_H

#include <gnutls/gnutls.h>
#include <stddef.h>

void kseal_keylog_set(gnutls_session_t tls);

#ifdef KSEAL_KEYLOG
int kseal_keylog_open(const char *path, char *why, size_t size);
#endif

#endif /* KSEALD_KEYLOG_H */
