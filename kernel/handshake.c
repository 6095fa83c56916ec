// SPDX-License-Identifier: GPL-2.0
/*
 * One pending handshake. listen.c or connect.c makes it, netlink.c gives it to a
 * worker of the agent, proxy.c lets that worker talk. It ends exactly once, by
 * whoever sets @over first:
 *
 *	worker says DONE		sealed, or closed in order
 *	deadline			reset
 *	no agent for a while		reset
 *	worker or its proxy gone	given to another worker if nothing of the
 *					stream was consumed, else reset
 *	listener closed			reset
 *	connector closed, shut down	closed, reset
 *	connection of a connector lost	nothing more to do
 *
 * Order of locks: kseal_proxy.lock (a mutex) is above the socket lock. Of the
 * spinlocks kseal_net.lock is above kseal_listener.lock, which only a dump takes
 * under it; neither is held while taking any of the others.
 */
#include <linux/module.h>
#include <linux/net.h>

#include "connect.h"
#include "handshake.h"
#include "listen.h"
#include "net.h"
#include "netlink.h"
#include "proxy.h"
#include "socket.h"
#include "trace.h"

/* A connection is given to this many workers that die without touching it. */
#define MAX_HANDED	3

/* Of a peer that is refused, what it has sent already, in receive calls. */
#define MAX_DRAIN	64

static unsigned int handshake_timeout = 15000;
module_param(handshake_timeout, uint, 0644);
MODULE_PARM_DESC(handshake_timeout,
		 "Milliseconds from a connection's arrival until it must be sealed");

static unsigned int agent_timeout = 3000;
module_param(agent_timeout, uint, 0644);
MODULE_PARM_DESC(agent_timeout,
		 "Milliseconds that connections wait for an agent when none is registered");

struct workqueue_struct *kseal_wq;

static atomic64_t last_worker = ATOMIC64_INIT(0);

static void look_work(struct work_struct *work);

/**
 * kseal_handshake_init() - make the workqueue
 *
 * Context: process, module load.
 * Return: 0 or -ENOMEM.
 */
int kseal_handshake_init(void)
{
	kseal_wq = alloc_workqueue("kseal", WQ_UNBOUND, 0);
	return kseal_wq ? 0 : -ENOMEM;
}

/**
 * kseal_handshake_exit() - wait for all work and drop the workqueue
 *
 * Context: process, module unload: no socket uses the module any more.
 */
void kseal_handshake_exit(void)
{
	destroy_workqueue(kseal_wq);
}

/**
 * kseal_handshake_new() - begin the record of a handshake
 * @sk: the connection, or what is to become one
 * @f: its family
 * @role: KSEAL_ROLE_SERVER or KSEAL_ROLE_CLIENT
 * @owner: copied
 *
 * Context: process.
 * Return: handshake with one reference, or NULL.
 */
struct kseal_handshake *kseal_handshake_new(struct sock *sk,
					    struct kseal_family *f,
					    enum kseal_role role,
					    const struct kseal_owner *owner)
{
	struct kseal_handshake *hs = kzalloc(sizeof(*hs), GFP_KERNEL);

	if (!hs)
		return NULL;
	refcount_set(&hs->ref, 1);
	hs->role = role;
	hs->kn = kseal_net(sock_net(sk));
	hs->family = f;
	hs->owner = *owner;
	sock_hold(sk);
	hs->sk = sk;
	INIT_DELAYED_WORK(&hs->look, look_work);
	init_completion(&hs->ended);
	INIT_LIST_HEAD(&hs->held_node);
	INIT_LIST_HEAD(&hs->node);
	return hs;
}

/**
 * kseal_handshake_put() - drop a reference
 * @hs: handshake
 *
 * Context: any.
 */
void kseal_handshake_put(struct kseal_handshake *hs)
{
	if (!refcount_dec_and_test(&hs->ref))
		return;
	sock_put(hs->sk);
	if (hs->listener)
		kseal_listener_put(hs->listener);
	kfree(hs->server_name);
	kfree(hs);
}

/* Under kn->lock. */
static struct kseal_worker *find_worker(struct kseal_net *kn, u32 portid)
{
	struct kseal_worker *w;

	list_for_each_entry(w, &kn->workers, node)
		if (w->portid == portid)
			return w;
	return NULL;
}

/*
 * Let a worker know that something waits: the least busy one, and of several the one
 * that was told least recently.
 */
static void notify(struct kseal_handshake *hs)
{
	struct kseal_net *kn = hs->kn;
	struct kseal_worker *w, *idlest = NULL;
	u32 portid = 0;

	spin_lock(&kn->lock);
	list_for_each_entry(w, &kn->workers, node)
		if (!idlest || w->active < idlest->active)
			idlest = w;
	if (idlest) {
		portid = idlest->portid;
		list_move_tail(&idlest->node, &kn->workers);
	}
	spin_unlock(&kn->lock);
	if (portid)
		kseal_netlink_ready(sock_net(hs->sk), portid);
}

/* What waits may have been told to nobody but a worker that has gone since. */
static void notify_waiting(struct kseal_net *kn)
{
	struct kseal_handshake *hs;

	spin_lock(&kn->lock);
	hs = list_first_entry_or_null(&kn->waiting, struct kseal_handshake,
				      node);
	if (hs)
		refcount_inc(&hs->ref);
	spin_unlock(&kn->lock);
	if (!hs)
		return;
	notify(hs);
	kseal_handshake_put(hs);
}

/* Under kn->lock: the next time to look at a handshake, in jiffies from now. */
static unsigned long next_look(const struct kseal_handshake *hs)
{
	unsigned long now = jiffies, left, grace;

	left = time_before(now, hs->expires) ? hs->expires - now : 0;
	grace = msecs_to_jiffies(READ_ONCE(agent_timeout));
	return hs->portid ? left : min(left, max(grace, 1UL));
}

/**
 * kseal_handshake_poke() - look at a handshake at once
 * @hs: handshake; the caller holds a reference
 *
 * Context: any.
 */
void kseal_handshake_poke(struct kseal_handshake *hs)
{
	refcount_inc(&hs->ref);
	if (mod_delayed_work(kseal_wq, &hs->look, 0))
		refcount_dec(&hs->ref);	/* it was in the queue already */
}

/**
 * kseal_handshake_start() - let the agent have it
 * @hs: handshake, in its listener's held list or its connector's
 *
 * Once for each handshake.
 *
 * Context: process; the caller holds a reference, as it may be over on return.
 */
void kseal_handshake_start(struct kseal_handshake *hs)
{
	struct kseal_net *kn = hs->kn;
	bool over;

	hs->expires = jiffies +
		      msecs_to_jiffies(READ_ONCE(handshake_timeout));
	hs->queued = ktime_get();
	spin_lock(&kn->lock);
	over = hs->over;
	if (!over) {
		trace_kseal_handshake_queued(hs);
		hs->started = true;
		list_add_tail(&hs->node, &kn->waiting);
		refcount_inc(&hs->ref);
		if (!queue_delayed_work(kseal_wq, &hs->look, next_look(hs)))
			refcount_dec(&hs->ref);	/* it will look sooner */
	}
	spin_unlock(&kn->lock);
	if (over)
		return;
	kseal_stat_inc(sock_net(hs->sk), KSEAL_STAT_HANDSHAKES);
	notify(hs);
}

static void look_work(struct work_struct *work)
{
	struct kseal_handshake *hs = container_of(to_delayed_work(work),
						  struct kseal_handshake, look);
	struct kseal_net *kn = hs->kn;
	unsigned long grace = msecs_to_jiffies(READ_ONCE(agent_timeout));
	enum kseal_verdict how = KSEAL_SEAL;
	bool again = false;
	int err = 0;

	if (hs->role == KSEAL_ROLE_CLIENT)
		err = kseal_connector_look(hs);
	spin_lock(&kn->lock);
	if (hs->over || !hs->started)
		;	/* nothing to wait for */
	else if (err)
		how = KSEAL_ABORT;
	else if (time_after_eq(jiffies, hs->expires))
		how = KSEAL_TIMEOUT;
	else if (!hs->portid && list_empty(&kn->workers) &&
		 time_after_eq(jiffies, kn->agentless_since + grace))
		how = KSEAL_NO_AGENT;
	else	/* our reference goes on with it */
		again = queue_delayed_work(kseal_wq, &hs->look, next_look(hs));
	spin_unlock(&kn->lock);

	if (how != KSEAL_SEAL)
		kseal_handshake_end(hs, how, err,
				    err ? "the connection was lost" : NULL);
	if (!again)
		kseal_handshake_put(hs);
}

/*
 * Begin the end: true for one caller only. From then on the agent can't reach
 * the connection.
 */
static bool begin_end(struct kseal_handshake *hs, bool *boundary)
{
	struct kseal_net *kn = hs->kn;
	struct kseal_proxy *proxy;
	struct kseal_worker *w;

	spin_lock(&kn->lock);
	if (hs->over) {
		spin_unlock(&kn->lock);
		return false;
	}
	hs->over = true;
	list_del_init(&hs->node);
	w = hs->portid ? find_worker(kn, hs->portid) : NULL;
	if (w)
		w->active--;
	proxy = hs->proxy;
	hs->proxy = NULL;
	spin_unlock(&kn->lock);

	*boundary = true;
	if (proxy) {
		struct kseal_handshake *ref = kseal_proxy_revoke(proxy);

		*boundary = kseal_proxy_at_boundary(proxy);
		if (ref)
			kseal_handshake_put(ref);
		kseal_proxy_put(proxy);
	}
	if (cancel_delayed_work(&hs->look))
		kseal_handshake_put(hs);
	return true;
}

/*
 * The agent has told the peer why, by an alert: unread bytes would turn the FIN
 * into a reset, which can overtake it.
 */
static void drain(struct kseal_handshake *hs)
{
	int i;

	for (i = 0; i < MAX_DRAIN; i++) {
		struct msghdr msg = {};

		if (kseal_base_recvmsg(hs->family->base, hs->sk, &msg,
				       INT_MAX / 2,
				       MSG_DONTWAIT | MSG_TRUNC) <= 0)
			break;
	}
}

static void close_child(struct kseal_handshake *hs, bool reset)
{
	if (reset) {
		lock_sock(hs->sk);
		sock_set_flag(hs->sk, SOCK_LINGER);
		WRITE_ONCE(hs->sk->sk_lingertime, 0);
		release_sock(hs->sk);
	}
	sock_release(hs->sock);
}

static void finish(struct kseal_handshake *hs, enum kseal_verdict how, int err,
		   const char *reason)
{
	static const struct {
		enum kseal_stat stat;
		int err;
		const char *reason;
	} ends[] = {
		[KSEAL_REFUSE] = {
			KSEAL_STAT_REFUSED, EPROTO, "the agent did not say why",
		},
		[KSEAL_TIMEOUT] = {
			KSEAL_STAT_TIMEOUT, ETIMEDOUT,
			"the handshake took too long",
		},
		[KSEAL_NO_AGENT] = {
			KSEAL_STAT_NO_AGENT, ENOKEY,
			"no agent is there to do the handshake",
		},
		[KSEAL_ABORT] = {
			KSEAL_STAT_ABORTED, ECONNABORTED,
			"the agent broke off the handshake",
		},
	};

	if (hs->started) {
		kseal_stat_inc(sock_net(hs->sk), ends[how].stat);
		trace_kseal_handshake_done(hs, how, err ?: ends[how].err);
	}
	if (how == KSEAL_REFUSE)
		drain(hs);
	if (hs->role == KSEAL_ROLE_CLIENT) {
		kseal_connector_fail(hs, how != KSEAL_REFUSE,
				     err ?: ends[how].err,
				     reason ?: ends[how].reason);
		return;
	}
	close_child(hs, how != KSEAL_REFUSE);
	kseal_listener_drop(hs->listener, hs);
}

/**
 * kseal_handshake_end() - end a handshake without a seal
 * @hs: handshake
 * @how: why; not KSEAL_SEAL
 * @err: errno for the connector, positive; 0: that of @how
 * @reason: in words, for the connector; NULL: likewise
 *
 * Context: process, no locks held.
 * Return: whether this call ended it.
 */
bool kseal_handshake_end(struct kseal_handshake *hs, enum kseal_verdict how,
			 int err, const char *reason)
{
	bool boundary;

	if (!begin_end(hs, &boundary))
		return false;
	finish(hs, how, err, reason);
	complete_all(&hs->ended);
	return true;
}

/**
 * kseal_handshake_quit() - the connector of a handshake is done with it
 * @hs: handshake, which its socket knows no more
 *
 * On return nobody is at work on the socket, whoever has ended the handshake.
 *
 * Context: process, no locks held.
 */
void kseal_handshake_quit(struct kseal_handshake *hs)
{
	if (!kseal_handshake_end(hs, KSEAL_ABORT, 0, NULL))
		wait_for_completion(&hs->ended);
}

/**
 * kseal_handshake_seal() - the agent has keyed the connection
 * @hs: handshake
 * @peer: what the agent knows of it; belongs to the connection on success, to
 *	the caller else
 *
 * Context: process, no locks held.
 * Return: 0; -ENOENT if it is over already; -EINVAL if a direction has no key
 * or the agent stopped inside a record, -ECONNRESET if the connection went
 * meanwhile, -ENOMEM: then it is closed.
 */
int kseal_handshake_seal(struct kseal_handshake *hs, struct kseal_peer *peer)
{
	struct sock *sk = hs->sk;
	bool boundary;
	int err;

	if (!begin_end(hs, &boundary))
		return -ENOENT;
	err = -EINVAL;
	if (boundary && hs->role == KSEAL_ROLE_CLIENT)
		err = kseal_connector_seal(hs, peer);
	else if (boundary)
		err = kseal_seal(hs, peer);
	if (err)
		finish(hs, KSEAL_ABORT, 0, NULL);
	complete_all(&hs->ended);
	if (err)
		return err;

	kseal_stat_inc(sock_net(sk), KSEAL_STAT_SEALED);
	trace_kseal_handshake_done(hs, KSEAL_SEAL, 0);
	if (hs->role == KSEAL_ROLE_SERVER &&
	    !kseal_listener_ready(hs->listener, hs)) {
		lock_sock(sk);
		sock_set_flag(sk, SOCK_LINGER);
		WRITE_ONCE(sk->sk_lingertime, 0);
		release_sock(sk);
		READ_ONCE(sk->sk_prot)->close(sk, 0);
	}
	return 0;
}

/* Under kn->lock, not over: take it from its worker. */
static struct kseal_proxy *take_back(struct kseal_handshake *hs)
{
	struct kseal_worker *w = find_worker(hs->kn, hs->portid);
	struct kseal_proxy *proxy = hs->proxy;

	if (w)
		w->active--;
	hs->portid = 0;
	hs->proxy = NULL;
	list_del_init(&hs->node);
	return proxy;
}

/* It is on no list and no worker has it: to another worker, or the end. */
static void pass_on(struct kseal_handshake *hs)
{
	struct kseal_net *kn = hs->kn;
	bool again;

	spin_lock(&kn->lock);
	again = !hs->over && !hs->touched && hs->handed < MAX_HANDED;
	if (again) {
		list_add(&hs->node, &kn->waiting);
		kseal_handshake_poke(hs);
	}
	spin_unlock(&kn->lock);
	if (again)
		notify(hs);
	else
		kseal_handshake_end(hs, KSEAL_ABORT, 0, NULL);
}

/**
 * kseal_handshake_return() - a worker has let go of a handshake
 * @hs: handshake
 * @proxy: the worker's proxy of it, revoked; NULL if there was none yet
 *
 * Context: process, no locks held.
 */
void kseal_handshake_return(struct kseal_handshake *hs,
			    struct kseal_proxy *proxy)
{
	struct kseal_net *kn = hs->kn;
	bool mine;

	spin_lock(&kn->lock);
	mine = !hs->over && hs->portid && hs->proxy == proxy;
	if (mine)
		take_back(hs);
	spin_unlock(&kn->lock);
	if (!mine)
		return;
	if (proxy)
		kseal_proxy_put(proxy);
	pass_on(hs);
}

/**
 * kseal_handshake_next() - give the oldest waiting handshake to a worker
 * @kn: namespace
 * @portid: the worker
 *
 * Context: process.
 * Return: handshake with a reference; NULL if none waits, ERR_PTR(-ENOTCONN) if
 * the worker is not registered.
 */
struct kseal_handshake *kseal_handshake_next(struct kseal_net *kn, u32 portid)
{
	struct kseal_handshake *hs = ERR_PTR(-ENOTCONN);
	struct kseal_worker *w;

	spin_lock(&kn->lock);
	w = find_worker(kn, portid);
	if (w)
		hs = list_first_entry_or_null(&kn->waiting,
					      struct kseal_handshake, node);
	if (!IS_ERR_OR_NULL(hs)) {
		hs->portid = portid;
		hs->worker = w->id;
		hs->handed++;
		w->active++;
		list_move_tail(&hs->node, &kn->active);
		refcount_inc(&hs->ref);
		trace_kseal_handshake_taken(hs);
	}
	spin_unlock(&kn->lock);
	return hs;
}

/**
 * kseal_handshake_bind() - note the proxy through which a worker works
 * @hs: handshake, given to @portid
 * @portid: the worker
 * @proxy: its proxy; on success the handshake holds a reference of it
 *
 * Context: process.
 * Return: false if the handshake ended, or the worker went, meanwhile.
 */
bool kseal_handshake_bind(struct kseal_handshake *hs, u32 portid,
			  struct kseal_proxy *proxy)
{
	struct kseal_net *kn = hs->kn;
	bool ok;

	spin_lock(&kn->lock);
	ok = !hs->over && hs->portid == portid && !hs->proxy;
	if (ok) {
		kseal_proxy_get(proxy);
		hs->proxy = proxy;
	}
	spin_unlock(&kn->lock);
	return ok;
}

/**
 * kseal_handshake_find() - a worker's handshake by its number
 * @kn: namespace
 * @portid: the worker
 * @id: number
 *
 * Context: process.
 * Return: handshake with a reference, or NULL.
 */
struct kseal_handshake *kseal_handshake_find(struct kseal_net *kn, u32 portid,
					     u64 id)
{
	struct kseal_handshake *hs, *found = NULL;

	spin_lock(&kn->lock);
	/* From the newest: slow clients gather at the other end. */
	list_for_each_entry_reverse(hs, &kn->active, node) {
		if (hs->id == id && hs->portid == portid) {
			refcount_inc(&hs->ref);
			found = hs;
			break;
		}
	}
	spin_unlock(&kn->lock);
	return found;
}

/**
 * kseal_handshake_left() - time until the deadline
 * @hs: handshake
 *
 * Context: any.
 * Return: milliseconds.
 */
unsigned int kseal_handshake_left(const struct kseal_handshake *hs)
{
	unsigned long now = jiffies;

	return time_before(now, hs->expires) ?
	       jiffies_to_msecs(hs->expires - now) : 0;
}

/**
 * kseal_worker_add() - register a worker
 * @kn: namespace
 * @portid: its netlink port
 * @pid: its process
 *
 * Context: process.
 * Return: 0, -EEXIST, -ENOMEM.
 */
int kseal_worker_add(struct kseal_net *kn, u32 portid, struct pid *pid)
{
	struct kseal_worker *w = kzalloc(sizeof(*w), GFP_KERNEL);
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->portid = portid;
	w->id = atomic64_inc_return(&last_worker);
	w->pid = get_pid(pid);

	spin_lock(&kn->lock);
	if (find_worker(kn, portid))
		err = -EEXIST;
	else
		list_add(&w->node, &kn->workers);
	spin_unlock(&kn->lock);
	if (err) {
		put_pid(w->pid);
		kfree(w);
	}
	return err;
}

/* A handshake that a worker holds, and its proxy if any; references of both. */
static struct kseal_handshake *worker_left(struct kseal_net *kn, u32 portid,
					   struct kseal_proxy **proxy)
{
	struct kseal_handshake *hs, *found = NULL;

	spin_lock(&kn->lock);
	list_for_each_entry(hs, &kn->active, node) {
		if (hs->portid != portid)
			continue;
		refcount_inc(&hs->ref);
		found = hs;
		*proxy = hs->proxy;
		if (hs->proxy)
			kseal_proxy_get(hs->proxy);
		break;
	}
	spin_unlock(&kn->lock);
	return found;
}

/**
 * kseal_worker_gone() - a worker's netlink socket was closed
 * @kn: namespace
 * @portid: its netlink port; of no worker, mostly
 *
 * Context: process.
 */
void kseal_worker_gone(struct kseal_net *kn, u32 portid)
{
	struct kseal_handshake *hs, *ref;
	struct kseal_proxy *proxy;
	struct kseal_worker *w;

	spin_lock(&kn->lock);
	w = find_worker(kn, portid);
	if (w) {
		list_del(&w->node);
		if (list_empty(&kn->workers))
			kn->agentless_since = jiffies;
	}
	spin_unlock(&kn->lock);
	if (!w)
		return;
	put_pid(w->pid);
	kfree(w);
	notify_waiting(kn);

	while ((hs = worker_left(kn, portid, &proxy))) {
		/* First, so that whoever ends it meanwhile waits for this. */
		ref = proxy ? kseal_proxy_revoke(proxy) : NULL;
		if (ref)
			kseal_handshake_put(ref);
		kseal_handshake_return(hs, proxy);
		if (proxy)
			kseal_proxy_put(proxy);
		kseal_handshake_put(hs);
	}
}

/**
 * kseal_worker_is() - is a worker still there?
 * @kn: namespace
 * @portid: its netlink port
 * @id: its number
 *
 * Context: process.
 * Return: whether it is.
 */
bool kseal_worker_is(struct kseal_net *kn, u32 portid, u64 id)
{
	struct kseal_worker *w;
	bool is;

	spin_lock(&kn->lock);
	w = find_worker(kn, portid);
	is = w && w->id == id;
	spin_unlock(&kn->lock);
	return is;
}

/**
 * kseal_peer_free() - forget what an agent has told
 * @peer: or NULL
 *
 * Context: any.
 */
void kseal_peer_free(struct kseal_peer *peer)
{
	if (!peer)
		return;
	kfree_skb(peer->preamble);
	kfree(peer);
}
