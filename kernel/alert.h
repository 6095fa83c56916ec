/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is not application data on a sealed stream: alerts, KeyUpdate, and the
 * ends of a stream. Used by rx.c and tx.c.
 */
#ifndef _KSEAL_ALERT_H
#define _KSEAL_ALERT_H

#include <linux/types.h>

/* Handshake messages: HandshakeType and the length of what follows (RFC 8446 §4) */
#define KSEAL_HANDSHAKE_HEADER_LEN	4
#define KSEAL_HANDSHAKE_KEY_UPDATE	24

struct sk_buff;
struct sock;

void kseal_alert_send(struct sock *sk, u8 description);
void kseal_alert_warn(struct sock *sk, u8 description);
void kseal_stream_fail(struct sock *sk, u8 description);
bool kseal_is_key_update(u8 type, const u8 *body, unsigned int len);
void kseal_control_receive(struct sock *sk, u8 type, const u8 *body,
			   unsigned int len, const struct sk_buff *skb);
void kseal_key_update_receive(struct sock *sk, u8 request);
int kseal_key_update_send(struct sock *sk);
int kseal_rekey(struct sock *sk, u32 whose);

#endif /* _KSEAL_ALERT_H */
