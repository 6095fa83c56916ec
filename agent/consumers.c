// SPDX-License-Identifier: GPL-2.0
/*
 * Handshakes for the kernel's own consumers of TLS. Like a worker (worker.c), but what
 * it takes are sockets of the kernel, which asks through its family "handshake"
 * (upcall.c) and has the records done by its own TLS, the ULP "tls". One thread: NFS
 * does a handshake for a mount, not for a request.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "config.h"
#include "connection.h"
#include "consumers.h"
#include "keyring.h"
#include "log.h"
#include "metrics.h"
#include "policy.h"
#include "session.h"
#include "thread.h"
#include "upcall.h"

#define RETRY_USEC	100000ULL	/* out of descriptors or memory */

/**
 * struct kseal_consumers - see the file's head
 * @thread: its loop
 * @upcall: own netlink sockets
 * @retry: timer
 * @jobs: handshakes in flight
 */
struct kseal_consumers {
	struct kseal_thread thread;
	struct kseal_upcall *upcall;
	sd_event_source *retry;
	struct job *jobs;
};

/**
 * struct job - a handshake in flight
 * @owner: whose
 * @fd: of the kernel; the session's, and closed with it
 * @conn: who, with whom
 * @profile: name of the section that serves it
 * @session: its handshake
 * @prev: neighbours in @owner->jobs
 * @next: likewise
 */
struct job {
	struct kseal_consumers *owner;
	int fd;
	struct kseal_connection conn;
	char profile[KSEAL_PROFILE_MAX];
	struct kseal_session *session;
	struct job *prev;
	struct job *next;
};

static void add_job(struct kseal_consumers *c, struct job *job)
{
	atomic_fetch_add(&c->thread.shared->handshakes, 1);
	job->owner = c;
	job->next = c->jobs;
	if (c->jobs)
		c->jobs->prev = job;
	c->jobs = job;
}

static void free_job(struct job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		job->owner->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	kseal_session_free(job->session);
	atomic_fetch_sub(&job->owner->thread.shared->handshakes, 1);
	free(job);
}

/* Report, count and log. */
static void conclude(struct kseal_consumers *c, int fd, const struct kseal_connection *conn,
		     const char *profile, struct kseal_outcome *o, int32_t peer)
{
	/* NFS knows EACCES, and tells no other refusal from it. */
	int status = o->status == EKEYREJECTED ? EACCES : o->status;
	int ret = kseal_upcall_done(c->upcall, fd, status, peer);

	if (ret < 0 && !o->status)
		kseal_outcome_set(o, -ret, "%s", ret == -EBUSY ?
				  "keyed too late: the kernel has given up" : strerror(-ret));
	kseal_metrics_count(o);
	kseal_outcome_log(o, conn, profile);
}

static void on_done(struct kseal_session *session, void *data, struct kseal_outcome *o)
{
	const gnutls_datum_t *certificate = kseal_session_certificate(session);
	struct job *job = data;
	int32_t peer = 0;

	/* Only with one will the kernel take the peer for authenticated. */
	if (!o->status && certificate)
		peer = kseal_keyring_add(certificate);
	conclude(job->owner, job->fd, &job->conn, job->profile, o, peer);
	free_job(job);
}

static const struct kseal_session_ops session_ops = {
	.install = kseal_keys_install_ktls,
	.done = on_done,
};

static void refuse(struct kseal_consumers *c, int fd, const struct kseal_connection *conn,
		   const char *profile, int status, const char *why)
{
	struct kseal_outcome *o = calloc(1, sizeof(*o));

	if (o) {
		o->role = conn->role;
		kseal_outcome_set(o, status, "%s", why);
		conclude(c, fd, conn, profile, o, 0);
	}
	free(o);
	close(fd);
}

static int connection_of(const struct kseal_upcall_request *req, struct kseal_connection *conn)
{
	socklen_t local = sizeof(conn->local), peer = sizeof(conn->peer);

	memset(conn, 0, sizeof(*conn));
	conn->role = req->type == KSEAL_UPCALL_CLIENT ? KSEAL_ROLE_CLIENT : KSEAL_ROLE_SERVER;
	snprintf(conn->server_name, sizeof(conn->server_name), "%s", req->peer_name);
	conn->kernel = true;
	conn->anonymous = req->auth == KSEAL_UPCALL_ANONYMOUS;
	if (getsockname(req->fd, (struct sockaddr *)&conn->local, &local) < 0 ||
	    getpeername(req->fd, (struct sockaddr *)&conn->peer, &peer) < 0)
		return -errno;
	return 0;
}

/* Why this can't be served, NULL if it can. */
static const char *objection(const struct kseal_upcall_request *req,
			     const struct kseal_connection *conn,
			     const struct kseal_profile *profile, char *to, size_t size)
{
	if (req->type != KSEAL_UPCALL_CLIENT && req->type != KSEAL_UPCALL_SERVER)
		return "the kernel asks for a role that this agent does not know";
	if (!profile) {
		snprintf(to, size, "the section \"kernel\" has no %s: add %s = \"NAME\", of a %s section",
			 conn->role == KSEAL_ROLE_CLIENT ? "client" : "server",
			 conn->role == KSEAL_ROLE_CLIENT ? "client" : "server",
			 conn->role == KSEAL_ROLE_CLIENT ? "client" : "profile");
		return to;
	}
	if (req->auth == KSEAL_UPCALL_PSK)
		return "the kernel asks for a pre-shared key, as NVMe over TCP does: this agent does "
		       "certificates; tlshd serves both, in place of the section kernel";
	if (req->foreign_certificate)
		return "the kernel names a certificate in a keyring: remove cert_serial "
		       "and privkey_serial, this agent shows its configuration's";
	if (conn->role == KSEAL_ROLE_CLIENT && req->auth == KSEAL_UPCALL_X509 &&
	    !profile->certificate_count) {
		snprintf(to, size,
			 "the mount asks for mutual TLS, and client \"%s\" has no certificate: add one, or mount with xprtsec=tls",
			 profile->name);
		return to;
	}
	return kseal_policy_check(profile, 0, 0, kseal_address_port(&conn->local), to, size) < 0 ?
	       to : NULL;
}

static void begin(struct kseal_consumers *c, struct kseal_config *config,
		  const struct kseal_upcall_request *req)
{
	const struct kseal_profile *profile;
	struct kseal_connection conn;
	unsigned int timeout;
	const char *why;
	struct job *job;
	char text[512];
	int ret;

	ret = connection_of(req, &conn);
	profile = conn.role == KSEAL_ROLE_CLIENT ? config->kernel_client : config->kernel_server;
	if (ret < 0) {
		refuse(c, req->fd, &conn, "-", -ret, strerror(-ret));
		return;
	}
	why = objection(req, &conn, profile, text, sizeof(text));
	if (why) {
		refuse(c, req->fd, &conn, profile ? profile->name : "-", EACCES, why);
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		refuse(c, req->fd, &conn, profile->name, ENOMEM, strerror(ENOMEM));
		return;
	}
	job->fd = req->fd;
	job->conn = conn;
	snprintf(job->profile, sizeof(job->profile), "%s", profile->name);
	add_job(c, job);
	timeout = req->timeout_ms && req->timeout_ms < profile->timeout_ms ? req->timeout_ms :
									    profile->timeout_ms;
	job->session = kseal_session_start(c->thread.event, req->fd, config, profile, &conn,
					   timeout, &session_ops, job);
	if (!job->session) {
		/* The descriptor is closed: the consumer's patience ends it. */
		kseal_log(KSEAL_LOG_ERROR, "handshake not begun: %s", strerror(ENOMEM));
		free_job(job);
	}
}

static void accept_all(struct kseal_consumers *c)
{
	struct kseal_shared *shared = c->thread.shared;
	struct kseal_upcall_request req;
	struct kseal_config *config;
	int ret;

	do {
		if (atomic_load(&shared->handshakes) >= shared->handshakes_max) {
			ret = -EMFILE;
			break;
		}
		ret = kseal_upcall_accept(c->upcall, &req);
		if (ret == 0) {
			config = kseal_shared_config(shared);
			begin(c, config, &req);
			kseal_config_put(config);
		}
	} while (ret == 0);
	if (ret == -EAGAIN)
		return;
	if (ret == -EPERM) {
		kseal_log(KSEAL_LOG_ERROR,
			  "the kernel's own sockets need CAP_NET_ADMIN outside of any user namespace: remove the section \"kernel\", or start the agent there");
		return;
	}
	kseal_thread_short_of(&c->thread, ret);
	sd_event_source_set_time_relative(c->retry, RETRY_USEC);
	sd_event_source_set_enabled(c->retry, SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	accept_all(data);
	return 0;
}

static int on_upcall(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct kseal_consumers *c = data;

	(void)source;
	(void)fd;
	(void)revents;
	kseal_upcall_receive(c->upcall);
	accept_all(c);
	return 0;
}

static int set_up_loop(struct kseal_consumers *c)
{
	sd_event *event = c->thread.event;
	int ret = sd_event_add_io(event, NULL, kseal_upcall_fd(c->upcall), EPOLLIN, on_upcall, c);

	if (ret < 0)
		return ret;
	/* At once: sockets may have waited before this thread existed. */
	return sd_event_add_time_relative(event, &c->retry, CLOCK_MONOTONIC, 0, 0, on_retry, c);
}

static void free_consumers(struct kseal_consumers *c)
{
	while (c->jobs) {
		kseal_upcall_done(c->upcall, c->jobs->fd, EIO, 0);
		free_job(c->jobs);
	}
	kseal_upcall_close(c->upcall);
	sd_event_source_disable_unref(c->retry);
	kseal_thread_free(&c->thread);
	free(c);
}

/**
 * kseal_consumers_start() - start the thread
 * @shared: of main, outlives the thread
 * @upcall: open; owned by the thread from here on, even on failure
 * @heartbeat_usec: see kseal_thread_init()
 *
 * Return: its handle, or NULL when memory or threads are short.
 */
struct kseal_consumers *kseal_consumers_start(struct kseal_shared *shared,
					      struct kseal_upcall *upcall,
					      uint64_t heartbeat_usec)
{
	struct kseal_consumers *c = calloc(1, sizeof(*c));

	if (!c) {
		kseal_upcall_close(upcall);
		return NULL;
	}
	c->upcall = upcall;
	if (kseal_thread_init(&c->thread, shared, heartbeat_usec, "sockets of the kernel") < 0 ||
	    set_up_loop(c) < 0 || kseal_thread_start(&c->thread) < 0) {
		free_consumers(c);
		return NULL;
	}
	return c;
}

/**
 * kseal_consumers_stop() - end the thread and free it
 * @c: started, or NULL
 *
 * Handshakes in flight fail.
 */
void kseal_consumers_stop(struct kseal_consumers *c)
{
	if (!c)
		return;
	kseal_thread_stop(&c->thread);
	free_consumers(c);
}

/**
 * kseal_consumers_alive() - has the loop turned since this was last asked?
 * @c: started, with a heartbeat
 *
 * Context: main.
 * Return: whether it has.
 */
bool kseal_consumers_alive(struct kseal_consumers *c)
{
	return kseal_thread_alive(&c->thread);
}
