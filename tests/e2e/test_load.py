# SPDX-License-Identifier: GPL-2.0
"""Many handshakes at a time."""

import re
import resource

import harness
from harness import (Tls, accept, client, connect, eq, eventually, listener, note, parameters,
                     port_of, status, sysctl, test)
from test_handshake import pending

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
