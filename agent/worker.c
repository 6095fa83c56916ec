// SPDX-License-Identifier: GPL-2.0
/*
 * A worker: takes connections that wait (ACCEPT until EAGAIN), checks whether
 * their owner may use the profile, runs their handshakes, reports each (DONE) and
 * logs a line. Sessions of connectors linger for tickets. All of a worker's state
 * belongs to its thread, but for what struct kseal_worker says is shared.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "config.h"
#include "connection.h"
#include "credentials.h"
#include "limits.h"
#include "linger.h"
#include "log.h"
#include "metrics.h"
#include "netlink.h"
#include "policy.h"
#include "priority.h"
#include "session.h"
#include "thread.h"
#include "worker.h"

#define RETRY_USEC	100000ULL		/* out of descriptors or memory */
#define TURN_USEC	10000ULL		/* how often those who wait ask */
#define GIVE_WAY_USEC	1000ULL			/* to workers with less to do */
#define SLACK		4			/* handshakes above a fair share */

/**
 * struct kseal_worker - see the file's head
 * @thread: its loop
 * @nl: own netlink socket
 * @index: for log lines
 * @accepting: defer source, on while connections may wait
 * @paused: out of descriptors or memory: @retry will end it
 * @retry: timer
 * @gave_way: others have had time to take what waits
 * @jobs: handshakes in flight
 * @job_count: how many
 * @waiting: those of @jobs that wait for their turn, the oldest first
 * @waiting_end: where the next one goes
 * @turns: timer, on while there are such: the handshakes of other workers end, too
 * @lingering: client sessions that may still get tickets
 */
struct kseal_worker {
	struct kseal_thread thread;
	struct kseal_netlink *nl;
	unsigned int index;
	sd_event_source *accepting;
	bool paused;
	sd_event_source *retry;
	bool gave_way;
	struct job *jobs;
	unsigned int job_count;
	struct job *waiting;
	struct job **waiting_end;
	sd_event_source *turns;
	struct kseal_linger lingering;
};

/**
 * struct job - a connection that this worker has accepted
 * @worker: whose
 * @request: as the kernel told it
 * @session: its handshake, NULL while it waits
 * @config: held, because @profile is part of it
 * @profile: how to serve it
 * @deadline: CLOCK_MONOTONIC microseconds
 * @waits: for its turn, as its profile is at a limit
 * @prev: neighbours in @worker->jobs
 * @next: likewise
 * @later: the next of those that wait
 */
struct job {
	struct kseal_worker *worker;
	struct kseal_request request;
	struct kseal_session *session;
	struct kseal_config *config;
	const struct kseal_profile *profile;
	uint64_t deadline;
	bool waits;
	struct job *prev;
	struct job *next;
	struct job *later;
};

static void add_job(struct kseal_worker *w, struct job *job)
{
	atomic_fetch_add(&w->thread.shared->handshakes, 1);
	w->job_count++;
	job->worker = w;
	job->next = w->jobs;
	if (w->jobs)
		w->jobs->prev = job;
	w->jobs = job;
}

static void free_job(struct job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		job->worker->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	job->worker->job_count--;
	if (job->waits && job->request.fd >= 0)
		close(job->request.fd);
	if (job->profile->limits)
		kseal_limits_leave(job->profile->limits, &job->request.conn.peer, job->waits);
	kseal_session_free(job->session);
	kseal_config_put(job->config);
	atomic_fetch_sub(&job->worker->thread.shared->handshakes, 1);
	free(job);
}

/* Tell the kernel, and count; the connection is over for this process in any case. */
static void report(struct kseal_worker *w, const struct kseal_request *req,
		   struct kseal_outcome *o)
{
	const char *said;
	int ret;

	ret = kseal_netlink_done(w->nl, req->id, o);
	if (ret < 0 && !o->status) {
		said = kseal_netlink_message(w->nl);
		if (ret == -ENOENT)
			kseal_outcome_set(o, ENOENT,
					  "keyed too late: the kernel had closed the connection");
		else
			kseal_outcome_set(o, -ret, "the kernel refuses: %s%s%s", strerror(-ret),
					  *said ? ": " : "", said);
	} else if (ret < 0 && ret != -ENOENT) {
		kseal_log(KSEAL_LOG_WARNING, "handshake %llu cannot be ended: %s",
			  (unsigned long long)req->id, strerror(-ret));
	}
	kseal_metrics_count(o);
}

static void resume_accepting(struct kseal_worker *w)
{
	w->paused = false;
	sd_event_source_set_enabled(w->retry, SD_EVENT_OFF);
	sd_event_source_set_enabled(w->accepting, SD_EVENT_ON);
}

static void take_events(struct kseal_worker *w);
static void give_turns(struct kseal_worker *w, const struct kseal_limits *of);

static void on_done(struct kseal_session *session, void *data,
		    struct kseal_outcome *outcome)
{
	struct job *job = data;
	struct kseal_worker *w = job->worker;
	const struct kseal_limits *limits = job->profile->limits;

	(void)session;
	report(w, &job->request, outcome);
	kseal_outcome_log(outcome, &job->request.conn, job->request.profile);
	/* Before any event is taken: its first ticket may be among them. */
	if (!outcome->status && job->request.conn.role == KSEAL_ROLE_CLIENT &&
	    kseal_linger_add(&w->lingering, job->session, job->request.id))
		job->session = NULL;
	free_job(job);
	take_events(w);
	if (limits)
		give_turns(w, limits);

	/* A descriptor is free again. */
	if (w->paused)
		resume_accepting(w);
}

static const struct kseal_session_ops session_ops = {
	.install = kseal_keys_install,
	.done = on_done,
};

/*
 * A client is told that it is the server's fault: an alert internal_error (RFC 8446
 * section 6.2), in the clear, as no keys exist yet. A server has not heard of us.
 */
static void close_unserved(struct kseal_worker *w, const struct kseal_request *req,
			   int status, const char *why, bool log)
{
	static const unsigned char alert[] = { 21, 3, 3, 0, 2, 2, 80 };
	struct kseal_outcome *o = calloc(1, sizeof(*o));

	if (req->conn.role == KSEAL_ROLE_SERVER &&
	    send(req->fd, alert, sizeof(alert), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		kseal_log(KSEAL_LOG_DEBUG, "alert not sent: %s", strerror(errno));

	/* Closing the proxy before DONE aborts the connection as well. */
	if (o) {
		o->role = req->conn.role;
		kseal_outcome_set(o, status, "%s", why);
		report(w, req, o);
		if (log)
			kseal_outcome_log(o, &req->conn, req->profile);
		take_events(w);
	}
	free(o);
	close(req->fd);
}

static void refuse(struct kseal_worker *w, const struct kseal_request *req, int status,
		   const char *why)
{
	close_unserved(w, req, status, why, true);
}

/* As refuse(), but for floods: the limits see to the log. */
static void turn_away(struct kseal_worker *w, const struct kseal_request *req)
{
	close_unserved(w, req, EBUSY, "the profile is at a limit", false);
}

static void start(struct job *job, uint64_t now)
{
	struct kseal_worker *w = job->worker;

	job->session = kseal_session_start(w->thread.event, job->request.fd, job->config,
					   job->profile, &job->request.conn,
					   (job->deadline - now) / 1000, &session_ops, job);
	if (!job->session) {
		/* The descriptor is closed, so the connection is aborted. */
		kseal_log(KSEAL_LOG_ERROR, "handshake not begun: %s", strerror(ENOMEM));
		free_job(job);
	}
}

/*
 * Those who wait begin, as far as their profiles allow, or have waited too long.
 * @of: only those of this profile, of which a handshake has ended; NULL: all
 *
 * What forbids one to begin is the whole profile's: then none after it may either, and the
 * lock that all workers share need not be taken for each of a long queue.
 */
static void give_turns(struct kseal_worker *w, const struct kseal_limits *of)
{
	const struct kseal_limits *busy = NULL;
	struct job **at;
	uint64_t now;

	if (!w->waiting)
		return;
	sd_event_now(w->thread.event, CLOCK_MONOTONIC, &now);
	for (at = &w->waiting; *at && !(of && busy);) {
		struct job *job = *at;
		struct kseal_limits *limits = job->profile->limits;
		bool late = now >= job->deadline;

		if (of && limits != of) {
			at = &job->later;
			continue;
		}
		if (!late && (limits == busy || !kseal_limits_again(limits, now))) {
			busy = limits;
			at = &job->later;
			continue;
		}
		*at = job->later;
		if (!*at)
			w->waiting_end = at;
		if (late) {
			refuse(w, &job->request, ETIMEDOUT,
			       "the profile is at a limit: it waited too long for its turn");
			job->request.fd = -1;
			free_job(job);
		} else {
			job->waits = false;
			start(job, now);
		}
	}
}

static int on_turns(sd_event_source *source, uint64_t usec, void *data)
{
	struct kseal_worker *w = data;

	give_turns(w, NULL);
	if (!w->waiting)
		return 0;
	sd_event_source_set_time(source, usec + TURN_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void wait_for_turn(struct kseal_worker *w, struct job *job)
{
	job->waits = true;
	if (!w->waiting) {
		sd_event_source_set_time_relative(w->turns, TURN_USEC);
		sd_event_source_set_enabled(w->turns, SD_EVENT_ONESHOT);
	}
	*w->waiting_end = job;
	w->waiting_end = &job->later;
}

/* What the profile allows, and when. */
static void admit(struct kseal_worker *w, struct kseal_config *config,
		  const struct kseal_profile *profile, const struct kseal_request *req)
{
	enum kseal_admission admission = KSEAL_ADMIT;
	struct job *job = calloc(1, sizeof(*job));
	uint64_t now;

	if (!job) {
		refuse(w, req, ENOMEM, strerror(ENOMEM));
		return;
	}
	sd_event_now(w->thread.event, CLOCK_MONOTONIC, &now);
	if (profile->limits)
		admission = kseal_limits_enter(profile->limits, &req->conn.peer, now);
	if (admission == KSEAL_ADMIT_NEVER) {
		free(job);
		turn_away(w, req);
		return;
	}
	job->request = *req;
	job->config = kseal_config_get(config);
	job->profile = profile;
	job->deadline = now + 1000ULL * (profile->timeout_ms < req->timeout_ms ?
					 profile->timeout_ms : req->timeout_ms);
	add_job(w, job);
	if (admission == KSEAL_ADMIT_LATER)
		wait_for_turn(w, job);
	else
		start(job, now);
}

static void begin(struct kseal_worker *w, struct kseal_config *config,
		  const struct kseal_request *req)
{
	const struct kseal_connection *conn = &req->conn;
	const struct kseal_profile *profile;
	char why[512];

	if (conn->role != KSEAL_ROLE_SERVER && conn->role != KSEAL_ROLE_CLIENT) {
		refuse(w, req, EOPNOTSUPP, "the kernel asks for a role that this agent does not know");
		return;
	}
	profile = kseal_config_profile(config, conn->role, req->profile);
	if (!profile) {
		if (conn->role == KSEAL_ROLE_CLIENT)
			snprintf(why, sizeof(why),
				 "there is no client section \"%s\": add it to the configuration, or give the connector another",
				 req->profile);
		else
			snprintf(why, sizeof(why),
				 "there is no profile \"%s\": add it to the configuration, or give the listener another",
				 req->profile);
		refuse(w, req, conn->role == KSEAL_ROLE_CLIENT ? ENOKEY : EACCES, why);
		return;
	}
	if (kseal_policy_check(profile, conn->uid, conn->gid, kseal_address_port(&conn->local),
			       why, sizeof(why)) < 0) {
		refuse(w, req, EACCES, why);
		return;
	}

	if (!kseal_credentials_usable(profile->credentials)) {
		refuse(w, req, EOPNOTSUPP,
		       "this kernel has none of the ciphers that the profile allows: add \"AES-128-GCM\" to ciphers");
		return;
	}

	admit(w, config, profile, req);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	resume_accepting(data);
	return 0;
}

static void pause_accepting(struct kseal_worker *w, uint64_t usec)
{
	w->paused = true;
	sd_event_source_set_enabled(w->accepting, SD_EVENT_OFF);
	sd_event_source_set_time_relative(w->retry, usec);
	sd_event_source_set_enabled(w->retry, SD_EVENT_ONESHOT);
}

/*
 * Who has more than a fair share waits a moment, so that a burst does not pile up on
 * the worker that wakes first. It takes what the others have left then.
 */
static bool give_way(struct kseal_worker *w)
{
	unsigned int workers = atomic_load(&w->thread.shared->workers);

	if (w->gave_way || workers < 2 ||
	    w->job_count <= atomic_load(&w->thread.shared->handshakes) / workers + SLACK) {
		w->gave_way = false;
		return false;
	}
	w->gave_way = true;
	pause_accepting(w, GIVE_WAY_USEC);
	return true;
}

/**
 * kseal_worker_register() - take part, with the ciphers that the kernel has
 * @nl: open
 *
 * Return: 0 or a negative errno.
 */
int kseal_worker_register(struct kseal_netlink *nl)
{
	int ret = kseal_netlink_register(nl);
	const uint16_t *ciphers;
	size_t count;

	if (ret < 0)
		return ret;
	ciphers = kseal_netlink_ciphers(nl, &count);
	kseal_priority_offer(ciphers, count);
	return 0;
}

static void accept_failed(struct kseal_worker *w, int error)
{
	switch (error) {
	case -EAGAIN:
		sd_event_source_set_enabled(w->accepting, SD_EVENT_OFF);
		break;
	case -ENOTCONN:
		if (kseal_worker_register(w->nl) < 0)
			pause_accepting(w, RETRY_USEC);
		break;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
		kseal_thread_short_of(&w->thread, error);
		pause_accepting(w, RETRY_USEC);
		break;
	case -ENOENT:
	case -EOPNOTSUPP:
		/* The module is gone; its return is announced. */
		sd_event_source_set_enabled(w->accepting, SD_EVENT_OFF);
		break;
	default:
		kseal_log(KSEAL_LOG_WARNING, "worker %u cannot take a connection: %s", w->index,
			  strerror(-error));
		pause_accepting(w, RETRY_USEC);
	}
}

/* One at a time, and only when those in flight have nothing to do. */
static int on_accepting(sd_event_source *source, void *data)
{
	struct kseal_worker *w = data;
	struct kseal_config *config;
	struct kseal_request req;
	int ret;

	(void)source;
	if (give_way(w))
		return 0;
	config = kseal_shared_config(w->thread.shared);
	/* Descriptors are also needed to reload, and to tell systemd of it. */
	if (atomic_load(&w->thread.shared->handshakes) >= w->thread.shared->handshakes_max)
		ret = -EMFILE;
	else
		ret = kseal_netlink_accept(w->nl, &req);
	if (ret < 0)
		accept_failed(w, ret);
	else
		begin(w, config, &req);
	kseal_config_put(config);
	/* What came while the answer was waited for: no descriptor tells of it again. */
	take_events(w);
	return 0;
}

static void register_again(struct kseal_worker *w)
{
	int ret = kseal_worker_register(w->nl);

	if (ret < 0)
		kseal_log(KSEAL_LOG_ERROR, "worker %u cannot register: %s", w->index,
			  strerror(-ret));
	else if (w->index == 0)
		kseal_log(KSEAL_LOG_INFO, "kseal.ko is back: serving again");
}

static void take_events(struct kseal_worker *w)
{
	unsigned int events = kseal_netlink_events(w->nl);
	struct kseal_message *m;

	while ((m = kseal_netlink_ticket(w->nl))) {
		kseal_linger_ticket(&w->lingering, m->id, m->data, m->size);
		free(m);
	}
	if (events & KSEAL_EVENT_GONE && w->index == 0)
		kseal_log(KSEAL_LOG_WARNING, "kseal.ko was unloaded: waiting for its return");
	if (events & KSEAL_EVENT_BACK) {
		register_again(w);
		events |= KSEAL_EVENT_READY;
	}
	/*
	 * Not while a pause lasts: an ACCEPT that fails makes the kernel tell another
	 * worker, and two without descriptors would wake each other for ever.
	 */
	if (events & KSEAL_EVENT_READY && !w->paused)
		sd_event_source_set_enabled(w->accepting, SD_EVENT_ON);
}

static int on_netlink(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct kseal_worker *w = data;

	(void)source;
	(void)fd;
	(void)revents;
	kseal_netlink_receive(w->nl);
	take_events(w);
	return 0;
}

static int set_up_loop(struct kseal_worker *w)
{
	sd_event *event = w->thread.event;
	int ret;

	ret = sd_event_add_io(event, NULL, kseal_netlink_fd(w->nl), EPOLLIN, on_netlink, w);
	if (ret < 0)
		return ret;

	/* On at first: connections may have waited before this worker existed. */
	ret = sd_event_add_defer(event, &w->accepting, on_accepting, w);
	if (ret < 0)
		return ret;
	ret = sd_event_source_set_priority(w->accepting, SD_EVENT_PRIORITY_NORMAL + 1);
	if (ret < 0)
		return ret;
	sd_event_source_set_enabled(w->accepting, SD_EVENT_ON);

	/* Now, not when it is needed: a timer may take a descriptor. */
	ret = sd_event_add_time_relative(event, &w->retry, CLOCK_MONOTONIC, 0, GIVE_WAY_USEC,
					 on_retry, w);
	if (ret < 0)
		return ret;
	sd_event_source_set_enabled(w->retry, SD_EVENT_OFF);
	ret = sd_event_add_time_relative(event, &w->turns, CLOCK_MONOTONIC, 0, TURN_USEC,
					 on_turns, w);
	if (ret < 0)
		return ret;
	sd_event_source_set_enabled(w->turns, SD_EVENT_OFF);
	return kseal_linger_init(&w->lingering, event);
}

/*
 * The netlink socket first: then the kernel gives connections of which no byte was
 * consumed to another worker. A proxy that closes before that aborts its own.
 */
static void free_worker(struct kseal_worker *w)
{
	kseal_netlink_close(w->nl);
	while (w->jobs)
		free_job(w->jobs);
	kseal_linger_free(&w->lingering);
	sd_event_source_disable_unref(w->turns);
	sd_event_source_disable_unref(w->retry);
	sd_event_source_disable_unref(w->accepting);
	kseal_thread_free(&w->thread);
	free(w);
}

/**
 * kseal_worker_start() - start a worker's thread
 * @shared: of main, outlives the worker
 * @nl: registered; the worker owns it from here on, even on failure
 * @index: for log lines
 * @heartbeat_usec: see kseal_thread_init()
 *
 * Return: the worker, or NULL when memory or threads are short.
 */
struct kseal_worker *kseal_worker_start(struct kseal_shared *shared,
					struct kseal_netlink *nl,
					unsigned int index, uint64_t heartbeat_usec)
{
	struct kseal_worker *w = calloc(1, sizeof(*w));

	if (!w) {
		kseal_netlink_close(nl);
		return NULL;
	}
	w->nl = nl;
	w->index = index;
	w->waiting_end = &w->waiting;
	if (kseal_thread_init(&w->thread, shared, heartbeat_usec, "worker %u", index) < 0 ||
	    set_up_loop(w) < 0 || kseal_thread_start(&w->thread) < 0) {
		free_worker(w);
		return NULL;
	}
	return w;
}

/**
 * kseal_worker_stop() - end a worker and free it
 * @w: started
 *
 * Handshakes in flight are left to the kernel: it gives those that have not begun
 * to another worker and closes the rest.
 */
void kseal_worker_stop(struct kseal_worker *w)
{
	kseal_thread_stop(&w->thread);
	free_worker(w);
}

/**
 * kseal_worker_alive() - has the worker's loop turned since this was last asked?
 * @w: started, with a heartbeat
 *
 * Context: main.
 * Return: whether it has.
 */
bool kseal_worker_alive(struct kseal_worker *w)
{
	return kseal_thread_alive(&w->thread);
}
