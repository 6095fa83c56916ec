/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long the records of a direction may be: what the extensions of the one who
 * receives them say of it. Used by session.c.
 */
#ifndef KSEALD_RECORD_LIMIT_H
#define KSEALD_RECORD_LIMIT_H

#include <gnutls/gnutls.h>
#include <stdint.h>

/**
 * struct kseal_record_limit - what one end has said
 * @record_size: RFC 8449; 0 if nothing
 * @max_fragment: likewise, by the older extension (RFC 6066)
 */
struct kseal_record_limit {
	unsigned int record_size;
	unsigned int max_fragment;
};

int kseal_record_limit_read(struct kseal_record_limit *limit, unsigned int type,
			    const gnutls_datum_t *message);
uint16_t kseal_record_limit_payload(const struct kseal_record_limit *limit,
				    gnutls_session_t session);

#endif /* KSEALD_RECORD_LIMIT_H */
