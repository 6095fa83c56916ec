# SPDX-License-Identifier: GPL-2.0
"""Many handshakes at a time."""

import contextlib
import os
import re
import resource
import socket
import threading
import time

import harness
from harness import (Thread, Tls, accept, client, connect, counters, eq, eventually, listener,
                     note, parameters, port_of, run, status, sysctl, test)
from test_handshake import only_alerts, pending
from tracing import TRACEFS

MANY = 2000


def threads():
    with open(f"/proc/{harness.agent.pid()}/status") as f:
        return int(re.search(r"Threads:\s*(\d+)", f.read()).group(1))


def shares(port):
    """How many handshakes each worker has."""
    workers = [w["portid"] for w in status()["workers"]]
    taken = [h["portid"] for h in pending(port)]
    return sorted(taken.count(w) for w in workers)


def allow_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


@test(timeout=240)
def thousands_of_slow_clients_cost_no_thread_and_delay_no_other():
    allow_files(MANY + 100)
    before = threads()
    with parameters(handshake_timeout=600000), sysctl("net.core.somaxconn", 8192):
        sock = listener("patient", backlog=8000)
        port = port_of(sock)
        late = Tls(connect(port))
        hello = late.hello()
        late.sock.sendall(hello[:100])
        slow = []
        for i in range(MANY):
            slow.append(connect(port))
            slow[-1].sendall(hello[:1 + i % 200])
        eventually(lambda: sum(shares(port)) == MANY + 1, "workers have them all", 60)
        eq(threads(), before, "threads of the agent")
        # Others are served at once all the same, and a slow one when it goes on.
        for _ in range(3):
            peer = client(port)
            conn = accept(sock)
            peer.send(b"at once")
            eq(conn.recv(100), b"at once")
            conn.close()
            peer.close()
        late.sock.sendall(hello[100:])
        late.handshake()
        conn = accept(sock)
        late.send(b"at last")
        eq(conn.recv(100), b"at last")
        eq(threads(), before, "threads of the agent")
        for s in slow:
            s.close()
        eventually(lambda: not pending(port), "nothing is left of them", 60)


@test
def a_burst_is_shared_by_the_workers():
    with parameters(handshake_timeout=60000):
        sock = listener("patient")
        port = port_of(sock)
        clients = [connect(port) for _ in range(60)]
        eventually(lambda: sum(shares(port)) == len(clients), "workers have them all")
        share = shares(port)
        note(share)
        assert share[0] >= len(clients) // len(share) - 8, f"shares of {len(clients)}: {share}"
        for c in clients:
            c.close()
        eventually(lambda: not pending(port), "nothing is left of them")


def connect_from(source, port):
    return socket.create_connection(("127.0.0.1", port), 20 * harness.SLOW, (source, 0))


def refused_by_agent():
    return counters()["KsealRefused"]


def log_lines(text):
    with open(harness.agent.log, errors="replace") as f:
        return f.read().count(text)


def is_closed(sock, seconds):
    """Within this time, with nothing but an alert."""
    sock.settimeout(seconds * harness.SLOW)
    got = b""
    try:
        while piece := sock.recv(100):
            got += piece
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    only_alerts(got)
    return True


@test(timeout=120)
def a_flood_from_one_address_leaves_the_others_served():
    with parameters(handshake_timeout=120000):
        flood_leaves_others_served()


def flood_leaves_others_served():
    sock = listener("fair", backlog=64)
    port = port_of(sock)
    hello = Tls(None).hello()
    flood, stop = [], threading.Event()

    def attack():
        while not stop.is_set() and len(flood) < 2000:
            flood.append(connect_from("127.0.0.2", port))
            with contextlib.suppress(OSError):
                flood[-1].sendall(hello[:50])

    allow_files(4000)
    refused, said = refused_by_agent(), log_lines('profile "fair" is at a limit')
    attacker = Thread(attack)
    try:
        eventually(lambda: refused_by_agent() >= refused + 20, "the flood is refused")
        for _ in range(5):
            peer = Tls(connect_from("127.0.0.3", port)).handshake()
            conn = accept(sock)
            peer.send(b"served")
            eq(conn.recv(100), b"served")
            conn.close()
            peer.close()
    finally:
        stop.set()
        attacker.join()
    note(f"{len(flood)} connections of the flood")
    eventually(lambda: len(pending(port)) == 4, "four of them are in flight")
    eventually(lambda: refused_by_agent() - refused == len(flood) - 4, "the others are refused")
    closed = [s for s in flood[:20] if is_closed(s, 0.2)]
    eq(len(closed), 16, "of the first 20 that were closed")
    lines = log_lines('profile "fair" is at a limit') - said
    assert 1 <= lines <= 1 + 120 // 10, f"{lines} lines of the log"
    assert log_lines("the latest from 127.0.0.2:"), "no line says from where"
    # An address may again when its handshakes are over.
    for s in flood:
        s.close()
    eventually(lambda: not pending(port), "nothing is left of them")
    peer = Tls(connect_from("127.0.0.2", port)).handshake()
    accept(sock).close()
    peer.close()


@test(timeout=120)
def handshakes_beyond_a_limit_wait_and_those_beyond_the_queue_are_refused():
    with parameters(handshake_timeout=120000):
        sock = listener("few")
        port = port_of(sock)
        slow = [connect(port) for _ in range(2)]
        eventually(lambda: len(pending(port)) == 2, "two are in flight")
        served = []
        waiting = [Thread(lambda: served.append(client(port))) for _ in range(2)]
        eventually(lambda: len(pending(port)) == 4, "two more wait")
        eq(is_closed(connect(port), 20), True, "a fifth is refused")
        harness.accepts_nothing(sock, 0.2)
        eq(served, [], "those who wait are not served")
        slow[0].close()
        for t in waiting:
            t.join()
        for _ in served:
            accept(sock).close()
        eq(len(served), 2, "their turn came")
        for s in served + slow:
            s.close()
    with parameters(handshake_timeout=2000):
        slow = [connect(port) for _ in range(4)]
        for s in slow:
            eq(is_closed(s, 20), True, "none waits for ever")


@contextlib.contextmanager
def calls_of(function):
    """The block is given a function that tells how often the agent has called this one."""
    events = f"{TRACEFS}/uprobe_events"
    if not os.path.exists(events):
        raise harness.Skip("this kernel has no uprobes")
    [symbol] = [line.split() for line in run("nm", harness.KSEALD).stdout.splitlines()
                if line.endswith(f" T {function}")]
    [text] = [line.split() for line in run("readelf", "-lW", harness.KSEALD).stdout.splitlines()
              if re.search(r"LOAD .* R E ", line)]
    offset = int(symbol[0], 16) - int(text[2], 16) + int(text[1], 16)
    with open(events, "w") as f:
        f.write(f"p:kseald/{function} {harness.KSEALD}:{offset:#x}\n")

    def count():
        with open(f"{TRACEFS}/uprobe_profile") as f:
            return sum(int(line.split()[2]) for line in f if line.split()[1] == function)

    def switch(on):
        with open(f"{TRACEFS}/events/kseald/{function}/enable", "w") as f:
            f.write(on)
    try:
        switch("1")
        yield count
        switch("0")
    finally:
        with open(events, "w"):
            pass    # emptied


@test(timeout=120)
def a_long_queue_is_not_asked_for_each_that_waits():
    profiles = dict(harness.PROFILES, long={"timeout": 600, "max-handshakes": 2, "handshake-queue": 200})
    harness.write_config(harness.agent.config, profiles)
    try:
        run(harness.KSEAL, "reload")
        with parameters(handshake_timeout=120000):
            sock = listener("long", backlog=200)
            port = port_of(sock)
            slow = [connect(port) for _ in range(102)]
            eventually(lambda: len(pending(port)) == 102, "two are in flight, all others wait")
            with calls_of("kseal_limits_again") as count:
                before, begin = count(), time.monotonic()
                time.sleep(1)
                calls, took = count() - before, time.monotonic() - begin
            note(f"{calls} calls in {took} s")
            # Each of two workers asks for its turns, which a timer gives it every 10 ms.
            assert 0 < calls < 2 * 2 * 100 * took, f"{calls} calls in {took} s"
            for s in slow:
                s.close()
    finally:
        harness.write_config(harness.agent.config)
        run(harness.KSEAL, "reload")
