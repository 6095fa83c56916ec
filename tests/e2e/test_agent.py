# SPDX-License-Identifier: GPL-2.0
"""The agent dies, comes back, and holds its secrets."""

import os
import random
import re
import signal
import threading
import time

import harness
from harness import (Child, Thread, Tls, VERSIONS, accept, client, connect, context, eq,
                     eventually, listener, pair, parameters, path, port_of, run, test, workers)
from test_handshake import is_cut_off, pending, still_serves


# Invariant 1, and: a crash of the agent touches no sealed connection.
@test(timeout=120)
def an_agent_killed_with_handshakes_pending_harms_no_other_connection():
    # On a slow machine the new agent is not there within the usual time.
    with parameters(agent_timeout=60000, handshake_timeout=120000):
        for _ in range(3):
            agent_killed_with_handshakes_pending()


def agent_killed_with_handshakes_pending():
    sealed = [pair(context(v)) for v in VERSIONS]
    sock = listener()
    port = port_of(sock)
    started = [Tls(connect(port)) for _ in range(6)]
    untouched = [connect(port) for _ in range(6)]
    for s in started[:3]:
        s.sock.sendall(s.hello()[:30])
    for s in started[3:]:
        s.sock.sendall(s.hello())
    eventually(lambda: len(pending(port)) == 12, "twelve handshakes are pending")
    harness.agent.stop(signal.SIGKILL)
    for conn, peer in sealed:
        peer.send(b"still here")
        eq(conn.recv(100), b"still here")
        conn.sendall(b"so am I")
        eq(peer.recv(), b"so am I")
    harness.accepts_nothing(sock, 0.1)
    harness.agent.start()
    # Nothing of these was consumed: the new agent serves them.
    for raw in untouched:
        peer = Tls(raw).handshake()
        conn = accept(sock)
        peer.send(b"x")
        eq(conn.recv(1), b"x")
        conn.close()
        peer.close()
    # The rest can't be taken up again.
    for s in started[3:]:
        is_cut_off(s.sock)
    for s in started[:3]:
        s.close()
    for conn, peer in sealed:
        conn.sendall(b"bye")
        eq(peer.recv(), b"bye")
        conn.close()
        eq(peer.recv(), b"")
    still_serves(sock)


@test
def an_agent_stopped_in_order_comes_back():
    conn, peer = pair()
    harness.agent.stop()
    eq(workers(), 0)
    harness.agent.start()
    peer.send(b"hello")
    eq(conn.recv(10), b"hello")
    still_serves(listener())


@test
def a_frozen_agent_is_no_way_past_the_deadline():
    sock = listener()
    with parameters(handshake_timeout=1000):
        os.kill(harness.agent.pid(), signal.SIGSTOP)
        try:
            hello = Tls(None).hello()    # before the clock runs
            raw = connect(port_of(sock))
            raw.sendall(hello)
            eq(is_cut_off(raw), b"")
            harness.accepts_nothing(sock, 0.1)
        finally:
            os.kill(harness.agent.pid(), signal.SIGCONT)
    still_serves(sock)


@test(timeout=120)
def agents_that_die_again_and_again_under_load_leave_nothing_behind():
    sock = listener(backlog=100)
    port = port_of(sock)
    stop = threading.Event()
    result = {"served": 0, "cut": 0}

    def clients(seed):
        rng = random.Random(seed)
        while not stop.is_set():
            try:
                peer = Tls(connect(port, timeout=10))
                peer.handshake()
                peer.send(b"ping")
                if peer.recv() == b"ping":
                    result["served"] += 1
                else:
                    result["cut"] += 1
                peer.close()
            except (OSError, harness.ssl.SSLError):
                result["cut"] += 1
            time.sleep(rng.random() * 0.02)

    def serve():
        while not stop.is_set():
            try:
                conn = accept(sock, 0.2)
            except TimeoutError:
                continue
            try:
                conn.sendall(conn.recv(100))
            except OSError:
                pass
            conn.close()
    threads = [Thread(clients, i) for i in range(6)]
    threads.append(Thread(serve))
    try:
        for _ in range(4):
            time.sleep(0.4 * harness.SLOW)
            harness.agent.stop(signal.SIGKILL)
            harness.agent.start()
    finally:
        time.sleep(0.4)
        stop.set()
        for t in threads:
            t.join()
    harness.note(str(result))
    assert result["served"], "nobody was served"
    still_serves(sock)


# Invariant 2: no key in a log, a dump or a file that the environment asks for.
@test
def the_agent_gives_no_key_away():
    harness.agent.stop()
    leak = path("keylog")
    harness.agent.start(env={"SSLKEYLOGFILE": leak, "GNUTLS_DEBUG_LEVEL": "9"})
    try:
        still_serves(listener())
        pid = harness.agent.pid()
        assert not os.path.exists(leak) or not os.path.getsize(leak), "SSLKEYLOGFILE was written"
        with open(f"/proc/{pid}/limits") as f:
            limits = f.read()
        core = re.search(r"Max core file size +(\S+) +(\S+)", limits)
        eq(core.groups(), ("0", "0"), "limits of a core dump")
        with open(f"/proc/{pid}/status") as f:
            locked = int(re.search(r"VmLck:\s+(\d+) kB", f.read()).group(1))
        assert locked, "no memory is locked: keys could be swapped out"
        with open(harness.agent.log) as f:
            text = f.read()
        assert "PRIVATE KEY" not in text and "CLIENT_TRAFFIC_SECRET" not in text
    finally:
        harness.agent.stop()
        harness.agent.start()


@test
def a_wrong_configuration_is_told_with_file_and_line():
    good = {"certificate": path("server.crt"), "key": path("server.key")}
    bad = path("bad.conf")
    for change, want in (
            ({"key": path("client.key")}, "bad.conf:"),
            ({"key": path("nonesuch.key")}, "nonesuch.key"),
            ({"certificate": path("ca.key")}, "bad.conf:"),
            ({"color": "red"}, "color"),
            ({"client-auth": "perhaps"}, "perhaps"),
            ({"ports": [70000]}, "70000")):
        harness.write_config(bad, {"default": dict(good, **change)})
        done = run(harness.KSEALD, "-c", bad, check=False, timeout=20 * harness.SLOW)
        assert done.returncode, f"{change}: exit status 0\n{done.stdout}"
        assert want in done.stdout and "bad.conf:" in done.stdout, f"{change}:\n{done.stdout}"


@test
def a_reload_changes_what_is_served_and_keeps_what_is_sealed():
    conn, peer = pair()
    harness.write_config(harness.agent.config, {"default": {"versions": ["1.2"]}})
    try:
        os.kill(harness.agent.pid(), signal.SIGHUP)

        def reloaded():
            sock = listener()
            other = client(port_of(sock), context())
            accept(sock).close()
            return other.version() == "TLSv1.2"
        eventually(reloaded, "the new configuration serves")
        peer.send(b"old")
        eq(conn.recv(10), b"old")
        # A configuration that is wrong changes nothing.
        with open(harness.agent.config, "w") as f:
            f.write("nonsense\n")
        os.kill(harness.agent.pid(), signal.SIGHUP)
        time.sleep(0.3)
        assert reloaded()
    finally:
        harness.write_config(harness.agent.config)
        harness.agent.stop()
        harness.agent.start()


# Only the administrator of a namespace may be an agent, or look.
@test
def the_agents_part_needs_the_right():
    def unprivileged():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        done = run(harness.KSEAL, "status", check=False)
        eq(done.returncode, 1)
        assert "CAP_NET_ADMIN" in done.stdout, done.stdout
    Child(unprivileged).wait()
