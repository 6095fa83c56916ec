/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What there is to know of a socket: the socket option KSEAL_INFO.
 */
#ifndef _KSEAL_INFO_H
#define _KSEAL_INFO_H

struct kseal_info;
struct sock;

void kseal_info_get(struct sock *sk, struct kseal_info *info);

#endif /* _KSEAL_INFO_H */
