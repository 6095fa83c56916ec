// SPDX-License-Identifier: GPL-2.0
/*
 * What is negotiated: versions, cipher suites, groups, signatures. Made by
 * credentials.c for each profile, used for each session.
 *
 * The settings follow RFC 9325 (BCP 195), restricted to the AEADs that the kernel
 * module seals with on this kernel: AES-GCM, and ChaCha20-Poly1305 and AES-128-CCM
 * where the kernel has them.
 */
#include <linux/tls.h>
#include <stdatomic.h>
#include <stdio.h>

#include "config.h"
#include "priority.h"

/* Ciphers that not every kernel has; bits of an index into the priorities. */
#define OFFER_CHACHA20	0x1
#define OFFER_CCM	0x2

/* What this kernel has. There is one kernel, whatever the worker or the profile. */
static atomic_uint offered;

/*
 * RFC 9325: no version before 1.2, (EC)DHE only, AEAD only, no SHA-1 signatures,
 * curves of 4.2.1. GnuTLS servers never renegotiate by themselves, and after the
 * handshake the kernel answers a ClientHello with an alert.
 */
static int set_priority(gnutls_priority_t *priority, unsigned int versions,
			unsigned int offer)
{
	char text[768];

	snprintf(text, sizeof(text), "NONE%s%s"
		 ":+AES-128-GCM:+AES-256-GCM%s%s:+AEAD"
		 ":+ECDHE-ECDSA:+ECDHE-RSA"
		 ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
		 ":+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512"
		 ":+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SECP521R1-SHA512"
		 ":+SIGN-EDDSA-ED25519"
		 ":+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512"
		 ":+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-PSS-SHA512"
		 ":+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512"
		 ":+COMP-NULL:+CTYPE-X509:%%PROFILE_MEDIUM:%%SERVER_PRECEDENCE",
		 versions & KSEAL_VERSION_1_3 ? ":+VERS-TLS1.3" : "",
		 versions & KSEAL_VERSION_1_2 ? ":+VERS-TLS1.2" : "",
		 offer & OFFER_CHACHA20 ? ":+CHACHA20-POLY1305" : "",
		 offer & OFFER_CCM ? ":+AES-128-CCM" : "");
	return gnutls_priority_init(priority, text, NULL);
}

/**
 * kseal_priority_init() - prepare what a profile negotiates
 * @p: filled in; to be freed even on failure
 * @profile: versions
 *
 * Return: 0 or a GnuTLS error.
 */
int kseal_priority_init(struct kseal_priority *p, const struct kseal_profile *profile)
{
	int ret = 0;

	for (unsigned int i = 0; i < KSEAL_OFFERS && ret == 0; i++)
		ret = set_priority(&p->of_offer[i], profile->versions, i);
	return ret;
}

/**
 * kseal_priority_free() - free what was prepared
 * @p: initialised, or all zero
 */
void kseal_priority_free(struct kseal_priority *p)
{
	for (unsigned int i = 0; i < KSEAL_OFFERS; i++) {
		if (p->of_offer[i])
			gnutls_priority_deinit(p->of_offer[i]);
	}
}

/**
 * kseal_priority_set() - set a session up with what this kernel has
 * @p: must outlive @session
 * @session: not yet handshaken
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_priority_set(const struct kseal_priority *p, gnutls_session_t session)
{
	return gnutls_priority_set(session, p->of_offer[atomic_load(&offered)]);
}

/**
 * kseal_priority_offer() - say what the kernel can seal with
 * @ciphers: TLS_CIPHER_* of <linux/tls.h>; AES-GCM is taken for granted
 * @count: how many
 *
 * For all handshakes that begin from now on. Until it has been called, only AES-GCM
 * is offered.
 *
 * Context: any thread.
 */
void kseal_priority_offer(const uint16_t *ciphers, size_t count)
{
	unsigned int offer = 0;

	for (size_t i = 0; i < count; i++) {
		if (ciphers[i] == TLS_CIPHER_CHACHA20_POLY1305)
			offer |= OFFER_CHACHA20;
		else if (ciphers[i] == TLS_CIPHER_AES_CCM_128)
			offer |= OFFER_CCM;
	}
	atomic_store(&offered, offer);
}
