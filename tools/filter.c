// SPDX-License-Identifier: GPL-2.0
/*
 * The seccomp filter of `kseal run`: listen() is reported to the supervisor, and
 * connect() if connections are to be sealed, under every ABI that the machine has;
 * everything else goes its way. And the passing of the filter's descriptor from the
 * program's process to the supervisor.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kseal-cli.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

/* The ABIs beside the native one in which a process of this machine may call the kernel. */
static const struct {
	uint32_t native, other;
} abis[] = {
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X32 },
	{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
	{ SCMP_ARCH_S390X, SCMP_ARCH_S390 },
	{ SCMP_ARCH_PPC64, SCMP_ARCH_PPC },
	{ SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS },
	{ SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32 },
	{ SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL },
	{ SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL64N32 },
	{ SCMP_ARCH_PARISC64, SCMP_ARCH_PARISC },
};

static bool has_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

/*
 * TCP Fast Open connects by sending (RFC 7413): there is no connect() before which the
 * socket could be armed. Programs that ask for it are ready for a kernel in which it
 * is switched off, see tcp(7), and that is how it fails there.
 */
static int add_fast_open(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp third =
		SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN);
	const struct scmp_arg_cmp fourth =
		SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN);
	const uint32_t action = SCMP_ACT_ERRNO(EOPNOTSUPP);
	int error;

	error = seccomp_rule_add(filter, action, SCMP_SYS(sendto), 1, fourth);
	if (!error)
		error = seccomp_rule_add(filter, action, SCMP_SYS(sendmsg), 1, third);
	if (!error)
		error = seccomp_rule_add(filter, action, SCMP_SYS(sendmmsg), 1, fourth);
	return error;
}

static int add_rules(scmp_filter_ctx filter, bool connects)
{
	size_t i;
	int error;

	for (i = 0; i < sizeof(abis) / sizeof(abis[0]); i++) {
		if (abis[i].native != seccomp_arch_native())
			continue;
		error = seccomp_arch_add(filter, abis[i].other);
		if (error)
			return error;
	}
	/* i386 and s390: socketcall(SYS_LISTEN) as well, libseccomp knows. */
	error = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(listen), 0);
	if (!error && connects)
		error = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 0);
	if (!error && connects)
		error = add_fast_open(filter);
	if (error)
		return error;
	/*
	 * An MPTCP socket takes no ULP, so its listen() would have to fail. Programs
	 * that ask for MPTCP are ready for kernels without and use TCP then.
	 */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffff, IPPROTO_MPTCP));
}

/*
 * Not seccomp_load(): it hides the errno. WAIT_KILLABLE_RECV (Linux 5.19): a call
 * being served isn't interrupted by the program's signals.
 */
static int load(struct sock_fprog *program)
{
	int fd;

	if (!has_sys_admin() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		     program);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			     SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
	return fd < 0 ? -errno : fd;
}

#if __BYTE_ORDER == __BIG_ENDIAN
#define FIRST_ARGUMENT	(offsetof(struct seccomp_data, args) + sizeof(uint32_t))
#else
#define FIRST_ARGUMENT	offsetof(struct seccomp_data, args)
#endif

/*
 * Where sendto() goes through socketcall() its flags are in memory, which a filter
 * can't read (libseccomp would compare another register): those calls are reported.
 * Of one ABI, to stand before the rest of the filter; @code has room for 9.
 */
static size_t report_socketcall(uint32_t arch, struct sock_filter *code)
{
	int nr = seccomp_syscall_resolve_name_arch(arch, "socketcall");
	const struct sock_filter block[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIRST_ARGUMENT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_SENDTO, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_SENDMSG, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_SENDMMSG, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};

	if (nr < 0)
		return 0;
	memcpy(code, block, sizeof(block));
	return sizeof(block) / sizeof(*block);
}

static int export_and_load(scmp_filter_ctx filter, bool connects)
{
	struct sock_filter code[512];
	struct sock_fprog program = { .filter = code };
	ssize_t size = -1, room;
	size_t first = 0, i;
	int file, error;

	if (connects) {
		first = report_socketcall(seccomp_arch_native(), code);
		for (i = 0; i < sizeof(abis) / sizeof(abis[0]); i++)
			if (abis[i].native == seccomp_arch_native())
				first += report_socketcall(abis[i].other, code + first);
	}
	room = sizeof(code) - first * sizeof(*code);

	file = memfd_create("kseal-filter", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	error = seccomp_export_bpf(filter, file);
	if (!error)
		size = pread(file, code + first, room, 0);
	close(file);
	if (error)
		return error;
	if (size <= 0 || size == room)
		return -E2BIG;
	program.len = first + size / sizeof(*code);
	return load(&program);
}

/**
 * kseal_filter_install() - from here on this process's listen() is reported
 * @connects: and its connect(), and there is no TCP Fast Open
 *
 * Without CAP_SYS_ADMIN the kernel demands no_new_privs: set-user-ID programs
 * and file capabilities then have no effect.
 *
 * Return: the descriptor to serve, close-on-exec, or negative errno (EBUSY: the
 * process is under another supervisor).
 */
int kseal_filter_install(bool connects)
{
	scmp_filter_ctx filter;
	int error;

	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return -ENOMEM;
	error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!error)
		error = add_rules(filter, connects);
	if (!error)
		error = export_and_load(filter, connects);
	seccomp_release(filter);
	return error;
}

/**
 * kseal_send_fd() - pass a descriptor, or an errno, over a socket
 * @socket: AF_UNIX, SOCK_SEQPACKET
 * @fd: the descriptor; none if negative
 * @error: goes with it
 *
 * Return: 0 or negative errno
 */
int kseal_send_fd(int socket, int fd, int error)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t)))) = { 0 };
	struct iovec iov = { .iov_base = &error, .iov_len = sizeof(error) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	/* glibc's goes through socketcall() on some architectures, which the filter reports. */
	return syscall(SYS_sendmsg, socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/**
 * kseal_receive_fd() - the other end of kseal_send_fd()
 * @socket: AF_UNIX, SOCK_SEQPACKET
 * @error: what came along; unchanged if the other end closed
 *
 * Return: the descriptor, close-on-exec, -1 if there is none
 */
int kseal_receive_fd(int socket, int *error)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t))));
	int value, fd = -1;
	struct iovec iov = { .iov_base = &value, .iov_len = sizeof(value) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != sizeof(value))
		return -1;
	*error = value;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}
