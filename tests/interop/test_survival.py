# SPDX-License-Identifier: GPL-2.0
"""A thousand sealed connections move data while the agent is restarted, replaced by
another binary, and killed: none of them notices."""

import os
import shutil
import signal
import threading

import harness
from harness import (Thread, client, context, eq, free_port, helper, kseal_run, note, path, test)

CONNECTIONS = 1000


class Load:
    """Connections of one thread: each sends a line and waits for it to come back, again
    and again."""

    def __init__(self, port, count, stop):
        self.rounds, self.stop = 0, stop
        self.peers = [client(port, context(harness.VERSIONS[i % 2])) for i in range(count)]

    def move(self):
        while not self.stop.is_set():
            for i, peer in enumerate(self.peers):
                peer.send(b"%d of round %d" % (i, self.rounds))
            for i, peer in enumerate(self.peers):
                want = b"%d of round %d" % (i, self.rounds)
                eq(peer.read_exactly(len(want)), want, f"connection {i}")
            self.rounds += 1


@test(timeout=240)
def a_thousand_connections_outlive_the_agent():
    port, stop = free_port(), threading.Event()
    with kseal_run(helper("echo"), "epoll", str(port)) as server:
        server.listening(port)
        load = Load(port, CONNECTIONS, stop)
        note(f"{CONNECTIONS} connections")
        thread = Thread(load.move)

        def goes_on():
            before = load.rounds
            harness.eventually(lambda: thread.error or load.rounds > before + 1,
                               "another round is through", 60)
            if thread.error:
                raise thread.error
        goes_on()
        harness.agent.stop()                    # restart
        goes_on()
        harness.agent.start()
        goes_on()
        another, old = path("kseald.new"), harness.KSEALD
        shutil.copy(old, another)               # upgrade
        harness.agent.stop()
        harness.KSEALD = another
        harness.agent.start()
        eq(os.readlink(f"/proc/{harness.agent.pid()}/exe"), another, "the agent")
        goes_on()
        harness.agent.stop(signal.SIGKILL)      # crash
        goes_on()
        harness.KSEALD = old
        harness.agent.start()
        goes_on()
        stop.set()
        thread.join()
        for peer in load.peers:
            peer.close_notify()
        for peer in load.peers:
            eq(peer.recv(), b"", "the end")
            peer.close()
        note(f"{load.rounds} rounds")
        eq(server.output().count("connection:"), 0, "errors that the server saw")
