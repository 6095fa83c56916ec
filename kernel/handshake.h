/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One pending handshake: from the moment TCP has made a connection, for a
 * listener or a connector, until it is sealed or closed, which happens exactly
 * once.
 */
#ifndef _KSEAL_HANDSHAKE_H
#define _KSEAL_HANDSHAKE_H

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <uapi/linux/kseal.h>

struct kseal_family;
struct kseal_listener;
struct kseal_net;
struct kseal_proxy;
struct sk_buff;
struct sock;
struct socket;

/**
 * struct kseal_worker - a registered worker of the agent
 * @node: in kseal_net.workers
 * @portid: its netlink port
 * @id: its number; of ports, one may follow another
 * @pid: its process
 * @active: handshakes that it holds
 *
 * Guarded by kseal_net.lock.
 */
struct kseal_worker {
	struct list_head node;
	u32 portid;
	u64 id;
	struct pid *pid;
	unsigned int active;
};

/**
 * struct kseal_owner - on whose behalf a socket is sealed
 * @profile: the agent's profile that serves it, zero-terminated
 * @uid: owner of the listener or connector
 * @gid: its group
 */
struct kseal_owner {
	char profile[KSEAL_PROFILE_MAX];
	kuid_t uid;
	kgid_t gid;
};

/**
 * struct kseal_peer - what the agent tells of a connection that it keyed
 * @portid: its worker that did the handshake; for the tickets that follow
 * @worker: that one's number
 * @tolerate_truncation: a FIN without close_notify is an end of file
 * @preamble: what the application reads first; NULL if nothing, or once it is on
 *	its way there
 * @len: bytes in @attrs
 * @attrs: netlink attributes, as the tools get them: the profile, and of
 *	KSEAL_CMD_DONE's those that describe the connection and its peer
 */
struct kseal_peer {
	u32 portid;
	u64 worker;
	bool tolerate_truncation;
	struct sk_buff *preamble;
	unsigned int len;
	u8 attrs[] __aligned(NLA_ALIGNTO);
};

/**
 * enum kseal_verdict - how a handshake ends
 * @KSEAL_SEAL: the agent has keyed the connection: to accept() or connect()
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
 * @ref: one for its listener's list or its connector, one for queued @look, one
 *	for each finder
 * @id: for the agent
 * @role: KSEAL_ROLE_SERVER or KSEAL_ROLE_CLIENT
 * @kn: its namespace
 * @family: protos of @sk
 * @owner: as it was when the handshake was made
 * @server_name: client: whom it should reach; or NULL
 * @listener: server: whose connection, a reference is held; else NULL
 * @sk: the connection; a reference is held
 * @sock: server: internal socket that @sk hangs on while the agent talks through
 *	it
 * @look: work that looks whether the time is up, or what TCP has done
 * @ended: whoever has ended it is done with @sk
 * @expires: jiffies of the deadline
 * @queued: when it was put in line, for tracepoints
 * @held_node: in @listener's held or ready list, guarded by its lock
 * @node: in kseal_net.waiting or .active; this and the following guarded by
 *	kseal_net.lock
 * @started: it has been put in line for the agent
 * @over: the end has begun; the one who sets it does the rest
 * @portid: worker that has it, 0 = none
 * @worker: number of that worker
 * @proxy: what that worker works on
 * @touched: bytes were consumed or sent, so no other worker can begin anew
 * @handed: how often it was given to a worker
 */
struct kseal_handshake {
	refcount_t ref;
	u64 id;
	enum kseal_role role;
	struct kseal_net *kn;
	struct kseal_family *family;
	struct kseal_owner owner;
	char *server_name;
	struct kseal_listener *listener;
	struct sock *sk;
	struct socket *sock;
	struct delayed_work look;
	struct completion ended;
	unsigned long expires;
	ktime_t queued;
	struct list_head held_node;

	struct list_head node;
	bool started;
	bool over;
	u32 portid;
	u64 worker;
	struct kseal_proxy *proxy;
	bool touched;
	unsigned int handed;
};

extern struct workqueue_struct *kseal_wq;

int kseal_handshake_init(void);
void kseal_handshake_exit(void);

struct kseal_handshake *kseal_handshake_new(struct sock *sk,
					    struct kseal_family *f,
					    enum kseal_role role,
					    const struct kseal_owner *owner);
void kseal_handshake_start(struct kseal_handshake *hs);
void kseal_handshake_poke(struct kseal_handshake *hs);
void kseal_handshake_put(struct kseal_handshake *hs);
struct kseal_handshake *kseal_handshake_next(struct kseal_net *kn, u32 portid);
struct kseal_handshake *kseal_handshake_find(struct kseal_net *kn, u32 portid,
					     u64 id);
bool kseal_handshake_bind(struct kseal_handshake *hs, u32 portid,
			  struct kseal_proxy *proxy);
void kseal_handshake_return(struct kseal_handshake *hs,
			    struct kseal_proxy *proxy);
int kseal_handshake_seal(struct kseal_handshake *hs, struct kseal_peer *peer);
bool kseal_handshake_end(struct kseal_handshake *hs, enum kseal_verdict how,
			 int err, const char *reason);
void kseal_handshake_quit(struct kseal_handshake *hs);
unsigned int kseal_handshake_left(const struct kseal_handshake *hs);

int kseal_worker_add(struct kseal_net *kn, u32 portid, struct pid *pid);
void kseal_worker_gone(struct kseal_net *kn, u32 portid);
bool kseal_worker_is(struct kseal_net *kn, u32 portid, u64 id);
void kseal_peer_free(struct kseal_peer *peer);

#endif /* _KSEAL_HANDSHAKE_H */
