// SPDX-License-Identifier: GPL-2.0
/*
 * From a finished GnuTLS handshake to a keyed socket. Called by session.c once
 * per handshake; the caller wipes what it got.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "keys.h"

#define NONCE_SIZE	12

/**
 * struct layout - where a cipher's key goes in what TLS_TX and TLS_RX take
 * @algorithm: GnuTLS's name
 * @type: the kernel's
 * @size: bytes of the whole
 * @key: offset
 * @key_size: bytes
 * @salt: offset
 * @salt_size: bytes
 * @iv: offset
 * @iv_size: bytes
 * @seq: offset
 * @explicit_nonce: a TLS 1.2 record carries @iv
 */
struct layout {
	gnutls_cipher_algorithm_t algorithm;
	uint16_t type;
	uint8_t size;
	uint8_t key;
	uint8_t key_size;
	uint8_t salt;
	uint8_t salt_size;
	uint8_t iv;
	uint8_t iv_size;
	uint8_t seq;
	bool explicit_nonce;
};

#define LAYOUT(_algorithm, _type, _info, _explicit) {				\
	.algorithm = GNUTLS_CIPHER_##_algorithm,				\
	.type = TLS_CIPHER_##_type,						\
	.size = sizeof(struct tls12_crypto_info_##_info),			\
	.key = offsetof(struct tls12_crypto_info_##_info, key),			\
	.key_size = TLS_CIPHER_##_type##_KEY_SIZE,				\
	.salt = offsetof(struct tls12_crypto_info_##_info, salt),		\
	.salt_size = TLS_CIPHER_##_type##_SALT_SIZE,				\
	.iv = offsetof(struct tls12_crypto_info_##_info, iv),			\
	.iv_size = TLS_CIPHER_##_type##_IV_SIZE,				\
	.seq = offsetof(struct tls12_crypto_info_##_info, rec_seq),		\
	.explicit_nonce = (_explicit),						\
}

static const struct layout layouts[] = {
	LAYOUT(AES_128_GCM, AES_GCM_128, aes_gcm_128, true),
	LAYOUT(AES_256_GCM, AES_GCM_256, aes_gcm_256, true),
	LAYOUT(AES_128_CCM, AES_CCM_128, aes_ccm_128, true),
	LAYOUT(CHACHA20_POLY1305, CHACHA20_POLY1305, chacha20_poly1305, false),
};

static const struct layout *find_layout(gnutls_cipher_algorithm_t algorithm)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (layouts[i].algorithm == algorithm)
			return &layouts[i];
	}
	return NULL;
}

/*
 * The per-record nonce is what versions and ciphers build differently from the same
 * fields of the socket option, salt || iv:
 *  - TLS 1.3, and ChaCha20-Poly1305 in TLS 1.2: the 12-byte write IV, XORed with
 *    the record number (RFC 8446 section 5.3, RFC 7905 section 2). GnuTLS holds it
 *    whole.
 *  - GCM and CCM in TLS 1.2: salt is the implicit part, 4 bytes from the key block,
 *    and iv the explicit part (RFC 5288 section 3, RFC 6655 section 3). GnuTLS
 *    holds the implicit part and sends the record number as the explicit one, so
 *    the next of them goes on from there and none comes twice.
 */
static int fill_direction(union kseal_crypto_info *out, bool read, uint16_t version,
			  const struct layout *l, gnutls_session_t session)
{
	unsigned char number[8], nonce[NONCE_SIZE], *bytes = (unsigned char *)out;
	gnutls_datum_t iv, key;
	int ret;

	ret = gnutls_record_get_state(session, read, NULL, &iv, &key, number);
	if (ret < 0)
		return ret;
	if (key.size != l->key_size)
		return GNUTLS_E_INTERNAL_ERROR;
	if (version == TLS_1_3_VERSION || !l->explicit_nonce) {
		if (iv.size != NONCE_SIZE)
			return GNUTLS_E_INTERNAL_ERROR;
		memcpy(nonce, iv.data, NONCE_SIZE);
	} else {
		if (iv.size < l->salt_size)
			return GNUTLS_E_INTERNAL_ERROR;
		memcpy(nonce, iv.data, l->salt_size);
		memcpy(nonce + l->salt_size, number, sizeof(number));
	}

	memset(out, 0, sizeof(*out));
	out->info.version = version;
	out->info.cipher_type = l->type;
	memcpy(bytes + l->key, key.data, l->key_size);
	memcpy(bytes + l->salt, nonce, l->salt_size);
	memcpy(bytes + l->iv, nonce + l->salt_size, l->iv_size);
	memcpy(bytes + l->seq, number, sizeof(number));
	explicit_bzero(nonce, sizeof(nonce));
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
	const struct layout *layout = find_layout(gnutls_cipher_get(session));
	uint16_t version;
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
	ret = GNUTLS_E_UNIMPLEMENTED_FEATURE;
	if (!layout)
		goto fail;
	keys->info_size = layout->size;

	ret = fill_direction(&keys->tx, false, version, layout, session);
	if (ret == 0)
		ret = fill_direction(&keys->rx, true, version, layout, session);
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

	if (keys->offload != KSEAL_OFFLOAD_AUTO) {
		*step = "KSEAL_OFFLOAD";
		ret = set_option(fd, KSEAL_OFFLOAD, &keys->offload, sizeof(keys->offload));
		if (ret < 0)
			return ret;
	}
	*step = "TLS_TX";
	ret = set_option(fd, TLS_TX, &keys->tx, keys->info_size);
	if (ret < 0)
		return ret;
	if (keys->tx_max_payload) {
		*step = "TLS_TX_MAX_PAYLOAD_LEN";
		ret = set_option(fd, TLS_TX_MAX_PAYLOAD_LEN, &keys->tx_max_payload,
				 sizeof(keys->tx_max_payload));
		if (ret < 0)
			return ret;
	}
	*step = "TLS_RX";
	ret = set_option(fd, TLS_RX, &keys->rx, keys->info_size);
	if (ret == 0 && keys->rx_max_payload) {
		*step = "KSEAL_RX_MAX_PAYLOAD_LEN";
		ret = set_option(fd, KSEAL_RX_MAX_PAYLOAD_LEN, &keys->rx_max_payload,
				 sizeof(keys->rx_max_payload));
	}
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
 * kseal_keys_install_ktls() - hand both directions to the kernel's own TLS
 * @fd: a connected TCP socket
 * @keys: from kseal_keys_extract(); secrets are of no use to it, and it takes records
 *	of any length
 * @step: on failure: the option that was refused
 *
 * Return: 0 or a negative errno.
 */
int kseal_keys_install_ktls(int fd, const struct kseal_keys *keys, const char **step)
{
	static const char ulp[] = "tls";
	int ret;

	*step = "the ULP tls (modprobe tls)";
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, sizeof(ulp)) < 0)
		return -errno;
	*step = "TLS_TX";
	ret = set_option(fd, TLS_TX, &keys->tx, keys->info_size);
	if (ret == 0 && keys->tx_max_payload) {
		*step = "TLS_TX_MAX_PAYLOAD_LEN";
		ret = set_option(fd, TLS_TX_MAX_PAYLOAD_LEN, &keys->tx_max_payload,
				 sizeof(keys->tx_max_payload));
	}
	if (ret < 0)
		return ret;
	*step = "TLS_RX";
	return set_option(fd, TLS_RX, &keys->rx, keys->info_size);
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
