# SPDX-License-Identifier: GPL-2.0
"""kseal run, attach and status, on programs that know nothing of it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import harness
from harness import (PYTHON, Child, Program, Thread, accept, client, connect, context,
                     eq, eventually, free_port, helper, is_listening, kseal_run, listener,
                     listeners_of, need_i386, pair, port_of, run, status, test)
from test_handshake import is_cut_off
from test_listener import talk


def is_sealed(port):
    """A TLS client is served and a plain one isn't."""
    talk(port, times=1, size=100)
    raw = connect(port)
    raw.sendall(b"plain text")
    got = is_cut_off(raw)
    assert b"plain text" not in got, "the server has echoed plaintext"
    raw.close()


def is_plain(port):
    raw = connect(port)
    raw.sendall(b"plain text")
    eq(raw.recv(100), b"plain text")
    raw.close()


def kseal(*args, **more):
    return run(harness.KSEAL, *args, check=False, **more)


@test
def run_passes_on_exit_status_and_signals():
    eq(kseal("run", "sh", "-c", "exit 7").returncode, 7)
    eq(kseal("run", "sh", "-c", "kill -KILL $$").returncode, 137)
    eq(kseal("run", "nonesuch").returncode, 127)
    eq(kseal("run", "/etc/passwd").returncode, 126)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
        with Program(harness.KSEAL, "run", "sh", "-c",
                     f"trap 'echo got; exit 9' {number.name[3:]}; echo ready; "
                     "while :; do sleep 0.05; done") as program:
            program.until("ready")
            program.process.send_signal(number)
            eq(program.wait(), 9)
            assert "got" in program.output()


@test
def run_seals_listeners_of_all_descendants():
    """exec, a shell's child, a daemon whose parents are gone."""
    port = free_port()
    with kseal_run("sh", "-c", f"{helper('echo')} blocking {port} & wait") as program:
        program.listening(port)
        is_sealed(port)
        program.stop()
    port = free_port()
    with kseal_run(helper("echo"), "daemon", str(port)) as program:
        daemon = int(program.until(r"daemon (\d+)").group(1))
        is_sealed(port)
        # kseal stays as long as it does, and signals reach it.
        assert program.process.poll() is None
        program.process.send_signal(signal.SIGTERM)
        eq(program.wait(), 0)       # of the program that was started
        # Dead, but perhaps not buried yet.
        eventually(lambda: not os.path.exists(f"/proc/{daemon}"), "the daemon is gone")


@test
def run_seals_the_ports_named_and_no_others():
    sealed, plain, other = free_port(), free_port(), free_port()
    command = " & ".join(f"{helper('echo')} blocking {p}" for p in (sealed, plain, other))
    with kseal_run("sh", "-c", f"{command} & wait",
                   options=("--profile", "nonesuch", "--port", f"{sealed}=default",
                            "--port", str(other))) as program:
        for p in (sealed, plain, other):
            program.listening(p)
        is_sealed(sealed)
        is_plain(plain)
        eq(listeners_of(other)[0]["profile"], "nonesuch")
        eq(listeners_of(sealed)[0]["profile"], "default")
        eq(listeners_of(plain), [])
        program.stop()


@test
def run_works_for_the_32_bit_abi():
    for way in ("direct", "socketcall"):
        port = free_port()
        need_i386("listen", way, port, 0)
        with kseal_run(helper("abi32"), "listen", way, str(port),
                       stdin=subprocess.PIPE) as program:
            program.until(r"^0$|\n0\n")
            eq(listeners_of(port)[0]["profile"], "default")
            program.process.stdin.close()
            eq(program.wait(), 0)


@test
def run_works_without_privilege():
    port = free_port()

    def drop():
        os.setgroups([])
        os.setresgid(*[harness.UNPRIVILEGED] * 3)
        os.setresuid(*[harness.UNPRIVILEGED] * 3)
    with kseal_run(helper("echo"), "fork", str(port), options=("--profile", "user"),
                   preexec_fn=drop) as program:
        program.listening(port)
        is_sealed(port)


@test
def run_seals_a_port_of_the_kernels_choice():
    code = ("import socket, time; s = socket.socket(); s.listen(); "
            "print('port', s.getsockname()[1], flush=True); c = s.accept()[0]; "
            "c.sendall(c.recv(100)); time.sleep(0.2)")
    with kseal_run(PYTHON, "-c", code) as program:
        port = int(program.until(r"port (\d+)").group(1))
        peer = client(port)
        peer.send(b"unbound")
        eq(peer.recv(), b"unbound")
        program.wait()


@test
def run_leaves_other_sockets_alone():
    code = r"""
import os, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0kseal-e2e-%d" % os.getpid())
s.listen()
c = socket.socket(socket.AF_UNIX)
c.connect(s.getsockname())
pid = struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
assert pid == os.getpid(), "SO_PEERCRED is not mine"
for fd, want in ((os.open("/dev/null", 0), 88), (999, 9)):
    try:
        os.close(fd) if fd == 999 else None
    except OSError:
        pass
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.listen(fd, 1) == -1 and ctypes.get_errno() == want, ctypes.get_errno()
# A client is no listener.
out = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
out.sendall(b"plain"); assert out.recv(10) == b"plain"
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
except OSError as e:
    assert e.errno in (93, 92), e
else:
    raise AssertionError("MPTCP, which can't be sealed")
print("fine")
"""
    sock = listener(sealed=False)

    def echo():
        conn = accept(sock)
        conn.sendall(conn.recv(10))
    thread = Thread(echo)
    with kseal_run(PYTHON, "-c", code, str(port_of(sock))) as program:
        eq(program.wait(), 0, program.output())
    thread.join()


# Invariant 1: rather no listener than one that isn't sealed.
@test
def a_listener_that_cannot_be_sealed_does_not_listen():
    port = free_port()
    # Its supervisor is gone. (Without the module: test_module.py, tests/tools/run.)
    code = f"""
import os, signal, socket
s = socket.socket(); s.bind(("127.0.0.1", {port}))
os.kill(os.getppid(), signal.SIGKILL)
try: s.listen(); print("LISTENS")
except OSError as e: print("errno", e.errno)
"""
    with kseal_run(PYTHON, "-c", code) as program:
        program.wait()
        eventually(lambda: "errno" in program.output(), "listen() failed")
        assert "LISTENS" not in program.output()
    assert not is_listening(port)


@test
def sealed_listeners_outlive_the_supervisor():
    port = free_port()
    with kseal_run(helper("echo"), "blocking", str(port)) as program:
        program.listening(port)
        is_sealed(port)     # so its listen() has returned: the supervisor listens a moment earlier
        os.kill(program.pid, signal.SIGKILL)
        program.wait()
        is_sealed(port)


@test
def signals_during_listen_do_not_disturb_it():
    code = r"""
import os, signal, socket, threading, time
count = [0]
def tick(*_): count[0] += 1
signal.signal(signal.SIGALRM, tick)
signal.siginterrupt(signal.SIGALRM, False)      # SA_RESTART
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for i in range(200):
    s = socket.socket(); s.listen(); s.close()
signal.setitimer(signal.ITIMER_REAL, 0)
print("ticks", count[0])
"""
    with kseal_run(PYTHON, "-c", code) as program:
        eq(program.wait(60), 0, program.output())


@test
def threads_that_listen_at_once_are_all_served():
    code = r"""
import socket, threading
made = []
def work():
    for i in range(20):
        s = socket.socket(); s.listen(); made.append(s)
ts = [threading.Thread(target=work) for i in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]
print("ports", *[s.getsockname()[1] for s in made], flush=True)
input()
"""
    with kseal_run(PYTHON, "-c", code, stdin=subprocess.PIPE) as program:
        ports = set(map(int, program.until(r"ports ([\d ]+)\n").group(1).split()))
        sealed = {int(e["local"].rpartition(":")[2]) for e in status()["listeners"]}
        eq(ports - sealed, set(), "ports that are not sealed")
        eq(len(ports), 160)
        program.process.stdin.close()
        program.wait()


@test
def systemds_sockets_are_sealed_before_the_program_starts():
    sock = listener(sealed=False)
    port = port_of(sock)
    code = r"""
import os, socket
assert os.environ["LISTEN_PID"] == str(os.getpid()), "LISTEN_PID"
assert os.environ["LISTEN_FDS"] == "1"
s = socket.socket(fileno=3)
print("ready", flush=True)
while True:
    c = s.accept()[0]
    while d := c.recv(65536): c.sendall(d)
    c.close()
"""
    def third():
        os.dup2(sock.fileno(), 3)
    with Program("sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh", harness.KSEAL, "run",
                 PYTHON, "-c", code, preexec_fn=third, pass_fds=(3, sock.fileno())) as program:
        program.until("ready")
        sock.close()
        is_sealed(port)


def attached(mode, version):
    port = free_port()
    with Program(helper("echo"), mode, str(port)) as program:
        program.listening(port)
        time.sleep(0.2)         # in accept() by now
        old = connect(port)
        old.sendall(b"from before")
        eq(old.recv(100), b"from before")
        if mode in ("fork", "epoll", "epollet"):
            kept = old
        else:
            old.close()         # this server serves one at a time
            kept = None
            time.sleep(0.2)
        done = kseal("attach", str(program.pid), str(port))
        eq(done.returncode, 0, done.stdout)
        assert "sealed" in done.stdout, done.stdout
        for _ in range(6):
            talk(port, context(version), times=1)
        is_sealed(port)
        threads = [Thread(talk, port) for _ in range(6)]
        for t in threads:
            t.join()
        if kept:
            kept.sendall(b"as ever")
            eq(kept.recv(100), b"as ever")
            kept.close()
        again = kseal("attach", str(program.pid), str(port))
        eq(again.returncode, 0, again.stdout)
        assert "already" in again.stdout, again.stdout
        said = program.output().replace("listening\n", "")
        # The program has noticed nothing: no EINTR, no error.
        eq(re.findall(r"(?:accept|poll|epoll_wait): .*", said), [], "what the program noticed")


for mode in ("blocking", "timed", "threads", "prefork", "poll", "epoll", "epollet", "fork"):
    test(attached, args=(mode, "1.3"), timeout=90,
         name=f"attach_seals_a_running_{mode}_server_unnoticed")


@test
def attach_does_not_lose_a_signal_or_a_stop():
    """Attached again and again while signals arrive and the program is stopped."""
    code = r"""
import os, signal, socket, threading
r, w = os.pipe()
os.set_blocking(w, False)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.set_wakeup_fd(w)
seen = 0
s = socket.socket()
s.bind(("127.0.0.1", int(os.environ["PORT"])))
s.listen()
threads = [threading.Thread(target=s.accept, daemon=True) for i in range(3)]
[t.start() for t in threads]
print("ready", flush=True)
while True:
    seen += len(os.read(r, 1))
    print("seen", seen, flush=True)
"""
    port = free_port()
    with Program(PYTHON, "-c", code, env=dict(os.environ, PORT=str(port))) as program:
        program.until("ready")
        for i in range(20):
            os.kill(program.pid, signal.SIGUSR1)
            eq(kseal("attach", str(program.pid), str(port)).returncode, 0)
            program.until(f"seen {i + 1}\\b")
        os.kill(program.pid, signal.SIGSTOP)

        def state():
            with open(f"/proc/{program.pid}/stat") as f:
                return f.read().rpartition(")")[2].split()[0]
        eventually(lambda: state() == "T", "it is stopped")
        eq(kseal("attach", str(program.pid), str(port), timeout=30 * harness.SLOW).returncode, 0)
        eventually(lambda: state() == "T", "it is still stopped")
        os.kill(program.pid, signal.SIGCONT)
        os.kill(program.pid, signal.SIGUSR1)
        program.until("seen 21")


@test
def attach_says_what_is_wrong():
    eq(kseal("attach", "999999999", "80").returncode, 1)
    assert "no process" in kseal("attach", "999999999", "80").stdout
    sock = listener(sealed=False)
    free = free_port()
    said = kseal("attach", str(os.getpid()), str(free))
    eq(said.returncode, 1)
    assert f":{port_of(sock)}" in said.stdout, said.stdout
    sock.close()
    said = kseal("attach", str(os.getpid()), str(free))
    assert "no TCP port" in said.stdout, said.stdout
    sock = listener()

    def unprivileged():
        os.setgroups([])
        os.setresgid(*[65534] * 3)
        os.setresuid(*[65534] * 3)
        said = kseal("attach", str(os.getppid()), str(port_of(sock)))
        eq(said.returncode, 1)
        assert "permission" in said.stdout, said.stdout
    Child(unprivileged).wait()


@test
def attach_changes_the_profile():
    sock = listener()
    eq(kseal("attach", str(os.getpid()), str(port_of(sock)), "web").returncode, 0)
    eq(listeners_of(port_of(sock))[0]["profile"], "web")


@test
def attach_finds_all_listeners_of_the_port():
    one = listener(sealed=False, SO_REUSEPORT=1)
    two = listener(port=port_of(one), sealed=False, SO_REUSEPORT=1)
    six = listener("", address="::1", port=port_of(one), sealed=False)
    eq(kseal("attach", str(os.getpid()), str(port_of(one))).returncode, 0)
    eq(len(listeners_of(port_of(one))), 3)
    for s in (one, two, six):
        s.close()


@test
def status_tells_what_there_is():
    conn, peer = pair(context("1.3"), profile="web")
    sock = listener("web", backlog=7)
    port = port_of(sock)
    raw = connect(port)
    eventually(lambda: any(e["local"] == f"127.0.0.1:{port}" for e in status()["handshakes"]),
               "the handshake is listed")
    conn.sendall(b"x" * 1000)
    eq(len(peer.read_exactly(1000)), 1000)
    state = status()
    eq(state["module"]["ulp_name"], "kseal")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", state["module"]["version"]), state["module"]
    eq({w["pid"] for w in state["workers"]}, {harness.agent.pid()})
    [mine] = [e for e in state["listeners"] if e["local"] == f"127.0.0.1:{port}"]
    eq((mine["profile"], mine["uid"], mine["gid"], mine["backlog"], mine["held"], mine["ready"]),
       ("web", 0, 0, 7, 1, 0))
    [pending] = [e for e in state["handshakes"] if e["local"] == f"127.0.0.1:{port}"]
    eq(pending["peer"], "127.0.0.1:%d" % raw.getsockname()[1])
    eq(pending["profile"], "web")
    assert 0 < pending["timeout_ms"] <= 15000
    address = "127.0.0.1:%d" % peer.sock.getsockname()[1]
    [open_] = [e for e in state["sockets"] if e["peer"] == address]
    eq((open_["role"], open_["tls_version"], open_["server_name"], open_["resumed"],
        open_["tx_bytes"], open_["profile"]),
       ("server", "TLS 1.3", harness.NAME, False, 1000, "web"))
    assert open_["tls_cipher"].startswith("AES-"), open_
    assert state["counters"]["KsealSealed"] > 0
    text = run(harness.KSEAL, "status").stdout
    for word in ("module: kseal", "agent: pid", f"127.0.0.1:{port}", "web", "TLS 1.3",
                 "KsealSealed", "root"):
        assert word in text, f"{word} is not in\n{text}"
    raw.close()


@test
def status_says_so_when_there_is_no_agent():
    harness.agent.stop()
    try:
        text = run(harness.KSEAL, "status").stdout
        assert "agent: none" in text, text
    finally:
        harness.agent.start()


@test(timeout=90)
def status_lists_many_sockets():
    """More than a netlink message holds."""
    sock = listener(backlog=300)
    peers = [client(port_of(sock)) for _ in range(150)]
    conns = [accept(sock) for _ in range(150)]
    mine = [e for e in status()["sockets"] if e["local"] == "127.0.0.1:%d" % port_of(sock)]
    eq(len(mine), 150)
    eq(len({e["id"] for e in mine}), 150, "different ids")
    for s in peers + conns:
        s.close()


ENDPOINT = "/run/kseal/metrics"


def fetch(url, *options):
    """Status, type and body of the answer of the agent's endpoint."""
    done = run("curl", "-sS", "--max-time", "20", "-w", "%{stderr}%{http_code} %{content_type}", *options, url,
               stderr=subprocess.PIPE, check=False)
    return done.stderr, done.stdout


def histogram(text, **labels):
    """Upper bounds and counts, the sum and the number of handshakes."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    [family] = [f for f in text_string_to_metric_families(text) if f.name == "kseal_handshake_seconds"]
    eq((family.type, family.unit), ("histogram", "seconds"))
    mine = [s for s in family.samples if labels.items() <= s.labels.items()]
    buckets = [(float(s.labels["le"]), s.value) for s in mine if s.name.endswith("_bucket")]
    [total] = [s.value for s in mine if s.name.endswith("_sum")]
    [count] = [s.value for s in mine if s.name.endswith("_count")]
    return buckets, total, count


def with_endpoint(where):
    with open(harness.agent.config, "a") as f:
        f.write(f'metrics {{\n\tlisten = "{where}"\n}}\n')
    harness.agent.stop()
    harness.agent.start()


@test
def metrics_of_the_agent_have_an_endpoint():
    assert not os.path.exists(ENDPOINT), "an endpoint that nobody has asked for"
    assert "kseal_handshake_seconds" not in run(harness.KSEAL, "metrics").stdout
    os.makedirs(os.path.dirname(ENDPOINT), exist_ok=True)
    port = free_port()
    try:
        for where, url, options in ((ENDPOINT, "http://agent/", ("--unix-socket", ENDPOINT)),
                                    (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/", ())):
            harness.write_config(harness.agent.config)
            with_endpoint(where)
            sock = listener("default")
            first = client(port_of(sock), ctx=context("1.3"))
            conn = accept(sock)
            said, text = fetch(url + "metrics", *options)
            eq(said, "200 application/openmetrics-text; version=1.0.0; charset=utf-8")
            buckets, total, count = histogram(text, role="server", resumed="no")
            eq(count, 1, "full handshakes")
            eq(buckets[-1], (float("inf"), 1))
            eq([n for _, n in buckets], sorted(n for _, n in buckets), "they add up")
            least = min(bound for bound, n in buckets if n)
            assert total <= least or least == 0.001, f"{total} s, but less than {least} s"
            for labels in {"role": "server", "resumed": "yes"}, {"role": "client", "resumed": "no"}:
                eq(histogram(text, **labels)[2], 0, str(labels))
            assert "kseal_sealed_total " in text and 'outcome="failed"} 0' in text, text
            raw = connect(port_of(sock))
            raw.sendall(b"plain text, which no server of TLS likes")
            is_cut_off(raw)
            eventually(lambda u=url, o=options: 'role="server",outcome="failed"} 1' in fetch(u + "metrics", *o)[1],
                       "a failure is counted")
            few = listener("few")
            beyond = [connect(port_of(few)) for _ in range(5)]
            eventually(lambda u=url, o=options: 'role="server",outcome="failed"} 2' in fetch(u + "metrics", *o)[1],
                       "so is one beyond a limit")
            eq(fetch(url, *options)[0].split()[0], "404", "another page")
            eq(fetch(url + "metrics", *options, "-d", "x=y")[0].split()[0], "405", "POST")
            there = "kseal_handshake_seconds" in run(harness.KSEAL, "metrics").stdout
            eq(there, where == ENDPOINT, "kseal metrics has the agent's part")
            for s in (raw, conn, first, sock, few, *beyond):
                s.close()
        text = run(harness.KSEAL, "metrics").stdout
        eq(text.count("# EOF"), 1)
    finally:
        harness.write_config(harness.agent.config)
        harness.agent.stop()
        harness.agent.start()
    assert fetch(f"http://127.0.0.1:{port}/metrics")[0].startswith("curl: (7)"), "it is gone"


@contextlib.contextmanager
def at_endpoint():
    """A socket at the place of the agent's endpoint that is not the agent's."""
    os.makedirs(os.path.dirname(ENDPOINT), exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(ENDPOINT)     # of an agent that has ended
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(ENDPOINT)
        try:
            yield sock
        finally:
            os.unlink(ENDPOINT)


@test
def metrics_of_another_agent_are_not_taken_for_this_ones():
    with at_endpoint() as sock:
        sock.listen()

        def serve():
            with contextlib.suppress(OSError):      # it may have gone again
                conn, _ = sock.accept()
                conn.recv(1000)
                conn.sendall(b"HTTP/1.0 200 OK\r\n\r\nkseal_of_another 1\n# EOF\n")
                conn.close()
        Thread(serve)
        text = run(harness.KSEAL, "metrics").stdout
    assert "kseal_sealed_total" in text and "kseal_of_another" not in text, text


@test
def metrics_do_not_wait_for_an_agent_that_hangs():
    with at_endpoint() as sock, socket.socket(socket.AF_UNIX) as first:
        sock.listen(0)
        first.connect(ENDPOINT)     # there is no room for a second
        text = run(harness.KSEAL, "metrics", timeout=20).stdout
    eq(text.count("# EOF"), 1)


def socket_of(peer):
    """What the module's list has of the connection from PEER."""
    address = "127.0.0.1:%d" % peer.sock.getsockname()[1]
    [found] = [e for e in status()["sockets"] if e["peer"] == address]
    return found


@test
def metrics_are_openmetrics():
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    conn, peer = pair(context("1.3"), profile="web")
    sock = listener("web", backlog=7)
    local = "127.0.0.1:%d" % port_of(sock)
    raw = connect(port_of(sock))
    eventually(lambda: [e for e in status()["handshakes"] if e["local"] == local], "it is held")
    conn.sendall(b"x" * 1000)
    peer.read_exactly(1000)
    text = run(harness.KSEAL, "metrics").stdout
    families = {f.name: f for f in text_string_to_metric_families(text)}

    def sample(name, **labels):
        # kseal_tx_device_records_total is none of kseal_tx_device
        family = max((f for f in families.values() if name.startswith(f.name)),
                     key=lambda f: len(f.name))
        found = [s.value for s in family.samples
                 if s.name == name and labels.items() <= s.labels.items()]
        assert len(found) == 1, f"{name} {labels}: {found} in\n{text}"
        return found[0]
    eq(sample("kseal_module_info"), 1)
    eq(sample("kseal_agent_workers"), 2)
    eq(sample("kseal_listener_held", local=local, profile="web"), 1)
    eq(sample("kseal_listener_backlog", local=local, profile="web"), 7)
    eq(sample("kseal_listener_ready", local=local, profile="web"), 0)
    eq(sum(s.value for s in families["kseal_pending_handshakes"].samples), 1)
    eq(sum(s.value for s in families["kseal_sockets"].samples), len(status()["sockets"]))
    assert sample("kseal_sockets", role="server", profile="web", tls_version="TLS 1.3") >= 1
    for name, value in harness.counters().items():
        snake = re.sub("(?<!^)([A-Z])", r"_\1", name).lower() + "_total"
        assert snake in text, f"{name} is missing"
        eq(sample(snake), value, name)
    eq(families["kseal_tx_bytes"].unit, "bytes")
    # The same address and profile twice is one series.
    one = listener("web", SO_REUSEPORT=1)
    two = listener("web", port=port_of(one), SO_REUSEPORT=1)
    text = run(harness.KSEAL, "metrics").stdout
    families = {f.name: f for f in text_string_to_metric_families(text)}
    eq(sample("kseal_listener_sockets", local="127.0.0.1:%d" % port_of(one)), 2)
    for s in (raw, one, two, conn, peer):
        s.close()


@test
def top_shows_what_moves_first():
    slow, slow_peer = pair()
    fast, fast_peer = pair()

    def move():
        while True:
            fast.sendall(b"x" * 10000)
            fast_peer.read_exactly(10000)
    Thread(move)
    text = run(harness.KSEAL, "top", "-d", "0.5", "-n", "2").stdout
    tables = text.split("\n\nsealed")[0].count("PEER")
    eq(text.count("PEER"), 2, f"tables ({tables})")
    for table in text.split("      ID  ")[1:]:
        rows = [line.split() for line in table.splitlines()[1:] if line[:8].strip().isdigit()]
        eq(int(rows[0][0]), socket_of(fast_peer)["id"], "the first")
        assert rows[0][2] != "0", rows[0]
        [other] = [r for r in rows if int(r[0]) == socket_of(slow_peer)["id"]]
        eq(other[2:4], ["0", "0"])
    slow.close()
    slow_peer.close()


@test
def doctor_finds_nothing_wrong_and_what_is():
    env = dict(os.environ, PATH=os.path.dirname(harness.KSEALD) + ":" + os.environ["PATH"])

    def doctor(want):
        done = kseal("doctor", "--config", harness.agent.config, env=env)
        # What the test machine's kernel was built with is not the matter here.
        bad = [line for line in done.stdout.splitlines()
               if line.startswith("BAD") and "kernel: " not in line]
        assert bool(bad) == bool(want), f"want {want}, but it says\n{done.stdout}"
        if want:
            assert any(want in line for line in bad), done.stdout
            eq(done.returncode, 1)
        return done.stdout
    said = doctor(None)
    for word in (f"agent: pid {harness.agent.pid()} ", "configuration: ", "module: kseal ",
                 "tls.ko: it may be loaded", "pidfd_getfd() works"):
        assert word in said, f"{word} is not in\n{said}"
    harness.agent.stop()
    try:
        said = doctor("agent: none serves")
        assert "-> systemctl start kseald" in said, said
    finally:
        harness.agent.start()
    with open(harness.agent.config) as f:
        good = f.read()
    try:
        with open(harness.agent.config, "a") as f:
            f.write("nonesuch = 1\n")
        doctor("configuration: ")
    finally:
        with open(harness.agent.config, "w") as f:
            f.write(good)


@test
def info_says_that_there_is_no_such_socket():
    for args, word in ((("999999999",), "no sealed socket 999999999"),
                       ((str(os.getpid()), "0"), "is no sealed socket"),
                       ((str(os.getpid()), "999"), "has no descriptor 999"),
                       (("999999999", "0"), "no process")):
        done = kseal("info", *args)
        eq(done.returncode, 1)
        assert word in done.stdout, done.stdout


@test
def info_by_number_is_what_status_says():
    conn, peer = pair(context("1.3"), profile="web")
    mine = socket_of(peer)
    done = run(harness.KSEAL, "info", "--json", str(mine["id"]))
    eq(json.loads(done.stdout), socket_of(peer))
    text = run(harness.KSEAL, "info", str(mine["id"])).stdout
    assert re.search(r"^tls_version +TLS 1.3$", text, re.M), text
    conn.close()
    peer.close()


@test
def reload_says_what_came_of_it():
    with open(harness.agent.config) as f:
        good = f.read()
    try:
        done = kseal("reload")
        eq(done.returncode, 0, done.stdout)
        assert re.search(r"^reloaded: \d+ profiles$", done.stdout, re.M), done.stdout
        with open(harness.agent.config, "a") as f:
            f.write('profile "fresh" {\n\tcertificate = "%s"\n\tkey = "%s"\n}\n'
                    % (harness.path("server.crt"), harness.path("server.key")))
        eq(kseal("reload").returncode, 0)
        sock = listener("fresh")
        with open(harness.agent.config, "a") as f:
            f.write("nonesuch = 1\n")
        done = kseal("reload")
        eq(done.returncode, 1)
        assert "old configuration stays" in done.stdout and "nonesuch" in done.stdout, done.stdout
        # A plain SIGHUP, as systemd sends it, is nobody's to answer.
        os.kill(harness.agent.pid(), signal.SIGHUP)
        peer = client(port_of(sock))
        accept(sock)
        peer.close()
    finally:
        with open(harness.agent.config, "w") as f:
            f.write(good)
        eq(kseal("reload").returncode, 0)

    def unprivileged():
        os.setgroups([])
        os.setresgid(*[65534] * 3)
        os.setresuid(*[65534] * 3)
        return kseal("reload").returncode
    eq(Child(unprivileged).wait(), 1)
    harness.agent.stop()
    try:
        done = kseal("reload")
        eq(done.returncode, 1)
        assert "no agent is running" in done.stdout, done.stdout
    finally:
        harness.agent.start()


@test
def a_reload_says_what_waits_for_the_next_start():
    with open(harness.agent.config) as f:
        good = f.read()

    def late(text):
        """What waits, after a reload of this configuration."""
        with open(harness.agent.config, "w") as f:
            f.write(text)
        begin = os.path.getsize(harness.agent.log)
        eq(kseal("reload").returncode, 0)
        with open(harness.agent.log, errors="replace") as f:
            f.seek(begin)
            return re.findall(r"(\w+)\"? takes effect at the next start only", f.read())
    try:
        eq(late(good), [], "as it was")
        three = good.replace("workers = 2", "workers = 3")
        endpoint = good + f'metrics {{\n\tlisten = "{ENDPOINT}"\n}}\n'
        for text, want in (three, ["workers"]), (endpoint, ["metrics"]):
            eq(late(text), want)
            eq(late(text), want, "as it still waits")
            eq(late(good), [], "back to what runs")
    finally:
        with open(harness.agent.config, "w") as f:
            f.write(good)
        eq(kseal("reload").returncode, 0)
