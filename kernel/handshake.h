/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One pending handshake: from the moment a connection is taken from TCP until
 * it is sealed or closed, which happens exactly once.
 */
#ifndef _KSEAL_HANDSHAKE_H
#define _KSEAL_HANDSHAKE_H

#include <linux/list.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <uapi/linux/kseal.h>

struct kseal_listener;
struct kseal_net;
struct kseal_proxy;
struct sock;
struct socket;

/**
 * struct kseal_worker - a registered worker of the agent
 * @node: in kseal_net.workers
 * @portid: its netlink port
 * @pid: its process
 * @active: handshakes that it holds
 *
 * Guarded by kseal_net.lock.
 */
struct kseal_worker {
	struct list_head node;
	u32 portid;
	struct pid *pid;
	unsigned int active;
};

/**
 * struct kseal_peer - what the agent tells of a connection that it keyed
 * @len: bytes in @attrs
 * @attrs: netlink attributes, as the tools get them: the profile, and of
 *	KSEAL_CMD_DONE's those that describe the connection and its peer
 */
struct kseal_peer {
	unsigned int len;
	u8 attrs[] __aligned(NLA_ALIGNTO);
};

/**
 * enum kseal_verdict - how a handshake ends
 * @KSEAL_SEAL: the agent has keyed the connection: to accept()
 * @KSEAL_REFUSE: the agent has said why to the peer: close in order
 * @KSEAL_TIMEOUT: the deadline passed: reset
 * @KSEAL_NO_AGENT: nobody to do the handshake: reset
 * @KSEAL_ABORT: all else: reset
 */
enum kseal_verdict {
	KSEAL_SEAL,
	KSEAL_REFUSE,
	KSEAL_TIMEOUT,
	KSEAL_NO_AGENT,
	KSEAL_ABORT,
};

/**
 * struct kseal_handshake - a connection on its way
 * @ref: one for its listener's list, one for each finder
 * @id: for the agent
 * @kn: its namespace
 * @listener: whose connection; a reference is held
 * @sk: the connection; a reference is held
 * @sock: internal socket that @sk hangs on while the agent talks through it
 * @deadline: work that ends the handshake
 * @expires: jiffies of the deadline
 * @held_node: in @listener's held or ready list, guarded by its lock
 * @node: in kseal_net.waiting or .active; this and the following guarded by
 *	kseal_net.lock
 * @over: the end has begun; the one who sets it does the rest
 * @portid: worker that has it, 0 = none
 * @proxy: what that worker works on
 * @touched: bytes were consumed or sent, so no other worker can begin anew
 * @handed: how often it was given to a worker
 */
struct kseal_handshake {
	refcount_t ref;
	u64 id;
	struct kseal_net *kn;
	struct kseal_listener *listener;
	struct sock *sk;
	struct socket *sock;
	struct delayed_work deadline;
	unsigned long expires;
	struct list_head held_node;

	struct list_head node;
	bool over;
	u32 portid;
	struct kseal_proxy *proxy;
	bool touched;
	unsigned int handed;
};

extern struct workqueue_struct *kseal_wq;

int kseal_handshake_init(void);
void kseal_handshake_exit(void);

struct kseal_handshake *kseal_handshake_new(struct kseal_listener *l,
					    struct sock *sk);
void kseal_handshake_start(struct kseal_handshake *hs);
void kseal_handshake_put(struct kseal_handshake *hs);
struct kseal_handshake *kseal_handshake_next(struct kseal_net *kn, u32 portid);
struct kseal_handshake *kseal_handshake_find(struct kseal_net *kn, u32 portid,
					     u64 id);
bool kseal_handshake_bind(struct kseal_handshake *hs, u32 portid,
			  struct kseal_proxy *proxy);
void kseal_handshake_return(struct kseal_handshake *hs,
			    struct kseal_proxy *proxy);
int kseal_handshake_seal(struct kseal_handshake *hs, struct kseal_peer *peer);
bool kseal_handshake_end(struct kseal_handshake *hs, enum kseal_verdict how);
unsigned int kseal_handshake_left(const struct kseal_handshake *hs);

int kseal_worker_add(struct kseal_net *kn, u32 portid, struct pid *pid);
void kseal_worker_gone(struct kseal_net *kn, u32 portid);

#endif /* _KSEAL_HANDSHAKE_H */
