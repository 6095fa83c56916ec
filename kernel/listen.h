/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sealed listener: takes connections from TCP's accept queue, has them
 * handshaken, and gives accept() only those that are sealed.
 */
#ifndef _KSEAL_LISTEN_H
#define _KSEAL_LISTEN_H

#include <linux/list.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <uapi/linux/kseal.h>

#include "handshake.h"

struct kseal_family;

/**
 * struct kseal_listener - what an armed socket has beside its context
 * @ref: one for the context, one for each handshake, one for queued @work
 * @id: the socket's number
 * @sk: the listening socket; valid while not @closing (under @lock)
 * @family: protos of @sk
 * @data_ready: what sk_data_ready was before ours; constant
 * @work: takes from TCP's accept queue
 * @lock: guards the fields below; taken in process context, above the wait
 *	queues' and below all else
 * @closing: no more connections are taken or made ready
 * @held: struct kseal_handshake in progress
 * @ready: struct kseal_handshake completed, for accept()
 * @n_held: length of @held
 * @n_ready: length of @ready
 * @owner: of the socket, and its profile
 * @node: in kseal_net.listeners, guarded by kseal_net.lock
 *
 * A connector has it too: before listen() or connect() nobody knows which of them a
 * socket will be.
 */
struct kseal_listener {
	refcount_t ref;
	u64 id;
	struct sock *sk;
	struct kseal_family *family;
	void (*data_ready)(struct sock *sk);
	struct work_struct work;

	spinlock_t lock;	/* guards what follows */
	bool closing;
	struct list_head held;
	struct list_head ready;
	unsigned int n_held;
	unsigned int n_ready;
	struct kseal_owner owner;

	struct list_head node;
};

struct kseal_listener *kseal_listener_alloc(struct sock *sk,
					    struct kseal_family *f);
void kseal_listener_put(struct kseal_listener *l);
void kseal_listener_data_ready(struct sock *sk);
void kseal_listener_kick(struct kseal_listener *l);
void kseal_listener_owner(struct kseal_listener *l, struct kseal_owner *owner);
void kseal_listener_flush(struct kseal_listener *l);
void kseal_listener_close(struct kseal_listener *l);
bool kseal_listener_ready(struct kseal_listener *l, struct kseal_handshake *hs);
void kseal_listener_drop(struct kseal_listener *l, struct kseal_handshake *hs);

struct sock *kseal_accept(struct sock *sk, struct proto_accept_arg *arg);
int kseal_accept_sock(struct socket *sock, struct socket *newsock,
		      struct proto_accept_arg *arg);
__poll_t kseal_listen_poll(struct file *file, struct socket *sock,
			   struct poll_table_struct *wait);

#endif /* _KSEAL_LISTEN_H */
