/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is not application data on a sealed stream: alerts, KeyUpdate, and the
 * ends of a stream. Used by rx.c and tx.c.
 */
#ifndef _KSEAL_ALERT_H
#define _KSEAL_ALERT_H

#include <linux/types.h>

/* HandshakeType key_update (RFC 8446 §4) */
#define KSEAL_HANDSHAKE_KEY_UPDATE	24

struct sock;

void kseal_alert_send(struct sock *sk, u8 description);
void kseal_stream_fail(struct sock *sk, u8 description);
bool kseal_is_key_update(u8 type, const u8 *body, unsigned int len);
void kseal_control_receive(struct sock *sk, u8 type, const u8 *body,
			   unsigned int len);
int kseal_key_update_send(struct sock *sk);

#endif /* _KSEAL_ALERT_H */
