// SPDX-License-Identifier: GPL-2.0
/*
 * What a confined agent can still do, and what it can't. Each test confines a process
 * of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../agent/confine.h"
#include "../../agent/file.h"
#include "check.h"
#include "server.h"

static char outside[] = "/tmp/kseal-outside.XXXXXX";
static char outside_file[64];
static char linked[] = "/tmp/kseal-linked.XXXXXX";
static char linked_file[64], link_name[512];
static char releases[] = "/tmp/kseal-releases.XXXXXX", releases_file[2][160];
static char away[] = "/tmp/kseal-away.XXXXXX", away_file[2][64];

/* Runs a function in a process; its exit status, or minus the signal that ended it. */
int in_child(void (*function)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		function();
		fflush(stdout);
		_exit(test_failed);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void confine_calls(void)
{
	int ret = kseal_confine_calls(false, false);

	CHECK(ret == 0, "%s", strerror(-ret));
}

static void try_forbidden(void)
{
	struct rlimit limit = { 16, 16 };

	confine_calls();
	CHECK(open("/etc/passwd", O_RDONLY) >= 0, "%s", strerror(errno));
	errno = 0;
	CHECK(open("/dev/null", O_WRONLY) < 0 && errno == EPERM, "%s", strerror(errno));
	errno = 0;
	CHECK(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM, "%s", strerror(errno));
	errno = 0;
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0) == MAP_FAILED && errno == EPERM, "%s", strerror(errno));
	errno = 0;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == EPERM, "%s", strerror(errno));
	errno = 0;
	CHECK(kill(1, 0) < 0 && errno == EPERM);
	errno = 0;
	CHECK(mkdir("/tmp/kseal-never", 0700) < 0 && errno == EPERM, "%s", strerror(errno));
	errno = 0;
	CHECK(fork() < 0 && errno == EPERM, "%s", strerror(errno));
}

static void try_execve(void)
{
	char *args[] = { (char *)"/bin/true", NULL };

	confine_calls();
	execve(args[0], args, args + 1);
}

static void try_ptrace(void)
{
	confine_calls();
	ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static void try_setuid(void)
{
	confine_calls();
	if (setuid(0) < 0)
		_exit(2);
}

static void test_calls(void)
{
	CHECK(in_child(try_forbidden) == 0);
	CHECK(in_child(try_execve) == -SIGSYS);
	CHECK(in_child(try_ptrace) == -SIGSYS);
	CHECK(in_child(try_setuid) == -SIGSYS);
}

static int confine_files(void)
{
	char path[512];
	unsigned int count;
	char **named = kseal_file_noted(&count);

	snprintf(path, sizeof(path), "%s/sessions.conf", test_directory);
	return kseal_confine_files(path, named, count);
}

static void try_files(void)
{
	char path[512];
	int fd;

	CHECK(confine_files() == 0, "%s", strerror(errno));
	snprintf(path, sizeof(path), "%s/server.key", test_directory);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	errno = 0;
	CHECK(open(path, O_WRONLY) < 0 && errno == EACCES, "%s", strerror(errno));
	snprintf(path, sizeof(path), "%s/new", test_directory);
	errno = 0;
	CHECK(open(path, O_CREAT | O_WRONLY, 0600) < 0 && errno == EACCES, "%s", strerror(errno));
	errno = 0;
	CHECK(open(outside_file, O_RDONLY) < 0 && errno == EACCES, "%s", strerror(errno));
	CHECK(open(link_name, O_RDONLY) >= 0, "%s", strerror(errno));
	CHECK(open("/etc/passwd", O_RDONLY) >= 0, "%s", strerror(errno));
	CHECK(open("/dev/urandom", O_RDONLY) >= 0, "%s", strerror(errno));
	/* what the link may be switched to, and what lies beside one that leads away */
	CHECK(open(releases_file[1], O_RDONLY) >= 0, "%s", strerror(errno));
	CHECK(open(away_file[0], O_RDONLY) >= 0, "%s", strerror(errno));
	errno = 0;
	CHECK(open(away_file[1], O_RDONLY) < 0 && errno == EACCES, "%s", strerror(errno));
}

/* Those of the unit, named or not: systemd has put them there for this agent. */
static void try_credentials(void)
{
	setenv("CREDENTIALS_DIRECTORY", outside, 1);
	CHECK(confine_files() == 0, "%s", strerror(errno));
	CHECK(open(outside_file, O_RDONLY) >= 0, "%s: %s", outside_file, strerror(errno));
	errno = 0;
	CHECK(open(outside_file, O_WRONLY) < 0 && errno == EACCES, "%s", strerror(errno));
}

static void test_files(void)
{
	CHECK(open(outside_file, O_RDONLY) >= 0, "%s: %s", outside_file, strerror(errno));
	CHECK(in_child(try_files) == 0);
	CHECK(in_child(try_credentials) == 0);
}

/* What an agent does once it has started: handshakes, and a reload. */
static void work_confined(void)
{
	struct client c13 = { .priority = PRIO_13, .cert = "client" };
	struct client c12 = { .priority = PRIO_12 };
	struct server s13 = { .profile = "require" }, s12 = { .profile = "rsa" };
	char path[512], error[KSEAL_ERROR_MAX];
	struct kseal_config *fresh;
	int ret = confine_files();

	CHECK(ret == 0 || ret == -ENOSYS || ret == -EOPNOTSUPP, "%s", strerror(-ret));
	confine_calls();
	must_seal(&s13, &c13);
	must_seal(&s12, &c12);
	snprintf(path, sizeof(path), "%s/sessions.conf", test_directory);
	fresh = kseal_config_load(path, error, sizeof(error));
	CHECK(fresh, "%s", error);
}

static void test_work(void)
{
	CHECK(in_child(work_confined) == 0);
}

static void probe(void)
{
	int ret = confine_files();

	_exit(ret == -ENOSYS || ret == -EOPNOTSUPP);
}

static void make_file(char *directory, char *name, size_t size)
{
	int fd;

	if (!mkdtemp(directory))
		return;
	snprintf(name, size, "%s/file", directory);
	fd = open(name, O_CREAT | O_WRONLY, 0644);
	if (fd >= 0)
		close(fd);
}

/* "live -> release-1", and a link that leads to another place, with a neighbour. */
static void make_links(void)
{
	char path[128];

	if (!mkdtemp(releases) || !mkdtemp(away))
		return;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/release-%d", releases, i + 1);
		CHECK(mkdir(path, 0755) == 0);
		snprintf(releases_file[i], sizeof(releases_file[i]), "%s/file", path);
		close(open(releases_file[i], O_CREAT | O_WRONLY, 0644));
	}
	snprintf(path, sizeof(path), "%s/live", releases);
	CHECK(symlink("release-1", path) == 0);
	snprintf(path, sizeof(path), "%s/live/file", releases);
	kseal_file_note(path);

	snprintf(path, sizeof(path), "%s/live", away);
	CHECK(symlink(linked, path) == 0);
	snprintf(away_file[0], sizeof(away_file[0]), "%s/live/file", away);
	kseal_file_note(away_file[0]);
	snprintf(away_file[1], sizeof(away_file[1]), "%s/neighbour", away);
	close(open(away_file[1], O_CREAT | O_WRONLY, 0644));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void test_confine(void)
{
	make_file(outside, outside_file, sizeof(outside_file));
	make_file(linked, linked_file, sizeof(linked_file));
	snprintf(link_name, sizeof(link_name), "%s/link", test_directory);
	if (symlink(linked_file, link_name) == 0)
		kseal_file_note(link_name);
	make_links();
	run_test("a confined agent does handshakes and reloads", test_work);
	run_test("forbidden system calls fail, and the worst end the agent", test_calls);
	if (in_child(probe) == 0)
		run_test("only files near those that a configuration names are read, none is written",
			 test_files);
	else
		skip_test("only files near those that a configuration names are read, none is written",
			  "this kernel has no Landlock");
	nftw(releases, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	nftw(away, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	unlink(link_name);
	unlink(linked_file);
	rmdir(linked);
	unlink(outside_file);
	rmdir(outside);
}
