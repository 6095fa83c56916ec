// SPDX-License-Identifier: GPL-2.0
/*
 * kseal run: a program whose listen() seals, and whose connect() does where asked.
 *
 * The program gets a seccomp filter that reports these calls to this process
 * (filter.c, notify.c), which arms the socket first. Processes that the program
 * starts inherit the filter; this one stays until the last of them is gone. Should
 * it die first, the calls fail with ENOSYS.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notify.h"

/* As env(1), timeout(1): the tool failed, COMMAND can't be run, isn't there. */
#define EXIT_KSEAL		125
#define EXIT_CANNOT_RUN		126
#define EXIT_NOT_FOUND		127

/* The command line: @policy, and where in argv COMMAND is. */
struct request {
	struct kseal_policy policy;
	int command;
};

#define OPTION_PLAIN		256	/* has no short form */

static const struct argp_option options[] = {
	{ "profile", 'p', "NAME", 0, "the agent's profile that serves (default: default)", 0 },
	{ "port", 'P', "N[=NAME]", 0,
	  "seal listeners on TCP port N, with profile NAME; may be repeated. Listeners on ports "
	  "not named then stay plain, with 'none' all. Without this option all are sealed", 0 },
	{ "connect", 'C', "HOST:PORT[=NAME]", 0,
	  "seal connections to PORT of HOST (a name, an IP address, or *: any), with profile "
	  "NAME, and verify that it is HOST; may be repeated", 0 },
	{ "plain", OPTION_PLAIN, "HOST:PORT", 0,
	  "leave connections to HOST as they are though a --connect has its PORT; may be "
	  "repeated", 0 },
	{ "verbose", 'v', NULL, 0, "tell about each socket that is sealed", 0 },
	{ 0 }
};

static void add_port(struct kseal_policy *policy, char *arg, struct argp_state *state)
{
	char *name = strchr(arg, '=');
	struct kseal_port *port;
	size_t i;

	if (!strcmp(arg, "none"))
		policy->no_listeners = true;
	if (policy->no_listeners && (policy->count || strcmp(arg, "none")))
		argp_error(state, "--port: either 'none' or ports");
	if (policy->no_listeners)
		return;
	if (name)
		*name++ = '\0';
	port = reallocarray(policy->ports, policy->count + 1, sizeof(*port));
	if (!port)
		argp_failure(state, EXIT_KSEAL, errno, "--port");
	policy->ports = port;
	port += policy->count;
	*port->profile = '\0';
	if (!kseal_parse_port(arg, &port->port))
		argp_error(state, "--port: '%s' is not a port (1 to 65535)", arg);
	if (name && !kseal_parse_profile(name, port->profile))
		argp_error(state, "--port: '%s' is not the name of a profile", name);
	for (i = 0; i < policy->count; i++)
		if (policy->ports[i].port == port->port)
			argp_error(state, "--port: port %u is there twice", port->port);
	policy->count++;
}

/* @plain: --plain, else --connect */
static void add_target(struct kseal_policy *policy, const char *arg, bool plain,
		       struct argp_state *state)
{
	const char *option = plain ? "--plain" : "--connect";
	struct kseal_target *target;
	char why[KSEAL_MESSAGE_LEN];
	size_t i;

	target = reallocarray(policy->targets, policy->target_count + 1, sizeof(*target));
	if (!target)
		argp_failure(state, EXIT_KSEAL, errno, "%s", option);
	policy->targets = target;
	target += policy->target_count;
	memset(target, 0, sizeof(*target));
	target->plain = plain;
	if (!kseal_target_parse(arg, target, why))
		argp_error(state, "%s: %s", option, why);
	if (plain && *target->profile)
		argp_error(state, "--plain: a plain connection has no profile");
	for (i = 0; i < policy->target_count; i++)
		if (policy->targets[i].port == target->port &&
		    !strcasecmp(policy->targets[i].host, target->host))
			argp_error(state, "%s: %s is there twice", option, arg);
	policy->target_count++;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;
	struct kseal_policy *policy = &request->policy;

	switch (key) {
	case 'p':
		if (!kseal_parse_profile(arg, policy->profile))
			argp_error(state, "--profile: '%s' is not the name of a profile", arg);
		return 0;
	case 'P':
		add_port(policy, arg, state);
		return 0;
	case 'C':
	case OPTION_PLAIN:
		add_target(policy, arg, key == OPTION_PLAIN, state);
		return 0;
	case 'v':
		policy->verbose = true;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which COMMAND?");
		return 0;
	case ARGP_KEY_END:
		if (policy->target_count && !kseal_policy_connects(policy))
			argp_error(state, "--plain: without --connect all connections are plain");
		return 0;
	case ARGP_KEY_ARGS:
		request->command = state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[--] COMMAND [ARGUMENTS]",
	.doc = "Run COMMAND with its TCP listeners sealed: accept() returns only connections "
	       "whose TLS handshake the agent has completed. With --connect connections that "
	       "it makes are sealed too: connect() completes when the server has been verified. "
	       "COMMAND needs no change.\v"
	       "If a socket can't be sealed, listen() or connect() fails. The exit status is COMMAND's, "
	       "128+N if signal N ended it, 125 if kseal failed, 126 or 127 if COMMAND couldn't "
	       "be run.",
};

/*
 * Listeners that COMMAND inherits (systemd's LISTEN_FDS, inetd's "wait") listen
 * already, so there is no listen() to wait for.
 */
static int arm_inherited(const struct kseal_policy *policy)
{
	char why[KSEAL_MESSAGE_LEN];
	struct kseal_socket info;
	const char *profile;
	struct dirent *entry;
	int fd, error = 0;
	DIR *dir;

	dir = opendir("/proc/self/fd");
	if (!dir) {
		kseal_say("/proc/self/fd: %s", strerror(errno));
		return -errno;
	}
	while (!error && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		fd = atoi(entry->d_name);
		kseal_look(fd, &info);
		if (!info.listening)
			continue;
		profile = kseal_policy_profile(policy, info.port);
		if (!profile)
			continue;
		if (info.kind == KSEAL_UNSEALABLE) {
			snprintf(why, sizeof(why), "it is not plain TCP (MPTCP or SMC)");
			error = -EOPNOTSUPP;
		} else {
			error = kseal_arm(fd, profile, why);
		}
		if (error)
			kseal_say("descriptor %d listens on %s and can't be sealed: %s", fd,
				  info.address, why);
		else if (policy->verbose)
			kseal_say("sealed %s, profile %s (inherited descriptor %d)", info.address,
				  profile, fd);
	}
	closedir(dir);
	return error;
}

/* The environment that names the process that systemd's sockets, or its watchdog, are for. */
static bool inherit_pid(const char *name, pid_t parent)
{
	const char *old = getenv(name);
	char pid[16];

	if (!old || atoi(old) != parent)
		return false;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv(name, pid, 1);
	return true;
}

/* What COMMAND is to have of the signals, as we got them. */
struct signals {
	sigset_t mask;
	struct sigaction child;
};

/* The child's part: never returns. @channel takes the filter's descriptor, and why it failed. */
static void start(char **command, int channel, bool connects, const struct signals *old,
		  pid_t parent)
{
	int notify, error;

	notify = kseal_filter_install(connects);
	kseal_send_fd(channel, notify, notify < 0 ? -notify : 0);
	if (notify < 0)
		_exit(EXIT_KSEAL);
	close(notify);
	if (inherit_pid("LISTEN_PID", parent))
		unsetenv("LISTEN_PIDFDID");
	inherit_pid("WATCHDOG_PID", parent);
	sigaction(SIGCHLD, &old->child, NULL);
	sigprocmask(SIG_SETMASK, &old->mask, NULL);
	execvp(command[0], command);
	error = errno;
	kseal_send_fd(channel, -1, error);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* The parent of a process, by its entry in /proc; -1 if that is none. */
static pid_t parent_of(const char *entry)
{
	char path[sizeof("/proc//stat") + NAME_MAX], text[512] = "";
	int parent = -1;
	char *end;
	FILE *file;

	if (*entry < '0' || *entry > '9')
		return -1;
	snprintf(path, sizeof(path), "/proc/%s/stat", entry);
	file = fopen(path, "re");
	if (!file)
		return -1;
	/* The name before it may hold anything: proc(5). */
	if (fgets(text, sizeof(text), file)) {
		end = strrchr(text, ')');
		if (!end || sscanf(end, ") %*c %d", &parent) != 1)
			parent = -1;
	}
	fclose(file);
	return parent;
}

/*
 * Signals for COMMAND. Those of the terminal have reached it already: it is in
 * our process group. If it is gone, what it left behind has become our child.
 */
static void forward(const struct signalfd_siginfo *info, pid_t child)
{
	struct dirent *entry;
	DIR *dir;

	if (info->ssi_code > 0 || info->ssi_pid == (uint32_t)getpid())
		return;
	if (child) {
		kill(child, info->ssi_signo);
		return;
	}
	dir = opendir("/proc");
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (parent_of(entry->d_name) == getpid())
			kill(atoi(entry->d_name), info->ssi_signo);
	closedir(dir);
}

/* Buries the dead; sets @status and clears @child when COMMAND is among them. */
static void reap(pid_t *child, int *status)
{
	int one;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid != *child)
			continue;
		*child = 0;
		*status = WIFEXITED(one) ? WEXITSTATUS(one) : 128 + WTERMSIG(one);
	}
}

/* Serves the program's calls and passes signals on until nothing that has the filter is left. */
static int supervise(int notify, int signals, pid_t child, const struct kseal_policy *policy)
{
	struct pollfd polls[] = {
		{ .fd = notify, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int status = EXIT_KSEAL;

	while (child || polls[0].fd >= 0) {
		if (poll(polls, 2, -1) < 0 && errno != EINTR) {
			kseal_say("poll: %s", strerror(errno));
			return EXIT_KSEAL;
		}
		if (polls[0].revents & POLLIN)
			kseal_notify_serve(notify, policy);
		else if (polls[0].revents)
			polls[0].fd = -1;
		if (!(polls[1].revents & POLLIN))
			continue;
		if (read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGCHLD)
			reap(&child, &status);
		else
			forward(&info, child);
	}
	return status;
}

/* Hold nothing open that is COMMAND's: who reads its output waits for its end, not ours. */
static int let_go(int *channel, int *signals)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[] = { *channel, *signals };
	int top = fds[0] > fds[1] ? fds[0] : fds[1], fd;

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	/* Nor may a message end in what gets the number of a stderr that is closed. */
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null, STDERR_FILENO) < 0)
		return -errno;
	for (fd = STDERR_FILENO + 1; fd < top; fd++)
		if (fd != fds[0] && fd != fds[1])
			close(fd);
	return close_range(top + 1, ~0U, 0) ? -errno : 0;
}

/* Not one of the first three, which may be closed: let_go() puts something else there. */
static int move_up(int fd)
{
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (moved >= 0)
		close(fd);
	return moved;
}

/* Between us, who have the first end, and the child. */
static int open_channel(int channel[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel))
		return -1;
	channel[0] = move_up(channel[0]);
	return channel[0] < 0 ? -1 : 0;
}

/*
 * Everything that may be passed on, and SIGCHLD; not the job control of the terminal.
 * Were SIGCHLD ignored, as our parent may have left it, nobody would tell of COMMAND's end.
 */
static int block_signals(struct signals *old)
{
	static const int mine[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT,	SIGSEGV,
				    SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGABRT, SIGSYS };
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t set;
	size_t i;

	sigfillset(&set);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigdelset(&set, mine[i]);
	sigprocmask(SIG_SETMASK, &set, &old->mask);
	sigaction(SIGCHLD, &standard, &old->child);
	return move_up(signalfd(-1, &set, SFD_CLOEXEC));
}

/* Waits until @child runs COMMAND, or tells why not. Return: the filter's descriptor. */
static int started(int channel, pid_t child, const char *command)
{
	int notify, error = 0, status;

	notify = kseal_receive_fd(channel, &error);
	if (notify < 0) {
		waitpid(child, &status, 0);
		if (error == EBUSY)
			kseal_say("this process is under a seccomp supervisor already ('kseal "
				  "run' inside 'kseal run'?)");
		else
			kseal_say("can't install the seccomp filter: %s",
				  strerror(error ? error : EPIPE));
		exit(EXIT_KSEAL);
	}
	/* The channel closes with exec. */
	kseal_receive_fd(channel, &error);
	close(channel);
	if (error) {
		kseal_say("can't run '%s': %s", command, strerror(error));
		waitpid(child, &status, 0);
		exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
	}
	return notify;
}

/**
 * kseal_cmd_run() - the subcommand
 * @argc: of @argv
 * @argv: "kseal run", options, command
 *
 * Return: exit status
 */
int kseal_cmd_run(int argc, char **argv)
{
	struct request request = { .policy.profile = KSEAL_PROFILE_DEFAULT };
	int channel[2], signals, error;
	char **command;
	pid_t child, self = getpid();
	struct signals old;

	argp_err_exit_status = EXIT_KSEAL;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
	command = argv + request.command;
	if (arm_inherited(&request.policy))
		return EXIT_KSEAL;
	error = kseal_notify_alloc();
	if (error) {
		kseal_say("this kernel has no seccomp notification: %s", strerror(-error));
		return EXIT_KSEAL;
	}
	/* Orphans come to us: Yama lets only an ancestor fetch their sockets. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signals = block_signals(&old);
	if (signals < 0 || open_channel(channel)) {
		kseal_say("can't start: %s", strerror(errno));
		return EXIT_KSEAL;
	}
	child = fork();
	if (child < 0) {
		kseal_say("fork: %s", strerror(errno));
		return EXIT_KSEAL;
	}
	if (!child) {
		close(channel[0]);
		start(command, channel[1], kseal_policy_connects(&request.policy), &old, self);
	}
	close(channel[1]);
	error = let_go(&channel[0], &signals);
	if (error) {
		kseal_say("can't start: %s", strerror(-error));
		kill(child, SIGKILL);
		return EXIT_KSEAL;
	}
	return supervise(started(channel[0], child, *command), signals, child,
			 &request.policy);
}
