# SPDX-License-Identifier: GPL-2.0
"""The tracepoints of the module, through tracefs, and the bpftrace script on them."""

import contextlib
import errno
import os
import re
import signal
import ssl
import subprocess
import time

import harness
import tracing
from harness import (Skip, Tls, accept, client, connect, context, eq, eventually, listener, pair, parameters,
                     port_of, raises, run, status, test)

SCRIPT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../tools/bpftrace/kseal.bt")


def has(event, **wanted):
    eq({k: event[1].get(k) for k in wanted}, wanted, event[0])


def traced():
    """What the module tells of from here on, if this kernel can."""
    if not tracing.present():
        raise Skip("this kernel has no trace events")
    return tracing.Events()


@test
def tracepoints_tell_of_a_connection():
    with traced() as events:
        sock = listener("web")
        port = port_of(sock)
        peer = client(port, context("1.3"))
        conn = accept(sock)
        [shown] = [s for s in status()["sockets"] if s["local"] == f"127.0.0.1:{port}"]
        run(harness.KSEAL, "rekey", "--both", str(shown["id"]))
        peer.send(b"x")
        conn.sendall(b"y")
        eq(peer.recv(), b"y")
        peer.send(b"z")
        eq(harness.read_exactly(conn, 2), b"xz")
        peer.close_notify()
        eq(conn.recv(10), b"")
        conn.close()
        eq(peer.recv(), b"")
        told = events.of(port)
        for event in told:
            has(event, id=str(shown["id"]), netns=str(os.stat("/proc/self/ns/net").st_ino),
                saddr="::ffff:127.0.0.1", daddr="::ffff:127.0.0.1", sport=str(port),
                dport=str(peer.sock.getsockname()[1]))
        names = [name for name, _ in told]
        eq(names[:5], ["handshake_queued", "handshake_taken", "seal", "seal", "handshake_done"])
        has(told[0], role="server", profile="web")
        eq({w["portid"] for w in status()["workers"]} & {int(told[1][1]["portid"])},
           {int(told[1][1]["portid"])}, "the worker")
        eq({e[1]["dir"] for e in told[2:4]}, {"tx", "rx"})
        for event in told[2:4]:
            has(event, version="0x0304", device="0")
        has(told[4], role="server", outcome="sealed", error="0")
        assert 0 < int(told[1][1]["waited_us"]) <= int(told[4][1]["took_us"]), told
        rest = [(name, e["dir"], e.get("reason", e.get("description")), e.get("count", e.get("level")))
                for name, e in told[5:]]
        eq(rest, [("rekey", "tx", "user", "1"), ("rekey", "rx", "peer", "1"),
                  ("alert", "received", "0", "1"), ("alert", "sent", "0", "1")])

        # off again: nothing comes
        events.switch(False)
        before = len(events.of(port))
        peer = client(port, context("1.2"))
        conn = accept(sock)
        conn.close()
        peer.close()
        eq(len(events.of(port)), before, "events while they are off")
        sock.close()


@test
def tracepoints_tell_what_went_wrong():
    with traced() as events:
        conn, peer = pair(context("1.3"))
        port = conn.getsockname()[1]
        peer.sock.sendall(b"\x17\3\3\0\x40" + bytes(64))
        with raises(errno.EBADMSG):
            conn.recv(10)
        told = [e for e in events.of(port) if e[0] in ("record_error", "alert")]
        eq([name for name, _ in told], ["record_error", "alert"])
        has(told[0], description="20", record="0", records="0")
        has(told[1], dir="sent", level="2", description="20")
        conn.close()

        sock = listener()
        port = port_of(sock)
        with contextlib.suppress(ssl.SSLError):
            client(port, context("1.3", ca="other-ca"))
        eventually(lambda: [e for e in events.of(port) if e[0] == "handshake_done"], "it has ended")
        [done] = [e for e in events.of(port) if e[0] == "handshake_done"]
        has(done, outcome="refused", role="server")
        assert int(done[1]["error"]) > 0, done
        with parameters(handshake_timeout=300):
            slow = connect(port)
            eventually(lambda: [e for e in events.of(port) if e[1].get("outcome") == "timeout"], "it is over")
        [late] = [e for e in events.of(port) if e[1].get("outcome") == "timeout"]
        # the agent counts in milliseconds from when it took it, and may be first
        assert int(late[1]["took_us"]) >= 290000, late
        has(late, error=str(errno.ETIMEDOUT))
        slow.close()

        # TCP has given the port back by the time that this one ends
        hasty = connect(port)
        peer_port = str(hasty.getsockname()[1])

        def its(name):
            return [e for e in events.of(port) if e[0] == name and e[1]["dport"] == peer_port]
        eventually(lambda: its("handshake_taken"), "a worker has it")
        harness.reset(hasty)
        eventually(lambda: its("handshake_done"), "it has ended")
        [over] = its("handshake_done")
        assert over[1]["outcome"] in ("refused", "aborted"), over
        has(over, sport=str(port))
        sock.close()


@test(timeout=240)
def the_bpftrace_script_works():
    if subprocess.run(["which", "bpftrace"], capture_output=True, check=False).returncode:
        raise Skip("bpftrace is not installed")
    if not os.path.exists("/sys/kernel/btf/vmlinux") or not tracing.present():
        raise Skip("this kernel has no BTF")
    sock = listener("web")
    port = port_of(sock)
    with open(harness.path("trace.log"), "w+") as log:
        # it reads the type of everything in the kernel first
        p = subprocess.Popen(["bpftrace", SCRIPT, str(port)], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=subprocess.STDOUT)

        def said():
            with open(log.name) as f:
                return f.read()
        try:
            eventually(lambda: "SOCKET" in said() or p.poll() is not None, said, 120)
            time.sleep(1)
            peer = client(port, context("1.3"))
            conn = accept(sock)
            conn.close()
            peer.recv()
            peer.close()
            eventually(lambda: "alert sent" in said() or p.poll() is not None, said, 20)
        finally:
            p.send_signal(signal.SIGINT)
            p.wait(60)
    text = said()
    for wanted in (r"handshake sealed errno 0 after \d+ us, peer ::ffff:127\.0\.0\.1", r"tx keys, version 304",
                   r"rx keys", r"alert sent, level 1 description 0", r"@ended\[sealed\]: 1", r"@took_us\[sealed\]",
                   r"@waited_us"):
        assert re.search(wanted, text), f"{wanted} is not in\n{text}"
    sock.close()
