/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What carries a session's bytes: send and receive functions for GnuTLS on a
 * non-blocking descriptor. Used by session.c.
 *
 * They note whether all output has left, and with them GnuTLS does not try the
 * kernel's own "tls" ULP on the descriptor.
 */
#ifndef KSEALD_TRANSPORT_H
#define KSEALD_TRANSPORT_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

/**
 * struct kseal_transport - of one session, which it must outlive
 * @tls: the session
 * @fd: the proxy, of the owner
 * @unsent: the socket did not take everything that GnuTLS wanted to send
 * @muted: receive nothing: only look at what GnuTLS has buffered
 * @error: errno of the last failed send or receive, 0 if none
 */
struct kseal_transport {
	gnutls_session_t tls;
	int fd;
	bool unsent;
	bool muted;
	int error;
};

void kseal_transport_set(struct kseal_transport *t, gnutls_session_t tls, int fd);

#endif /* KSEALD_TRANSPORT_H */
