/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a finished GnuTLS handshake to a keyed socket: both directions' keys and
 * record numbers, and for TLS 1.3 the traffic secrets. Used by session.c.
 */
#ifndef KSEALD_KEYS_H
#define KSEALD_KEYS_H

#include <gnutls/gnutls.h>
#include <linux/kseal.h>
#include <linux/tls.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/* Since Linux 7.0; the module has it on every kernel. */
#ifndef TLS_TX_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN 5
#endif

/**
 * struct kseal_secrets - TLS 1.3 application traffic secrets (RFC 8446 section 7.1)
 * @read: of what the peer sends
 * @write: of what we send
 * @read_size: 0 until known
 * @write_size: 0 until known
 */
struct kseal_secrets {
	unsigned char read[KSEAL_SECRET_MAX];
	unsigned char write[KSEAL_SECRET_MAX];
	size_t read_size;
	size_t write_size;
};

/**
 * union kseal_crypto_info - what TLS_TX and TLS_RX take
 */
union kseal_crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 gcm128;
	struct tls12_crypto_info_aes_gcm_256 gcm256;
	struct tls12_crypto_info_aes_ccm_128 ccm128;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

/**
 * struct kseal_keys - all that the kernel needs to take the stream over
 * @tx: our direction
 * @rx: the peer's direction
 * @info_size: bytes of @tx and @rx that count
 * @tx_max_payload: what the peer takes as plaintext of a record, if that is less than
 *	the protocol allows; else 0. Set by the caller of kseal_keys_extract()
 * @rx_max_payload: what the peer was told that we take; likewise
 * @offload: enum kseal_offload; likewise
 * @secrets: TLS 1.3 only, else sizes are 0
 */
struct kseal_keys {
	union kseal_crypto_info tx;
	union kseal_crypto_info rx;
	size_t info_size;
	uint16_t tx_max_payload;
	uint16_t rx_max_payload;
	uint32_t offload;
	struct kseal_secrets secrets;
};

int kseal_keys_extract(struct kseal_keys *keys, gnutls_session_t session,
		       const struct kseal_secrets *secrets);
int kseal_keys_install_ktls(int fd, const struct kseal_keys *keys, const char **step);
int kseal_keys_install(int fd, const struct kseal_keys *keys, const char **step);
void kseal_keys_wipe(struct kseal_keys *keys);
void kseal_secrets_wipe(struct kseal_secrets *secrets);

#endif /* KSEALD_KEYS_H */
