# SPDX-License-Identifier: GPL-2.0
"""The socket that accept() gave: a stream with an authentic beginning, middle and
end, and otherwise TCP's own ways."""

import array
import contextlib
import errno
import fcntl
import os
import random
import select
import socket
import ssl
import struct
import termios
import threading
import time

import harness
from harness import (Capture, Child, Thread, VERSIONS, accepts_nothing, arm, context, counted, eq,
                     eventually, listener, pair, path, plain_pair, port_of, raises, read_all,
                     read_exactly, reset, test)

MSG_FASTOPEN = 0x20000000
SIOCOUTQ = 0x5411


def each_version(f):
    """A test for each version of TLS."""
    for version in VERSIONS:
        test(f, args=(version,), name=f"{f.__name__}_tls{version.replace('.', '')}")
    return f


# --- the end of the stream --------------------------------------------------------

# Invariant 5.
@each_version
def close_notify_of_the_client_is_the_end_and_the_server_may_go_on(version):
    conn, peer = pair(context(version))
    peer.send(b"last words")
    peer.close_notify()
    eq(conn.recv(100), b"last words")
    eq(conn.recv(100), b"")
    eq(conn.recv(100), b"", "the second time")
    if version == "1.3":
        # RFC 8446 section 6.1: the other direction stays open.
        conn.sendall(b"my turn " * 5000)
        conn.shutdown(socket.SHUT_WR)
    else:
        conn.close()
        peer.close()
        return
    # Python's client reads no more after unwrap(): count what comes as records.
    peer.sock.settimeout(20 * harness.SLOW)
    records, rest = harness._records(peer.inbound.read() + read_all(peer.sock))
    assert not rest and sum(len(p) for k, p in records if k == 23) >= 40000, "my turn"


# Invariant 5.
@each_version
def the_server_may_end_first_and_still_read(version):
    conn, peer = pair(context(version))
    conn.sendall(b"that was all")
    conn.shutdown(socket.SHUT_WR)
    eq(peer.recv(), b"that was all")
    eq(peer.recv(), b"", "close_notify")
    with raises(errno.EPIPE):
        conn.send(b"more")
    if version == "1.3":
        peer.send(b"I see")
        peer.close_notify()
        eq(conn.recv(100), b"I see")
        eq(conn.recv(100), b"")
    conn.close()


# Invariant 5.
@each_version
def a_bare_fin_is_an_error_and_no_end(version):
    for sent in (b"", b"half a sentence"):
        conn, peer = pair(context(version))
        with counted(KsealTruncated=1):
            peer.send(sent)
            peer.sock.shutdown(socket.SHUT_WR)
            if sent:
                eq(read_exactly(conn, len(sent)), sent)
            for _ in range(3):
                with raises(errno.ECONNRESET):
                    conn.recv(100)
        conn.close()


# Invariant 5: a FIN inside a record, at each place.
@test
def a_fin_inside_a_record_is_an_error():
    for cut in (1, 4, 5, 6, 20, -1):
        conn, peer = pair()
        record = peer.seal(b"never to be read")
        peer.sock.sendall(record[:cut])
        peer.sock.shutdown(socket.SHUT_WR)
        with raises(errno.ECONNRESET):
            conn.recv(100)
        conn.close()


@test
def a_reset_is_a_reset():
    conn, peer = pair()
    reset(peer.sock)
    eventually(lambda: select.select([conn], [], [], 0)[0], "it is readable")
    with raises(errno.ECONNRESET):
        conn.recv(100)


@each_version
def a_fatal_alert_of_the_client_ends_the_stream(version):
    conn, peer = pair(context(version))
    # Data with a broken record makes the client itself send a fatal alert.
    peer.inbound.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with counted(KsealRxAlerts=1):
        try:
            peer.tls.read(100)
            raise AssertionError("the client believed it")
        except ssl.SSLError:
            peer.flush()
        for _ in range(2):
            with raises(errno.ECONNABORTED, errno.ECONNRESET, errno.EPROTO, errno.EBADMSG):
                conn.recv(100)
    with raises(errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.EPROTO, errno.EBADMSG):
        conn.send(b"x")


@test
def close_sends_close_notify_after_all_that_was_written():
    for size in (1, 16384, 1 << 20):
        conn, peer = pair()
        data = os.urandom(size)

        def write():
            conn.sendall(data)
            conn.close()
        writer = Thread(write)
        eq(peer.read_all(), data)       # ends with close_notify, or raises
        writer.join()
        peer.close()


@test
def exit_of_the_server_closes_in_order():
    conn, peer = pair()

    def child():
        conn.sendall(b"gone " * 1000)
        os._exit(0)
    r = os.fork()
    if not r:
        child()
    conn.close()
    os.waitpid(r, 0)
    eq(peer.read_all(), b"gone " * 1000)


# --- forged records ------------------------------------------------------------------

# Invariant 4: EBADMSG, an alert on the wire, and never another byte.
@each_version
def a_forged_record_kills_the_stream_for_good(version):
    def flip(record, at):
        changed = bytearray(record)
        changed[at] ^= 1
        return bytes(changed)
    for name, forge in (("tag", lambda r: flip(r, -1)),
                        ("ciphertext", lambda r: flip(r, 5 + 9)),
                        ("type", lambda r: b"\x16" + r[1:]),
                        ("garbage", lambda r: b"\x17\x03\x03\x00\x40" + os.urandom(64)),
                        ("short", lambda r: b"\x17\x03\x03\x00\x05" + bytes(5)),
                        ("empty", lambda r: b"\x17\x03\x03\x00\x00"),
                        ("cut", lambda r: r[:3] + struct.pack("!H", len(r) - 6) + r[5:-1])):
        conn, peer = pair(context(version))
        peer.send(b"good")
        eq(conn.recv(100), b"good")
        with counted(KsealBadRecord=1):
            record = peer.seal(b"forged in transit")
            peer.sock.sendall(forge(record))
            peer.send(b"and after it an honest one")
            for _ in range(3):
                with raises(errno.EBADMSG):
                    conn.recv(100)
        harness.note(f"{name}: refused")
        with raises(errno.EBADMSG, errno.EPIPE):
            conn.send(b"x")
        try:
            got = peer.recv()
            raise AssertionError(f"{name}: no alert, but {got!r}")
        except ssl.SSLError as e:
            assert "ALERT" in str(e), f"{name}: {e}"
        conn.close()


# Invariant 4.
@each_version
def a_replayed_or_reordered_record_is_refused(version):
    for order in ("replayed", "reordered", "dropped"):
        conn, peer = pair(context(version))
        one, two = peer.seal(b"one"), peer.seal(b"two")
        peer.sock.sendall({"replayed": one + one, "reordered": two + one, "dropped": two}[order])
        if order == "replayed":
            eq(conn.recv(3), b"one")
        with raises(errno.EBADMSG):
            conn.recv(100)
        with raises(errno.EBADMSG):
            conn.recv(100)


# Invariants 1 and 4.
@test
def plaintext_after_the_handshake_is_refused():
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x03\x00\x04\x00\x00\x00\x00",
                 b"\x17\x03\x03\xff\xff", b"\x17\x02\x00\x00\x20" + bytes(32),
                 b"\x14\x03\x03\x00\x01\x01", b"\x15\x03\x03\x00\x02\x01\x00"):
        for version in VERSIONS:
            conn, peer = pair(context(version))
            peer.sock.sendall(data)
            with raises(errno.EBADMSG, errno.EMSGSIZE, errno.EINVAL, errno.EPROTO,
                        errno.ECONNABORTED):
                conn.recv(100)
            with raises(errno.EBADMSG, errno.EMSGSIZE, errno.EINVAL, errno.EPROTO,
                        errno.ECONNABORTED):
                conn.recv(100)


@test
def data_before_a_forged_record_is_still_delivered():
    conn, peer = pair()
    peer.sock.sendall(peer.seal(b"good") + b"\x17\x03\x03\x00\x40" + os.urandom(64))
    eq(conn.recv(100), b"good")
    with raises(errno.EBADMSG):
        conn.recv(100)


# --- keys and states -----------------------------------------------------------------

# Invariant 2.
@each_version
def no_key_comes_out_of_a_sealed_socket(version):
    conn, peer = pair(context(version))
    sock = listener()
    for option in (harness.TLS_TX, harness.TLS_RX):
        for size in (1, 4, 39, 40, 41, 55, 56, 57, 64, 100, 1000):
            try:
                value = conn.getsockopt(harness.SOL_TLS, option, size)
            except OSError as e:
                assert e.errno in (errno.EINVAL, errno.EPERM, errno.EBUSY, errno.ENOPROTOOPT), e
                continue
            assert len(value) <= 4, f"option {option}, {size} bytes asked: {value!r}"
        value = conn.getsockopt(harness.SOL_TLS, option, 4)
        tls, cipher = struct.unpack("HH", value)
        eq(tls, {"1.2": 0x0303, "1.3": 0x0304}[version])
        assert cipher in (51, 52), cipher
    for option in (harness.KSEAL_TX_SECRET, harness.KSEAL_RX_SECRET):
        for s in (conn, sock):
            for size in (4, 32, 48, 64):
                with raises(errno.ENOPROTOOPT, errno.EPERM, errno.EINVAL):
                    s.getsockopt(harness.SOL_TLS, option, size)


# Invariants 2 and 6: a new key would begin its record numbers anew.
@test
def no_key_goes_into_a_sealed_socket():
    info = struct.pack("HH", 0x0304, 51) + bytes(36)
    conn, peer = pair()
    for s in (conn, listener()):
        for option, value in ((harness.TLS_TX, info), (harness.TLS_RX, info),
                              (harness.KSEAL_TX_SECRET, bytes(32)),
                              (harness.KSEAL_RX_SECRET, bytes(32))):
            with raises(errno.EPERM, errno.ENOTCONN, errno.EBUSY, errno.ENOPROTOOPT):
                s.setsockopt(harness.SOL_TLS, option, value)
    peer.send(b"unharmed")
    eq(conn.recv(100), b"unharmed")
    conn.sendall(b"quite")
    eq(peer.recv(), b"quite")


def disconnect(sock):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    address = struct.pack("H14x", socket.AF_UNSPEC)
    if libc.connect(sock.fileno(), address, 16):
        raise OSError(ctypes.get_errno(), "connect(AF_UNSPEC)")


# Invariant 3: CVE-2025-37756, CVE-2023-0461.
@test
def a_sealed_socket_cannot_listen_connect_or_disconnect():
    conn, peer = pair()
    with raises(errno.EINVAL, errno.EOPNOTSUPP):
        conn.listen(1)
    with raises(errno.EISCONN, errno.EOPNOTSUPP):
        conn.connect(("127.0.0.1", 1))
    with raises(errno.EOPNOTSUPP, errno.EISCONN, errno.EINVAL):
        disconnect(conn)
    with raises(errno.EINVAL):
        conn.bind(("127.0.0.1", 0))
    with raises(errno.EEXIST):
        conn.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")
    conn.settimeout(None)
    with raises(errno.EINVAL, errno.EOPNOTSUPP):
        conn.accept()
    peer.send(b"unharmed")
    eq(conn.recv(100), b"unharmed")
    conn.shutdown(socket.SHUT_RDWR)
    with raises(errno.EOPNOTSUPP, errno.EISCONN, errno.EINVAL):
        disconnect(conn)
    with raises(errno.EINVAL, errno.EOPNOTSUPP):
        conn.listen(1)


# Invariant 1: an armed socket that doesn't listen says nothing.
@test
def an_armed_socket_sends_nothing():
    target = listener(sealed=False)
    with Capture(port_of(target)) as capture:
        sock = socket.socket()
        arm(sock)
        address = ("127.0.0.1", port_of(target))
        no = (errno.ENOTCONN, errno.EPIPE, errno.EOPNOTSUPP)
        with raises(*no):
            sock.send(b"x")
        with raises(*no):
            sock.sendto(b"secret", MSG_FASTOPEN, address)
        with raises(*no):
            sock.sendmsg([b"secret"], [], MSG_FASTOPEN, address)
        with raises(*no, errno.EINVAL):
            with open(path("ca.crt"), "rb") as f:
                os.sendfile(sock.fileno(), f.fileno(), 0, 100)
        with raises(*no):
            sock.recv(1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        with raises(*no):
            sock.send(b"x")
        with raises(*no):
            sock.sendto(b"secret", MSG_FASTOPEN, address)
        with raises(*no, errno.EISCONN):
            sock.connect(address)
        with raises(*no):
            sock.recv(1)
        sock.close()
    eq(capture.segments, {}, "segments on the wire")
    eq(capture.origin, {}, "connections on the wire")
    accepts_nothing(target, 0.05)
    # TCP_FASTOPEN_CONNECT would make connect() wait for the first write.
    with Capture(port_of(target)) as capture:
        sock = socket.socket()
        arm(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, 30, 1)
        sock.setblocking(False)
        eq(sock.connect_ex(address), errno.EINPROGRESS)
        with raises(*no, errno.EAGAIN):
            sock.send(b"secret")
        sock.close()
    for stream in capture.streams().values():
        assert b"secret" not in stream, "plaintext on the wire"


# --- TCP's own ways --------------------------------------------------------------------

def inq(sock):
    value = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, value)
    return value[0]


def events(sock):
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP)
    found = poll.poll(0)
    return found[0][1] if found else 0


class Both:
    """The same steps on a plain connection and on a sealed one."""

    def __init__(self, sealed, version):
        self.sealed = sealed
        self.conn, self.peer = pair(context(version)) if sealed else plain_pair()
        self.conn.settimeout(None)      # the kernel's own blocking, not Python's

    def send(self, data):
        self.peer.send(data)
        want = self.want = getattr(self, "want", 0) + len(data)
        return want

    def arrive(self, size):
        eventually(lambda: inq(self.conn) >= size, f"{size} bytes have arrived")

    def end(self):
        if self.sealed:
            self.peer.close_notify()
            self.peer.sock.shutdown(socket.SHUT_WR)
        else:
            self.peer.shutdown(socket.SHUT_WR)
        time.sleep(0.1)

    def outcome(self, call, *args):
        try:
            return call(*args)
        except OSError as e:
            return e.errno


def steps_peek(b):
    conn = b.conn
    b.send(b"0123456789")
    b.arrive(1)
    yield conn.recv(4, socket.MSG_PEEK)
    yield conn.recv(100, socket.MSG_PEEK)
    yield conn.recv(4)
    yield conn.recv(3, socket.MSG_PEEK)
    yield inq(conn)
    yield conn.recv(100)
    yield inq(conn)
    yield b.outcome(conn.recv, 1, socket.MSG_DONTWAIT)
    yield b.outcome(conn.recv, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    b.end()
    yield conn.recv(10, socket.MSG_PEEK)
    yield conn.recv(10)


def steps_waitall(b):
    conn = b.conn
    later = threading.Timer(0.2, lambda: (b.send(b"second"), b.send(b"third")))
    b.send(b"first")
    later.start()
    yield conn.recv(16, socket.MSG_WAITALL)
    later.join()
    b.send(b"peeked at")
    b.arrive(1)
    yield conn.recv(9, socket.MSG_WAITALL | socket.MSG_PEEK)
    yield conn.recv(9, socket.MSG_WAITALL)
    b.send(b"short")
    b.end()
    yield conn.recv(100, socket.MSG_WAITALL)
    yield conn.recv(100, socket.MSG_WAITALL)


def steps_poll(b):
    conn = b.conn
    yield events(conn)
    b.send(b"x" * 100)
    b.arrive(1)
    yield events(conn)
    yield conn.recv(50)
    yield events(conn)
    yield conn.recv(50)
    yield events(conn)
    b.end()
    yield events(conn)
    yield conn.recv(1)
    yield events(conn)
    conn.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    yield events(conn) & ~select.POLLOUT


def steps_fionread(b):
    conn = b.conn
    yield inq(conn)
    b.send(b"x" * 1000)
    b.arrive(1000)
    yield inq(conn)
    yield len(conn.recv(300))
    yield inq(conn)
    yield len(conn.recv(1000))
    yield inq(conn)


def steps_nothing_there(b):
    conn = b.conn
    conn.setblocking(False)
    yield b.outcome(conn.recv, 10)
    yield b.outcome(conn.recv, 0)
    conn.setblocking(True)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
    yield b.outcome(conn.recv, 10)
    yield b.outcome(conn.recv, 10, socket.MSG_OOB)
    yield b.outcome(conn.recv, 10, socket.MSG_ERRQUEUE)


def steps_vectors(b):
    conn = b.conn
    b.send(b"abcdefghij")
    b.arrive(10)
    one, two = bytearray(3), bytearray(4)
    yield conn.recvmsg_into([one, two])[:1]
    yield bytes(one), bytes(two)
    yield conn.recv(100, socket.MSG_TRUNC) is not None
    b.send(b"klm")
    b.arrive(3)
    yield os.readv(conn.fileno(), [one, two])
    yield bytes(one)


def steps_lowat(b):
    conn = b.conn
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 20)
    b.send(b"x" * 10)
    time.sleep(0.2)
    yield events(conn) & select.POLLIN
    b.send(b"y" * 10)
    time.sleep(0.2)
    yield events(conn) & select.POLLIN
    yield conn.recv(100)
    # A read that finds less than that takes it and waits for more, on TCP for as
    # much again: no use to compare.
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    b.send(b"z")
    yield conn.recv(100)


def steps_shutdown_read(b):
    conn = b.conn
    b.send(b"unread")
    b.arrive(1)
    conn.shutdown(socket.SHUT_RD)
    yield events(conn)
    yield conn.recv(100)
    yield conn.recv(100)


def steps_splice(b):
    conn = b.conn
    data = b"splice " * 3000
    b.send(data)
    r, w = os.pipe()
    got = b""
    while len(got) < len(data):
        n = os.splice(conn.fileno(), w, len(data) - len(got))
        assert n > 0
        got += os.read(r, n)
    yield got == data
    conn.setblocking(False)
    yield b.outcome(os.splice, conn.fileno(), w, 100)
    conn.setblocking(True)
    b.end()
    yield os.splice(conn.fileno(), w, 100)


for steps in (steps_peek, steps_waitall, steps_poll, steps_fionread, steps_nothing_there,
              steps_vectors, steps_lowat, steps_shutdown_read, steps_splice):
    def as_on_tcp(steps, version):
        plain = [repr(r) for r in steps(Both(False, version))]
        sealed = [repr(r) for r in steps(Both(True, version))]
        harness.note("plain  " + " ".join(plain))
        harness.note("sealed " + " ".join(sealed))
        eq(sealed, plain, "outcomes")
    for version in VERSIONS:
        test(as_on_tcp, args=(steps, version),
             name=f"{steps.__name__[6:]}_as_on_tcp_tls{version.replace('.', '')}")


@each_version
def a_read_takes_from_several_records(version):
    conn, peer = pair(context(version))
    peer.sock.sendall(peer.seal(b"one") + peer.seal(b"two") + peer.seal(b"three"))
    eventually(lambda: inq(conn) >= 3, "it has arrived")
    time.sleep(0.1)
    eq(read_exactly(conn, 11), b"onetwothree")


@each_version
def a_blocked_read_wakes_for_data_and_for_the_end(version):
    conn, peer = pair(context(version))
    got = []

    def read():
        conn.settimeout(None)
        got.append(conn.recv(100))
        got.append(conn.recv(100))
    reader = Thread(read)
    time.sleep(0.2)
    record = peer.seal(b"in two pieces")
    peer.sock.sendall(record[:10])
    time.sleep(0.2)
    eq(got, [], "read from half a record")
    peer.sock.sendall(record[10:])
    eventually(lambda: got, "it woke")
    peer.close_notify()
    reader.join(20 * harness.SLOW)
    eq(got, [b"in two pieces", b""])


@test
def half_a_record_is_not_readable():
    conn, peer = pair()
    record = peer.seal(b"x" * 1000)
    epoll = select.epoll()
    epoll.register(conn, select.EPOLLIN)
    sent = 0
    for cut in (1, 4, 5, 6, 500, len(record) - 1):
        peer.sock.sendall(record[sent:cut])
        sent = cut
        eq(epoll.poll(0.1), [], f"events after {cut} bytes")
    peer.sock.sendall(record[sent:])
    assert epoll.poll(20), "no event"
    eq(len(read_exactly(conn, 1000)), 1000)


@each_version
def a_slow_reader_stops_the_writer(version):
    conn, peer = pair(context(version))
    conn.setblocking(False)
    sent = 0
    data = os.urandom(1 << 20)
    while True:
        try:
            sent += conn.send(data[sent % len(data):][:65536])
        except BlockingIOError:
            if not events(conn) & select.POLLOUT:
                break
            time.sleep(0.01)
        assert sent < 1 << 28, "the writer is never stopped"
    want = data * (sent // len(data) + 1)       # the pieces were cut from a repeated block
    got = peer.read_exactly(sent)
    assert got == want[:sent], "other bytes"
    eventually(lambda: events(conn) & select.POLLOUT, "it is writable again")


@each_version
def sendfile_splice_and_small_writes_arrive_in_order(version):
    conn, peer = pair(context(version))
    block = os.urandom(300000)
    with open(path("block"), "wb") as f:
        f.write(block)
    r, w = os.pipe()
    want = bytearray()

    def write():
        with open(path("block"), "rb") as f:
            for i in range(5):
                conn.sendall(b"head %d" % i, socket.MSG_MORE)
                offset = i
                while offset < len(block):
                    offset += os.sendfile(conn.fileno(), f.fileno(), offset, len(block) - offset)
                os.write(w, b"pipe")
                os.splice(r, conn.fileno(), 4)
                conn.sendmsg([b"a", b"bc", b"", b"def"])
                conn.sendall(b"")
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        conn.sendall(b"corked")
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        conn.shutdown(socket.SHUT_WR)
    for i in range(5):
        want += b"head %d" % i + block[i:] + b"pipe" + b"abcdef"
    want += b"corked"
    writer = Thread(write)
    got = peer.read_all()
    writer.join()
    assert got == bytes(want), f"{len(got)} bytes came, {len(want)} were sent"


# A page that changes after sendfile() must not make a record that can't be opened.
@test
def sendfile_of_a_file_that_changes_yields_good_records():
    conn, peer = pair()
    conn.settimeout(None)       # sendfile() waits for room
    name = path("changing")
    with open(name, "wb") as f:
        f.write(bytes(1 << 20))
    stop = threading.Event()

    def change():
        with open(name, "r+b", buffering=0) as f:
            while not stop.is_set():
                f.seek(random.randrange(15) << 16)
                f.write(os.urandom(1 << 16))
                time.sleep(0.001)
    changer = Thread(change)

    def write():
        with open(name, "rb") as f:
            for _ in range(4):
                offset = 0
                while offset < 1 << 20:
                    offset += os.sendfile(conn.fileno(), f.fileno(), offset, (1 << 20) - offset)
        conn.shutdown(socket.SHUT_WR)
    writer = Thread(write)
    try:
        eq(len(peer.read_all()), 4 << 20)
    finally:
        stop.set()
        changer.join()
        writer.join()


# Invariant 6: writers race for record numbers.
@each_version
def writers_in_several_processes_and_threads_mix_whole_writes(version):
    conn, peer = pair(context(version))
    conn.settimeout(5 * harness.SLOW)       # a writer that sleeps for ever is seen

    def write(who):
        for i in range(100):
            conn.sendall(b"%c%03d " % (who, i) * 20)
    children = [Child(write, c) for c in b"ABC"]
    threads = [Thread(write, c) for c in b"xyz"]
    got = peer.read_exactly(6 * 100 * 100)
    for t in threads:
        t.join()
    for c in children:
        c.wait()
    # Each write of 100 bytes is one piece, and each writer's are in order.
    order = {}
    for i in range(0, len(got), 100):
        piece = got[i:i + 100]
        eq(piece, piece[:5] * 20, "a write")
        order.setdefault(piece[0], []).append(int(piece[1:4]))
    eq(sorted(order), sorted(b"ABCxyz"))
    for numbers in order.values():
        eq(numbers, list(range(100)))


@test
def readers_in_several_threads_take_each_byte_once():
    conn, peer = pair()
    conn.settimeout(None)
    total, lock, counts = [0], threading.Lock(), [0] * 256

    def read():
        while data := conn.recv(1000):
            with lock:
                total[0] += len(data)
                for b in data:
                    counts[b] += 1
    readers = [Thread(read) for _ in range(4)]
    for i in range(100):
        peer.send(bytes([i]) * 1000)
    peer.close_notify()
    for t in readers:
        t.join(30 * harness.SLOW)
    eq(total[0], 100000)
    eq(counts[:100], [1000] * 100)


@test
def a_close_under_a_blocked_reader_and_writer_is_sound():
    for _ in range(10):
        conn, peer = pair()
        conn.settimeout(None)
        outcome = []

        def read():
            try:
                outcome.append(conn.recv(100))
            except OSError as e:
                outcome.append(e.errno)

        def write():
            try:
                while True:
                    conn.sendall(bytes(65536))
            except OSError as e:
                outcome.append(e.errno)
        threads = [Thread(f) for f in (read, write)]
        time.sleep(0.05)
        conn.shutdown(socket.SHUT_RDWR)
        for t in threads:
            t.join(20 * harness.SLOW)
            assert not t.is_alive(), "still blocked"
        conn.close()
        peer.close()


@test
def close_with_unread_data_and_linger_ends():
    for linger in (None, (1, 0), (1, 1)):
        for unread in (b"", b"x" * 100):
            conn, peer = pair()
            if linger:
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *linger))
            if unread:
                peer.send(unread)
                eventually(lambda: inq(conn) >= 1, "it has arrived")
            begin = time.monotonic()
            conn.close()
            assert time.monotonic() - begin < 2 * harness.SLOW, "close() took too long"
            try:
                got = peer.recv()
                eq(got, b"")
            except (ssl.SSLError, ConnectionError):
                assert unread or linger == (1, 0), "no close_notify"
            peer.close()


@test
def options_of_the_socket_are_tcps():
    conn, peer = pair()
    for level, option, value in ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                                 (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                                 (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
                                 (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000),
                                 (socket.IPPROTO_IP, socket.IP_TOS, 16)):
        conn.setsockopt(level, option, value)
        eq(conn.getsockopt(level, option), value)
    eq(conn.getsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, 16)[:6], b"kseal\0")
    # Urgent data and records know nothing of each other.
    with raises(errno.EOPNOTSUPP, errno.EINVAL):
        conn.send(b"!", socket.MSG_OOB)
    value = array.array("i", [0])
    fcntl.ioctl(conn, SIOCOUTQ, value)
    assert value[0] >= 0


@test
def zero_copy_and_odd_flags_do_no_harm():
    conn, peer = pair()
    MSG_ZEROCOPY = 0x4000000
    try:
        conn.setsockopt(socket.SOL_SOCKET, 60, 1)       # SO_ZEROCOPY
        sent = conn.send(b"zero copy", MSG_ZEROCOPY)
        eq(sent, 9)
        eq(peer.recv(), b"zero copy")
    except OSError as e:
        assert e.errno in (errno.EOPNOTSUPP, errno.EINVAL), e
    for flags in (socket.MSG_DONTROUTE, socket.MSG_NOSIGNAL, socket.MSG_EOR, socket.MSG_CONFIRM):
        try:
            eq(conn.send(b"x", flags), 1)
            eq(peer.recv(), b"x")
        except OSError as e:
            assert e.errno in (errno.EOPNOTSUPP, errno.EINVAL), e
