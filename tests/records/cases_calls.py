# SPDX-License-Identifier: GPL-2.0
"""The system calls around a stream, of sealed and of explicit sockets: io_uring, signals
in the middle of things, addresses that are not there, closing in want of memory, BPF.
What comes out is what TCP does, and not a byte is lost or doubled."""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import signal
import socket
import struct
import tempfile
import threading
import time

from cases_explicit import in_background, readable, receive
from cases_sealed import BAD_RECORD_MAC, alert
from peer import (ALERT, DATA, HANDSHAKE, SOL_TLS, TIOCOUTQ, TLS_GET_RECORD_TYPE, TLS_SET_RECORD_TYPE, CLOSE_NOTIFY,
                  KEY_UPDATE, Skip, case, case_once, check, equal, eventually, explicit, fails, listener, sealed,
                  tcp, ulp)
from uring import SEND_ZC, MsgHdr, Ring, address

SIOCOUTQNSD = 0x894B
SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_PEEK_OFF = 26, 27, 42
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, IP_RECVERR = 19, 20, 21, 11
PAGE = mmap.PAGESIZE

libc = ctypes.CDLL(None, use_errno=True)


# How to make a socket, and its last records
KINDS = ((sealed, [(ALERT, CLOSE_NOTIFY)]), (explicit, []))


def of_each_kind(suite):
    for make, _ in KINDS:
        sock, peer = make(suite)
        sock.settimeout(None)
        yield sock, peer


def call(name, *args):
    """A call of libc's that a signal may interrupt: Python would make its own again."""
    ret = getattr(libc, name)(*args)
    if ret < 0:
        raise OSError(ctypes.get_errno(), name)
    return ret


def pointer(at):
    return ctypes.c_void_p(at)


# io_uring

@case
def io_uring_sends_and_receives(suite):
    data, buf = os.urandom(300000), bytearray(20000)
    with Ring() as ring:
        for sock, peer in of_each_kind(suite):
            sent = ring.send(sock, data, socket.MSG_WAITALL)
            equal(peer.data(len(data)), data)
            equal(ring.result(sent), len(data))
            pending = ring.recv(sock, buf)
            check(not ring.over(pending))
            peer.send(data[:16384])
            equal(ring.result(pending), 16384)
            equal(buf[:16384], data[:16384])
            pending = ring.recv(sock, buf, socket.MSG_WAITALL)
            for i in range(0, len(buf), 5000):
                check(not ring.over(pending))
                peer.send(data[i:i + 5000])
            equal(ring.result(pending), len(buf))
            equal(buf, data[:len(buf)])


@case
def io_uring_waits_for_data_and_sees_the_end(suite):
    buf = bytearray(100)
    with Ring() as ring:
        sock, peer = sealed(suite)
        sock.settimeout(None)
        pending = ring.recv(sock, buf)
        if suite.tls13:
            peer.update(request=True)
            peer.take_update()
        peer.send(b"")
        time.sleep(0.02)
        check(not ring.over(pending))
        peer.send(b"data")
        equal(ring.result(pending), 4)
        pending = ring.recv(sock, buf)
        check(not ring.over(pending))
        peer.send(CLOSE_NOTIFY, ALERT)
        equal(ring.result(pending), 0)

        sock, peer = sealed(suite)
        pending = ring.recv(sock, buf)
        check(not ring.over(pending))
        record = bytearray(peer.tx.seal(b"forged"))
        record[-1] ^= 1
        peer.sock.sendall(record)
        equal(ring.result(pending), -errno.EBADMSG)

        sock, peer = sealed(suite)
        pending = ring.recv(sock, buf)
        check(not ring.over(pending))
        ring.result(ring.cancel(pending))
        equal(ring.result(pending), -errno.ECANCELED)
        peer.send(b"later")
        equal(sock.recv(100), b"later")


@case
def io_uring_passes_control_messages(suite):
    with Ring() as ring:
        for sock, peer in of_each_kind(suite):
            equal(ring.result(ring.sendmsg(sock, MsgHdr(bytearray(b"plain")))), 5)
            equal(peer.record(), (DATA, b"plain"))
        kind = bytearray(struct.pack("QIIB7x", 17, SOL_TLS, TLS_SET_RECORD_TYPE, HANDSHAKE))
        equal(ring.result(ring.sendmsg(sock, MsgHdr(bytearray(KEY_UPDATE), kind))), len(KEY_UPDATE))
        equal(peer.record(), (HANDSHAKE, KEY_UPDATE))
        msg = MsgHdr(bytearray(100), bytearray(24))
        pending = ring.recvmsg(sock, msg)
        check(not ring.over(pending))
        peer.send(CLOSE_NOTIFY, ALERT)
        equal(ring.result(pending), 2)
        equal(bytes(msg.buf[:2]), CLOSE_NOTIFY)
        equal(msg.control[:17], struct.pack("QIIB", 17, SOL_TLS, TLS_GET_RECORD_TYPE, ALERT))


@case
def io_uring_splices_both_ways(suite):
    data = os.urandom(200000)
    with Ring() as ring:
        for sock, peer in of_each_kind(suite):
            source, target = os.pipe()
            try:
                fcntl.fcntl(target, 1031, 1 << 20)      # F_SETPIPE_SZ
                pending = ring.splice(sock.fileno(), target, 1000)
                peer.send(data[:1000])
                equal(ring.result(pending), 1000)
                equal(os.read(source, 2000), data[:1000])
                os.write(target, data)
                writer = in_background(lambda: splice_all(ring, source, sock, len(data)))
                equal(peer.data(len(data)), data)
                writer.join()
            finally:
                os.close(source)
                os.close(target)


def splice_all(ring, source, sock, length):
    while length:
        n = ring.result(ring.splice(source, sock.fileno(), length))
        check(n > 0, n)
        length -= n


@case_once
def io_uring_accepts_sealed_connections_only(suite):
    with Ring() as ring:
        def accept(l):
            pending = ring.accept(l)
            return lambda: socket.socket(fileno=ring.result(pending))
        sock, peer = sealed(suite, accept=accept)
        sock.sendall(b"hello")
        equal(peer.record(), (DATA, b"hello"))
        with listener() as l:
            ulp(l)
            l.listen()
            pending = ring.accept(l)
            with socket.create_connection(l.getsockname()[:2]):
                time.sleep(0.05)
                check(not ring.over(pending), "nobody has sealed it")
                ring.result(ring.cancel(pending))
                equal(ring.result(pending), -errno.ECANCELED)


@case_once
def io_uring_does_not_send_user_pages_unsealed(suite):
    """A zero-copy send is refused, as by the "tls" ULP."""
    with Ring() as ring:
        for sock, peer in of_each_kind(suite):
            ret = ring.result(ring.send(sock, b"x" * 5000, op=SEND_ZC))
            check(ret in (-errno.EOPNOTSUPP, -errno.EINVAL), ret)
            sock.sendall(b"sealed")
            equal(peer.record(), (DATA, b"sealed"))


# signals

@contextlib.contextmanager
def alarms(every, interrupt=True):
    """A signal again and again; its handler does nothing but count."""
    count = [0]

    def handler(*_):
        count[0] += 1
    old = signal.signal(signal.SIGALRM, handler)
    signal.siginterrupt(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, every, every)
    try:
        yield count
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def go_on(step, length):
    """step(at) until all is done. Returns how often it was interrupted."""
    at = interrupted = 0
    while at < length:
        try:
            n = step(at)
            check(n > 0, n, at)
            interrupted += n < length - at
            at += n
        except OSError as e:
            equal(e.errno, errno.EINTR)
            interrupted += 1
    equal(at, length)
    return interrupted


def slowly(function):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    function()


@case_once
def writes_that_signals_interrupt_lose_nothing(suite):
    data = bytearray(os.urandom(600000))
    at = address(data)
    with tempfile.TemporaryFile(dir="/dev/shm") as f:
        f.write(data)
        f.flush()
        for interrupt in (True, False):
            for sock, peer in of_each_kind(suite):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
                fd = sock.fileno()
                got = []

                def read():
                    time.sleep(0.05)
                    got.append(peer.data(2 * len(data)))    # a record may have of both
                reader = in_background(lambda: slowly(read))
                os.lseek(f.fileno(), 0, os.SEEK_SET)
                with alarms(0.002, interrupt) as count:
                    times = go_on(lambda i: call("send", fd, pointer(at + i), len(data) - i, 0), len(data))
                    times += go_on(lambda i: call("sendfile", fd, f.fileno(), None, len(data) - i), len(data))
                reader.join()
                check(got == [data + data], [len(g) for g in got])
                check(count[0] and times, count, times)


@case_once
def reads_that_signals_interrupt_lose_nothing(suite):
    data = os.urandom(300000)
    buf = bytearray(len(data))
    at = address(buf)
    for interrupt in (True, False):
        for sock, peer in of_each_kind(suite):
            fd = sock.fileno()

            def feed():
                for _ in range(2):
                    for i in range(0, len(data), 16000):
                        record = peer.tx.seal(data[i:i + 16000])
                        peer.sock.sendall(record[:9000])
                        time.sleep(0.003)
                        peer.sock.sendall(record[9000:])
            feeder = in_background(lambda: slowly(feed))
            source, target = os.pipe()
            with alarms(0.002, interrupt) as count:
                times = go_on(lambda i: call("recv", fd, pointer(at + i), len(data) - i, socket.MSG_WAITALL),
                              len(data))
                check(bytes(buf) == data)
                buf[:] = bytes(len(buf))

                def piped(i):
                    n = call("splice", fd, None, target, None, len(data) - i, 0)
                    done = 0
                    while done < n:
                        done += os.readv(source, [memoryview(buf)[i + done:i + n]])
                    return n
                times += go_on(piped, len(data))
                check(bytes(buf) == data)
            feeder.join()
            check(count[0] and times, count, times)
            os.close(source)
            os.close(target)


@case_once
def a_signal_ends_or_restarts_a_sleeping_call(suite):
    """As TCP has it: SA_RESTART counts, unless there is a time limit."""
    buf = bytearray(100)
    tcp_pair = tcp()
    tcp_pair[1].settimeout(None)
    plain = (tcp_pair[1], type("Plain", (), {"send": staticmethod(tcp_pair[0].sendall), "sock": tcp_pair[0]}))
    for sock, peer in [plain, *of_each_kind(suite)]:
        receive_one = ("recv", sock.fileno(), pointer(address(buf)), 100, 0)
        with alarms(0.03, True):
            fails(lambda: call(*receive_one), errno.EINTR)
        with alarms(0.03, False):
            timer = threading.Timer(0.1, lambda: slowly(lambda: peer.send(b"data")))
            timer.start()
            equal(call(*receive_one), 4)
            timer.join()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
        with alarms(0.03, False):
            fails(lambda: call(*receive_one), errno.EINTR)

        sock.setblocking(False)
        for _ in range(5):      # what is on its way makes room for more
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.send(bytes(100000))
            time.sleep(0.2)
        sock.settimeout(None)
        with alarms(0.03, True):
            fails(lambda: call("send", sock.fileno(), pointer(address(buf)), 100, 0), errno.EINTR)
        peer.sock.close()


@case_once
def sigpipe_comes_unless_it_is_not_wanted(suite):
    count = [0]

    def handler(*_):
        count[0] += 1
    old = signal.signal(signal.SIGPIPE, handler)
    try:
        for sock, peer in of_each_kind(suite):
            count[0] = 0
            sock.shutdown(socket.SHUT_WR)
            fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)
            equal(count[0], 0)
            fails(lambda: sock.send(b"x"), errno.EPIPE)
            equal(count[0], 1)
            with tempfile.TemporaryFile(dir="/dev/shm") as f:
                f.truncate(10)
                fails(lambda: os.sendfile(sock.fileno(), f.fileno(), 0, 10), errno.EPIPE)
            equal(count[0], 2)
            peer.reset()
            check(readable(sock, 5))
            fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE, errno.ECONNRESET)
            equal(count[0], 2)
    finally:
        signal.signal(signal.SIGPIPE, old)


# memory that is not there

@contextlib.contextmanager
def edge(size):
    """The address of @size bytes behind which there is nothing, and their content."""
    pages = -(-size // PAGE)
    with mmap.mmap(-1, (pages + 1) * PAGE) as m:
        at = address(m)
        call("mprotect", pointer(at + pages * PAGE), PAGE, 0)
        content = os.urandom(size)
        m[pages * PAGE - size:pages * PAGE] = content
        yield at + pages * PAGE - size, content
        call("mprotect", pointer(at + pages * PAGE), PAGE, 3)


@case
def what_can_not_be_read_is_not_sent(suite):
    for sock, peer in of_each_kind(suite):
        for size in (0, 1, 100, 4096, 16384, 30000):
            with edge(size) as (at, content):
                for more in (0, socket.MSG_MORE):
                    try:
                        n = call("send", sock.fileno(), pointer(at), size + 20000, more)
                    except OSError as e:
                        equal(e.errno, errno.EFAULT)
                        n = 0
                    check(n <= size and (n or size < PAGE), n, size)
                    sock.send(b"whole")
                    equal(peer.data(n + 5), content[:n] + b"whole")


@case
def a_write_that_failed_does_not_spoil_the_end(suite):
    for make, end in KINDS:
        sock, peer = make(suite)
        with edge(0) as (at, _):
            fails(lambda: call("send", sock.fileno(), pointer(at), 100, 0), errno.EFAULT)
        sock.close()
        peer.ends_with(*end)


@case
def what_can_not_be_written_is_not_lost(suite):
    for sock, peer in of_each_kind(suite):
        for size in (0, 100, 1000, 5000, 10000):
            data = os.urandom(16384)
            peer.send(data[:3])
            peer.send(data[3:])
            with edge(size) as (at, _):
                for flags in (socket.MSG_PEEK, 0):
                    try:
                        n = call("recv", sock.fileno(), pointer(at), 16384, flags | socket.MSG_WAITALL)
                        equal(ctypes.string_at(at, n), data[:n])
                    except OSError as e:
                        equal(e.errno, errno.EFAULT)
                        n = 0
            equal(receive(sock, len(data) - n), data[n:])


@case
def a_file_cut_short_while_it_is_sent_yields_good_records(suite):
    data = os.urandom(1 << 20)
    for sock, peer in of_each_kind(suite):
        for left in (0, 5000, 400000):
            with tempfile.TemporaryFile(dir="/dev/shm") as f:
                f.write(data)
                f.flush()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100000)
                sent = []

                def send():
                    while not sent or sent[-1]:
                        sent.append(os.sendfile(sock.fileno(), f.fileno(), sum(sent), len(data)))
                writer = in_background(send)
                got = peer.record()[1]
                time.sleep(0.01)        # until the buffers are full and it sleeps
                f.truncate(left)
                while writer.is_alive() or len(got) < sum(sent):
                    check(len(got) <= len(data))
                    if select.select([peer.sock], [], [], 0.01)[0] or len(peer.buf) > 5:
                        got += peer.record()[1]
                writer.join()
                equal(len(got), sum(sent))
                check(len(got) >= left)
                check(got[:left] == data[:left])
                for a, b in zip(got[left::997], data[left::997]):
                    check(a in (0, b))
        sock.send(b"intact")
        equal(peer.data(6), b"intact")


# buffers, and the end

def fill(sock, peer, sndbuf=50000):
    """Write until nothing more goes in; returns what did."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50000)
    sent = b""
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            block = os.urandom(30000)
            sent += block[:sock.send(block)]
    sock.setblocking(True)
    return sent


def asked(sock, what):
    return struct.unpack("i", fcntl.ioctl(sock, what, bytes(4)))[0]


@case_once
def outq_counts_what_is_under_way(suite):
    for sock, peer in of_each_kind(suite):
        equal(asked(sock, TIOCOUTQ), 0)
        sent = fill(sock, peer)
        check(asked(sock, TIOCOUTQ) >= asked(sock, SIOCOUTQNSD) > 0)
        equal(peer.data(len(sent)), sent)
        eventually(lambda: asked(sock, TIOCOUTQ) == asked(sock, SIOCOUTQNSD) == 0, "all is acknowledged")


@case_once
def what_has_room_to_be_sent_does_not_wait_for_more_to_have_it(suite):
    for option in (None, socket.TCP_CORK):
        for sock, peer in of_each_kind(suite):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            if option:
                sock.setsockopt(socket.IPPROTO_TCP, option, 1)
            sock.setblocking(False)
            data = os.urandom(60000)
            sent = sock.send(data)
            check(sent < len(data))
            equal(asked(sock, SIOCOUTQNSD), 0)
            equal(peer.data(sent), data[:sent])


@case
def msg_eor_ends_a_record(suite):
    for sock, peer in of_each_kind(suite):
        fails(lambda: sock.send(b"x", socket.MSG_EOR | socket.MSG_MORE), errno.EINVAL)
        sock.send(b"a", socket.MSG_MORE)
        sock.send(b"b", socket.MSG_EOR)
        sock.send(b"c", socket.MSG_EOR)
        for content in (b"ab", b"c"):
            equal(peer.record(), (DATA, content))


def arrives_whole_or_is_reset(peer, sent, end):
    """Returns whether it is whole."""
    got = b""
    try:
        while len(got) < len(sent):
            record = peer.record()
            check(record and record[0] == DATA, f"{record!r:.50} after {len(got)} of {len(sent)}")
            got += record[1]
        check(got == sent)
        peer.ends_with(*end)
    except ConnectionResetError:
        check(sent.startswith(got))
        return False
    return True


@case
def close_does_not_wait_and_loses_nothing(suite):
    """The peer reads only after the socket has been closed."""
    for make, end in KINDS:
        for sndbuf in (1, 4096, 200000):
            sock, peer = make(suite)
            sent = fill(sock, peer, sndbuf)
            with contextlib.suppress(BlockingIOError):
                sock.send(b"open", socket.MSG_MORE | socket.MSG_DONTWAIT)
                sent += b"open"
            begin = time.monotonic()
            sock.close()
            check(time.monotonic() - begin < 1)
            check(arrives_whole_or_is_reset(peer, sent, end))


@case
def close_in_want_of_memory_delivers_or_resets(suite):
    path = "/proc/sys/net/ipv4/tcp_mem"
    with open(path) as f:
        old = f.read()
    try:
        for make, end in KINDS:
            for much in (False, True):
                sock, peer = make(suite)
                sent = fill(sock, peer) if much else b""
                with open(path, "w") as f:
                    f.write("1 1 1")
                with contextlib.suppress(BlockingIOError):
                    n = sock.send(b"m" * 3000, socket.MSG_DONTWAIT)
                    sent += b"m" * n
                begin = time.monotonic()
                sock.close()
                check(time.monotonic() - begin < 1)
                time.sleep(0.05)
                with open(path, "w") as f:
                    f.write(old)
                arrives_whole_or_is_reset(peer, sent, end)
    finally:
        with open(path, "w") as f:
            f.write(old)


@case_once
def linger_waits_for_the_peer_as_long_as_it_may(suite):
    for make, end in KINDS:
        sock, peer = make(suite)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 20))
        sent = fill(sock, peer)
        reader = in_background(lambda: (time.sleep(0.1), check(arrives_whole_or_is_reset(peer, sent, end)),
                                        peer.sock.close()))
        begin = time.monotonic()
        sock.close()
        check(0.05 < time.monotonic() - begin < 15)
        reader.join()
        sock, peer = make(suite)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1))
        sent = fill(sock, peer)
        begin = time.monotonic()
        sock.close()
        check(0.9 < time.monotonic() - begin < 5)
        check(arrives_whole_or_is_reset(peer, sent, end))
        sock, peer = make(suite)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sent = fill(sock, peer)
        sock.close()
        check(not arrives_whole_or_is_reset(peer, sent, end))


# BPF

class SockMap:
    MAP_CREATE, MAP_UPDATE, MAP_DELETE = 0, 2, 3

    def __init__(self, kind):
        self.fd = self._bpf(self.MAP_CREATE, struct.pack("IIIII", kind, 4, 4, 4, 0))

    @staticmethod
    def _bpf(command, attributes):
        attributes = bytearray(attributes.ljust(128, b"\0"))
        ret = libc.syscall(321, command, pointer(address(attributes)), len(attributes))
        if ret < 0:
            e = ctypes.get_errno()
            if e == errno.ENOSYS:
                raise Skip("this kernel has no bpf()")
            raise OSError(e, os.strerror(e))
        return ret

    def add(self, sock):
        key, value = bytearray(4), bytearray(struct.pack("I", sock.fileno()))
        self._bpf(self.MAP_UPDATE, struct.pack("IIQQ", self.fd, 0, address(key), address(value)))

    def empty(self):
        key = bytearray(4)
        self._bpf(self.MAP_DELETE, struct.pack("IIQ", self.fd, 0, address(key)))


@case_once
def sockmap_and_kseal_exclude_each_other(suite):
    """A program of a map would read and write beside the record layer."""
    for kind in (15, 18):       # BPF_MAP_TYPE_SOCKMAP, _SOCKHASH
        sockmap = SockMap(kind)
        for sock, peer in of_each_kind(suite):
            fails(lambda: sockmap.add(sock), errno.EINVAL)
            sock.send(b"x")
            equal(peer.record(), (DATA, b"x"))
            peer.send(b"y")
            equal(sock.recv(10), b"y")
        with listener() as l:
            ulp(l)
            l.listen()
            fails(lambda: sockmap.add(l), errno.EINVAL, errno.EOPNOTSUPP)
        client, sock = tcp()
        sockmap.add(sock)
        fails(lambda: ulp(sock), errno.EINVAL)
        client.send(b"still plain")
        equal(sock.recv(100), b"still plain")
        sockmap.empty()
        ulp(sock)
        os.close(sockmap.fd)


@case_once
def a_socket_filter_is_not_got_round(suite):
    drop = bytearray(struct.pack("HBBI", 6, 0, 0, 0))       # BPF_RET: nothing of it
    program = struct.pack("HxxxxxxQ", 1, address(drop))
    for sock, peer in of_each_kind(suite):
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        peer.send(b"late")
        check(not readable(sock, 0.1))
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        check(readable(sock, 10))
        equal(sock.recv(10), b"late")


# what TCP has to tell

@case_once
def an_error_is_told_to_who_asks_though_a_record_waited(suite):
    """The work that looks after an open record must not take it away."""
    for sock, peer in of_each_kind(suite):
        sock.send(b"more to come", socket.MSG_MORE)
        peer.reset()
        time.sleep(0.5)
        equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.ECONNRESET)
    for sock, peer in of_each_kind(suite):
        sock.send(b"more to come", socket.MSG_MORE)
        peer.reset()
        time.sleep(0.5)
        fails(lambda: sock.recv(1), errno.ECONNRESET)


@case_once
def what_a_write_has_taken_goes_ahead_of_close_notify(suite):
    """However a shutdown by another thread meets it."""
    for _ in range(100):
        sock, peer = sealed(suite)
        sock.settimeout(None)
        sent = []

        def write():
            with contextlib.suppress(BrokenPipeError):
                while True:
                    sent.append(sock.send(b"x" * 100))
        writer = in_background(write)
        reader = in_background(lambda: (time.sleep(0.002), sock.shutdown(socket.SHUT_WR)))
        got = 0
        while (record := peer.record())[0] == DATA:
            got += len(record[1])
        equal(record, (ALERT, CLOSE_NOTIFY))
        peer.ends()
        writer.join()
        reader.join()
        equal(got, sum(sent))


def unreachable(sock):
    """An ICMP message says that what @sock has sent last did not arrive."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, 2)
    seq = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) % 2**32
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)    # without a window probe
    (host, port), (peer, peer_port) = sock.getsockname(), sock.getpeername()
    lost = (struct.pack(">BBHHHBBH", 0x45, 0, 48, 0, 0, 64, socket.IPPROTO_TCP, 0) + socket.inet_aton(host) +
            socket.inet_aton(peer) + struct.pack(">HHI", port, peer_port, seq))
    message = struct.pack(">BBHI", 3, 1, 0, 0) + lost
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(message[:2] + struct.pack(">H", ~total & 0xffff) + message[4:], (host, 0))


@case_once
def an_error_that_tcp_survives_is_told_once(suite):
    for sock, peer in of_each_kind(suite):
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.send(b"held back", socket.MSG_MORE)
        unreachable(sock)
        time.sleep(0.5)
        fails(lambda: sock.recv(10, socket.MSG_DONTWAIT), errno.EHOSTUNREACH)
        fails(lambda: sock.recv(10, socket.MSG_DONTWAIT), errno.EAGAIN)
        equal(peer.record(), (DATA, b"held back"))
        peer.send(b"in")
        equal(sock.recv(10), b"in")
        sock.send(b"out")
        equal(peer.record(), (DATA, b"out"))


@case_once
def an_error_that_tcp_survives_is_no_reason_to_cut_the_stream(suite):
    """Of FIN, which goes out in any case: what is held back and close_notify go before it."""
    for how in ("close", "shutdown"):
        sock, peer = sealed(suite)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.send(b"held back", socket.MSG_MORE)
        unreachable(sock)
        if how == "close":
            sock.close()
        else:
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.2)
            equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.EHOSTUNREACH)
        peer.ends_with((DATA, b"held back"), (ALERT, CLOSE_NOTIFY))


@case_once
def an_error_that_tcp_survives_does_not_hold_up_an_alert(suite):
    sock, peer = sealed(suite)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    peer.sock.sendall(peer.tx.seal(b"forged")[:-1] + b"?")
    unreachable(sock)
    time.sleep(0.5)
    fails(lambda: sock.recv(10, socket.MSG_DONTWAIT), errno.EBADMSG)
    equal(peer.record(), alert(BAD_RECORD_MAC))


@case_once
def peeking_far_ahead_does_not_take_in_the_whole_stream(suite):
    """SO_PEEK_OFF counts from bytes that are held; the peer is stopped as by TCP."""
    sock, peer = explicit(suite, rcvbuf=100000)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 1 << 30)
    except OSError as e:
        raise Skip("TCP has no SO_PEEK_OFF") from e
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100000)
    sock.settimeout(None)
    peer.sock.settimeout(None)
    record, sent, tries = b"", 0, 0
    while tries < 100 and sent < 4 << 20:
        record = record or peer.tx.seal(bytes(16384))
        try:
            n = peer.sock.send(record, socket.MSG_DONTWAIT)
            record, sent, tries = record[n:], sent + n, 0
        except BlockingIOError:
            fails(lambda: sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT), errno.EAGAIN)
            time.sleep(0.01)
            tries += 1
    check(sent < 1 << 20, f"{sent} bytes were taken in")
