// SPDX-License-Identifier: GPL-2.0
/*
 * From a finished GnuTLS handshake to a keyed socket. Called by session.c once
 * per handshake; the caller wipes what it got.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "keys.h"

/*
 * The per-record nonce is what the two versions build differently from the same
 * fields of the socket option:
 *  - TLS 1.3: salt || iv is the 12-byte write IV, XORed with the record number
 *    (RFC 8446 section 5.3). GnuTLS holds it whole.
 *  - TLS 1.2: salt is the implicit part, 4 bytes from the key block, and iv the
 *    explicit part (RFC 5288 section 3). GnuTLS holds the implicit part and sends
 *    the record number as the explicit one, so the next of them goes on from
 *    there and none comes twice.
 */
static int fill_direction(union kseal_crypto_info *out, bool read, uint16_t version,
			  uint16_t cipher, gnutls_session_t session)
{
	const size_t salt_size = TLS_CIPHER_AES_GCM_128_SALT_SIZE;
	const size_t iv_size = TLS_CIPHER_AES_GCM_128_IV_SIZE;
	unsigned char number[TLS_CIPHER_AES_GCM_128_REC_SEQ_SIZE];
	const unsigned char *explicit_iv = number;
	gnutls_datum_t iv, key;
	size_t key_size;
	int ret;

	ret = gnutls_record_get_state(session, read, NULL, &iv, &key, number);
	if (ret < 0)
		return ret;
	if (version == TLS_1_3_VERSION) {
		if (iv.size != salt_size + iv_size)
			return GNUTLS_E_INTERNAL_ERROR;
		explicit_iv = iv.data + salt_size;
	} else if (iv.size < salt_size) {
		return GNUTLS_E_INTERNAL_ERROR;
	}

	memset(out, 0, sizeof(*out));
	out->info.version = version;
	out->info.cipher_type = cipher;
	key_size = cipher == TLS_CIPHER_AES_GCM_128 ? TLS_CIPHER_AES_GCM_128_KEY_SIZE :
						      TLS_CIPHER_AES_GCM_256_KEY_SIZE;
	if (key.size != key_size)
		return GNUTLS_E_INTERNAL_ERROR;
	if (cipher == TLS_CIPHER_AES_GCM_128) {
		memcpy(out->gcm128.key, key.data, key_size);
		memcpy(out->gcm128.salt, iv.data, salt_size);
		memcpy(out->gcm128.iv, explicit_iv, iv_size);
		memcpy(out->gcm128.rec_seq, number, sizeof(number));
	} else {
		memcpy(out->gcm256.key, key.data, key_size);
		memcpy(out->gcm256.salt, iv.data, salt_size);
		memcpy(out->gcm256.iv, explicit_iv, iv_size);
		memcpy(out->gcm256.rec_seq, number, sizeof(number));
	}
	return 0;
}

/**
 * kseal_keys_extract() - take the record state out of a finished handshake
 * @keys: filled in
 * @session: handshake complete, everything flushed, nothing buffered
 * @secrets: as the handshake's secret function reported them; TLS 1.3 needs both
 *
 * Return: 0, or a GnuTLS error: GNUTLS_E_UNIMPLEMENTED_FEATURE for a version or
 * cipher that the kernel module has no record layer for.
 */
int kseal_keys_extract(struct kseal_keys *keys, gnutls_session_t session,
		       const struct kseal_secrets *secrets)
{
	uint16_t version, cipher;
	int ret;

	memset(keys, 0, sizeof(*keys));
	switch (gnutls_protocol_get_version(session)) {
	case GNUTLS_TLS1_2:
		version = TLS_1_2_VERSION;
		break;
	case GNUTLS_TLS1_3:
		version = TLS_1_3_VERSION;
		if (!secrets->read_size || secrets->read_size != secrets->write_size)
			return GNUTLS_E_INTERNAL_ERROR;
		keys->secrets = *secrets;
		break;
	default:
		return GNUTLS_E_UNIMPLEMENTED_FEATURE;
	}
	switch (gnutls_cipher_get(session)) {
	case GNUTLS_CIPHER_AES_128_GCM:
		cipher = TLS_CIPHER_AES_GCM_128;
		keys->info_size = sizeof(keys->tx.gcm128);
		break;
	case GNUTLS_CIPHER_AES_256_GCM:
		cipher = TLS_CIPHER_AES_GCM_256;
		keys->info_size = sizeof(keys->tx.gcm256);
		break;
	default:
		ret = GNUTLS_E_UNIMPLEMENTED_FEATURE;
		goto fail;
	}

	ret = fill_direction(&keys->tx, false, version, cipher, session);
	if (ret == 0)
		ret = fill_direction(&keys->rx, true, version, cipher, session);
	if (ret == 0)
		return 0;
fail:
	kseal_keys_wipe(keys);
	return ret;
}

static int set_option(int fd, int option, const void *value, size_t size)
{
	return setsockopt(fd, SOL_TLS, option, value, size) < 0 ? -errno : 0;
}

/**
 * kseal_keys_install() - hand both directions to the kernel
 * @fd: the proxy
 * @keys: from kseal_keys_extract()
 * @step: on failure: the option that was refused
 *
 * A secret is accepted only after its direction has been keyed.
 *
 * Return: 0 or a negative errno.
 */
int kseal_keys_install(int fd, const struct kseal_keys *keys, const char **step)
{
	int ret;

	*step = "TLS_TX";
	ret = set_option(fd, TLS_TX, &keys->tx, keys->info_size);
	if (ret < 0)
		return ret;
	*step = "TLS_RX";
	ret = set_option(fd, TLS_RX, &keys->rx, keys->info_size);
	if (ret < 0 || !keys->secrets.read_size)
		return ret;

	*step = "KSEAL_TX_SECRET";
	ret = set_option(fd, KSEAL_TX_SECRET, keys->secrets.write, keys->secrets.write_size);
	if (ret < 0)
		return ret;
	*step = "KSEAL_RX_SECRET";
	return set_option(fd, KSEAL_RX_SECRET, keys->secrets.read, keys->secrets.read_size);
}

/**
 * kseal_keys_wipe() - forget keys and secrets
 * @keys: all zero afterwards
 */
void kseal_keys_wipe(struct kseal_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

/**
 * kseal_secrets_wipe() - forget secrets
 * @secrets: all zero afterwards
 */
void kseal_secrets_wipe(struct kseal_secrets *secrets)
{
	explicit_bzero(secrets, sizeof(*secrets));
}
