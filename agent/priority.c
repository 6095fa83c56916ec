// SPDX-License-Identifier: GPL-2.0
/*
 * What is negotiated: versions, cipher suites, groups, signatures. Made by
 * credentials.c for each profile, used for each session.
 *
 * The settings follow RFC 9325 (BCP 195), restricted to the AEADs that the kernel
 * module seals with on this kernel: AES-GCM, and ChaCha20-Poly1305 and AES-128-CCM
 * where the kernel has them. A priority string of the operator's own is restricted to
 * the same, and without `legacy` to forward secrecy.
 */
#include <errno.h>
#include <linux/tls.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "named_group.h"
#include "priority.h"

/* Ciphers that not every kernel has; bits of an index into the priorities. */
#define OFFER_CHACHA20	0x1
#define OFFER_CCM	0x2

/**
 * struct cipher - that the module seals with
 * @name: of GnuTLS
 * @offer: bit of the kernels that have it, 0: all
 */
struct cipher {
	const char *name;
	unsigned int offer;
};

static const struct cipher ciphers[] = {
	{ "AES-128-GCM", 0 },
	{ "AES-256-GCM", 0 },
	{ "CHACHA20-POLY1305", OFFER_CHACHA20 },
	{ "AES-128-CCM", OFFER_CCM },
};

#define CIPHERS (sizeof(ciphers) / sizeof(*ciphers))

/* What this kernel has. There is one kernel, whatever the worker or the profile. */
static atomic_uint offered;

static const struct cipher *find_cipher(const char *name)
{
	for (size_t i = 0; i < CIPHERS; i++) {
		if (strcmp(name, ciphers[i].name) == 0)
			return &ciphers[i];
	}
	return NULL;
}

/**
 * kseal_priority_cipher() - does the module seal with it, on some kernel at least?
 * @name: of GnuTLS
 *
 * Return: whether it does.
 */
bool kseal_priority_cipher(const char *name)
{
	return find_cipher(name);
}

static bool in_offer(const struct cipher *c, unsigned int offer)
{
	return c && (c->offer & offer) == c->offer;
}

static void write_ciphers(FILE *f, const struct kseal_profile *profile, unsigned int offer)
{
	size_t count = profile->cipher_count ? profile->cipher_count : CIPHERS;

	for (size_t i = 0; i < count; i++) {
		const struct cipher *c = profile->cipher_count ?
					 find_cipher(profile->ciphers[i]) : &ciphers[i];

		if (in_offer(c, offer))
			fprintf(f, ":+%s", c->name);
	}
}

/* RFC 9325 section 4.2.1; those of finite fields are for DHE, and for nothing else. */
static void write_groups(FILE *f, const struct kseal_profile *profile)
{
	for (size_t i = 0; i < profile->named_group_count; i++)
		fprintf(f, ":+GROUP-%s", profile->named_groups[i]->gnutls);
	if (profile->named_group_count)
		return;
	fputs(":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1", f);
	if (profile->legacy)
		fputs(":+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096", f);
}

/*
 * RFC 9325: no version before 1.2, ECDHE only, AEAD only, no SHA-1 signatures, curves
 * of 4.2.1. GnuTLS servers never renegotiate by themselves, and after the handshake the
 * kernel answers a ClientHello with an alert.
 */
static void write_ours(FILE *f, const struct kseal_profile *profile, unsigned int offer)
{
	fprintf(f, "NONE%s%s", profile->versions & KSEAL_VERSION_1_3 ? ":+VERS-TLS1.3" : "",
		profile->versions & KSEAL_VERSION_1_2 ? ":+VERS-TLS1.2" : "");
	write_ciphers(f, profile, offer);
	fprintf(f, ":+AEAD:+ECDHE-ECDSA:+ECDHE-RSA%s",
		profile->legacy ? ":+DHE-RSA:+RSA" : "");
	write_groups(f, profile);
	fputs(":+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512"
	      ":+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SECP521R1-SHA512"
	      ":+SIGN-EDDSA-ED25519"
	      ":+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512"
	      ":+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-PSS-SHA512"
	      ":+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512"
	      ":+COMP-NULL:+CTYPE-X509:%PROFILE_MEDIUM:%SERVER_PRECEDENCE", f);
}

static bool kx_allowed(gnutls_kx_algorithm_t kx, bool legacy)
{
	switch (kx) {
	case GNUTLS_KX_ECDHE_ECDSA:
	case GNUTLS_KX_ECDHE_RSA:
		return true;
	case GNUTLS_KX_DHE_RSA:
	case GNUTLS_KX_RSA:
		return legacy;
	default:
		return false;
	}
}

/* An operator's string, less what can't be. */
static void write_theirs(FILE *f, const struct kseal_profile *profile, unsigned int offer,
			 gnutls_priority_t wanted)
{
	const unsigned int *list;
	int count;

	fputs(profile->priority, f);
	count = gnutls_priority_protocol_list(wanted, &list);
	for (int i = 0; i < count; i++) {
		if (list[i] != GNUTLS_TLS1_2 && list[i] != GNUTLS_TLS1_3)
			fprintf(f, ":-VERS-%s", gnutls_protocol_get_name(list[i]));
	}
	count = gnutls_priority_cipher_list(wanted, &list);
	for (int i = 0; i < count; i++) {
		const char *name = gnutls_cipher_get_name(list[i]);

		if (!in_offer(find_cipher(name), offer))
			fprintf(f, ":-%s", name);
	}
	count = gnutls_priority_kx_list(wanted, &list);
	for (int i = 0; i < count; i++) {
		if (!kx_allowed(list[i], profile->legacy))
			fprintf(f, ":-%s", gnutls_kx_get_name(list[i]));
	}
}

static int set_priority(gnutls_priority_t *priority, const struct kseal_profile *profile,
			unsigned int offer, gnutls_priority_t wanted)
{
	const unsigned int *list;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int ret;

	if (!f)
		return GNUTLS_E_MEMORY_ERROR;
	if (wanted)
		write_theirs(f, profile, offer, wanted);
	else
		write_ours(f, profile, offer);
	if (fclose(f) != 0)
		ret = GNUTLS_E_MEMORY_ERROR;
	else
		ret = gnutls_priority_init(priority, text, NULL);
	free(text);
	if (ret == 0 && gnutls_priority_cipher_list(*priority, &list) <= 0) {
		gnutls_priority_deinit(*priority);
		*priority = NULL;
		ret = GNUTLS_E_NO_PRIORITIES_WERE_SET;
	}
	return ret;
}

/* Sets of ciphers of which a profile wants none are not prepared. */
static int set_priorities(struct kseal_priority *p, const struct kseal_profile *profile,
			  gnutls_priority_t wanted)
{
	int ret = 0;

	for (unsigned int i = KSEAL_OFFERS; i-- > 0;) {
		ret = set_priority(&p->of_offer[i], profile, i, wanted);
		if (ret == GNUTLS_E_NO_PRIORITIES_WERE_SET && i + 1 < KSEAL_OFFERS) {
			p->of_offer[i] = NULL;
			ret = 0;
		}
		if (ret < 0)
			break;
	}
	return ret;
}

/**
 * kseal_priority_init() - prepare what a profile negotiates
 * @p: filled in; to be freed even on failure
 * @profile: versions, ciphers, groups, or a priority string
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_priority_init(struct kseal_priority *p, const struct kseal_profile *profile,
			char *why, size_t size)
{
	gnutls_priority_t wanted = NULL;
	const char *at = NULL;
	int ret = 0;

	if (profile->priority) {
		ret = gnutls_priority_init(&wanted, profile->priority, &at);
		if (ret < 0) {
			snprintf(why, size,
				 "priority: GnuTLS does not understand \"%s\": %s (gnutls-cli --list --priority STRING)",
				 at && *at ? at : profile->priority, gnutls_strerror(ret));
			return -1;
		}
	}
	ret = set_priorities(p, profile, wanted);
	if (wanted)
		gnutls_priority_deinit(wanted);
	if (ret == 0)
		return 0;
	if (profile->priority)
		snprintf(why, size,
			 "priority \"%s\" leaves nothing that kseal can do: it takes TLS 1.2 or 1.3, an AEAD and ECDHE (%s)",
			 profile->priority, gnutls_strerror(ret));
	else
		snprintf(why, size, "the TLS library refuses: %s", gnutls_strerror(ret));
	return -1;
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
 * kseal_priority_usable() - has this kernel any of a profile's ciphers?
 * @p: initialised
 *
 * Context: any thread.
 * Return: whether it has.
 */
bool kseal_priority_usable(const struct kseal_priority *p)
{
	return p->of_offer[atomic_load(&offered)];
}

/**
 * kseal_priority_set() - set a session up with what this kernel has
 * @p: usable; must outlive @session
 * @session: not yet handshaken
 *
 * Context: any thread.
 * Return: 0 or a GnuTLS error.
 */
int kseal_priority_set(const struct kseal_priority *p, gnutls_session_t session)
{
	gnutls_priority_t priority = p->of_offer[atomic_load(&offered)];

	return priority ? gnutls_priority_set(session, priority) :
			  GNUTLS_E_NO_PRIORITIES_WERE_SET;
}

/**
 * kseal_priority_offer() - say what the kernel can seal with
 * @available: TLS_CIPHER_* of <linux/tls.h>; AES-GCM is taken for granted
 * @count: how many
 *
 * For all handshakes that begin from now on. Until it has been called, only AES-GCM
 * is offered.
 *
 * Context: any thread.
 */
void kseal_priority_offer(const uint16_t *available, size_t count)
{
	unsigned int offer = 0;

	for (size_t i = 0; i < count; i++) {
		if (available[i] == TLS_CIPHER_CHACHA20_POLY1305)
			offer |= OFFER_CHACHA20;
		else if (available[i] == TLS_CIPHER_AES_CCM_128)
			offer |= OFFER_CCM;
	}
	atomic_store(&offered, offer);
}
