# SPDX-License-Identifier: GPL-2.0
"""Clients that know nothing of TLS, through kseal run --connect, against TLS servers
of others: OpenSSL, GnuTLS, nginx, redis."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import time

import harness
from harness import (NAME, PYTHON, VERSIONS, Capture, Program, Skip, Thread, accept,
                     context, counters, eq, eventually, free_port, helper, listener, need_i386,
                     path, port_of, run, status, sysctl, test)
from test_transfer import make_files

LINE = "a line that nobody may read on the way"


def need(program):
    if not shutil.which(program):
        raise Skip(f"no {program} here")
    return program


def sealed(*command, to=None, options=(), **more):
    """A client under kseal run; TO is what its --connect says."""
    return Program(harness.KSEAL, "run", "-v", "--port", "none",
                   *(("--connect", to) if to else ()), *options, "--", *command, **more)


def output_of(program, status=0, seconds=40):
    eq(program.wait(seconds), status, f"exit status; it said\n{program.output()}")
    return program.output()


def certificate(name="server"):
    return path(name + ".crt"), path(name + ".key")


# --- servers -----------------------------------------------------------------------

def openssl_server(port, version=None, name="server", mode=("-rev",), more=()):
    """OpenSSL's own, which answers each line with the line reversed."""
    crt, key = certificate(name)
    only = {None: (), "1.2": ("-tls1_2",), "1.3": ("-tls1_3",)}[version]
    return Program("openssl", "s_server", "-accept", str(port), "-cert", crt, "-key", key,
                   "-quiet", *mode, *only, *more).listening(port)


def gnutls_server(port, version=None):
    """GnuTLS' own, which answers HTTP."""
    crt, key = certificate()
    priority = {None: "NORMAL", "1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}[version]
    return Program(need("gnutls-serv"), "--http", "--port", str(port), "--x509certfile", crt,
                   "--x509keyfile", key, "--priority", priority, "--disable-client-cert",
                   stdin=subprocess.DEVNULL).listening(port)


def nginx_server(port, version=None, address="127.0.0.1"):
    """nginx with its own TLS."""
    need("nginx")
    crt, key = certificate()
    where = path(f"nginx-{port}")
    os.makedirs(where, exist_ok=True)
    protocols = {None: "TLSv1.2 TLSv1.3", "1.2": "TLSv1.2", "1.3": "TLSv1.3"}[version]
    temporary = "".join(f"{t}_temp_path {where}/{t};\n" for t in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(os.path.join(where, "nginx.conf"), "w") as f:
        f.write(f"""
worker_processes 1;
daemon off;
pid {where}/pid;
error_log stderr info;
events {{ }}
http {{
    access_log off;
    {temporary}
    client_max_body_size 100m;
    server {{
        listen {address}:{port} ssl;
        ssl_certificate {crt};
        ssl_certificate_key {key};
        ssl_protocols {protocols};
        root {make_files()};
        location = /who {{ return 200 "$ssl_protocol $ssl_server_name\\n"; }}
    }}
}}
""")
    return Program("nginx", "-e", "stderr", "-p", where, "-c",
                   os.path.join(where, "nginx.conf")).listening(port)


@contextlib.contextmanager
def only_records(port):
    """Nothing but TLS records crosses the wire, and LINE isn't in it."""
    with Capture(port) as capture:
        yield
    sent = b"".join(capture.streams().values())
    assert sent, "nothing was captured"
    assert LINE.encode() not in sent and b"HTTP/1" not in sent, "plaintext on the wire"
    assert capture.records()


# --- clients -----------------------------------------------------------------------

def fetched(port, version, command, names):
    """COMMAND fetches all files through TLS of VERSION, byte for byte."""
    files = make_files()
    with nginx_server(port, version):
        for name in names:
            with open(os.path.join(files, name), "rb") as f:
                want = f.read()
            out = path("fetched")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(out)
            done = sealed(*command(f"http://{NAME}:{port}/{name}", out), to=f"{NAME}:{port}")
            output_of(done, seconds=60)
            with open(out, "rb") as f:
                got = f.read()
            eq((len(got), hashlib.sha256(got).hexdigest()),
               (len(want), hashlib.sha256(want).hexdigest()), name)


@contextlib.contextmanager
def hosts(lines):
    """/etc/hosts for what the block starts: in a mount namespace of the test's own."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000):        # CLONE_NEWNS
        raise Skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    run("mount", "--make-rprivate", "/")
    with open(path("hosts"), "w") as f:
        f.write("127.0.0.1 localhost\n" + lines)
    run("mount", "--bind", path("hosts"), "/etc/hosts")
    yield


def curl(url, out):
    return need("curl"), "-sS", "-f", "-o", out, url


def wget(url, out):
    return need("wget"), "-q", "-O", out, url


def urllib(url, out):
    return (PYTHON, "-c", "import sys, urllib.request; "
            "urllib.request.urlretrieve(*sys.argv[1:])", url, out)


def http_clients(command, version):
    names = sorted(os.listdir(make_files()), key=lambda n: os.stat(
        os.path.join(make_files(), n)).st_size)
    with hosts(f"127.0.0.1 {NAME}\n"):
        fetched(free_port(), version, command, names)


for command in (curl, wget, urllib):
    for version in VERSIONS:
        test(http_clients, timeout=120, args=(command, version),
             name=f"{command.__name__}_fetches_files_through_tls_{version}")


@test
def the_wire_carries_records_and_the_server_sees_the_name():
    port = free_port()
    with hosts(f"127.0.0.1 {NAME}\n"), nginx_server(port), only_records(port):
        before = counters()
        done = sealed("curl", "-sS", "-H", f"X-Line: {LINE}", f"http://{NAME}:{port}/who",
                      to=f"{NAME}:{port}")
        assert f"TLSv1.3 {NAME}\n" in output_of(done), done.output()
        assert counters()["KsealSealed"] > before["KsealSealed"]


@test
def gnutls_serves_us():
    for version in VERSIONS:
        port = free_port()
        with gnutls_server(port, version), only_records(port):
            done = sealed("curl", "-sS", f"http://127.0.0.1:{port}/", to=f"127.0.0.1:{port}")
            want = version.replace("1.", "TLS1.") if version else ""
            assert want in output_of(done), done.output()


@test
def redis_cli_talks_to_a_tls_server():
    need("redis-server")
    port = free_port()
    crt, key = certificate()
    with Program("redis-server", "--port", "0", "--tls-port", str(port), "--tls-cert-file", crt,
                 "--tls-key-file", key, "--tls-ca-cert-file", path("ca.crt"),
                 "--tls-auth-clients", "no", "--save", "", "--dir", harness.tmp) as server:
        server.listening(port)
        with only_records(port):
            value = "x" * 200000 + LINE
            done = sealed("redis-cli", "-h", "127.0.0.1", "-p", str(port), "-x", "set", "key",
                          to=f"127.0.0.1:{port}", stdin=subprocess.PIPE)
            done.process.stdin.write(value.encode())
            done.process.stdin.close()
            assert "OK" in output_of(done), done.output()
            done = sealed("redis-cli", "-h", "127.0.0.1", "-p", str(port), "get", "key",
                          to=f"127.0.0.1:{port}")
            assert value in output_of(done)


@test
def a_shell_that_opens_dev_tcp_and_forks():
    port = free_port()
    with openssl_server(port), only_records(port):
        script = (f"exec 3<>/dev/tcp/127.0.0.1/{port}; (echo '{LINE}' >&3); "
                  "sh -c 'read -r answer <&3; echo \"got $answer\"'")
        done = sealed("bash", "-c", script, to=f"127.0.0.1:{port}")
        assert f"got {LINE[::-1]}" in output_of(done), done.output()


@test
def a_static_program_in_go():
    port = free_port()
    client = helper("goclient")
    with openssl_server(port), only_records(port):
        done = sealed(client, f"127.0.0.1:{port}", to=f"127.0.0.1:{port}")
        assert "got txet nialp" in output_of(done), done.output()


@test
def programs_of_the_32_bit_abi():
    for way in ("direct", "socketcall"):
        need_i386("connect", way, free_port(), -errno.ECONNREFUSED)
        port = free_port()
        with openssl_server(port), only_records(port):
            done = sealed(helper("abi32"), "connect", way, str(port), to=f"127.0.0.1:{port}")
            assert re.search("^0$", output_of(done), re.M), done.output()
            done = sealed(helper("abi32"), "fastopen", way, str(port), to=f"127.0.0.1:{port}")
            assert str(-errno.EOPNOTSUPP) in output_of(done), done.output()


# What an unmodified program does with a socket, in every way; says how it went.
PROBE = r"""
import errno, os, select, socket, sys, time
way, host, port, line = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].encode()
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family)
begin = time.monotonic()
sent = b""
def how(error):
    print("connect", errno.errorcode.get(error, error) if error else "0",
          "%.1f" % (time.monotonic() - begin), flush=True)
    if error and "keep" not in way:
        sys.exit(0)
if "bound" in way:
    s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
if "timed" in way:
    s.settimeout(60)
if "nonblocking" in way:
    s.setblocking(False)
    error = s.connect_ex((host, port))
    if error != errno.EINPROGRESS:      # the agent may be quicker than the call
        how(error or errno.EPROTO)
    # Whichever call comes first after the failure is told of it; a quick agent may
    # have sealed the connection by now.
    try:
        s.send(line)
    except OSError as e:
        if e.errno not in (errno.EAGAIN, errno.ENOTCONN):
            how(e.errno)
    else:
        print("SENT")
        sent = line
    again = s.connect_ex((host, port))
    if again not in (errno.EALREADY, 0, errno.EISCONN):
        how(again)
    if "epoll" in way:
        poll = select.epoll()
        poll.register(s, select.EPOLLOUT)
    else:
        poll = select.poll()
        poll.register(s, select.POLLOUT)
    events = poll.poll(60 if "epoll" in way else 60000)
    assert events, "no event"
    how(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    s.setblocking(True)
else:
    how(s.connect_ex((host, port)))
if "keep" in way:
    print("fd", s.fileno(), flush=True)
    sys.stdin.read()
    sys.exit(0)
# As TCP does: once more 0 if the first call did not wait, then EISCONN.
again = s.connect_ex((host, port))
assert again in (0, errno.EISCONN), again
again = s.connect_ex((host, port))
assert again == errno.EISCONN, again
assert s.getpeername()[1] == port
for i in range(3):
    sent += line
    s.sendall(line + b"\n")
    got = b""
    while not got.endswith(b"\n"):
        more = s.recv(1000)
        assert more, "end of file"
        got += more
    assert got == sent[::-1] + b"\n", got
    sent = b""
print("echoed")
"""


def probe(way, port, to=None, host="127.0.0.1", options=(), **more):
    return sealed(PYTHON, "-c", PROBE, way, host, str(port), LINE, to=to or f"{host}:{port}",
                  options=options, **more)


def connects(way, version):
    port = free_port()
    with openssl_server(port, version), only_records(port):
        done = probe(way, port)
        said = output_of(done)
        assert "connect 0" in said and "echoed" in said, said


for way in ("blocking", "timed", "nonblocking_poll", "nonblocking_epoll", "bound_blocking"):
    for version in VERSIONS:
        test(connects, args=(way, version), name=f"a_{way}_connect_{version}")


def fails(how, want, to, port, way, seconds=None, **more):
    """connect() fails as it should, and LINE has not been sent."""
    with Capture(port) as capture:
        done = probe(way, port, to, **more)
        said = output_of(done)
    found = re.search(r"^connect (\w+) ([\d.]+)$", said, re.M)
    assert found and found.group(1) in want, f"{how}: want {want}, it said\n{said}"
    assert "echoed" not in said and "SENT" not in said, said
    for key, stream in capture.streams().items():
        if key[1] == port:
            assert LINE.encode() not in stream, f"{how}: plaintext on the wire"
    if seconds:
        assert float(found.group(2)) < seconds * harness.SLOW, said
    return said


WAYS = ("blocking", "nonblocking_poll")


# Invariant 1, and whom it may be.
@test(timeout=120)
def a_server_that_is_not_who_it_should_be_gets_nothing():
    for way in WAYS:
        for version in VERSIONS:
            port = free_port()
            with openssl_server(port, version, more=("-msg",)) as server:
                fails("another name", ("EKEYREJECTED",), f"other.test:{port}", port, way)
                fails("another CA", ("EKEYREJECTED",), f"127.0.0.1:{port}=stranger", port, way)
                assert LINE not in server.output()
            with openssl_server(port := free_port(), version, "stranger"):
                fails("a stranger", ("EKEYREJECTED",), f"*:{port}", port, way)


@test(timeout=120)
def a_server_without_tls_gets_nothing():
    for way in WAYS:
        sock = listener(sealed=False)
        port = port_of(sock)
        got = []

        def serve():
            conn = accept(sock)
            conn.sendall(b"220 welcome\r\n")
            with contextlib.suppress(OSError):
                while data := conn.recv(65536):
                    got.append(data)
            conn.close()
        thread = Thread(serve)
        fails("no TLS", ("EPROTO", "ECONNRESET"), f"127.0.0.1:{port}", port, way)
        thread.join()
        assert LINE.encode() not in b"".join(got)
        sock.close()


@test(timeout=120)
def errors_of_connect_are_told_apart():
    for way in WAYS:
        port = free_port()
        fails("nobody listens", ("ECONNREFUSED",), f"127.0.0.1:{port}", port, way, 5)
        sock = listener(sealed=False)
        port = port_of(sock)
        fails("a silent server", ("ETIMEDOUT",), f"127.0.0.1:{port}=short", port, way, 10)
        fails("no such profile", ("ENOKEY",), f"127.0.0.1:{port}=nonesuch", port, way, 5)

        over = threading.Event()

        def hang_up():
            sock.settimeout(0.2)
            while not over.is_set():    # those above are in the queue too
                with contextlib.suppress(TimeoutError):
                    conn = sock.accept()[0]
                    time.sleep(0.1)
                    conn.close()
        thread = Thread(hang_up)
        fails("it hangs up", ("ECONNRESET", "EPROTO"), f"127.0.0.1:{port}", port, way, 10)
        over.set()
        thread.join()
        sock.close()
    port = free_port()
    with openssl_server(port, "1.3"):
        fails("no common version", ("EPROTO",), f"127.0.0.1:{port}=old", port, "blocking")
    harness.agent.stop()
    try:
        for way in WAYS:
            sock = listener(sealed=False)
            fails("no agent", ("ENOKEY",), f"127.0.0.1:{port_of(sock)}", port_of(sock), way)
            sock.close()
    finally:
        harness.agent.start()


@test
def the_reason_of_a_failure_can_be_read():
    port = free_port()
    with openssl_server(port):
        done = probe("keep_blocking", port, f"other.test:{port}", stdin=subprocess.PIPE)
        fd = done.until(r"fd (\d+)").group(1)
        client = int(run("pgrep", "-P", str(done.pid)).stdout.split()[0])
        info = json.loads(run(harness.KSEAL, "info", "--json", str(client), fd).stdout)
        eq((info["role"], info["sealed"], info["server_name"]), ("client", False, "other.test"))
        assert info["reason"], info
        text = run(harness.KSEAL, "info", str(client), fd).stdout
        assert info["reason"] in text, text
        done.process.stdin.close()
        eq(done.wait(), 0)


@test
def a_connection_is_told_about():
    for version in VERSIONS:
        port = free_port()
        with openssl_server(port, version):
            done = probe("keep_blocking", port, f"{NAME}:{port}", stdin=subprocess.PIPE)
            fd = done.until(r"fd (\d+)").group(1)
            client = int(run("pgrep", "-P", str(done.pid)).stdout.split()[0])
            info = json.loads(run(harness.KSEAL, "info", "--json", str(client), fd).stdout)
            eq((info["role"], info["sealed"], info["peer_verified"], info["server_name"],
                info["tls_version"], info["profile"]),
               ("client", True, True, NAME, f"TLS {version}", "default"))
            assert info["peer_subject"] == f"CN={NAME}" and f"DNS:{NAME}" in info["peer_names"]
            [row] = [e for e in status()["sockets"] if e["id"] == info["id"]]
            for key in ("role", "profile", "server_name", "group", "peer_fingerprint", "peer_names"):
                eq(row.get(key), info.get(key), key)
            eq(row["peer"], f"127.0.0.1:{port}")
            eq(row["user"], "root")
            text = run(harness.KSEAL, "status").stdout
            assert re.search(rf"^ +{info['id']} +client +127.0.0.1:{port} ", text, re.M), text
            done.process.stdin.close()
            eq(done.wait(), 0)


@test
def whom_the_certificate_must_name():
    port = free_port()
    with openssl_server(port):
        for to in (f"127.0.0.1:{port}", f"*:{port}", f"{NAME}:{port}", f"{NAME}.:{port}",
                   f"127.0.0.1:{port}=named"):
            assert "echoed" in output_of(probe("blocking", port, to)), to


@test
def ipv6_and_mapped_addresses():
    port = free_port()
    with openssl_server(port, more=("-6",)):
        assert "echoed" in output_of(probe("blocking", port, f"[::1]:{port}", "::1"))
        assert "echoed" in output_of(probe("nonblocking_poll", port, f"*:{port}", "::1"))
    port = free_port()
    with openssl_server(port):
        done = probe("blocking", port, f"127.0.0.1:{port}", "::ffff:127.0.0.1")
        assert "echoed" in output_of(done)


@test
def a_client_certificate_is_shown():
    port = free_port()
    more = ("-Verify", "1", "-verify_return_error", "-CAfile", path("ca.crt"))
    with openssl_server(port, more=more):
        assert "echoed" in output_of(probe("blocking", port, f"127.0.0.1:{port}=mutual"))
    with openssl_server(port := free_port(), "1.2", more=more):
        # The refusal is part of the handshake only in TLS 1.2.
        fails("no certificate", ("EPROTO", "ECONNRESET"), f"127.0.0.1:{port}", port, "blocking")


@test
def happy_eyeballs_find_the_server_that_answers():
    need("curl")
    port = free_port()
    both = ("--resolve", f"{NAME}:{port}:[::1],127.0.0.1")
    with nginx_server(port):
        # Nobody listens on the address that is tried first.
        done = sealed("curl", "-sS", *both, f"http://{NAME}:{port}/who", to=f"{NAME}:{port}")
        assert NAME in output_of(done), done.output()
        # There somebody listens who never answers: the handshake is what takes time.
        silent = listener(address="::1", port=port, sealed=False)
        done = sealed("curl", "-sS", *both, f"http://{NAME}:{port}/who", to=f"{NAME}:{port}")
        assert NAME in output_of(done), done.output()
        silent.close()


@test
def the_programs_own_time_limit_holds():
    need("curl")
    sock = listener(sealed=False)
    port = port_of(sock)
    begin = time.monotonic()
    done = sealed("curl", "-sS", "--connect-timeout", "2", f"http://127.0.0.1:{port}/",
                  to=f"127.0.0.1:{port}")
    output_of(done, 28)
    assert time.monotonic() - begin < 2 + 4 * harness.SLOW


@test
def fast_open_does_not_get_past():
    need("curl")
    port = free_port()
    with sysctl("net.ipv4.tcp_fastopen", 1), nginx_server(port), only_records(port):
        for _ in range(2):              # with a cookie and without
            done = sealed("curl", "-sS", "--tcp-fastopen", "-H", f"X-Line: {LINE}",
                          f"http://127.0.0.1:{port}/who", to=f"127.0.0.1:{port}")
            assert "TLSv1.3" in output_of(done), done.output()


@test
def connections_that_are_not_named_stay_plain():
    sock = listener(sealed=False)
    port, other = port_of(sock), free_port()

    def echo():
        conn = accept(sock)
        with contextlib.suppress(OSError):
            while data := conn.recv(1000):
                conn.sendall(b"".join(line[::-1] + b"\n" for line in data.split(b"\n")[:-1]))
    Thread(echo)
    assert "echoed" in output_of(probe("blocking", port, f"127.0.0.1:{other}",
                                       options=("--plain", f"127.0.0.1:{port}")))


# Invariant 1: rather no connection than a plain one.
@test
def without_its_supervisor_nothing_is_connected():
    sock = listener(sealed=False)
    code = f"""
import os, signal, socket
os.kill(os.getppid(), signal.SIGKILL)
s = socket.socket()
try: s.connect(("127.0.0.1", {port_of(sock)})); print("CONNECTED")
except OSError as e: print("errno", e.errno)
"""
    done = sealed(PYTHON, "-c", code, to=f"127.0.0.1:{port_of(sock)}")
    done.wait()
    eventually(lambda: "errno" in done.output(), "connect() failed")
    assert "CONNECTED" not in done.output()
    harness.accepts_nothing(sock)


@test(timeout=180)
def a_long_session_with_new_keys():
    """As a login is: lines to and fro, pauses, new keys now and then, an agent that is
    restarted meanwhile."""
    code = r"""
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
f = s.makefile("rwb", buffering=0)
print("connected", flush=True)
for i in range(400):
    line = b"%d %s" % (i, b"x" * (i * 37 % 3000))
    f.write(line + b"\n")
    got = f.readline().rstrip(b"\n")
    assert got == line[::-1], (i, got)
    time.sleep(0.01 if i % 50 else 0.3)
print("all", flush=True)
"""
    port = free_port()
    with openssl_server(port, "1.3"), only_records(port):
        done = sealed(PYTHON, "-c", code, str(port), to=f"127.0.0.1:{port}")
        done.until("connected")
        [mine] = [e for e in status()["sockets"] if e["peer"] == f"127.0.0.1:{port}"]
        for both in ((), ("--both",)) * 5:
            run(harness.KSEAL, "rekey", *both, str(mine["id"]))
            time.sleep(0.1)
        harness.agent.stop()
        harness.agent.start()
        [mine] = [e for e in status()["sockets"] if e["peer"] == f"127.0.0.1:{port}"]
        eq(mine["tx_rekeys"], 10)
        # The server answers each request; several at once with one.
        assert 1 <= mine["rx_rekeys"] <= 5, mine
        assert "all" in output_of(done, seconds=90), done.output()


@test
def rekey_says_what_is_wrong():
    done = run(harness.KSEAL, "rekey", "999999999", check=False)
    eq(done.returncode, 1)
    assert "no sealed socket 999999999" in done.stdout, done.stdout
    port = free_port()
    with openssl_server(port, "1.2"):
        probe_ = probe("keep_blocking", port, stdin=subprocess.PIPE)
        probe_.until(r"fd (\d+)")
        [mine] = [e for e in status()["sockets"] if e["peer"] == f"127.0.0.1:{port}"]
        done = run(harness.KSEAL, "rekey", str(mine["id"]), check=False)
        eq(done.returncode, 1)
        assert "not TLS 1.3" in done.stdout, done.stdout
        probe_.process.stdin.close()
        probe_.wait()


@test
def a_server_and_client_at_once():
    """One program, both sealed: it takes connections and makes one."""
    front, back = free_port(), free_port()
    code = f"""
import socket
s = socket.create_server(("127.0.0.1", {front}))
conn = s.accept()[0]
out = socket.create_connection(("127.0.0.1", {back}))
out.sendall(conn.makefile("rb").readline())
conn.sendall(out.makefile("rb").readline())
"""
    with openssl_server(back), only_records(back):
        with Program(harness.KSEAL, "run", "--connect", f"127.0.0.1:{back}", "--", PYTHON, "-c",
                     code) as program:
            program.listening(front)
            peer = harness.client(front, context())
            peer.send(LINE.encode() + b"\n")
            eq(peer.read_exactly(len(LINE) + 1), LINE.encode()[::-1] + b"\n")
            peer.close()
            eq(program.wait(), 0, program.output())


@test
def many_connections_at_once():
    port = free_port()
    code = r"""
import socket, sys, threading
def work():
    for i in range(5):
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        s.sendall(b"GET /who HTTP/1.0\r\n\r\n")
        text = b""
        while more := s.recv(65536):
            text += more
        assert b"TLSv1.3" in text, text
        done.append(1)
done = []
threads = [threading.Thread(target=work) for _ in range(12)]
[t.start() for t in threads]
[t.join() for t in threads]
print("done", len(done))
"""
    with nginx_server(port):
        done = sealed(PYTHON, "-c", code, str(port), to=f"127.0.0.1:{port}")
        assert "done 60" in output_of(done), done.output()
