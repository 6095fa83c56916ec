# SPDX-License-Identifier: GPL-2.0
"""The last tests: the module goes, and leaves nothing behind."""

import errno
import os
import socket
import time

import harness
from harness import (KernelLog, arm, client, connect, eq, eventually, insmod, listener, loaded,
                     pair, port_of, raises, run, test, workers)


def rmmod():
    return run("rmmod", "kseal", check=False)


# Invariant 7.
@test
def rmmod_is_refused_while_a_socket_uses_the_module():
    def refused(what):
        done = rmmod()
        assert done.returncode and loaded(), f"rmmod took the module from under {what}"
    sock = socket.socket()
    arm(sock)
    refused("an armed socket")
    sock.close()
    sock = listener()
    refused("a listener")
    raw = connect(port_of(sock))
    peer = client(port_of(sock))
    eventually(lambda: harness.listeners_of(port_of(sock))[0]["ready"] == 1, "one is ready")
    sock.close()
    raw.close()
    peer.close()
    conn, peer = pair()
    refused("a sealed connection")
    peer.send(b"unharmed")
    eq(conn.recv(100), b"unharmed")
    conn.close()
    peer.close()
    plain, other = harness.plain_pair()
    plain.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")
    refused("a connection in the explicit mode")
    plain.close()
    other.close()


@test(timeout=120)
def the_module_goes_and_comes_again_and_again():
    for _ in range(3):
        harness.agent.stop()
        # Connections that are closed but not gone (FIN_WAIT, TIME_WAIT) hold nothing of ours.
        eventually(lambda: rmmod().returncode == 0, "rmmod works when nothing uses the module", 30)
        assert not loaded()
        assert not os.path.exists("/proc/net/kseal_stat")
        with raises(errno.ENOENT):
            with socket.socket() as sock:
                arm(sock)
        done = run(harness.KSEAL, "status", check=False)
        eq(done.returncode, 1)
        assert "not loaded" in done.stdout, done.stdout
        done = run(harness.KSEALD, "-c", harness.agent.config, check=False)
        assert done.returncode, "the agent ran without a module"
        # Invariant 1: rather no listener than a plain one.
        code = "import socket; s = socket.socket(); s.listen(); print('LISTENS')"
        done = run(harness.KSEAL, "run", harness.PYTHON, "-c", code, check=False)
        assert done.returncode and "LISTENS" not in done.stdout, done.stdout
        assert "modprobe kseal" in done.stdout, done.stdout
        insmod()
        harness.agent.start()
        conn, peer = pair()
        peer.send(b"again")
        eq(conn.recv(10), b"again")
        conn.close()
        peer.close()


@test(timeout=120)
def the_agent_serves_the_module_that_comes_again():
    pid = harness.agent.pid()
    for _ in range(2):
        eventually(lambda: rmmod().returncode == 0, "rmmod works when nothing uses the module", 30)
        insmod()
        eventually(lambda: workers() >= 2, "the agent's workers register again", 60)
        conn, peer = pair()
        peer.send(b"again")
        eq(conn.recv(10), b"again")
        conn.close()
        peer.close()
    eq(harness.agent.pid(), pid, "the agent")


@test(timeout=120)
def the_module_leaves_nothing_behind():
    # Not through our own agent object only: its sockets must be gone too.
    harness.agent.stop()
    eventually(lambda: rmmod().returncode == 0, "rmmod works when nothing uses the module", 30)
    assert not loaded()
    with open("/proc/slabinfo") as f:
        assert "kseal" not in f.read(), "a slab cache is left"
    leaks = "/sys/kernel/debug/kmemleak"
    if os.path.exists(leaks):
        for _ in range(2):
            time.sleep(6)
            with open(leaks, "w") as f:
                f.write("scan")
        with open(leaks) as f:
            found = f.read()
        assert not found, f"kmemleak:\n{found[:4000]}"


@test
def the_modules_whole_life_left_a_clean_kernel_log():
    # Each test looked at its own lines; this looks at all.
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    lines = []
    try:
        while True:
            lines.append(os.read(fd, 8192).decode(errors="replace").partition(";")[2])
    except (BlockingIOError, BrokenPipeError):
        pass
    lines = [line.split("\n")[0] for line in lines]
    begin = next((n for n, line in enumerate(lines) if "kseal" in line), 0)
    faults = [lines[begin + n] for n in KernelLog.faults(lines[begin:])]
    assert not faults, "\n".join(faults)
