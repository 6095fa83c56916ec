/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Record arithmetic: headers, nonces, additional data and inner types of the
 * TLS 1.2 and 1.3 record protocols. No sockets, no allocation, no cipher: used
 * by cipher.c, tx.c, rx.c and the KUnit suite.
 */
#ifndef _KSEAL_RECORD_H
#define _KSEAL_RECORD_H

#include <linux/types.h>
#include <net/tls.h>
#include <net/tls_prot.h>

#define KSEAL_HEADER_LEN	5
#define KSEAL_NONCE_LEN		12
#define KSEAL_AAD_MAX		13
#define KSEAL_TAG_MAX		16

#define KSEAL_MAX_PLAINTEXT	16384	/* RFC 8446 §5.1, RFC 5246 §6.2.1 */
#define KSEAL_MAX_CIPHERTEXT_1_2 (KSEAL_MAX_PLAINTEXT + 2048)	/* §6.2.3 */

/**
 * struct kseal_format - what a record of a connection looks like
 * @version: TLS_1_2_VERSION or TLS_1_3_VERSION
 * @prefix: bytes before the ciphertext: the header and, if any, the explicit
 *	nonce (RFC 5288 §3)
 * @tail: bytes of the inner content type: 1 in TLS 1.3, else 0
 * @tag: bytes of the authentication tag
 * @aad: bytes of the additional data
 */
struct kseal_format {
	u16 version;
	u8 prefix;
	u8 tail;
	u8 tag;
	u8 aad;
};

/**
 * struct kseal_header - a parsed record header
 * @type: content type on the wire: in TLS 1.3 always application_data
 * @len: bytes that follow the header
 * @payload: bytes of plaintext; in TLS 1.3 with the padding, without the type
 */
struct kseal_header {
	u8 type;
	u16 len;
	u16 payload;
};

void kseal_format_init(struct kseal_format *f, u16 version, u8 explicit_nonce,
		       u8 tag);
void kseal_header_build(const struct kseal_format *f, u8 type,
			unsigned int payload, u8 *out);
int kseal_header_parse(const struct kseal_format *f, unsigned int max_payload,
		       const u8 *in, struct kseal_header *h);
void kseal_nonce_build(const struct kseal_format *f, const u8 *iv, u64 seq,
		       const u8 *explicit_nonce, u8 *out);
void kseal_aad_build(const struct kseal_format *f, const u8 *header, u64 seq,
		     unsigned int payload, u8 *out);
int kseal_inner_strip(const u8 *inner, unsigned int len, u8 *type);
bool kseal_seq_next(u64 *seq);

#endif /* _KSEAL_RECORD_H */
