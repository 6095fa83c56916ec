# SPDX-License-Identifier: GPL-2.0
"""Network namespaces have nothing to do with each other.

    +-------- red --------+       +-------- blue -------+
    | kseald, listeners   |       | listeners, no agent |
    | r0 10.77.0.1/24     |=======| b0 10.77.0.2/24     |
    +---------------------+       +---------------------+
"""

import ctypes
import os
import signal
import socket
import time

import harness
from harness import (Child, Tls, accept, accepts_nothing, client, connect, counters, eq,
                     eventually, listener, parameters, port_of, run, status, test)
from test_handshake import is_cut_off

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace with lo up, as long as the object lives."""

    def __init__(self):
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        run("ip", "link", "set", "lo", "up")
        self._enter(own)
        os.close(own)

    @staticmethod
    def _enter(fd):
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def __enter__(self):
        self.own = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._enter(self.fd)
        return self

    def __exit__(self, *_):
        self._enter(self.own)
        os.close(self.own)

    def close(self):
        os.close(self.fd)


def two_namespaces():
    red, blue = Namespace(), Namespace()
    with red:
        run("ip", "link", "add", "r0", "type", "veth", "peer", "name", "b0")
        run("ip", "addr", "add", "10.77.0.1/24", "dev", "r0")
        run("ip", "link", "set", "r0", "up")
        run("ip", "link", "set", "b0", "netns", f"/proc/{os.getpid()}/fd/{blue.fd}")
    with blue:
        run("ip", "addr", "add", "10.77.0.2/24", "dev", "b0")
        run("ip", "link", "set", "b0", "up")
    return red, blue


@test(timeout=90)
def an_agent_of_one_namespace_does_not_serve_another():
    red, blue = two_namespaces()
    program = None
    try:
        with red:
            program = harness.Program(harness.KSEALD, "-c", harness.agent.config)
            eventually(lambda: len(status()["workers"]) == 2, "the agent of red registers")
            in_red = listener(address="10.77.0.1")
        with blue:
            eq(status()["workers"], [])
            eq(status()["listeners"], [])
            in_blue = listener(address="10.77.0.2")
            eq(len(status()["listeners"]), 1)
            before = counters()
        with parameters(agent_timeout=300):
            with red:
                hello = Tls(None).hello()    # before the clock runs
                raw = connect(port_of(in_blue), "10.77.0.2")
                raw.sendall(hello)
                eq(is_cut_off(raw), b"", "what came from blue")
                accepts_nothing(in_blue, 0.1)
            with blue:
                peer = client(port_of(in_red), host="10.77.0.1")
                conn = accept(in_red)
                peer.send(b"across")
                eq(conn.recv(10), b"across")
                eq(counters()["KsealNoAgent"] - before["KsealNoAgent"], 1)
                eq(counters()["KsealSealed"], 0)
                eq(status()["sockets"], [], "sockets in blue")
            with red:
                eq(len(status()["sockets"]), 1)
        # The agent of the machine has never seen any of it.
        eq([e for e in status()["listeners"] if e["local"].startswith("10.77.")], [])
    finally:
        if program:
            program.stop()


@test(timeout=90)
def a_namespace_that_goes_takes_its_connections_along():
    for _ in range(3):
        def child():
            space = Namespace()
            with space:
                program = harness.Program(harness.KSEALD, "-c", harness.agent.config)
                eventually(lambda: len(status()["workers"]) == 2, "the agent registers")
                sock = listener()
                peers = [client(port_of(sock)) for _ in range(4)]
                conns = [accept(sock) for _ in range(2)]
                held = [connect(port_of(sock)) for _ in range(2)]
                time.sleep(0.1)
                # Everything dies at once, in whatever order.
                program.process.kill()
                program.wait()
                del peers, conns, held
            return 0
        Child(child).wait()
    peer = client(port_of(sock := listener()))
    accept(sock).close()
    peer.close()


@test(timeout=90)
def a_container_is_served_by_an_agent_beside_it():
    """As operations.md has it: the container has its own network, processes and mounts, and
    an unprivileged program; the agent shares the network only, and keeps the key."""
    container, outside = two_namespaces()
    server = agent = None
    keys = harness.path("server.key")
    try:
        with container:
            hide = (f"mount -t tmpfs none {harness.tmp}/secret && ! test -e {harness.tmp}/secret/key"
                    f" && exec setpriv --reuid {harness.UNPRIVILEGED} --regid "
                    f"{harness.UNPRIVILEGED} --clear-groups {harness.KSEAL} run -v "
                    f"--port 8443=user -- {harness.PYTHON} -m http.server --bind 10.77.0.1 8443")
            os.makedirs(harness.path("secret"), exist_ok=True)
            run("cp", keys, harness.path("secret/key"))
            config = harness.path("container.conf")
            harness.write_config(config, {"user": {"users": [str(harness.UNPRIVILEGED)],
                                                   "key": harness.path("secret/key")}})
            server = harness.Program("unshare", "--pid", "--mount", "--fork", "--mount-proc",
                                     "--kill-child", "sh", "-c", hide, cwd="/")
            eventually(lambda: len(status()["listeners"]) == 1, "the container listens")
        # From outside, by way of the namespace of a process of the container.
        net = f"--net=/proc/{server.pid}/ns/net"
        agent = harness.Program("nsenter", net, harness.KSEALD, "-c", config)

        def seen(*command):
            return run("nsenter", net, harness.KSEAL, *command, check=False).stdout
        eventually(lambda: "agent: pid" in seen("status"), "the agent registers")
        assert "user" in seen("status"), seen("status")
        assert "reloaded" in seen("reload"), seen("reload")
        assert "ok       agent: pid" in seen("doctor"), seen("doctor")
        with outside:
            peer = client(8443, host="10.77.0.1")
            peer.send(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200 OK" in peer.read_all()
            peer.close()
    finally:
        if agent:
            agent.stop()
        if server:
            server.stop(signal.SIGKILL)     # what is process 1 there ignores others


@test
def a_socket_made_elsewhere_stays_of_its_namespace():
    """The namespace of the socket counts, not that of whoever uses it."""
    space = Namespace()
    with space:
        raw = socket.socket()
    raw.bind(("127.0.0.1", 0))
    harness.arm(raw)
    raw.listen()
    eq([e for e in status()["listeners"] if e["local"].endswith(f":{port_of(raw)}")], [])
    with space:
        eq(len(status()["listeners"]), 1)
        eq(status()["workers"], [])
    raw.close()


@test
def root_of_a_user_namespace_sees_its_own_part_only():
    def child():
        CLONE_NEWUSER = 0x10000000
        uid = 65534
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(4, 1, 0, 0, 0)       # PR_SET_DUMPABLE: /proc/self is ours again
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
            return f"skip {os.strerror(ctypes.get_errno())}"
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                           ("gid_map", f"0 {uid} 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
        state = status()
        eq(state["workers"], [])
        eq(state["listeners"], [])
        eq(state["sockets"], [])
        sock = socket.socket()
        harness.arm(sock)
        return "done"
    said = Child(child).wait()
    if said.startswith("skip"):
        raise harness.Skip("no user namespaces: " + said[5:])
