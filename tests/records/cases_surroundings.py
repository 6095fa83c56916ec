# SPDX-License-Identifier: GPL-2.0
"""Sealed connectors and what else there is around a socket: its options, io_uring, network
namespaces, others that race with it."""

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import time

from cases_connector import events, listening, raised
from cases_explicit import receive
from peer import (DATA, Agent, Direction, Peer, armed, case_once, check, connecting, connector, equal, eventually, fails,
                  forget_agent, push_keys, ulp)
from uring import Ring

SIOCOUTQNSD = 0x894B


@case_once
def so_rcvlowat_is_not_for_the_agent(suite):
    agent = Agent.get()
    for before in (True, False):
        sock = armed()
        if before:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1000)
        sock, server = connecting(sock=sock)
        if not before:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1000)
        reply, proxy = agent.take()
        epoll = select.epoll()
        epoll.register(proxy, select.EPOLLIN)
        equal(epoll.poll(0), [])
        server.sendall(b"\x16\3\3\0\2hi")
        equal(len(epoll.poll(5)), 1)
        equal(proxy.recv(9) + proxy.recv(9), b"\x16\3\3\0\2hi")
        tx, rx = Direction(suite), Direction(suite)
        push_keys(proxy, tx, rx, True)
        agent.done(reply)
        check(events(sock, 5) & select.POLLOUT)
        equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) > 0, True)
        peer = Peer(server, rx, tx)
        peer.send(b"x" * 999)
        check(not events(sock, 0.1) & select.POLLIN)
        peer.send(b"x")
        check(select.select([sock], [], [], 5)[0])
        equal(sock.recv(2000), b"x" * 1000)


def unsent(sock):
    """Bytes that TCP keeps back."""
    return struct.unpack("i", fcntl.ioctl(sock, SIOCOUTQNSD, bytes(4)))[0]


def options(sock):
    return [sock.getsockopt(socket.IPPROTO_TCP, option) for option in (socket.TCP_CORK, socket.TCP_NODELAY)]


@case_once
def tcp_cork_is_not_for_the_agent(suite):
    """Nor is Nagle's algorithm: a flight of the handshake goes out at once."""
    agent = Agent.get()
    for cork in (True, False):
        for before in (True, False):
            sock = armed()
            if before:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, cork)
            sock, server = connecting(sock=sock)
            if not before:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, cork)
            equal(options(sock), [cork, 0])
            reply, proxy = agent.take()
            for _ in range(3):
                proxy.send(b"flight")
                equal(unsent(sock), 0)
            equal(receive(server, 18), b"flight" * 3)
            tx, rx = Direction(suite), Direction(suite)
            push_keys(proxy, tx, rx, True)
            agent.done(reply)
            check(events(sock, 5) & select.POLLOUT)
            equal(options(sock), [cork, 0])
            peer = Peer(server, rx, tx)
            sock.send(b"held")
            sock.send(b" back")
            if not cork:
                equal(peer.data(9), b"held back")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            if cork:
                equal(peer.record()[1][:4], b"held")
    # What is taken back is TCP's again.
    with listening() as gone:
        address = gone.getsockname()
    sock = armed(blocking=True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    equal(sock.connect_ex(address), errno.ECONNREFUSED)
    equal(options(sock), [1, 1])
    # Connections inherit it from their listener; only their application is held up by it.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        ulp(listener)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        tx, rx = Direction(suite), Direction(suite)
        reply, proxy = agent.take()
        begun = time.monotonic()
        for _ in range(10):
            proxy.send(b"flight")
            equal(client.recv(6), b"flight")
        check(time.monotonic() - begun < 10 * 0.2)
        push_keys(proxy, tx, rx, True)
        agent.done(reply)
        equal(options(listener.accept()[0]), [1, 0])


@case_once
def io_uring_connects(suite):
    """Its operation is over when the handshake is."""
    agent = Agent.get()
    with Ring() as ring, listening() as listener:
        sock = armed(blocking=True)
        pending = ring.connect(sock, listener.getsockname())
        server = listener.accept()[0]
        time.sleep(0.1)
        check(not ring.over(pending))
        tx, rx = Direction(suite), Direction(suite)
        agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
        equal(ring.result(pending), 0)
        equal(ring.result(ring.send(sock, b"x")), 1)
        equal(Peer(server, rx, tx).record(), (DATA, b"x"))
        # refused by the agent; by TCP; given up
        sock = armed(blocking=True)
        pending = ring.connect(sock, listener.getsockname())
        reply, proxy = agent.take()
        agent.done(reply, errno.EKEYREJECTED)
        equal(ring.result(pending), -errno.EKEYREJECTED)
        with listening() as gone:
            address = gone.getsockname()
        equal(ring.result(ring.connect(armed(blocking=True), address)), -errno.ECONNREFUSED)
        sock = armed(blocking=True)
        pending = ring.connect(sock, listener.getsockname())
        reply, proxy = agent.take()
        ring.cancel(pending)
        equal(ring.result(pending), -errno.ECANCELED)
        sock.close()
        eventually(lambda: raised(lambda: proxy.send(b"x")) == errno.ESHUTDOWN, "the handshake goes on")


def references():
    with open("/sys/module/kseal/refcnt") as f:
        return int(f.read())


@case_once
def a_network_namespace_goes_with_its_connectors(suite):
    """In whatever state they are: nothing is left of them."""
    def sockets():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        forget_agent()
        agent = Agent.get()
        kept = [armed(), connector(suite), connecting(), connecting()]
        kept += [agent.take() for _ in range(2)]
        kept[-1][1].send(b"x")
        kept += [connecting(), connecting()]
        unanswered = armed()
        subprocess.run(["ip", "link", "add", "d0", "type", "dummy"], check=True)
        subprocess.run(["ip", "addr", "add", "192.0.2.1/24", "dev", "d0"], check=True)
        subprocess.run(["ip", "link", "set", "d0", "up"], check=True)
        equal(unanswered.connect_ex(("192.0.2.2", 1)), errno.EINPROGRESS)
        return kept + [unanswered, agent]

    before = references()
    for end in ("exit", "kill", "agent first"):
        left, right = os.pipe()
        pid = os.fork()
        if not pid:
            libc = ctypes.CDLL(None, use_errno=True)
            ok = False
            try:
                check(not libc.unshare(0x40000000), ctypes.get_errno())     # CLONE_NEWNET
                kept = sockets()
                if end == "agent first":
                    kept[-1].sock.close()
                ok = True
            finally:
                os.write(right, b"k" if ok else b"x")
                if end == "kill":
                    signal.pause()
                os._exit(0)
        os.close(right)
        equal(os.read(left, 1), b"k")
        os.close(left)
        if end == "kill":
            check(references() > before)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        eventually(lambda: references() == before, "something still uses the module", 20)


@case_once
def link_local_addresses_have_a_scope(suite):
    subprocess.run("ip link add kseal0 type dummy && ip link set kseal0 up && "
                   "ip addr add fe80::5ea1/64 dev kseal0 nodad", shell=True, check=True)
    try:
        agent = Agent.get()
        scope = socket.if_nametoindex("kseal0")
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("fe80::5ea1", 0, 0, scope))
            listener.listen()
            sock, _ = armed(socket.AF_INET6), None
            equal(sock.connect_ex(listener.getsockname()), errno.EINPROGRESS)
            reply, _ = agent.take()
            equal(reply[Agent.A_PEER][24:28], struct.pack("=I", scope))
            agent.done(reply, errno.EPROTO)
    finally:
        subprocess.run(["ip", "link", "del", "kseal0"], check=True)


@case_once
def a_loser_of_a_race_is_closed(suite):
    """Happy eyeballs: several connects, the first that succeeds wins, the others are closed in whatever state."""
    agent = Agent.get()
    for _ in range(20):
        pairs = [connecting(family) for family in (socket.AF_INET6, socket.AF_INET, socket.AF_INET)]
        tx, rx = Direction(suite), Direction(suite)
        agent.serve(lambda proxy: push_keys(proxy, tx, rx, True))
        taken, proxy = agent.take()
        poll = select.poll()
        for sock, _ in pairs:
            poll.register(sock, select.POLLOUT)
        won = poll.poll(5000)[0][0]
        for sock, server in pairs:
            if sock.fileno() == won:
                sock.send(b"x")
                equal(Peer(server, rx, tx).record(), (DATA, b"x"))
            sock.close()
        fails(lambda: agent.done(taken), errno.ENOENT)
        proxy.close()
