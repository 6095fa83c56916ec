// SPDX-License-Identifier: GPL-2.0
/*
 * How long records may be, ours and the peer's. GnuTLS keeps to both limits itself, but
 * does not tell them; the kernel has to keep to them as well. Called by session.c for
 * each handshake message, and once at the end.
 */
#include "record_limit.h"

/* RFC 8446 section 4.2, section 5.1 */
#define EXT_MAX_FRAGMENT_LENGTH	1
#define EXT_RECORD_SIZE_LIMIT	28
#define RECORD_MAX		16384

/* RFC 8449 section 4; RFC 6066 section 4. */
static int on_extension(void *data, unsigned int type, const unsigned char *value,
			unsigned int size)
{
	struct kseal_record_limit *l = data;

	if (type == EXT_RECORD_SIZE_LIMIT && size == 2)
		l->record_size = value[0] << 8 | value[1];
	else if (type == EXT_MAX_FRAGMENT_LENGTH && size == 1 && value[0] >= 1 && value[0] <= 4)
		l->max_fragment = 256U << value[0];
	return 0;
}

/**
 * kseal_record_limit_read() - note what a message says of it
 * @l: of the end that sends the message; all zero at first
 * @type: of the message
 * @msg: without its header
 *
 * A client's limit is in its ClientHello. A server's is in its EncryptedExtensions, or
 * in TLS 1.2 in its ServerHello behind version, random, session ID, cipher suite and
 * compression method (RFC 5246 section 7.4.1.3).
 *
 * Return: 0 or a GnuTLS error.
 */
int kseal_record_limit_read(struct kseal_record_limit *l, unsigned int type,
			    const gnutls_datum_t *msg)
{
	unsigned int flags = type == GNUTLS_HANDSHAKE_CLIENT_HELLO ?
			     GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO : 0;
	gnutls_datum_t extensions = *msg;
	size_t skip = 0;
	int ret;

	if (type != GNUTLS_HANDSHAKE_CLIENT_HELLO && type != GNUTLS_HANDSHAKE_SERVER_HELLO &&
	    type != GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS)
		return 0;
	if (type == GNUTLS_HANDSHAKE_SERVER_HELLO) {
		skip = 2 + 32 + 1;
		if (msg->size >= skip)
			skip += msg->data[skip - 1] + 2 + 1;
	}
	if (msg->size <= skip)
		return 0;
	extensions.data += skip;
	extensions.size -= skip;
	ret = gnutls_ext_raw_parse(l, on_extension, &extensions, flags);
	/* A ClientHello of TLS 1.2 may have none (RFC 5246 section 7.4.1.2). */
	return ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? 0 : ret;
}

/**
 * kseal_record_limit_payload() - the plaintext that a record may have
 * @l: of the end that receives it; all its messages have been read
 * @tls: its version has been agreed on
 *
 * The record size limit of TLS 1.3 counts the content type, too.
 *
 * Return: bytes, 0 if the protocol is the only limit.
 */
uint16_t kseal_record_limit_payload(const struct kseal_record_limit *l, gnutls_session_t tls)
{
	unsigned int limit = l->record_size;

	if (!limit)
		limit = l->max_fragment;
	else if (gnutls_protocol_get_version(tls) == GNUTLS_TLS1_3)
		limit--;
	return limit < RECORD_MAX ? limit : 0;
}
