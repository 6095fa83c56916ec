# SPDX-License-Identifier: GPL-2.0
"""Sealed connectors (kernel/connect.c): connect() that completes after the handshake, and
that nothing passes before."""

import array
import ctypes
import errno
import fcntl
import mmap
import os
import random
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

from cases_explicit import in_background
from cases_sealed import END, is_dead
from peer import (CLOSE_NOTIFY, ALERT, DATA, FIONREAD, KSEAL_PROFILE, KSEAL_SERVER_NAME, SOL_TLS, TCP_ULP, TLS_TX,
                  Agent, Direction, Peer, armed, case, case_once, check, connecting, connector, equal, eventually,
                  fails, forget_agent, push_keys, stat, ulp)

PARAMETERS = "/sys/module/kseal/parameters/"
MSG_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 30
EVERYTHING = (select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLERR | select.POLLHUP | select.POLLRDHUP |
              select.POLLRDNORM | select.POLLWRNORM)


def events(sock, timeout=0):
    poll = select.poll()
    poll.register(sock, EVERYTHING)
    got = poll.poll(timeout * 1000)
    return got[0][1] if got else 0


def so_error(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def nothing_comes(server):
    check(not select.select([server], [], [], 0.1)[0])


def listening(family=socket.AF_INET):
    sock = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family)
    sock.settimeout(10)
    return sock


class parameter:
    """A module parameter, for a while."""

    def __init__(self, name, value):
        self.path, self.value = PARAMETERS + name, value

    def __enter__(self):
        with open(self.path) as f:
            self.before = f.read()
        with open(self.path, "w") as f:
            f.write(str(self.value))

    def __exit__(self, *_):
        with open(self.path, "w") as f:
            f.write(self.before)


class sealing:
    """The agent's side of one connect(), in the background."""

    def __init__(self, suite, status=0, told=None, delay=0.0):
        self.tx, self.rx = Direction(suite), Direction(suite)
        self.agent = Agent.get()
        self.failed = None

        def work():
            self.reply, proxy = self.agent.take()
            with proxy:
                time.sleep(delay)
                if not status:
                    push_keys(proxy, self.tx, self.rx, True)
                self.agent.done(self.reply, status, told)
        self.thread = in_background(work)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join()


@case
def plaintext_here_records_there_both_ways(suite):
    for family in (socket.AF_INET, socket.AF_INET6):
        sock, peer = connector(suite, family=family)
        equal(sock.connect_ex(peer.sock.getsockname()), 0)
        equal(sock.connect_ex(peer.sock.getsockname()), errno.EISCONN)
        sock.sendall(b"hello")
        equal(peer.record(), (DATA, b"hello"))
        peer.send(b"world")
        equal(sock.recvmsg(100, 100)[:3], (b"world", [], 0))
        big = os.urandom(300000)
        writer = in_background(lambda: sock.sendall(big))
        equal(peer.data(len(big)), big)
        writer.join()
        peer.send(CLOSE_NOTIFY, ALERT)
        equal(sock.recv(1), b"")
        sock.close()
        peer.ends_with(END)


@case_once
def connect_blocks_until_the_handshake_is_done(suite):
    with listening() as listener:
        for timeout in (None, 10):
            sock = armed(blocking=True)
            sock.settimeout(timeout)
            with sealing(suite, delay=0.3) as agent:
                begun = time.monotonic()
                sock.connect(listener.getsockname())
                check(time.monotonic() - begun > 0.25)
            peer = Peer(listener.accept()[0], agent.rx, agent.tx)
            # With a timeout, Python has asked for SO_ERROR.
            equal(sock.connect_ex(listener.getsockname()), 0 if timeout else errno.EISCONN)
            equal(sock.connect_ex(listener.getsockname()), errno.EISCONN)
            sock.send(b"x")
            equal(peer.record(), (DATA, b"x"))
            sock.close()


@case_once
def the_agent_is_told_who_wants_what(suite):
    agent = Agent.get()
    sock = armed(name=b"www.example.org")
    sock.setsockopt(SOL_TLS, KSEAL_PROFILE, b"outgoing")
    equal(sock.getsockopt(SOL_TLS, KSEAL_SERVER_NAME, 300), b"www.example.org\0")
    equal(sock.getsockopt(SOL_TLS, KSEAL_SERVER_NAME, 3), b"www")
    for longest in (b"x" * 255, b"x" * 255 + b"\0", b"www.example.org"):
        sock.setsockopt(SOL_TLS, KSEAL_SERVER_NAME, longest)
        equal(sock.getsockopt(SOL_TLS, KSEAL_SERVER_NAME, 300), longest.rstrip(b"\0") + b"\0")
    for bad in (b"", b"x" * 256, b"a\0b", b"\0"):
        fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_SERVER_NAME, bad), errno.EINVAL)
    os.fchown(sock.fileno(), 1234, 5678)
    sock, server = connecting(sock=sock)
    fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_SERVER_NAME, b"other"), errno.EINVAL)
    fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_PROFILE, b"other"), errno.EINVAL)
    reply, proxy = agent.take()
    equal(reply[Agent.A_ROLE], struct.pack("=I", 3))
    equal(reply[Agent.A_SERVER_NAME], b"www.example.org\0")
    equal(reply[Agent.A_PROFILE], b"outgoing\0")
    equal(reply[Agent.A_PEER][:8], struct.pack("=H", 2) + struct.pack(">H", server.getsockname()[1]) +
          socket.inet_aton("127.0.0.1"))
    equal(reply[Agent.A_LOCAL][2:4], struct.pack(">H", sock.getsockname()[1]))
    check(10000 < int.from_bytes(reply[Agent.A_TIMEOUT], "little") <= 15000)
    equal(proxy.getpeername(), server.getsockname())
    equal(proxy.getsockname(), sock.getsockname())
    agent.done(reply, errno.EPROTO)
    equal(sock.getsockopt(SOL_TLS, KSEAL_SERVER_NAME, 300), b"www.example.org\0")
    sock, server = connecting(sock=armed(name=None))
    reply, proxy = agent.take()
    check(Agent.A_SERVER_NAME not in reply)


@case_once
def nothing_passes_before_the_seal(suite):
    """Invariant 1: whatever the application tries, no byte of it reaches the wire, nor one of the wire it."""
    agent = Agent.get()
    sock, server = connecting()
    server.sendall(b"\x16\3\3\0\4abcd")
    reply, proxy = agent.take()
    left, right = os.pipe()

    def no_byte_passes():
        for call in (lambda: sock.send(b"secret"), lambda: sock.send(b"secret", MSG_FASTOPEN),
                     lambda: sock.sendto(b"secret", MSG_FASTOPEN, server.getsockname()),
                     lambda: sock.sendmsg([b"secret"]), lambda: os.write(sock.fileno(), b"secret"),
                     lambda: sock.recv(10), lambda: sock.recv(10, socket.MSG_PEEK),
                     lambda: sock.recv(10, socket.MSG_TRUNC), lambda: os.read(sock.fileno(), 10),
                     lambda: sock.recvmsg(10, 100), lambda: sock.recvmsg(10, 100, socket.MSG_ERRQUEUE),
                     lambda: os.splice(sock.fileno(), right, 10)):
            fails(call, errno.EAGAIN, errno.EOPNOTSUPP)
        with tempfile.TemporaryFile() as f:
            f.write(b"secret")
            f.flush()
            fails(lambda: os.sendfile(sock.fileno(), f.fileno(), 0, 6), errno.EAGAIN)
        os.write(right, b"secret")
        fails(lambda: os.splice(left, sock.fileno(), 6), errno.EAGAIN)
        os.read(left, 6)
        # TCP_ZEROCOPY_RECEIVE
        fails(lambda: sock.getsockopt(socket.IPPROTO_TCP, 35, 64), errno.EOPNOTSUPP)
        fails(lambda: sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), errno.EOPNOTSUPP)
        buf = array.array("i", [7])
        fcntl.ioctl(sock, FIONREAD, buf)
        equal(buf[0], 0)
        equal(events(sock), 0)
        equal(so_error(sock), 0)
        nothing_comes(server)

    no_byte_passes()
    equal(proxy.recv(100) + proxy.recv(100), b"\x16\3\3\0\4abcd")
    proxy.send(b"from the agent")
    equal(server.recv(100), b"from the agent")
    no_byte_passes()
    tx, rx = Direction(suite), Direction(suite)
    push_keys(proxy, tx, rx, True)
    server.settimeout(10)
    peer = Peer(server, rx, tx)
    peer.send(b"early")
    no_byte_passes()
    fails(lambda: sock.setsockopt(SOL_TLS, TLS_TX, tx.crypto_info()), errno.EPERM)
    agent.done(reply)
    fails(lambda: proxy.send(b"x"), errno.ESHUTDOWN)
    check(events(sock, 1) & select.POLLOUT)
    equal(sock.recv(100), b"early")
    server.settimeout(10)
    sock.send(b"now")
    equal(peer.record(), (DATA, b"now"))
    fails(lambda: sock.getsockopt(SOL_TLS, TLS_TX, len(tx.crypto_info())), errno.EINVAL)
    os.close(left)
    os.close(right)


@case_once
def an_armed_socket_that_has_not_connected_sends_nothing(suite):
    with listening() as listener:
        sock = armed()
        for call in (lambda: sock.send(b"x"), lambda: sock.recv(1),
                     lambda: sock.sendto(b"x", MSG_FASTOPEN, listener.getsockname())):
            fails(call, errno.ENOTCONN, errno.EOPNOTSUPP, errno.EPIPE)
        fails(lambda: sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), errno.EOPNOTSUPP)
        # Set before it was armed: connect() would return without a SYN.
        early = socket.socket()
        early.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        ulp(early)
        with sealing(suite) as agent:
            early.connect(listener.getsockname())
        peer = Peer(listener.accept()[0], agent.rx, agent.tx)
        early.send(b"x")
        equal(peer.record(), (DATA, b"x"))


@case_once
def non_blocking_connect_is_like_tcps(suite):
    agent = Agent.get()
    with listening() as listener:
        for how in ("poll", "epoll", "edge"):
            sock = armed()
            equal(sock.connect_ex(listener.getsockname()), errno.EINPROGRESS)
            server = listener.accept()[0]
            equal(sock.connect_ex(listener.getsockname()), errno.EALREADY)
            epoll = select.epoll()
            epoll.register(sock, select.EPOLLIN | select.EPOLLOUT | (select.EPOLLET if how == "edge" else 0))
            equal(epoll.poll(0.1), [])
            tx, rx = Direction(suite), Direction(suite)
            agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
            if how == "poll":
                equal(events(sock, 5), select.POLLOUT | select.POLLWRNORM)
            else:
                equal(epoll.poll(5), [(sock.fileno(), select.EPOLLOUT)])
            equal(so_error(sock), 0)
            equal(sock.connect_ex(listener.getsockname()), 0)
            equal(sock.connect_ex(listener.getsockname()), errno.EISCONN)
            sock.send(b"x")
            equal(Peer(server, rx, tx).record(), (DATA, b"x"))


@case_once
def a_handshake_that_fails_says_so(suite):
    agent = Agent.get()
    with listening() as listener:
        for blocking in (True, False):
            for status in (errno.EKEYREJECTED, errno.EPROTO, errno.EACCES, errno.ECONNRESET):
                sock = armed(blocking=blocking)
                if blocking:
                    with sealing(suite, status):
                        equal(sock.connect_ex(listener.getsockname()), status)
                    server = listener.accept()[0]
                    equal(so_error(sock), 0)
                else:
                    equal(sock.connect_ex(listener.getsockname()), errno.EINPROGRESS)
                    server = listener.accept()[0]
                    reply, proxy = agent.take()
                    proxy.send(b"alert")
                    agent.done(reply, status)
                    mask = events(sock, 5)
                    check(mask & select.POLLERR and mask & select.POLLOUT and mask & select.POLLHUP, mask)
                    equal(so_error(sock), status)
                    equal(so_error(sock), 0)
                    # What the agent has said to the server is delivered, in order.
                    equal(server.recv(100), b"alert")
                equal(server.recv(1), b"")
                equal(sock.connect_ex(listener.getsockname()), status)
                fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)
                fails(lambda: sock.recv(1), errno.ENOTCONN)
                fails(sock.listen, errno.EINVAL)
                fails(lambda: sock.shutdown(socket.SHUT_RDWR), errno.ENOTCONN)
                disconnect(sock, errno.EOPNOTSUPP)


def disconnect(sock, wanted=0):
    """connect(AF_UNSPEC), which Python does not know."""
    libc = ctypes.CDLL(None, use_errno=True)
    ret = libc.connect(sock.fileno(), bytes(16), 16)
    equal(ctypes.get_errno() if ret else 0, wanted)


@case_once
def what_tcp_can_not_connect_can_be_tried_again(suite):
    with listening() as gone:
        address = gone.getsockname()
    before = stat("KsealAborted")
    for blocking in (True, False):
        sock = armed(blocking=blocking)
        for _ in range(2):
            got = sock.connect_ex(address)
            if not blocking:
                equal(got, errno.EINPROGRESS)
                check(events(sock, 5) & select.POLLERR)
                got = sock.connect_ex(address)
            equal(got, errno.ECONNREFUSED)
        equal(so_error(sock), 0)
        fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.ENOTCONN, errno.EPIPE)
        equal(sock.connect_ex(("255.255.255.255", 1)), errno.ENETUNREACH)
        equal(armed(socket.AF_INET6).connect_ex(("::1", address[1])) in (errno.ECONNREFUSED, errno.EINPROGRESS), True)
        disconnect(sock)
        sock.setblocking(True)
        with listening() as listener, sealing(suite) as agent:
            sock.connect(listener.getsockname())
            agent.thread.join()
            peer = Peer(listener.accept()[0], agent.rx, agent.tx)
            sock.send(b"x")
            equal(peer.record(), (DATA, b"x"))
            disconnect(sock, errno.EOPNOTSUPP)
    # One that was refused can listen, too.
    sock = armed(blocking=True)
    equal(sock.connect_ex(address), errno.ECONNREFUSED)
    sock.listen()
    equal(sock.connect_ex(address), errno.EISCONN)
    equal(stat("KsealAborted"), before)


@case_once
def a_connect_to_nowhere_can_be_given_up(suite):
    """A listener whose queue is full leaves SYNs unanswered."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fill = [socket.socket() for _ in range(3)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        time.sleep(0.1)
        sock = armed()
        equal(sock.connect_ex(full.getsockname()), errno.EINPROGRESS)
        equal(sock.connect_ex(full.getsockname()), errno.EALREADY)
        equal(events(sock), 0)
        fails(lambda: sock.send(b"x"), errno.EAGAIN)
        sock.close()
        sock = armed(blocking=True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200000))
        equal(sock.connect_ex(full.getsockname()), errno.EINPROGRESS)
        sock.shutdown(socket.SHUT_RDWR)
        equal(sock.connect_ex(full.getsockname()), errno.EINPROGRESS)
        disconnect(sock)
        sock.close()


@case_once
def a_time_limit_counts_for_both_parts(suite):
    with listening() as listener:
        sock = armed(blocking=True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 300000))
        begun = time.monotonic()
        equal(sock.connect_ex(listener.getsockname()), errno.EINPROGRESS)
        check(0.25 < time.monotonic() - begun < 3)
        equal(sock.connect_ex(listener.getsockname()), errno.EALREADY)
        with sealing(suite) as agent:
            agent.thread.join()
        equal(sock.connect_ex(listener.getsockname()), 0)


@case_once
def a_signal_interrupts_connect_and_not_the_handshake(suite):
    seen = []
    old = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.siginterrupt(signal.SIGALRM, True)
    agent = Agent.get()
    try:
        with listening() as listener:
            sock = armed(blocking=True)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            # Python calls again what a signal has interrupted, unless the handler raises.
            signal.signal(signal.SIGALRM, raises)
            try:
                sock.connect(listener.getsockname())
                raise AssertionError("connected")
            except InterruptedError:
                pass
            sock.setblocking(False)
            equal(sock.connect_ex(listener.getsockname()), errno.EALREADY)
            tx, rx = Direction(suite), Direction(suite)
            agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
            sock.setblocking(True)
            equal(sock.connect_ex(listener.getsockname()), 0)
    finally:
        signal.signal(signal.SIGALRM, old)


def raises(*_):
    raise InterruptedError


@case_once
def calls_that_may_wait_wait_for_the_seal(suite):
    agent = Agent.get()
    sock, server = connecting()
    sock.setblocking(True)
    sock.settimeout(None)
    got = []
    reader = in_background(lambda: got.append(sock.recv(10)))
    writer = in_background(lambda: sock.send(b"written"))
    time.sleep(0.2)
    check(reader.is_alive() and writer.is_alive())
    tx, rx = Direction(suite), Direction(suite)
    agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
    peer = Peer(server, rx, tx)
    equal(peer.record(), (DATA, b"written"))
    peer.send(b"read")
    reader.join()
    writer.join()
    equal(got, [b"read"])
    # And for the end of one that fails.
    sock, server = connecting()
    sock.setblocking(True)
    errors = []

    def attempt(call):
        try:
            call()
        except OSError as e:
            errors.append(e.errno)
    threads = [in_background(attempt, call) for call in
               (lambda: sock.recv(10), lambda: sock.send(b"x", socket.MSG_NOSIGNAL))]
    time.sleep(0.1)
    reply, proxy = agent.take()
    agent.done(reply, errno.EKEYREJECTED)
    for t in threads:
        t.join()
    check(errno.EKEYREJECTED in errors and len(errors) == 2, errors)


@case_once
def without_an_agent_connect_says_so(suite):
    forget_agent()
    before = stat("KsealNoAgent")
    with listening() as listener, parameter("agent_timeout", 200):
        sock = armed(blocking=True)
        equal(sock.connect_ex(listener.getsockname()), errno.ENOKEY)
        sock = armed()
        got = sock.connect_ex(listener.getsockname())   # it may be known at once
        if got == errno.EINPROGRESS:
            check(events(sock, 5) & select.POLLERR)
            got = so_error(sock)
        equal(got, errno.ENOKEY)
        for _ in range(2):
            fails(lambda: listener.accept()[0].recv(1), errno.ECONNRESET)
    equal(stat("KsealNoAgent"), before + 2)


@case_once
def a_handshake_has_a_deadline(suite):
    agent = Agent.get()
    with listening() as listener, parameter("handshake_timeout", 300):
        sock = armed(blocking=True)
        equal(sock.connect_ex(listener.getsockname()), errno.ETIMEDOUT)
        sock, server = connecting()
        reply, proxy = agent.take()
        check(events(sock, 5) & select.POLLERR)
        equal(so_error(sock), errno.ETIMEDOUT)
        fails(lambda: proxy.send(b"x"), errno.ESHUTDOWN)
        fails(lambda: agent.done(reply), errno.ENOENT)
        fails(lambda: server.recv(1), errno.ECONNRESET)


def is_served(suite, agent, sock, server):
    tx, rx = Direction(suite), Direction(suite)
    agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
    equal(sock.connect_ex(server.getsockname()), 0)


@case_once
def an_agent_that_goes_leaves_it_to_another(suite):
    for touched in (False, True):
        first, second = Agent(), Agent()
        sock, server = connecting()
        reply, proxy = first.take()
        if touched:
            proxy.send(b"x")
        first.sock.close()
        eventually(lambda: touched or raised(lambda: proxy.send(b"y")) == errno.ESHUTDOWN, "not revoked")
        if touched:
            check(events(sock, 5) & select.POLLERR)
            equal(so_error(sock), errno.ECONNABORTED)
        else:
            is_served(suite, second, sock, server)
        second.sock.close()


@case_once
def what_a_worker_was_told_of_and_did_not_take_is_told_to_another(suite):
    forget_agent()
    second, first = Agent(), Agent()
    sock, server = connecting()
    check(select.select([first.sock], [], [], 5)[0], "the first has not been told")
    check(not select.select([second.sock], [], [], 0.1)[0], "both have been told")
    first.sock.close()
    check(select.select([second.sock], [], [], 5)[0], "nobody is left who knows of it")
    is_served(suite, second, sock, server)
    second.sock.close()


@case_once
def a_read_begun_before_connect_reads_nothing_of_the_wire(suite):
    """It may have looked up the armed socket's functions, and wait for the lock."""
    Agent.get()     # else connections are given up
    shared = mmap.mmap(-1, 4096)
    at, over, got = range(3)
    socks = [armed(blocking=True) for _ in range(150)]

    def read_all():
        for i, sock in enumerate(socks):
            shared[over], shared[at] = 0, i
            while not shared[over]:
                try:
                    shared[got] |= len(sock.recv(100))
                except OSError:
                    pass
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    shared[at] = 255
    reader = os.fork()
    if not reader:
        read_all()
        os._exit(0)
    try:
        with listening() as listener:
            for i, sock in enumerate(socks):
                eventually(lambda: shared[at] == i, "no reader")
                time.sleep(random.random() * 0.001)
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
                with listener.accept()[0] as server:
                    server.send(b"plain")
                    time.sleep(0.005)
                    shared[over] = 1
                sock.close()
    finally:
        os.kill(reader, signal.SIGKILL)
        os.waitpid(reader, 0)
    check(not shared[got], "bytes of the wire were read")


def raised(call):
    try:
        call()
    except OSError as e:
        return e.errno
    return 0


@case_once
def keys_are_needed_for_a_seal(suite):
    agent = Agent.get()
    sock, server = connecting()
    reply, proxy = agent.take()
    proxy.setsockopt(SOL_TLS, TLS_TX, Direction(suite).crypto_info())
    fails(lambda: agent.done(reply), errno.EINVAL)
    check(events(sock, 5) & select.POLLERR)
    equal(so_error(sock), errno.ECONNABORTED)
    fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)
    fails(lambda: server.recv(1), errno.ECONNRESET)


@case_once
def a_server_that_goes_ends_the_handshake(suite):
    agent = Agent.get()
    for taken in (False, True):
        sock, server = connecting()
        if taken:
            reply, proxy = agent.take()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        check(events(sock, 5) & select.POLLERR)
        equal(so_error(sock), errno.ECONNRESET)
        if taken:
            fails(lambda: agent.done(reply), errno.ENOENT)
            equal(raised(lambda: proxy.recv(1)), errno.ESHUTDOWN)
        # A reset behind a FIN: to TCP that is EPIPE.
        sock, server = connecting()
        if taken:
            reply, proxy = agent.take()
        server.shutdown(socket.SHUT_WR)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        check(events(sock, 5) & select.POLLERR)
        equal(so_error(sock), errno.ECONNRESET)
        equal(sock.connect_ex(("127.0.0.1", 1)), errno.ECONNRESET)
    # One that only closes its side: the agent sees it, and says what it makes of it.
    sock, server = connecting()
    server.close()
    reply, proxy = agent.take()
    equal(proxy.recv(1), b"")
    equal(events(sock), 0)
    agent.done(reply, errno.ECONNRESET)
    equal(so_error(sock), errno.ECONNRESET)


@case_once
def close_and_shutdown_give_up_the_handshake(suite):
    agent = Agent.get()
    for taken in (False, True):
        for keyed in (False, True) if taken else (False,):
            for end in ("close", "shutdown", "kill"):
                sock, server = connecting()
                if taken:
                    reply, proxy = agent.take()
                    proxy.send(b"hello")
                    equal(server.recv(10), b"hello")
                if keyed:
                    push_keys(proxy, Direction(suite), Direction(suite), True)
                if end == "shutdown":
                    sock.shutdown(socket.SHUT_WR)
                    check(events(sock) & select.POLLERR)
                    equal(so_error(sock), errno.ECONNRESET)
                elif end == "kill":
                    killed(sock)
                else:
                    sock.close()
                check(raised(lambda: server.recv(10)) in (0, errno.ECONNRESET))
                if taken:
                    equal(raised(lambda: proxy.send(b"x")), errno.ESHUTDOWN)
                    fails(lambda: agent.done(reply), errno.ENOENT)
                fails(lambda: agent.call(agent.family, agent.ACCEPT, {}), errno.EAGAIN)


def killed(sock):
    """The last holder of a socket, in the midst of connect(), dies by SIGKILL."""
    pid = os.fork()
    if not pid:
        sock.setblocking(True)
        sock.connect_ex(sock.getpeername())
        os._exit(1)
    sock.close()
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    equal(os.waitpid(pid, 0)[1], signal.SIGKILL)


@case_once
def a_proxy_in_use_does_not_outlive_the_socket(suite):
    """close() while the agent's calls are in flight."""
    agent = Agent.get()
    for _ in range(30):
        sock, server = connecting()
        reply, proxy = agent.take()
        proxy.setblocking(True)

        def hammer(call):
            while not raised(call):
                pass
        threads = [in_background(hammer, call) for call in
                   (lambda: proxy.send(b"x" * 100), lambda: proxy.recv(1),
                    lambda: proxy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                    lambda: proxy.getpeername())]
        time.sleep(0.01)
        sock.close()
        for t in threads:
            t.join()
        server.close()


@case_once
def a_connector_is_shared(suite):
    """dup(), fork(), and two threads in connect()."""
    with listening() as listener:
        sock = armed(blocking=True)
        other = sock.dup()
        results = []

        def connect(s):
            results.append(s.connect_ex(listener.getsockname()))
        threads = [in_background(connect, s) for s in (sock, other)]
        time.sleep(0.1)
        with sealing(suite) as agent:
            agent.thread.join()
        for t in threads:
            t.join()
        equal(results, [0, 0])
        peer = Peer(listener.accept()[0], agent.rx, agent.tx)
        sock.close()
        pid = os.fork()
        if not pid:
            other.send(b"from the child")
            os._exit(0)
        equal(os.waitpid(pid, 0)[1], 0)
        equal(peer.record(), (DATA, b"from the child"))
        other.close()
        peer.ends_with(END)


@case_once
def addresses_are_tcps(suite):
    agent = Agent.get()
    # bound before
    sock = armed()
    sock.bind(("127.0.0.2", 0))
    port = sock.getsockname()[1]
    sock, server = connecting(sock=sock)
    equal(server.getpeername(), ("127.0.0.2", port))
    reply, proxy = agent.take()
    agent.done(reply, errno.EPROTO)
    # IPv4-mapped
    with listening() as listener:
        sock = armed(socket.AF_INET6)
        equal(sock.connect_ex(("::ffff:127.0.0.1", listener.getsockname()[1])), errno.EINPROGRESS)
        server = listener.accept()[0]
        tx, rx = Direction(suite), Direction(suite)
        reply = agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
        equal(reply[Agent.A_PEER][8:24], bytes(10) + b"\xff\xff" + socket.inet_aton("127.0.0.1"))
        sock.send(b"mapped")
        equal(Peer(server, rx, tx).record(), (DATA, b"mapped"))
        fails(lambda: sock.setsockopt(socket.IPPROTO_IPV6, 1, socket.AF_INET), errno.EBUSY, errno.ENOTCONN)
    # a wrong family, a short address
    sock = armed()
    check(sock.connect_ex(("127.0.0.1", 0)) in (errno.ECONNREFUSED, errno.EINPROGRESS))
    libc = ctypes.CDLL(None, use_errno=True)
    for address in (struct.pack("=H", 2), struct.pack("=H", 77) + bytes(14), b"\2"):
        check(libc.connect(sock.fileno(), address, len(address)) < 0)


@case_once
def the_module_stays_while_a_connector_waits(suite):
    sock, server = connecting()
    gone = subprocess.run(["rmmod", "kseal"], capture_output=True, text=True, check=False)
    check(gone.returncode and "in use" in gone.stderr, gone.stderr)
    sock.close()


@case
def a_keyed_connector_can_not_be_used_again(suite):
    """Invariant 3."""
    sock, peer = connector(suite)
    disconnect(sock, errno.EOPNOTSUPP)
    fails(sock.listen, errno.EINVAL)
    fails(lambda: sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"kseal"), errno.EEXIST)
    peer.sock.sendall(b"\x17\3\3\0\x20" + bytes(32))
    is_dead(sock)
    disconnect(sock, errno.EOPNOTSUPP)
