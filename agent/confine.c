// SPDX-License-Identifier: GPL-2.0
/*
 * Confinement of the agent by itself, beside what its unit does. Called by main.c when
 * the configuration has been read and before the first worker starts: workers inherit
 * it, and nobody can undo it.
 *
 * Files: only to be read, and only below the directories that configurations use.
 * System calls: those that the agent and its libraries make once they run. What a
 * captured agent would try first ends it; the rest fails with EPERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"
#include "path.h"

#define READ_FILES	LANDLOCK_ACCESS_FS_READ_FILE
#define READ_TREE	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Of Landlock's first version; writing, making and executing are allowed nowhere. */
#define HANDLED		(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |	\
			 READ_TREE | LANDLOCK_ACCESS_FS_REMOVE_DIR |			\
			 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |	\
			 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |	\
			 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |	\
			 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What configurations name, and what the C library and GnuTLS read when they like. */
static const char *const trees[] = {
	"/etc", "/usr", "/lib", "/lib64", "/run/credentials", "/run/systemd",
	"/run/nscd", "/var/lib/kseal", "/var/lib/extrausers", "/proc/self",
	"/sys/devices/system/cpu",
};

static const char *const files[] = {
	"/dev/null", "/dev/urandom", "/dev/random", "/proc/sys/crypto/fips_enabled",
	"/proc/meminfo", "/proc/cpuinfo",
};

/*
 * What isn't there needs no rule.
 *
 * A rule is tied to an inode. Those of /proc are made at each look-up unless an entry is
 * in the cache, which want of memory may empty: what is there has to be held open, or the
 * rule is one for nothing from then on.
 */
static int allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	int ret;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0;
	ret = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (ret < 0)
		ret = -errno;
	if (ret < 0 || strncmp(path, "/proc/", strlen("/proc/")) != 0)
		close(rule.parent_fd);
	return ret;
}

/* The directory of a file, as a reload may find its neighbours named. */
static int allow_around(int ruleset, const char *path)
{
	char *directory = strdup(path), *slash;
	struct stat st;
	int ret;

	if (!directory)
		return -ENOMEM;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		slash = strrchr(directory, '/');
		if (!slash)
			strcpy(directory, ".");
		else if (slash == directory)
			slash[1] = '\0';
		else
			*slash = '\0';
	}
	/* not all the files there are: one in the root directory stands for itself */
	if (strcmp(directory, "/") == 0)
		ret = allow(ruleset, path, READ_FILES);
	else
		ret = allow(ruleset, directory, READ_TREE);
	free(directory);
	return ret;
}

/* Is what a link leads to below the directory that it lies in? */
static bool leads_below(const char *directory, const char *target)
{
	size_t len = strlen(directory);

	if (*target == '/')
		return strncmp(target, directory, len) == 0 && target[len] == '/' &&
		       !strstr(target + len, "/..");
	return strncmp(target, "..", 2) != 0 && !strstr(target, "/..");
}

/**
 * struct switched - what links on the way to a file need
 * @ruleset: for it
 * @ret: 0 or a negative errno
 */
struct switched {
	int ruleset;
	int ret;
};

/*
 * "current -> release-1": what it will be switched to is its neighbour. One that leads away
 * may lead anywhere next time; of /var that is too much to allow for the sake of /var/run.
 */
static int allow_switch(const struct kseal_path_step *s, void *data)
{
	struct switched *to = data;
	char target[PATH_MAX];
	ssize_t len;

	if (s->kind != KSEAL_PATH_LINK || strcmp(s->directory, "/") == 0)
		return 0;
	len = readlink(s->path, target, sizeof(target) - 1);
	if (len < 0)
		return 0;
	target[len] = '\0';
	if (leads_below(s->directory, target))
		to->ret = allow(to->ruleset, s->directory, READ_TREE);
	return to->ret;
}

/* Where it is named and, if that is a link, where it lies: Landlock asks for the latter. */
static int allow_named(int ruleset, const char *path)
{
	struct switched to = { .ruleset = ruleset };
	char *real = realpath(path, NULL);
	int ret = allow_around(ruleset, path);

	if (ret == 0 && real)
		ret = allow_around(ruleset, real);
	free(real);
	/* what is wrong with the path itself a load has told */
	if (ret == 0)
		kseal_path_walk(path, allow_switch, &to);
	return ret ? ret : to.ret;
}

/**
 * kseal_confine_files() - from now on only read, and only here
 * @config: path of the configuration
 * @named: paths of files that it names; their directories may be read as well
 * @count: of @named
 *
 * Needs no_new_privs. Leaves descriptors open, for as long as the process lives.
 *
 * Return: 0; -ENOSYS or -EOPNOTSUPP where the kernel has no Landlock; another negative
 * errno.
 */
int kseal_confine_files(const char *config, char **named, unsigned int count)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs = HANDLED };
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int ruleset, ret;

	ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	ret = allow_named(ruleset, config);
	for (unsigned int i = 0; i < count && ret == 0; i++)
		ret = allow_named(ruleset, named[i]);
	if (credentials && ret == 0)
		ret = allow(ruleset, credentials, READ_TREE);
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees) && ret == 0; i++)
		ret = allow(ruleset, trees[i], READ_TREE);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && ret == 0; i++)
		ret = allow(ruleset, files[i], READ_FILES);
	if (ret == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		ret = -errno;
	close(ruleset);
	return ret;
}

/* By what they are for. Names that this machine does not have are passed over. */
static const char *const allowed[] = {
	/* files, once they are open */
	"read", "readv", "pread64", "preadv", "write", "writev", "close", "lseek", "fstat",
	"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getdents64", "getcwd", "fcntl", "dup", "dup2", "dup3",
	"pipe2", "fstatfs", "statfs", "flock", "fadvise64", "memfd_create", "close_range",
	/* memory */
	"brk", "munmap", "mremap", "madvise", "mlock", "mlock2", "munlock", "mlockall",
	"membarrier",
	/* threads and time */
	"futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "exit",
	"exit_group", "sched_yield", "sched_getaffinity", "getcpu", "restart_syscall",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday",
	"time", "set_tid_address", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"rt_sigtimedwait", "sigaltstack",
	/* events */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll",
	"ppoll", "select", "pselect6", "eventfd2", "timerfd_create", "timerfd_settime",
	"timerfd_gettime", "signalfd4", "inotify_init1", "inotify_add_watch",
	"inotify_rm_watch",
	/* sockets that exist */
	"socketpair", "connect", "bind", "getsockname", "getpeername", "sendto", "sendmsg",
	"sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "setsockopt", "getsockopt",
	"shutdown", "accept", "accept4",
	/* who and where we are */
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid",
	"getresuid", "getresgid", "getgroups", "getrlimit", "getrusage", "uname", "sysinfo",
	"getrandom", "capget", "umask",
};

/* A captured agent's first steps: it ends, and the kernel logs it. */
static const char *const deadly[] = {
	"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv",
	"process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "bpf",
	"perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "init_module", "finit_module", "delete_module", "kexec_load",
	"kexec_file_load", "mount", "umount2", "pivot_root", "chroot", "move_mount",
	"open_tree", "fsopen", "fsmount", "setns", "unshare", "reboot", "swapon", "acct",
	"personality", "modify_ldt", "ioperm", "iopl", "setuid", "setgid", "setreuid",
	"setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
	"open_by_handle_at", "link", "linkat", "symlink", "symlinkat", "mknod",
	"mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat",
};

static int add(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t count)
{
	int ret = 0;

	for (size_t i = 0; i < count && ret == 0; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number != __NR_SCMP_ERROR)
			ret = seccomp_rule_add(ctx, action, number, 0);
		/* pseudo-numbers of calls that this architecture has not */
		if (ret == -EDOM || ret == -EINVAL)
			ret = 0;
	}
	return ret;
}

#define MASKED(arg, mask, value)	SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value)
#define EQUAL(arg, value)		SCMP_CMP(arg, SCMP_CMP_EQ, value)

/* Calls of which only a part is wanted. */
static int add_partial(scmp_filter_ctx ctx, bool devices)
{
	static const int families[] = { AF_UNIX, AF_NETLINK };
	const uint32_t yes = SCMP_ACT_ALLOW;
	const uint64_t exec = PROT_WRITE | PROT_EXEC;
	const uint64_t opens = devices ? 0 : O_ACCMODE | O_CREAT | O_TRUNC;
	int ret;

	/* read-only; for a device of keys as it likes */
	ret = seccomp_rule_add(ctx, yes, SCMP_SYS(openat), 1, MASKED(2, opens, 0));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(open), 1, MASKED(1, opens, 0));
	/* no memory that is written and executed; libraries are still loaded */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(mmap), 1, MASKED(2, exec, PROT_NONE));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(mmap), 1, MASKED(2, exec, PROT_WRITE));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(mmap), 1, MASKED(2, exec, PROT_EXEC));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(mprotect), 1,
				       MASKED(2, PROT_EXEC, 0));
	/* of the loader: the relocated part of a library becomes executable again */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(mprotect), 1,
				       EQUAL(2, PROT_READ | PROT_EXEC));
	/* threads, but no processes; clone3 hides its flags, so the C library does without */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(clone), 1,
				       MASKED(0, CLONE_THREAD | CLONE_NEWUSER | CLONE_NEWNS,
					      CLONE_THREAD));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; i < sizeof(families) / sizeof(*families) && ret == 0; i++)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(socket), 1, EQUAL(0, families[i]));
	/* the limits of ours, read */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(prlimit64), 2, EQUAL(0, 0), EQUAL(2, 0));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(kill), 1, EQUAL(0, getpid()));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(tgkill), 1, EQUAL(0, getpid()));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(prctl), 1, EQUAL(0, PR_SET_NAME));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(prctl), 1, EQUAL(0, PR_GET_NAME));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(prctl), 1, EQUAL(0, PR_GET_DUMPABLE));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(ioctl), 1, EQUAL(1, FIONREAD));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(ioctl), 1, EQUAL(1, TCGETS));
	if (ret == 0 && devices)
		ret = seccomp_rule_add(ctx, yes, SCMP_SYS(ioctl), 0);
	return ret;
}

/**
 * kseal_confine_calls() - from now on make these system calls only
 * @devices: keys lie in a PKCS#11 module or a TPM, which write to files and devices
 * @keyrings: keys are handed to the kernel
 *
 * Of the calling thread and of those that it starts. Needs no_new_privs.
 *
 * Return: 0 or a negative errno.
 */
int kseal_confine_calls(bool devices, bool keyrings)
{
	static const char *const of_modules[] = {
		"unlink", "rename", "ftruncate", "fsync", "fdatasync", "pwrite64", "mkdir",
		"shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl",
	};
	static const char *const of_keyrings[] = { "add_key" };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = add(ctx, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));
	if (ret == 0)
		ret = add(ctx, SCMP_ACT_KILL_PROCESS, deadly, sizeof(deadly) / sizeof(*deadly));
	if (ret == 0 && devices)
		ret = add(ctx, SCMP_ACT_ALLOW, of_modules,
			  sizeof(of_modules) / sizeof(*of_modules));
	if (ret == 0)
		ret = add(ctx, keyrings ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, of_keyrings,
			  sizeof(of_keyrings) / sizeof(*of_keyrings));
	if (ret == 0)
		ret = add_partial(ctx, devices);
	if (ret == 0)
		ret = seccomp_load(ctx);
	seccomp_release(ctx);
	return ret;
}
