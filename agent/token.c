// SPDX-License-Identifier: GPL-2.0
/*
 * Keys that are not files: GnuTLS asks the PKCS#11 module or the TPM to sign, and never
 * sees the key. Called by certificates.c at a load. A URL may have a PIN in its query
 * ("?pin-value="), so it is never shown in full.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token.h"

/* The agent has confined itself to files. */
static bool out_of_reach;

/**
 * kseal_token_give_up() - from now on there are keys in files alone
 *
 * What a token's module needs is not allowed any more, and its errors would not say so.
 */
void kseal_token_give_up(void)
{
	out_of_reach = true;
}

/**
 * kseal_token_is_url() - is a key not a file?
 * @text: what the configuration has for one
 *
 * Return: whether it is the URL of a key, whether or not GnuTLS can use it.
 */
bool kseal_token_is_url(const char *text)
{
	return strncmp(text, "pkcs11:", 7) == 0 || strncmp(text, "tpmkey:", 7) == 0;
}

/**
 * kseal_token_name() - a URL for messages
 * @url: of a key, or the path of a file
 * @name: for the result: without the query
 * @size: of @name
 *
 * Return: @name.
 */
const char *kseal_token_name(const char *url, char *name, size_t size)
{
	int length = kseal_token_is_url(url) ? strcspn(url, "?") : strlen(url);

	snprintf(name, size, "%.*s", length, url);
	return name;
}

/* "pin-source=file:/path" is what RFC 7512 writes, "pin-source=/path" what p11-kit reads. */
static char *translate(const char *url)
{
	static const char source[] = "pin-source=file:";
	char *copy = strdup(url);
	char *at = copy ? strstr(copy, source) : NULL;

	if (at) {
		char *path = at + strlen(source);

		memmove(path - strlen("file:"), path, strlen(path) + 1);
	}
	return copy;
}

static const struct {
	int error;
	const char *why;
} reasons[] = {
	{ GNUTLS_E_PKCS11_PIN_ERROR,
	  "the token wants another PIN: put it into a file, and ?pin-source=FILE behind the URL" },
	{ GNUTLS_E_PKCS11_PIN_EXPIRED,
	  "the token's PIN has expired: set a new one" },
	{ GNUTLS_E_PKCS11_PIN_LOCKED,
	  "the token's PIN is locked after wrong ones: set a new one as its security officer" },
	{ GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE,
	  "the token has no such key: p11tool --login --list-privkeys shows those that it has" },
	{ GNUTLS_E_PKCS11_REQUESTED_OBJECT_NOT_AVAILBLE,
	  "there is no such token: p11tool --list-tokens shows those that there are" },
};

/* To GnuTLS a file that can't be read is a PIN that is not there. Was it that? */
static bool explain_pin_file(const char *url, const char *name, char *why, size_t size)
{
	static const char source[] = "pin-source=/";
	const char *at = strchr(url, '?');
	char path[PATH_MAX];

	at = at ? strstr(at, source) : NULL;
	if (!at)
		return false;
	at += strlen(source) - 1;
	/* what is percent-encoded is left to p11-kit */
	if (snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, "&"), at) >= PATH_MAX ||
	    strchr(path, '%') || access(path, R_OK) == 0)
		return false;
	snprintf(why, size, "%s: its pin-source %s: %s: let kseald read it, or correct the path",
		 name, path, strerror(errno));
	return true;
}

static void explain(int error, const char *name, char *why, size_t size)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (reasons[i].error == error) {
			snprintf(why, size, "%s: %s", name, reasons[i].why);
			return;
		}
	}
	snprintf(why, size, "%s: %s: check the URL and its token (p11tool --login --list-privkeys)",
		 name, gnutls_strerror(error));
}

/**
 * kseal_token_key() - a handle of a key
 * @url: kseal_token_is_url()
 * @key: set on success; the caller frees it
 * @why: on failure: what is wrong and what to do
 * @size: of @why
 *
 * Return: 0, or -1 with @why.
 */
int kseal_token_key(const char *url, gnutls_privkey_t *key, char *why, size_t size)
{
	char name[KSEAL_TOKEN_NAME_MAX];
	char *translated;
	int ret;

	kseal_token_name(url, name, sizeof(name));
	if (!gnutls_url_is_supported(url)) {
		snprintf(why, size,
			 "%s: this GnuTLS can't use such keys: name a PEM file, or a pkcs11: URL; a TPM has those by tpm2-pkcs11, see kseald.conf(5)",
			 name);
		return -1;
	}
	if (out_of_reach) {
		snprintf(why, size, "%s: the first key that is not a file: restart kseald", name);
		return -1;
	}
	translated = translate(url);
	ret = translated ? gnutls_privkey_init(key) : GNUTLS_E_MEMORY_ERROR;
	if (ret == 0) {
		ret = gnutls_privkey_import_url(*key, translated, 0);
		if (ret < 0)
			gnutls_privkey_deinit(*key);
	}
	if (ret < 0 &&
	    (ret != GNUTLS_E_PKCS11_PIN_ERROR || !explain_pin_file(translated, name, why, size)))
		explain(ret, name, why, size);
	if (translated)
		explicit_bzero(translated, strlen(translated));
	free(translated);
	return ret < 0 ? -1 : 0;
}
