/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who the verified peer is, in the form that the kernel keeps for the
 * application. Used by session.c.
 */
#ifndef KSEALD_IDENTITY_H
#define KSEALD_IDENTITY_H

#include <gnutls/gnutls.h>
#include <linux/kseal.h>
#include <stdbool.h>

/**
 * struct kseal_identity - a certificate's names
 * @present: the peer showed a certificate, and it was verified
 * @subject: RFC 4514; empty if the certificate has none, or it is too long
 * @common_name: of the subject; empty if it has none, or it is too long
 * @names: subject alternative names: "DNS:a.test, URI:spiffe://b/c, IP:192.0.2.1"
 * @fingerprint: SHA-256 of the certificate
 */
struct kseal_identity {
	bool present;
	char subject[KSEAL_IDENTITY_MAX];
	char common_name[256];
	char names[KSEAL_IDENTITY_MAX];
	unsigned char fingerprint[KSEAL_FINGERPRINT_LEN];
};

int kseal_identity_read(struct kseal_identity *id, const gnutls_datum_t *der);

#endif /* KSEALD_IDENTITY_H */
