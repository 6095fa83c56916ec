# SPDX-License-Identifier: GPL-2.0
"""A process whose program counter somebody has taken over: makes system calls of our
choice in it, so that what confines it can be tested where it counts, in the program
that runs. Used by test_confine.py. x86-64 only."""

import ctypes
import os
import platform
import signal

from harness import Skip

GETREGS, SETREGS, SINGLESTEP, ATTACH, DETACH = 12, 13, 9, 16, 17
WALL = 0x40000000
SYSCALL = b"\x0f\x05"
AT_FDCWD = -100

# Of the architecture, <asm/unistd_64.h>
CALLS = {"close": 3, "socket": 41, "execve": 59, "mkdir": 83, "unlink": 87, "setuid": 105,
         "openat": 257}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    """struct user_regs_struct of <sys/user.h>"""
    _fields_ = [(name, ctypes.c_ulong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags "
        "rsp ss fs_base gs_base ds es fs gs").split()]


class Died(Exception):
    """The call has ended the process; the signal that did is its argument."""


class Captive:
    """The main thread of a process that waits in a system call, while the block runs."""

    def __init__(self, pid):
        if platform.machine() != "x86_64":
            raise Skip("registers are known for x86-64 only")
        self.pid = pid
        self.dead = False

    def _ptrace(self, request, data=None):
        if libc.ptrace(request, self.pid, None, data) < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"ptrace({request}): {os.strerror(error)}")

    def _wait(self):
        _, status = os.waitpid(self.pid, WALL)
        if not os.WIFSTOPPED(status):
            self.dead = True
            raise Died(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
        return os.WSTOPSIG(status)

    def __enter__(self):
        self._ptrace(ATTACH)
        self._wait()
        self.saved = Registers()
        self._ptrace(GETREGS, ctypes.byref(self.saved))
        self.mem = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        assert os.pread(self.mem, 2, self.saved.rip - 2) == SYSCALL, "it is not in a system call"
        return self

    def __exit__(self, *_):
        os.close(self.mem)
        if not self.dead:
            self._ptrace(SETREGS, ctypes.byref(self.saved))
            self._ptrace(DETACH)

    def call(self, name, *args):
        """What the kernel returns: negative for an errno. Strings lie below its stack."""
        regs = Registers()
        ctypes.pointer(regs)[0] = self.saved
        values, place = [], self.saved.rsp - 1024
        for arg in args:
            if isinstance(arg, str):
                data = arg.encode() + b"\0"
                os.pwrite(self.mem, data, place)
                arg, place = place, place + len(data)
            values.append(arg & 0xFFFFFFFFFFFFFFFF)
        for register, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), values):
            setattr(regs, register, value)
        regs.rax = CALLS[name]
        regs.orig_rax = 0xFFFFFFFFFFFFFFFF      # nothing to restart
        regs.rip -= len(SYSCALL)
        self._ptrace(SETREGS, ctypes.byref(regs))
        self._ptrace(SINGLESTEP)
        stopped = self._wait()
        assert stopped == signal.SIGTRAP, f"stopped by signal {stopped}"
        self._ptrace(GETREGS, ctypes.byref(regs))
        return ctypes.c_long(regs.rax).value

    def open(self, path, flags, mode=0):
        """0, or an errno; what is opened is closed."""
        fd = self.call("openat", AT_FDCWD, path, flags, mode)
        if fd < 0:
            return -fd
        self.call("close", fd)
        return 0
