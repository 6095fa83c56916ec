// SPDX-License-Identifier: GPL-2.0
/*
 * The header of the PROXY protocol, version 2 (haproxy's proxy-protocol.txt, section
 * 2.2): the two addresses, then type-length-values: ALPN, the server name, and of TLS
 * the version, the cipher, the client's common name, and how the server's own
 * certificate was signed and keyed. Called by session.c when a handshake is done.
 */
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "proxy_protocol.h"
#include "session.h"

#define VERSION_PROXY	0x21	/* version 2, command PROXY */
#define TCP_OVER_IPV4	0x11
#define TCP_OVER_IPV6	0x21
#define TCP_UNSPEC	0x00

#define TYPE_ALPN	0x01
#define TYPE_AUTHORITY	0x02
#define TYPE_SSL	0x20
#define SSL_VERSION	0x21
#define SSL_CN		0x22
#define SSL_CIPHER	0x23
#define SSL_SIG_ALG	0x24
#define SSL_KEY_ALG	0x25

/* Bits of the field "client" of TYPE_SSL. */
#define CLIENT_SSL		0x01
#define CLIENT_CERT_CONN	0x02
#define CLIENT_CERT_SESS	0x04

#define HEADER_SIZE	16	/* signature, version, family, length */
#define TLV_SIZE	3	/* type, length */

struct header {
	unsigned char *data;
	size_t size;
	size_t used;
	bool full;
};

static void put(struct header *h, const void *data, size_t size)
{
	if (h->full || size > h->size - h->used) {
		h->full = true;
		return;
	}
	memcpy(h->data + h->used, data, size);
	h->used += size;
}

static void put_byte(struct header *h, unsigned char byte)
{
	put(h, &byte, 1);
}

static void put_be16(struct header *h, unsigned int value)
{
	unsigned char be[2] = { value >> 8, value };

	put(h, be, sizeof(be));
}

static void put_tlv(struct header *h, unsigned char type, const char *value)
{
	if (!value || !*value)
		return;
	put_byte(h, type);
	put_be16(h, strlen(value));
	put(h, value, strlen(value));
}

static void put_addresses(struct header *h, const struct kseal_connection *conn)
{
	unsigned char peer[16], local[16];
	size_t size = kseal_address_bytes(&conn->peer, peer);

	if (!size || kseal_address_bytes(&conn->local, local) != size) {
		put_byte(h, TCP_UNSPEC);
		put_be16(h, 0);
		return;
	}
	put_byte(h, size == 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6);
	put_be16(h, 0);
	put(h, peer, size);
	put(h, local, size);
	put_be16(h, kseal_address_port(&conn->peer));
	put_be16(h, kseal_address_port(&conn->local));
}

/* As OpenSSL calls it: that is what receivers of the header know. */
static const char *cipher_name(gnutls_session_t tls, char *to, size_t size)
{
	static const struct {
		gnutls_cipher_algorithm_t algorithm;
		const char *tls13;
		const char *tls12;
	} names[] = {
		{ GNUTLS_CIPHER_AES_128_GCM, "TLS_AES_128_GCM_SHA256", "AES128-GCM-SHA256" },
		{ GNUTLS_CIPHER_AES_256_GCM, "TLS_AES_256_GCM_SHA384", "AES256-GCM-SHA384" },
		{ GNUTLS_CIPHER_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256",
		  "CHACHA20-POLY1305" },
		{ GNUTLS_CIPHER_AES_128_CCM, "TLS_AES_128_CCM_SHA256", "AES128-CCM" },
	};
	gnutls_cipher_algorithm_t cipher = gnutls_cipher_get(tls);
	const char *exchange = gnutls_kx_get_name(gnutls_kx_get(tls));

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i].algorithm != cipher)
			continue;
		if (gnutls_protocol_get_version(tls) == GNUTLS_TLS1_3)
			return names[i].tls13;
		snprintf(to, size, "%s-%s", exchange ? exchange : "ECDHE", names[i].tls12);
		return to;
	}
	return gnutls_cipher_get_name(cipher);
}

static void put_own_certificate(struct header *h, gnutls_session_t tls)
{
	const gnutls_datum_t *der = gnutls_certificate_get_ours(tls);
	unsigned int bits = 0;
	gnutls_x509_crt_t crt;
	char key[32];

	/* A resumed session has shown none. */
	if (!der || gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
		put_tlv(h, SSL_SIG_ALG,
			gnutls_sign_get_name(gnutls_x509_crt_get_signature_algorithm(crt)));
		switch (gnutls_x509_crt_get_pk_algorithm(crt, &bits)) {
		case GNUTLS_PK_RSA:
		case GNUTLS_PK_RSA_PSS:
			snprintf(key, sizeof(key), "RSA%u", bits);
			break;
		case GNUTLS_PK_ECDSA:
			snprintf(key, sizeof(key), "EC%u", bits);
			break;
		case GNUTLS_PK_EDDSA_ED25519:
			snprintf(key, sizeof(key), "ED25519");
			break;
		default:
			key[0] = '\0';
		}
		put_tlv(h, SSL_KEY_ALG, key);
	}
	gnutls_x509_crt_deinit(crt);
}

static void set_length(struct header *h, size_t at, size_t length)
{
	if (h->full)
		return;
	h->data[at] = length >> 8;
	h->data[at + 1] = length;
}

static void put_ssl(struct header *h, gnutls_session_t tls, const struct kseal_outcome *o)
{
	bool tls13 = gnutls_protocol_get_version(tls) == GNUTLS_TLS1_3;
	unsigned char client = CLIENT_SSL;
	size_t begin = h->used;
	char cipher[64];

	if (o->peer.present)
		client |= CLIENT_CERT_SESS | (o->resumed ? 0 : CLIENT_CERT_CONN);
	put_byte(h, TYPE_SSL);
	put_be16(h, 0);
	put_byte(h, client);
	/* verify: 0 if a certificate was shown and was good */
	put_be16(h, 0);
	put_be16(h, !o->peer.present);
	put_tlv(h, SSL_VERSION, tls13 ? "TLSv1.3" : "TLSv1.2");
	put_tlv(h, SSL_CIPHER, cipher_name(tls, cipher, sizeof(cipher)));
	if (o->peer.present)
		put_tlv(h, SSL_CN, o->peer.common_name);
	put_own_certificate(h, tls);
	set_length(h, begin + 1, h->used - begin - TLV_SIZE);
}

/**
 * kseal_proxy_header() - the header of a connection
 * @to: the result
 * @size: of @to
 * @tls: handshake complete
 * @conn: its addresses
 * @outcome: ALPN, server name, resumed, peer are set
 *
 * Return: its length, 0 if it does not fit.
 */
size_t kseal_proxy_header(unsigned char *to, size_t size, gnutls_session_t tls,
			  const struct kseal_connection *conn,
			  const struct kseal_outcome *outcome)
{
	static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	struct header h = { .data = to, .size = size };

	put(&h, signature, sizeof(signature));
	put_byte(&h, VERSION_PROXY);
	put_addresses(&h, conn);
	put_tlv(&h, TYPE_ALPN, outcome->alpn);
	put_tlv(&h, TYPE_AUTHORITY, outcome->server_name);
	put_ssl(&h, tls, outcome);
	set_length(&h, HEADER_SIZE - 2, h.used - HEADER_SIZE);
	return h.full ? 0 : h.used;
}
