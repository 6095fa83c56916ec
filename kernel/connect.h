/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sealed connector: connect() of an armed socket completes when the agent has
 * done the handshake.
 */
#ifndef _KSEAL_CONNECT_H
#define _KSEAL_CONNECT_H

#include <linux/net.h>
#include <linux/poll.h>
#include <linux/socket.h>

struct kseal_handshake;
struct kseal_peer;
struct pipe_inode_info;
struct sock;

int kseal_connector_look(struct kseal_handshake *hs);
int kseal_connector_seal(struct kseal_handshake *hs, struct kseal_peer *peer);
void kseal_connector_fail(struct kseal_handshake *hs, bool reset, int err,
			  const char *reason);

int kseal_connect_sock(struct socket *sock, struct sockaddr_unsized *addr,
		       int len, int flags);
__poll_t kseal_connect_poll(struct file *file, struct socket *sock,
			    poll_table *wait);
int kseal_connect_shutdown(struct socket *sock, int how);
ssize_t kseal_connect_splice_read(struct socket *sock, loff_t *ppos,
				  struct pipe_inode_info *pipe, size_t len,
				  unsigned int flags);
int kseal_connect_peek_len(struct socket *sock);
int kseal_connect_set_rcvlowat(struct sock *sk, int val);
int kseal_connect_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
int kseal_connect_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			  int flags);
int kseal_connect_disconnect(struct sock *sk, int flags);
void kseal_connect_close(struct sock *sk, long timeout);

#endif /* _KSEAL_CONNECT_H */
