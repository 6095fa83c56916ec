// SPDX-License-Identifier: GPL-2.0
/*
 * The names of the numbers that TLS and the module use, as JSON strings; a number
 * without a name stays a number, in a string. Called by query.c and info.c.
 */
#include <linux/tls.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"

struct name {
	unsigned int number;
	const char *name;
};

#define NAME_OF(names, number)	name_of(names, sizeof(names) / sizeof((names)[0]), number)

static json_t *name_of(const struct name *names, size_t count, unsigned int number)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (names[i].number == number)
			return json_string(names[i].name);
	return json_sprintf("%u", number);
}

/**
 * kseal_text() - a string of the kernel
 * @data: zero-terminated, or @size bytes long
 * @size: of @data
 *
 * Names that a peer has chosen may hold anything: where it isn't UTF-8 it becomes
 * ASCII with question marks.
 */
json_t *kseal_text(const char *data, size_t size)
{
	size_t length = strnlen(data, size), i;
	char copy[KSEAL_IDENTITY_MAX];
	json_t *value = json_stringn(data, length);

	if (value)
		return value;
	if (length > sizeof(copy))
		length = sizeof(copy);
	for (i = 0; i < length; i++)
		copy[i] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
	return json_stringn(copy, length);
}

/**
 * kseal_tame_json() - kseal_tame() of all strings, for people
 * @value: any; changed in place
 */
void kseal_tame_json(json_t *value)
{
	const char *key;
	json_t *member;
	char *copy;
	size_t i;

	if (json_is_string(value)) {
		copy = strdup(json_string_value(value));
		if (copy)
			kseal_tame(copy);
		json_string_set(value, copy ? copy : "?");
		free(copy);
	}
	json_array_foreach(value, i, member)
		kseal_tame_json(member);
	json_object_foreach(value, key, member)
		kseal_tame_json(member);
}

/**
 * kseal_hex() - a fingerprint
 * @data: at most KSEAL_FINGERPRINT_LEN bytes
 * @size: of @data
 */
json_t *kseal_hex(const unsigned char *data, size_t size)
{
	char out[2 * KSEAL_FINGERPRINT_LEN + 1] = "";
	size_t i;

	for (i = 0; i < size && i < KSEAL_FINGERPRINT_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", data[i]);
	return json_string(out);
}

/**
 * kseal_version_name() - "TLS 1.3"
 * @number: 0x0304
 */
json_t *kseal_version_name(uint16_t number)
{
	static const struct name names[] = {
		{ 0x0303, "TLS 1.2" },
		{ 0x0304, "TLS 1.3" },
	};

	return NAME_OF(names, number);
}

/**
 * kseal_cipher_name() - "AES-128-GCM"
 * @number: TLS_CIPHER_* of <linux/tls.h>
 */
json_t *kseal_cipher_name(uint16_t number)
{
	static const struct name names[] = {
		{ TLS_CIPHER_AES_GCM_128, "AES-128-GCM" },
		{ TLS_CIPHER_AES_GCM_256, "AES-256-GCM" },
		{ TLS_CIPHER_AES_CCM_128, "AES-128-CCM" },
		{ TLS_CIPHER_CHACHA20_POLY1305, "CHACHA20-POLY1305" },
		{ TLS_CIPHER_SM4_GCM, "SM4-GCM" },
		{ TLS_CIPHER_SM4_CCM, "SM4-CCM" },
		{ TLS_CIPHER_ARIA_GCM_128, "ARIA-128-GCM" },
		{ TLS_CIPHER_ARIA_GCM_256, "ARIA-256-GCM" },
	};

	return NAME_OF(names, number);
}

/**
 * kseal_group_name() - "x25519"
 * @number: NamedGroup (RFC 8446 section 4.2.7 and IANA's registry)
 */
json_t *kseal_group_name(uint16_t number)
{
	static const struct name names[] = {
		{ 0x0017, "secp256r1" },
		{ 0x0018, "secp384r1" },
		{ 0x0019, "secp521r1" },
		{ 0x001d, "x25519" },
		{ 0x001e, "x448" },
		{ 0x0100, "ffdhe2048" },
		{ 0x0101, "ffdhe3072" },
		{ 0x0102, "ffdhe4096" },
		{ 0x0103, "ffdhe6144" },
		{ 0x0104, "ffdhe8192" },
		{ 0x11eb, "SecP256r1MLKEM768" },
		{ 0x11ec, "X25519MLKEM768" },
		{ 0x11ed, "SecP384r1MLKEM1024" },
	};

	return NAME_OF(names, number);
}

/**
 * kseal_alert_name() - "bad_record_mac"
 * @number: AlertDescription (RFC 8446 section 6, RFC 7301, RFC 5246)
 */
json_t *kseal_alert_name(uint8_t number)
{
	static const struct name names[] = {
		{ 0, "close_notify" },
		{ 10, "unexpected_message" },
		{ 20, "bad_record_mac" },
		{ 21, "decryption_failed" },
		{ 22, "record_overflow" },
		{ 30, "decompression_failure" },
		{ 40, "handshake_failure" },
		{ 42, "bad_certificate" },
		{ 43, "unsupported_certificate" },
		{ 44, "certificate_revoked" },
		{ 45, "certificate_expired" },
		{ 46, "certificate_unknown" },
		{ 47, "illegal_parameter" },
		{ 48, "unknown_ca" },
		{ 49, "access_denied" },
		{ 50, "decode_error" },
		{ 51, "decrypt_error" },
		{ 70, "protocol_version" },
		{ 71, "insufficient_security" },
		{ 80, "internal_error" },
		{ 86, "inappropriate_fallback" },
		{ 90, "user_canceled" },
		{ 100, "no_renegotiation" },
		{ 109, "missing_extension" },
		{ 110, "unsupported_extension" },
		{ 112, "unrecognized_name" },
		{ 113, "bad_certificate_status_response" },
		{ 115, "unknown_psk_identity" },
		{ 116, "certificate_required" },
		{ 120, "no_application_protocol" },
	};

	return NAME_OF(names, number);
}

/**
 * kseal_role_name() - "server"
 * @number: &enum kseal_role
 */
json_t *kseal_role_name(uint32_t number)
{
	static const struct name names[] = {
		{ KSEAL_ROLE_SERVER, "server" },
		{ KSEAL_ROLE_EXPLICIT, "explicit" },
		{ KSEAL_ROLE_CLIENT, "client" },
	};

	return NAME_OF(names, number);
}

static json_t *offload_state(uint32_t mask, uint32_t now, uint32_t lost)
{
	return json_string(mask & now ? "device" : mask & lost ? "lost" : "software");
}

/**
 * kseal_set_offload() - who seals and opens the records of a socket
 * @row: gets the members tx_offload, rx_offload, offload_policy and, if there is one,
 *	offload_device
 * @mask: KSEAL_OFFLOAD_TX and so on
 * @policy: &enum kseal_offload
 * @device: its name; "" if there is none
 */
void kseal_set_offload(json_t *row, uint32_t mask, uint32_t policy, const char *device)
{
	static const struct name policies[] = {
		{ KSEAL_OFFLOAD_AUTO, "auto" },
		{ KSEAL_OFFLOAD_ON, "on" },
		{ KSEAL_OFFLOAD_OFF, "off" },
	};

	json_object_set_new(row, "tx_offload",
			    offload_state(mask, KSEAL_OFFLOAD_TX, KSEAL_OFFLOAD_TX_LOST));
	json_object_set_new(row, "rx_offload",
			    offload_state(mask, KSEAL_OFFLOAD_RX, KSEAL_OFFLOAD_RX_LOST));
	json_object_set_new(row, "offload_policy", NAME_OF(policies, policy));
	if (*device)
		json_object_set_new(row, "offload_device", json_string(device));
}
