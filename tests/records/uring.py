# SPDX-License-Identifier: GPL-2.0
"""As much of io_uring as the tests need, with bare system calls: operations go in one
at a time, completions come back by their number (<linux/io_uring.h>)."""

import ctypes
import errno
import mmap
import os
import socket
import struct

from peer import Skip

SETUP, ENTER = 425, 426     # system calls
SQ_RING, SQES = 0, 0x10000000
GETEVENTS = 1

SENDMSG, RECVMSG, ACCEPT, ASYNC_CANCEL, CONNECT, SEND, RECV, SPLICE, SEND_ZC = 9, 10, 13, 14, 16, 26, 27, 30, 47
ENTRIES = 32

_libc = ctypes.CDLL(None, use_errno=True)


def address(buf):
    """Where a writable buffer is."""
    return ctypes.addressof((ctypes.c_char * len(buf)).from_buffer(buf))


class MsgHdr:
    """A struct msghdr of one buffer and perhaps a control message."""

    def __init__(self, buf, control=bytearray()):
        self.buf, self.control = buf, control
        self.iov = bytearray(struct.pack("QQ", address(buf), len(buf)))
        self.hdr = bytearray(struct.pack("QIIQQQQIi", 0, 0, 0, address(self.iov), 1,
                                         address(control) if control else 0, len(control), 0, 0))

    def controllen(self):
        return struct.unpack_from("Q", self.hdr, 40)[0]


class Ring:
    def __init__(self):
        params = bytearray(120)
        self.fd = _libc.syscall(SETUP, ENTRIES, ctypes.c_void_p(address(params)))
        if self.fd < 0:
            e = ctypes.get_errno()
            raise Skip(f"this kernel gives no io_uring: {errno.errorcode[e]}")
        entries = struct.unpack_from("I", params)[0]
        self.sq = struct.unpack_from("8I", params, 40)
        self.cq = struct.unpack_from("6I", params, 80)
        size = max(self.sq[6] + 4 * entries, self.cq[5] + 16 * struct.unpack_from("I", params, 4)[0])
        self.ring = mmap.mmap(self.fd, size, offset=SQ_RING)
        self.sqes = mmap.mmap(self.fd, 64 * entries, offset=SQES)
        self.done, self.last, self.kept = {}, 0, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ring.close()
        self.sqes.close()
        os.close(self.fd)

    def _u32(self, offset):
        return struct.unpack_from("I", self.ring, offset)[0]

    def _enter(self, submit, wait):
        while _libc.syscall(ENTER, self.fd, submit, wait, GETEVENTS if wait else 0, None, 0) < 0:
            e = ctypes.get_errno()
            if e != errno.EINTR:
                raise OSError(e, os.strerror(e))

    def start(self, op, fd, addr=0, length=0, offset=0, flags=0, more=0, keep=None):
        """Returns the operation's number. @keep lives until it is over."""
        self.last += 1
        tail = self._u32(self.sq[1])
        i = tail & self._u32(self.sq[2])
        self.sqes[64 * i:64 * i + 64] = struct.pack("BBHiQQIIQHHi16x", op, 0, 0, fd, offset, addr, length, flags,
                                                    self.last, 0, 0, more)
        struct.pack_into("I", self.ring, self.sq[6] + 4 * i, i)
        struct.pack_into("I", self.ring, self.sq[1], tail + 1)
        self.kept[self.last] = keep
        self._enter(1, 0)
        return self.last

    def _reap(self):
        head = self._u32(self.cq[0])
        while head != self._u32(self.cq[1]):
            data, res, _ = struct.unpack_from("QiI", self.ring, self.cq[5] + 16 * (head & self._u32(self.cq[2])))
            self.done.setdefault(data, res)     # a zero-copy send has two completions
            self.kept.pop(data, None)
            head += 1
            struct.pack_into("I", self.ring, self.cq[0], head)

    def over(self, number):
        """Has it come to an end by now?"""
        self._enter(0, 0)
        self._reap()
        return number in self.done

    def result(self, number):
        """Wait for it; a negative errno if it failed."""
        self._reap()
        while number not in self.done:
            self._enter(0, 1)
            self._reap()
        return self.done.pop(number)

    def send(self, sock, data, flags=0, op=SEND):
        buf = bytearray(data)
        return self.start(op, sock.fileno(), address(buf), len(buf), 0, flags, keep=buf)

    def recv(self, sock, buf, flags=0):
        return self.start(RECV, sock.fileno(), address(buf), len(buf), 0, flags, keep=buf)

    def sendmsg(self, sock, msg, flags=0):
        return self.start(SENDMSG, sock.fileno(), address(msg.hdr), 1, 0, flags, keep=msg)

    def recvmsg(self, sock, msg, flags=0):
        return self.start(RECVMSG, sock.fileno(), address(msg.hdr), 1, 0, flags, keep=msg)

    def splice(self, source, target, length):
        """File descriptors; a pipe at one end."""
        return self.start(SPLICE, target, 2**64 - 1, length, 2**64 - 1, 0, source)

    def accept(self, sock):
        return self.start(ACCEPT, sock.fileno())

    def connect(self, sock, to):
        """TO: IPv4, address and port."""
        name = bytearray(struct.pack("=H", socket.AF_INET) + struct.pack(">H", to[1]) + socket.inet_aton(to[0]) +
                         bytes(8))
        return self.start(CONNECT, sock.fileno(), address(name), 0, len(name), keep=name)

    def cancel(self, number):
        return self.start(ASYNC_CANCEL, -1, number)
