// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of the kernel, by its system calls: the C library has none for them. Called by
 * consumers.c.
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keyring.h"
#include "log.h"

#define PEER_NAME	"kseald: the last peer"

/**
 * kseal_keyring_add() - make the certificate of a peer a key of the kernel
 * @certificate: DER
 *
 * There is one at a time: the next one takes its place, so that many peers don't use
 * up the quota of keys. It stays until then, and is of use to the kernel only.
 *
 * Return: the key's serial number, 0 if there is none.
 */
int32_t kseal_keyring_add(const gnutls_datum_t *certificate)
{
	/* The former has what it understands of a certificate checked by the kernel. */
	static const char *const types[] = { "asymmetric", "user" };
	long serial = -1;

	for (size_t i = 0; serial < 0 && i < sizeof(types) / sizeof(*types); i++)
		serial = syscall(SYS_add_key, types[i], PEER_NAME, certificate->data,
				 (size_t)certificate->size, KEY_SPEC_THREAD_KEYRING);
	if (serial >= 0)
		return serial;
	kseal_log(KSEAL_LOG_WARNING, "a peer's certificate does not become a key of the kernel: %s",
		  strerror(errno));
	return 0;
}
