// SPDX-License-Identifier: GPL-2.0
/*
 * Record arithmetic of TLS 1.2 (RFC 5246, RFC 5288) and TLS 1.3 (RFC 8446 §5).
 * See record.h.
 */
#include <kunit/visibility.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "record.h"

/**
 * kseal_format_init() - lay out the records of a connection
 * @f: result
 * @version: TLS_1_2_VERSION or TLS_1_3_VERSION
 * @explicit_nonce: bytes of nonce that a TLS 1.2 record carries
 * @tag: bytes of the authentication tag
 *
 * Context: any.
 */
void kseal_format_init(struct kseal_format *f, u16 version, u8 explicit_nonce,
		       u8 tag)
{
	bool tls13 = version == TLS_1_3_VERSION;

	f->version = version;
	f->prefix = KSEAL_HEADER_LEN + (tls13 ? 0 : explicit_nonce);
	f->tail = tls13 ? 1 : 0;
	f->tag = tag;
	f->aad = tls13 ? KSEAL_HEADER_LEN : KSEAL_AAD_MAX;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_format_init);

/**
 * kseal_header_build() - write a record header
 * @f: format
 * @type: content type; in TLS 1.3 it goes inside, not here
 * @payload: bytes of plaintext
 * @out: KSEAL_HEADER_LEN bytes
 *
 * Context: any.
 */
void kseal_header_build(const struct kseal_format *f, u8 type,
			unsigned int payload, u8 *out)
{
	out[0] = f->version == TLS_1_3_VERSION ? TLS_RECORD_TYPE_DATA : type;
	out[1] = TLS_1_2_VERSION_MAJOR;
	out[2] = TLS_1_2_VERSION_MINOR;
	put_unaligned_be16(f->prefix - KSEAL_HEADER_LEN + payload + f->tail +
			   f->tag, out + 3);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_header_build);

/**
 * kseal_header_parse() - read and judge a record header
 * @f: format
 * @max_payload: bytes of plaintext, and in TLS 1.3 padding, that the record may
 *	have: KSEAL_MAX_PLAINTEXT, or what the peer was told (RFC 8449 §4)
 * @in: KSEAL_HEADER_LEN bytes
 * @h: result, written on success only
 *
 * Context: any.
 * Return: 0, or the (positive) alert that the record deserves. In TLS 1.3 every
 * record is application_data by now: change_cipher_spec is tolerated during the
 * handshake only (RFC 8446 §5). A longer TLS 1.3 record than KSEAL_MAX_PLAINTEXT
 * would exceed 2^14 + 1 bytes once open (§5.4). The type of a TLS 1.2 record is judged
 * by whoever gets it, once it is authenticated.
 */
int kseal_header_parse(const struct kseal_format *f, unsigned int max_payload,
		       const u8 *in, struct kseal_header *h)
{
	unsigned int overhead = f->prefix - KSEAL_HEADER_LEN + f->tail + f->tag;
	unsigned int len = get_unaligned_be16(in + 3);
	u8 type = in[0];

	/* First, as the "tls" ULP has it: what follows is not even a record. */
	if (len > max_payload + overhead)
		return TLS_ALERT_DESC_RECORD_OVERFLOW;
	if (f->version == TLS_1_3_VERSION && type != TLS_RECORD_TYPE_DATA)
		return TLS_ALERT_DESC_UNEXPECTED_MESSAGE;
	if (in[1] != TLS_1_2_VERSION_MAJOR || in[2] != TLS_1_2_VERSION_MINOR)
		return TLS_ALERT_DESC_PROTOCOL_VERSION;
	if (len < overhead)
		return TLS_ALERT_DESC_BAD_RECORD_MAC;

	h->type = type;
	h->len = len;
	h->payload = len - overhead;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_header_parse);

/**
 * kseal_nonce_build() - the per-record nonce
 * @f: format
 * @iv: KSEAL_NONCE_LEN bytes: in TLS 1.3 the write_iv; in TLS 1.2 with an
 *	explicit nonce the salt, followed by bytes that are not used
 * @seq: sequence number of the record
 * @explicit_nonce: what the record carries, if it does
 * @out: KSEAL_NONCE_LEN bytes
 *
 * RFC 8446 §5.3 and RFC 7905 §2 (sequence number mixed in), RFC 5288 §3
 * (explicit).
 *
 * Context: any.
 */
void kseal_nonce_build(const struct kseal_format *f, const u8 *iv, u64 seq,
		       const u8 *explicit_nonce, u8 *out)
{
	unsigned int n = f->prefix - KSEAL_HEADER_LEN;

	memcpy(out, iv, KSEAL_NONCE_LEN);
	if (n)
		memcpy(out + KSEAL_NONCE_LEN - n, explicit_nonce, n);
	else
		put_unaligned_be64(get_unaligned_be64(iv + 4) ^ seq, out + 4);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_nonce_build);

/**
 * kseal_aad_build() - the additional data of a record
 * @f: format
 * @header: of the record, KSEAL_HEADER_LEN bytes
 * @seq: sequence number of the record
 * @payload: bytes of plaintext
 * @out: @f->aad bytes
 *
 * RFC 8446 §5.2; RFC 5246 §6.2.3.3.
 *
 * Context: any.
 */
void kseal_aad_build(const struct kseal_format *f, const u8 *header, u64 seq,
		     unsigned int payload, u8 *out)
{
	if (f->version == TLS_1_3_VERSION) {
		memcpy(out, header, KSEAL_HEADER_LEN);
		return;
	}
	put_unaligned_be64(seq, out);
	memcpy(out + 8, header, 3);
	put_unaligned_be16(payload, out + 11);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_aad_build);

/**
 * kseal_inner_strip() - find the content type behind the padding
 * @inner: TLSInnerPlaintext, or its end
 * @len: bytes of it
 * @type: the content type
 *
 * RFC 8446 §5.4.
 *
 * Context: any.
 * Return: bytes before the content type, or -ENODATA if there is nothing but
 * zeros.
 */
int kseal_inner_strip(const u8 *inner, unsigned int len, u8 *type)
{
	while (len && !inner[len - 1])
		len--;
	if (!len)
		return -ENODATA;
	*type = inner[len - 1];
	return len - 1;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_inner_strip);

/**
 * kseal_seq_next() - advance a sequence number
 * @seq: sequence number
 *
 * Context: any.
 * Return: false if there is no next one: it must not wrap (RFC 8446 §5.3).
 */
bool kseal_seq_next(u64 *seq)
{
	if (*seq == U64_MAX)
		return false;
	++*seq;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(kseal_seq_next);
