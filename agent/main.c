// SPDX-License-Identifier: GPL-2.0
/*
 * kseald, the handshake agent of kseal: starts the workers, reloads the
 * configuration, talks to the service manager. kseald(8) is the description for
 * people. The main thread does no handshake.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "confine.h"
#include "consumers.h"
#include "endpoint.h"
#include "file.h"
#include "harden.h"
#include "keylog.h"
#include "log.h"
#include "netlink.h"
#include "thread.h"
#include "token.h"
#include "upcall.h"
#include "watch.h"
#include "worker.h"

#ifndef KSEAL_VERSION
#define KSEAL_VERSION "0.1.0"
#endif

/* Beside handshakes: a worker's own, the configuration's, the log's. */
#define SPARE_FILES	(64 + 4 * KSEAL_WORKERS_MAX)

#define IN_USE	\
	": give each agent, also that of another network namespace, an endpoint of its own"

#define UNIT_CREDENTIALS "/run/credentials/kseald.service"

const char *argp_program_version = "kseald " KSEAL_VERSION;

/**
 * struct daemon - the whole process
 * @path: of the configuration
 * @check: only check it
 * @user: to become, NULL for who we are
 * @all_files: no Landlock
 * @all_calls: no seccomp
 * @keylog: file for the secrets of handshakes, NULL for none
 * @shared: with the workers
 * @workers: threads
 * @count: of @workers
 * @consumers: thread for the kernel's own sockets, NULL if they aren't served
 * @endpoint: for collectors, NULL if there is none
 * @listen: where it is, as the configuration had it at the start; NULL likewise
 * @endpoint_fd: of it, until it is started; else -1
 * @watchdog_usec: what systemd asks for, 0 = no watchdog
 * @watchdog: timer
 * @event: loop of the main thread
 * @watch: of the configuration's files, NULL if they are not watched
 */
static struct daemon {
	const char *path;
	bool check;
	const char *user;
	bool all_files;
	bool all_calls;
#ifdef KSEAL_KEYLOG
	const char *keylog;
#endif
	struct kseal_shared shared;
	struct kseal_worker *workers[KSEAL_WORKERS_MAX];
	unsigned int count;
	struct kseal_consumers *consumers;
	struct MHD_Daemon *endpoint;
	char *listen;
	int endpoint_fd;
	uint64_t watchdog_usec;
	sd_event_source *watchdog;
	sd_event *event;
	struct kseal_watch *watch;
} agent = {
	.path = KSEAL_CONFIG_DEFAULT,
	.endpoint_fd = -1,
	.shared = { .lock = PTHREAD_MUTEX_INITIALIZER },
};

/* Options without a letter. */
enum {
	OPTION_LOG_FORMAT = 256,
	OPTION_ALL_FILES,
	OPTION_ALL_CALLS,
	OPTION_KEYLOG,
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'c':
		agent.path = arg;
		return 0;
	case 't':
		agent.check = true;
		return 0;
	case OPTION_LOG_FORMAT:
		if (kseal_log_set_format(arg) < 0)
			argp_error(state, "no log format \"%s\": write text or json", arg);
		return 0;
	case 'u':
		agent.user = arg;
		return 0;
	case OPTION_ALL_FILES:
		agent.all_files = true;
		return 0;
	case OPTION_ALL_CALLS:
		agent.all_calls = true;
		return 0;
#ifdef KSEAL_KEYLOG
	case OPTION_KEYLOG:
		agent.keylog = arg;
		return 0;
#endif
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "Configuration (default " KSEAL_CONFIG_DEFAULT ")", 0 },
	{ "log-format", OPTION_LOG_FORMAT, "FORMAT", 0,
	  "Lines of the log: text, the default, or json", 0 },
	{ "check", 't', NULL, 0, "Check the configuration and the files it names, and exit", 0 },
	{ "user", 'u', "NAME", 0, "Become this user, keeping CAP_NET_ADMIN", 0 },
	{ "unsafe-no-landlock", OPTION_ALL_FILES, NULL, 0,
	  "Do not confine the agent to the files that it needs", 1 },
	{ "unsafe-no-seccomp", OPTION_ALL_CALLS, NULL, 0,
	  "Do not confine the agent to the system calls that it needs", 1 },
#ifdef KSEAL_KEYLOG
	{ "unsafe-keylog", OPTION_KEYLOG, "FILE", 0,
	  "Write the secrets of all handshakes to this file, for debugging", 1 },
#endif
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.doc = "TLS handshakes for sockets sealed by kseal.ko.\v"
	       "Exit status: 0 after SIGTERM, 64 wrong usage, 67 no such user, 69 kseal.ko is "
	       "not loaded, 70 internal error, 71 system error, 73 a file cannot be written, 77 not permitted, 78 wrong configuration.",
};

/* A check by hand, of what the unit's agent has already; for its user alone. */
static void find_credentials(void)
{
	if (!getenv("CREDENTIALS_DIRECTORY") && access(UNIT_CREDENTIALS, R_OK | X_OK) == 0)
		setenv("CREDENTIALS_DIRECTORY", UNIT_CREDENTIALS, 1);
}

static int check_configuration(void)
{
	char error[KSEAL_ERROR_MAX];
	struct kseal_config *config;
	size_t count;

	find_credentials();
	config = kseal_config_load(agent.path, error, sizeof(error));
	if (!config) {
		fprintf(stderr, "%s\n", error);
		return EX_CONFIG;
	}
	count = kseal_config_count(config, KSEAL_ROLE_SERVER);
	printf("%s: the configuration is good: %zu profile%s\n", agent.path,
	       count, count == 1 ? "" : "s");
	kseal_config_put(config);
	return EX_OK;
}

static void notify_status(void)
{
	size_t profiles = kseal_config_count(agent.shared.config, KSEAL_ROLE_SERVER);

	sd_notifyf(0, "READY=1\nSTATUS=%zu profile%s, %u worker%s", profiles,
		   profiles == 1 ? "" : "s", agent.count, agent.count == 1 ? "" : "s");
}

static bool serves_kernel(const struct kseal_config *config)
{
	return config->kernel_server || config->kernel_client;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/*
 * `kseal reload` sends SIGHUP with a number: the name of a socket of its own, to which
 * the outcome goes, "+" or "-" before the words. Nobody waits for a plain kill.
 */
static void answer(const struct signalfd_siginfo *info, char sign, const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char line[KSEAL_ERROR_MAX + 1];
	int fd, length;

	if (info->ssi_code != SI_QUEUE)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
			  "kseal-reload-%08x", info->ssi_int);
	snprintf(line, sizeof(line), "%c%s", sign, text);
	if (sendto(fd, line, strlen(line), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   offsetof(struct sockaddr_un, sun_path) + 1 + length) < 0)
		kseal_log(KSEAL_LOG_DEBUG, "who asked for the reload is gone: %s",
			  strerror(errno));
	close(fd);
}

static unsigned int workers_wanted(const struct kseal_config *config)
{
	unsigned int wanted = config->workers;
	cpu_set_t cpus;

	if (!wanted)
		wanted = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return wanted < KSEAL_WORKERS_MAX ? wanted : KSEAL_WORKERS_MAX;
}

/* Of what a reload does not change: where the configuration is not what runs. */
static void warn_of_late(const struct kseal_config *config)
{
	if (workers_wanted(config) != agent.count)
		kseal_log(KSEAL_LOG_WARNING, "workers takes effect at the next start only");
	if (serves_kernel(config) && !agent.consumers)
		kseal_log(KSEAL_LOG_WARNING, "the section \"kernel\" takes effect at the next start only");
	if (!same_text(config->metrics_listen, agent.listen))
		kseal_log(KSEAL_LOG_WARNING, "the section \"metrics\" takes effect at the next start only");
}

static void set_watch(void);

/* Reads the configuration again; a bad one changes nothing. Says in @text what became of it. */
static bool reload(char *text, size_t size)
{
	struct kseal_config *fresh, *old;
	struct timespec now;
	size_t count;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   now.tv_sec * 1000000ULL + now.tv_nsec / 1000);

	kseal_watch_before_load(agent.watch);
	fresh = kseal_config_load(agent.path, text, size);
	kseal_watch_after_load(agent.watch);
	if (!fresh) {
		kseal_log(KSEAL_LOG_ERROR, "%s", text);
		kseal_log(KSEAL_LOG_ERROR, "not reloaded: the old configuration stays in force");
		notify_status();
		return false;
	}
	pthread_mutex_lock(&agent.shared.lock);
	old = agent.shared.config;
	agent.shared.config = fresh;
	pthread_mutex_unlock(&agent.shared.lock);

	warn_of_late(fresh);
	kseal_log_set_level(fresh->log_level);
	count = kseal_config_count(fresh, KSEAL_ROLE_SERVER);
	snprintf(text, size, "reloaded: %zu profile%s", count, count == 1 ? "" : "s");
	kseal_log(KSEAL_LOG_INFO, "%s", text);
	kseal_config_put(old);
	set_watch();
	notify_status();
	return true;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	char text[KSEAL_ERROR_MAX];
	bool good = reload(text, sizeof(text));

	(void)source;
	(void)data;
	answer(info, good ? '+' : '-', text);
	return 0;
}

static void on_change(void)
{
	char text[KSEAL_ERROR_MAX];

	kseal_log(KSEAL_LOG_INFO, "files of the configuration have changed: reading it again");
	reload(text, sizeof(text));
}

static void set_watch(void)
{
	int ret = 0;

	if (!agent.shared.config->watch) {
		kseal_watch_stop(agent.watch);
		agent.watch = NULL;
	} else if (!agent.watch) {
		ret = kseal_watch_start(&agent.watch, agent.event, agent.path, on_change);
	}
	if (ret < 0)
		kseal_log(KSEAL_LOG_ERROR, "files cannot be watched: %s: kseal reload is needed",
			  strerror(-ret));
}

/* A worker that hangs must not be hidden by a main thread that does not. */
static int on_watchdog(sd_event_source *source, uint64_t usec, void *data)
{
	bool alive = true;

	(void)data;
	/* Each is asked: what it was last seen to do is noted as well. */
	for (unsigned int i = 0; i < agent.count; i++)
		alive &= kseal_worker_alive(agent.workers[i]);
	if (agent.consumers)
		alive &= kseal_consumers_alive(agent.consumers);
	if (alive)
		sd_notify(0, "WATCHDOG=1");
	sd_event_source_set_time(source, usec + agent.watchdog_usec / 2);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int start_worker(unsigned int index)
{
	struct kseal_netlink *nl;
	int ret;

	ret = kseal_netlink_open(&nl);
	if (ret == -ENOENT) {
		kseal_log(KSEAL_LOG_ERROR, "kseal.ko is not loaded: modprobe kseal");
		return EX_UNAVAILABLE;
	}
	if (ret == 0) {
		ret = kseal_worker_register(nl);
		if (ret < 0)
			kseal_netlink_close(nl);
	}
	if (ret == -EPERM) {
		kseal_log(KSEAL_LOG_ERROR,
			  "kseal.ko does not let this process serve: start it as root, or with CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN)");
		return EX_NOPERM;
	}
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR, "cannot register with kseal.ko: %s", strerror(-ret));
		return EX_OSERR;
	}
	agent.workers[index] = kseal_worker_start(&agent.shared, nl, index,
						  agent.watchdog_usec / 4);
	if (!agent.workers[index]) {
		kseal_log(KSEAL_LOG_ERROR, "cannot start worker %u: %s", index, strerror(errno));
		return EX_OSERR;
	}
	agent.count++;
	atomic_store(&agent.shared.workers, agent.count);
	return EX_OK;
}

static int start_workers(void)
{
	unsigned int wanted = workers_wanted(agent.shared.config);
	int status;

	for (unsigned int i = 0; i < wanted; i++) {
		status = start_worker(i);
		if (status != EX_OK)
			return status;
	}
	return EX_OK;
}

static int start_consumers(void)
{
	struct kseal_upcall *upcall;
	int ret;

	if (!serves_kernel(agent.shared.config))
		return EX_OK;
	ret = kseal_upcall_open(&upcall);
	if (ret == -ENOENT) {
		kseal_log(KSEAL_LOG_ERROR,
			  "this kernel does not ask for handshakes (CONFIG_NET_HANDSHAKE, Linux 6.4 and later): remove the section \"kernel\"");
		return EX_UNAVAILABLE;
	}
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR, "cannot serve the kernel's own sockets: %s",
			  strerror(-ret));
		return EX_OSERR;
	}
	agent.consumers = kseal_consumers_start(&agent.shared, upcall, agent.watchdog_usec / 4);
	if (agent.consumers)
		return EX_OK;
	kseal_log(KSEAL_LOG_ERROR, "cannot start the thread for the kernel's own sockets: %s",
		  strerror(errno));
	return EX_OSERR;
}

/* Before the agent confines itself: it may make no such socket afterwards. */
static int open_endpoint(void)
{
	const char *where = agent.shared.config->metrics_listen;

	if (!where)
		return EX_OK;
	agent.endpoint_fd = kseal_endpoint_open(where);
	agent.listen = strdup(where);
	if (agent.endpoint_fd >= 0)
		return EX_OK;
	kseal_log(KSEAL_LOG_ERROR, "metrics: cannot listen on %s: %s%s", where,
		  strerror(-agent.endpoint_fd),
		  agent.endpoint_fd == -EADDRINUSE ? IN_USE : "");
	return EX_OSERR;
}

/* And its thread afterwards, confined like the others. */
static int start_endpoint(void)
{
	if (agent.endpoint_fd < 0)
		return EX_OK;
	agent.endpoint = kseal_endpoint_start(agent.endpoint_fd);
	agent.endpoint_fd = -1;
	if (agent.endpoint)
		return EX_OK;
	kseal_log(KSEAL_LOG_ERROR, "metrics: cannot start: %s", strerror(errno));
	return EX_OSERR;
}

static int set_up_loop(void)
{
	sd_event **event = &agent.event;
	int ret;

	ret = sd_event_default(event);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(*event, NULL, SIGTERM, NULL, NULL);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(*event, NULL, SIGINT, NULL, NULL);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(*event, NULL, SIGHUP, on_reload, NULL);
	if (ret < 0)
		return ret;
	if (sd_watchdog_enabled(0, &agent.watchdog_usec) <= 0) {
		agent.watchdog_usec = 0;
		return 0;
	}
	return sd_event_add_time_relative(*event, &agent.watchdog, CLOCK_MONOTONIC,
					  agent.watchdog_usec / 2, 0, on_watchdog, NULL);
}

/* Keys that are not files: what their modules need is not known. */
static bool uses_devices(char **named, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (kseal_token_is_url(named[i]))
			return true;
	}
	return false;
}

/* What the agent gives up once it knows its configuration. */
static int confine(void)
{
	unsigned int count;
	char **named = kseal_file_noted(&count);
	bool devices = uses_devices(named, count);
	int ret = 0;

	if (!devices && !(agent.all_files && agent.all_calls))
		kseal_token_give_up();
	if (agent.all_files)
		kseal_log(KSEAL_LOG_WARNING, "--unsafe-no-landlock: the agent may reach all files that its user may");
	else if (devices)
		kseal_log(KSEAL_LOG_INFO, "a key is not a file: the agent may reach all files that its user may");
	else
		ret = kseal_confine_files(agent.path, named, count);
	if (ret == -ENOSYS || ret == -EOPNOTSUPP) {
		kseal_log(KSEAL_LOG_WARNING, "this kernel has no Landlock: the agent may reach all files that its user may");
		ret = 0;
	}
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR,
			  "Landlock: %s: mend that, or start with --unsafe-no-landlock",
			  strerror(-ret));
		return EX_OSERR;
	}
	if (agent.all_calls) {
		kseal_log(KSEAL_LOG_WARNING, "--unsafe-no-seccomp: the agent may make all system calls");
		return EX_OK;
	}
	ret = kseal_confine_calls(devices, serves_kernel(agent.shared.config));
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR,
			  "seccomp: %s: mend that, or start with --unsafe-no-seccomp",
			  strerror(-ret));
		return EX_OSERR;
	}
	return EX_OK;
}

/* Before a configuration may set the level of the log: this is never hidden. */
static int open_keylog(void)
{
#ifdef KSEAL_KEYLOG
	char why[KSEAL_ERROR_MAX];

	if (!agent.keylog)
		return EX_OK;
	if (kseal_keylog_open(agent.keylog, why, sizeof(why)) < 0) {
		kseal_log(KSEAL_LOG_ERROR, "--unsafe-keylog: %s", why);
		return EX_CANTCREAT;
	}
	kseal_log(KSEAL_LOG_WARNING,
		  "--unsafe-keylog: the secrets of ALL handshakes are written to %s: who reads it can read and forge these connections; never leave this on",
		  agent.keylog);
#endif
	return EX_OK;
}

static int serve(void)
{
	char error[KSEAL_ERROR_MAX];
	size_t count;
	int ret, status;

	status = open_keylog();
	if (status != EX_OK)
		return status;
	agent.shared.config = kseal_config_load(agent.path, error, sizeof(error));
	if (!agent.shared.config) {
		kseal_log(KSEAL_LOG_ERROR, "%s", error);
		return EX_CONFIG;
	}
	kseal_log_set_level(agent.shared.config->log_level);

	ret = set_up_loop();
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR, "event loop: %s", strerror(-ret));
		status = EX_OSERR;
		goto out;
	}
	set_watch();
	status = open_endpoint();
	if (status == EX_OK)
		status = confine();
	if (status == EX_OK)
		status = start_workers();
	if (status == EX_OK)
		status = start_consumers();
	if (status == EX_OK)
		status = start_endpoint();
	if (status == EX_OK) {
		count = kseal_config_count(agent.shared.config, KSEAL_ROLE_SERVER);
		kseal_log(KSEAL_LOG_INFO, "ready: %zu profile%s, %u worker%s",
			  count, count == 1 ? "" : "s",
			  agent.count, agent.count == 1 ? "" : "s");
		notify_status();
		ret = sd_event_loop(agent.event);
		sd_notify(0, "STOPPING=1");
		if (ret < 0 || atomic_load(&agent.shared.failed))
			status = EX_SOFTWARE;
	}
	kseal_endpoint_stop(agent.endpoint);
	kseal_consumers_stop(agent.consumers);
	while (agent.count)
		kseal_worker_stop(agent.workers[--agent.count]);
	if (status == EX_OK)
		kseal_log(KSEAL_LOG_INFO, "stopped");
out:
	kseal_watch_stop(agent.watch);
	sd_event_source_unref(agent.watchdog);
	sd_event_unref(agent.event);
	free(agent.listen);
	kseal_config_put(agent.shared.config);
	return status;
}

int main(int argc, char **argv)
{
	unsigned int files;
	char why[256];
	sigset_t signals;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	kseal_log_open();

	/* The environment may have asked the library for a log with keys in it. */
	gnutls_global_set_log_level(0);

	/* Raising limits needs what is dropped next; threads inherit both. */
	kseal_forbid_dumps();
	if (!agent.check) {
		kseal_lock_memory();
		files = kseal_raise_nofile();
		agent.shared.handshakes_max = files > 2 * SPARE_FILES ?
					      files - SPARE_FILES : files / 2;
	}
	ret = agent.user ? kseal_become(agent.user, why, sizeof(why)) : 0;
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR, "--user: %s", why);
		return ret == -ENOENT ? EX_NOUSER : EX_NOPERM;
	}
	ret = kseal_drop_capabilities();
	if (ret < 0) {
		kseal_log(KSEAL_LOG_ERROR, "capabilities: %s", strerror(-ret));
		return EX_OSERR;
	}
	if (agent.check)
		return check_configuration();

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return serve();
}
