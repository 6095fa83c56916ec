# SPDX-License-Identifier: GPL-2.0
"""The agent dies, comes back, and holds its secrets."""

import contextlib
import os
import random
import re
import shutil
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


# What a TLS library writes down as client is what the agent writes down as server.
@test
def an_agent_built_for_it_writes_down_secrets_if_asked():
    log, asked = path("agent.keys"), path("environment.keys")
    harness.agent.stop()
    begin = os.path.getsize(harness.agent.log)
    harness.agent.start({"SSLKEYLOGFILE": asked}, harness.KEYLOG_KSEALD, [f"--unsafe-keylog={log}"])
    try:
        for version in VERSIONS:
            ctx = context(version)
            ctx.keylog_filename = path("client.keys")
            conn, peer = pair(ctx)
            conn.close()
            peer.close()
        with open(path("client.keys")) as f:
            wanted = [line for line in f if not line.startswith("#")]
        with open(log) as f:
            eq(sorted(f), sorted(wanted), "lines")
        labels = {line.split()[0] for line in wanted}
        assert {"CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} <= labels, labels
        eq(os.stat(log).st_mode & 0o7777, 0o600, "mode")
        with open(harness.agent.log) as f:
            f.seek(begin)
            assert "secrets of ALL handshakes are written to" in f.read(), "no warning"
        # Not asked, though it could and the environment wishes it: nothing.
        size = os.path.getsize(log)
        harness.agent.stop()
        harness.agent.start({"SSLKEYLOGFILE": asked}, harness.KEYLOG_KSEALD)
        still_serves(listener())
        eq(os.path.getsize(log), size, "size")
        assert not os.path.exists(asked), "SSLKEYLOGFILE was written"
    finally:
        harness.agent.stop()
        harness.agent.start()


@test
def secrets_are_written_where_only_the_agent_reads():
    def refused(file, why):
        done = run(harness.KEYLOG_KSEALD, "-c", harness.agent.config, f"--unsafe-keylog={file}",
                   check=False, timeout=20 * harness.SLOW)
        eq(done.returncode, 73, "exit status")
        assert why in done.stdout, done.stdout

    shared = path("shared.keys")
    with open(shared, "w"):
        os.chmod(shared, 0o640)
    refused(shared, "others may read it")
    os.chmod(shared, 0o600)
    os.symlink(shared, path("link.keys"))
    refused(path("link.keys"), "symbolic link")
    os.mkfifo(path("fifo.keys"), 0o600)
    refused(path("fifo.keys"), "fifo.keys: ")
    refused(path("nonesuch/keys"), "No such file or directory")
    eq(os.path.getsize(shared), 0, "size")
    # and the agent that everybody has knows no such option
    done = run(harness.KSEALD, f"--unsafe-keylog={shared}", check=False, timeout=20 * harness.SLOW)
    eq(done.returncode, 64, "exit status")
    assert "unrecognized option" in done.stdout, done.stdout


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


@test(timeout=120)
def a_key_may_lie_in_a_token():
    where = path("tokens")
    os.makedirs(where)
    with open(path("softhsm2.conf"), "w") as f:
        f.write(f"directories.tokendir = {where}\nobjectstore.backend = file\n")
    with open(path("pin"), "w") as f:
        f.write("4321")
    env = {"SOFTHSM2_CONF": path("softhsm2.conf")}
    all_env = dict(os.environ, **env)
    run("softhsm2-util", "--init-token", "--free", "--label", "kseal", "--so-pin", "87654321",
        "--pin", "4321", env=all_env)
    run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", path("server.key"), "-out", path("server.p8"))
    run("softhsm2-util", "--import", path("server.p8"), "--token", "kseal", "--label", "server",
        "--id", "01", "--pin", "4321", env=all_env)
    url = f"pkcs11:token=kseal;object=server?pin-source=file:{path('pin')}"
    with open(harness.agent.config) as f:
        before = f.read()
    harness.agent.stop()
    try:
        harness.agent.start(env)
        with open(harness.agent.config, "a") as f:
            f.write(f'profile "token" {{\n\tcertificate = "{path("server.crt")}"\n\tkey = "{url}"\n}}\n')
        # The first such key: this agent has confined itself to files.
        done = run(harness.KSEAL, "reload", check=False)
        assert done.returncode and "object=server: the first key that is not a file: restart kseald" \
            in done.stdout, done.stdout
        harness.agent.stop()
        harness.agent.start(env)
        sock = listener("token")
        for _ in range(2):
            peers = [client(port_of(sock)) for _ in range(4)]
            conns = [accept(sock) for _ in peers]       # in whatever order
            for peer in peers:
                peer.send(b"signed by a token")
            for conn in conns:
                eq(conn.recv(100), b"signed by a token")
            for end in conns + peers:
                end.close()
            run(harness.KSEAL, "reload")
        # No such key any more: the old configuration goes on.
        with open(harness.agent.config) as f:
            text = f.read()
        with open(harness.agent.config, "w") as f:
            f.write(text.replace("object=server", "object=nothing"))
        done = run(harness.KSEAL, "reload", check=False)
        assert done.returncode and "object=nothing: the token has no such key" in done.stdout, done.stdout
        peer = client(port_of(sock))
        accept(sock).close()
        peer.close()
    finally:
        with open(harness.agent.config, "w") as f:
            f.write(before)
        harness.agent.stop()
        harness.agent.start()


# Kubernetes mounts a secret so: NAME is a link to ..data/NAME, ..data one to a directory.
@test(timeout=120)
def files_that_change_are_read_again_if_asked():
    secret = path("secret")
    with open(harness.agent.config) as f:
        before = f.read()

    def mount(version, certificate, key):
        os.makedirs(f"{secret}/..{version}")
        shutil.copy(path(certificate), f"{secret}/..{version}/tls.crt")
        shutil.copy(path(key), f"{secret}/..{version}/tls.key")
        os.symlink(f"..{version}", f"{secret}/..tmp")
        os.rename(f"{secret}/..tmp", f"{secret}/..data")

    def shown():
        peer = client(port)
        accept(sock).close()
        with contextlib.closing(peer):
            return peer.tls.getpeercert(True)

    def der(name):
        with open(path(name)) as f:
            return harness.ssl.PEM_cert_to_DER_cert(f.read())

    def log():
        with open(harness.agent.log, errors="replace") as f:
            f.seek(begin)
            return f.read()

    for version in (2, 3):
        harness.make_certificate(f"version{version}", "ca", f"/CN={harness.NAME}",
                                 f"DNS:{harness.NAME}")
    begin = os.path.getsize(harness.agent.log)
    mount(1, "server.crt", "server.key")
    for name in ("tls.crt", "tls.key"):
        os.symlink(f"..data/{name}", f"{secret}/{name}")
    try:
        with open(harness.agent.config, "w") as f:
            f.write(f'watch = "on"\n{before}profile "secret" {{\n'
                    f'\tcertificate = "{secret}/tls.crt"\n\tkey = "{secret}/tls.key"\n}}\n')
        run(harness.KSEAL, "reload")
        sock = listener("secret")
        port = port_of(sock)
        eq(shown(), der("server.crt"))
        mount(2, "version2.crt", "version2.key")
        eventually(lambda: shown() == der("version2.crt"), "the new certificate is shown")
        # A bad state changes nothing, and is told of.
        mount(3, "version3.crt", "version2.key")
        eventually(lambda: "not reloaded: the old configuration stays in force" in log(),
                   "the agent has seen it")
        assert re.search(r"tls\.key: is not the key of the certificate in .*tls\.crt", log()), log()
        eq(shown(), der("version2.crt"))
        mount(4, "version3.crt", "version3.key")
        eventually(lambda: shown() == der("version3.crt"), "the next try is good")
    finally:
        with open(harness.agent.config, "w") as f:
            f.write(before)
        run(harness.KSEAL, "reload")
    # and now nobody watches
    begin = os.path.getsize(harness.agent.log)
    os.utime(harness.agent.config)
    time.sleep(2)
    eq(log().count("have changed"), 0, "reloads that nobody asked for")
