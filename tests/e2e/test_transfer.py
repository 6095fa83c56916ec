# SPDX-License-Identifier: GPL-2.0
"""Unmodified servers: what goes in comes out, and the wire carries TLS only."""

import hashlib
import http.client
import os
import random
import ssl
import struct
import threading
import time

import harness
from harness import (NAME, PYTHON, VERSIONS, Capture, Program, Skip, Thread, accept, client,
                     connect, context, eq, free_port, helper, kseal_run, listener, note, path,
                     port_of, read_exactly, run, test)

SIZES = (0, 1, 16384, 16385, 8 << 20)


def make_files():
    """A directory with a file of each size; their names are the sizes."""
    where = path("files")
    os.makedirs(where, exist_ok=True)
    for size in SIZES:
        name = os.path.join(where, str(size))
        if not os.path.exists(name):
            with open(name, "wb") as f:
                f.write(os.urandom(size))
    return where


def digest(data):
    return hashlib.sha256(data).hexdigest()


def fetch(port, name, version):
    """GET over TLS, certificate chain and host name verified."""
    conn = http.client.HTTPSConnection(NAME, port, timeout=60 * harness.SLOW,
                                       context=context(version))
    conn._create_connection = lambda *_: connect(port)
    conn.request("GET", name)
    answer = conn.getresponse()
    body = answer.read()
    eq(answer.status, 200, "status")
    eq(conn.sock.version() if conn.sock else "TLSv" + version, "TLSv" + version, "version")
    conn.close()
    return body


def fetch_all(port, version):
    where = make_files()
    for size in SIZES:
        with open(os.path.join(where, str(size)), "rb") as f:
            want = f.read()
        begin = time.monotonic()
        got = fetch(port, f"/{size}", version)
        note(f"{size} bytes in {time.monotonic() - begin:.3f} s")
        eq(len(got), size, "length")
        eq(digest(got), digest(want), "SHA-256")


def python_server(port):
    return kseal_run(PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1",
                     "-d", make_files())


def nginx_server(port, tls=""):
    """nginx with workers of another user; under `kseal run`, unless it speaks TLS itself."""
    if run("sh", "-c", "command -v nginx", check=False).returncode:
        raise Skip("no nginx here")
    where = path(f"nginx-{port}")
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, "nginx.conf"), "w") as f:
        f.write(f"""
worker_processes 2;
daemon off;
pid {where}/pid;
error_log stderr info;
events {{ }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000;
    client_body_temp_path {where}/body;
    proxy_temp_path {where}/proxy;
    fastcgi_temp_path {where}/fastcgi;
    uwsgi_temp_path {where}/uwsgi;
    scgi_temp_path {where}/scgi;
    server {{
        listen 127.0.0.1:{port}{" ssl" if tls else ""};
        root {make_files()};
        {tls}
        location = /hello {{ return 200 "hello\\n"; }}
    }}
}}
""")
    command = ("nginx", "-e", "stderr", "-p", where, "-c", os.path.join(where, "nginx.conf"))
    return Program(*command) if tls else kseal_run(*command)


def files_of_every_size(server, version):
    port = free_port()
    with server(port) as program:
        program.listening(port)
        fetch_all(port, version)


for server_name, server in (("python", python_server), ("nginx_sendfile", nginx_server)):
    for version in VERSIONS:
        test(files_of_every_size, timeout=120, args=(server, version),
             name=f"files_of_every_size_arrive_intact_{server_name}_tls{version.replace('.', '')}")


@test
def nginx_keeps_connections_alive_and_reloads():
    port = free_port()
    with nginx_server(port) as program:
        program.listening(port)
        peer = client(port)
        for _ in range(50):
            peer.send(b"GET /hello HTTP/1.1\r\nHost: example.test\r\n\r\n")
            answer = b""
            while not answer.endswith(b"hello\n"):
                answer += peer.recv()
        peer.close()
        # The new configuration's workers listen on the same, sealed, socket.
        os.kill(int(open(path(f"nginx-{port}/pid")).read()), 1)
        program.until("gracefully shutting down|exiting|signal process started|reconfiguring")
        for _ in range(20):
            eq(fetch(port, "/hello", "1.3"), b"hello\n")
            time.sleep(0.02)


@test(timeout=120)
def upload_of_every_size_comes_back():
    port = free_port()
    with kseal_run(helper("echo"), "blocking", str(port)) as program:
        program.listening(port)
        for version in VERSIONS:
            for size in SIZES:
                data = random.Random(size).randbytes(size)
                peer = client(port, context(version))
                back = Splitter(peer)
                writer = Thread(send_and_end, peer, data)
                got = back.read(size)
                writer.join()
                eq(digest(got), digest(data), f"{size} bytes over TLS {version}")
                peer.close()


def send_and_end(peer, data):
    # Sealing in pieces: the other thread uses the same TLS object between them.
    for i in range(0, len(data), 65536):
        with peer.lock:
            sealed = peer.seal(data[i:i + 65536])
        peer.sock.sendall(sealed)


class Splitter:
    """Reads while another thread writes."""

    def __init__(self, peer):
        self.peer = peer
        peer.lock = threading.Lock()

    def read(self, size):
        out = bytearray()
        while len(out) < size:
            try:
                with self.peer.lock:
                    out += self.peer.tls.read(65536)
            except ssl.SSLWantReadError:
                data = self.peer.sock.recv(65536)
                assert data, f"end of stream after {len(out)} of {size} bytes"
                with self.peer.lock:
                    self.peer.inbound.write(data)
        return bytes(out)


def one_of_many(port, seed, errors):
    """A client with random sizes and pauses."""
    rng = random.Random(seed)
    try:
        peer = client(port, context(rng.choice(VERSIONS)))
        for _ in range(rng.randint(1, 4)):
            time.sleep(rng.random() * 0.3)
            data = rng.randbytes(rng.choice((1, 100, 1460, 16384, 16385, rng.randint(1, 60000))))
            peer.send(data)
            got = peer.read_exactly(len(data))
            assert got == data, f"client {seed}: other bytes came back"
        if rng.random() < 0.5:
            peer.close_notify()
            assert peer.recv() == b"", f"client {seed}: no close_notify"
        peer.close()
    except Exception as e:
        errors.append(f"client {seed}: {e!r}")


def parallel(mode, count):
    port = free_port()
    with kseal_run(helper("echo"), mode, str(port)) as program:
        program.listening(port)
        errors = []
        clients = [Thread(one_of_many, port, seed, errors) for seed in range(count)]
        for c in clients:
            c.join()
        assert not errors, "\n".join(errors[:20]) + "\n" + program.output()[-2000:]


@test(timeout=120)
def two_hundred_parallel_clients_with_random_sizes_and_pauses():
    parallel("epoll", 200)


@test(timeout=60)
def parallel_clients_of_a_forking_server():
    parallel("fork", 40)


# Else the test below would prove nothing.
@test
def the_capture_sees_plaintext_where_there_is_some():
    sock = listener(sealed=False)
    secret = b"sent without any seal"
    with Capture(port_of(sock)) as capture:
        raw = connect(port_of(sock))
        raw.sendall(secret * 5000)
        conn = accept(sock)
        conn.sendall(read_exactly(conn, len(secret) * 5000))
        eq(read_exactly(raw, len(secret) * 5000), secret * 5000)
        conn.close()
    for stream in capture.streams().values():
        eq(stream, secret * 5000, "what the capture saw")
    try:
        capture.records()
    except AssertionError:
        return
    raise AssertionError("plaintext was taken for records")


# Invariant 1: from the wire's side.
@test
def wire_carries_tls_records_and_never_the_plaintext():
    secret = b"the quick brown fox never crosses the wire in the clear"
    for version in VERSIONS:
        port = free_port()
        with kseal_run(helper("echo"), "blocking", str(port)) as program:
            program.listening(port)
            with Capture(port) as capture:
                peer = client(port, context(version))
                peer.send(secret * 400)
                eq(peer.read_exactly(len(secret) * 400), secret * 400)
                peer.close_notify()
                eq(peer.recv(), b"")
                peer.close()
        records = capture.records()
        eq(len(records), 2, "directions")
        for key, stream in capture.streams().items():
            assert secret not in stream and secret[:16] not in stream, f"plaintext in {key}"
            kinds = {kind for kind, _ in records[key]}
            assert 23 in kinds, f"no application data in {key}"


# Invariant 6: a record number appears in a TLS 1.2 record, in the clear.
@test
def no_record_number_is_used_twice():
    port = free_port()
    with kseal_run(helper("echo"), "epoll", str(port)) as program:
        program.listening(port)
        with Capture(port) as capture:
            peer = client(port, context("1.2"))
            for size in (1, 16384, 3, 50000, 7, 7, 7, 100000):
                peer.send(bytes(size))
                peer.read_exactly(size)
            peer.close_notify()
            eq(peer.recv(), b"")
            peer.close()
    for (source, _), records in capture.records().items():
        if source != port:
            continue
        after_ccs = records[[k for k, _ in records].index(20) + 1:]
        numbers = [struct.unpack("!Q", payload[:8])[0] for _, payload in after_ccs]
        assert len(numbers) > 8, f"only {len(numbers)} records"
        eq(len(set(numbers)), len(numbers), "different record numbers")
        eq(numbers, sorted(numbers), "order of record numbers")


@test
def key_updates_of_the_client_are_answered():
    port = free_port()
    with kseal_run(helper("echo"), "blocking", str(port)) as program:
        program.listening(port)
        with harness.counted(KsealRxRekeys=2, KsealTxRekeys=1):
            peer = Program("openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                                   "-servername", NAME, "-CAfile", path("ca.crt"),
                                   "-verify_return_error", "-tls1_3", stdin=-1)
            peer.until("Verify return code: 0")

            def say(line):
                peer.process.stdin.write(line + b"\n")
                peer.process.stdin.flush()
            say(b"before")
            peer.until("before")
            say(b"k")           # KeyUpdate, the peer's not requested
            peer.until("KEYUPDATE")
            say(b"between")
            peer.until("between")
            say(b"K")           # KeyUpdate, update_requested
            time.sleep(0.3)
            say(b"after")
            peer.until("after")
            say(b"Q")
            peer.wait()


SUITES = (      # version, the kernel's name of the cipher, s_client's options
    ("1.2", "AES-128-CCM", ("-cipher", "ECDHE-ECDSA-AES128-CCM")),
    ("1.2", "CHACHA20-POLY1305", ("-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")),
    ("1.3", "AES-128-CCM", ("-ciphersuites", "TLS_AES_128_CCM_SHA256")),
    ("1.3", "CHACHA20-POLY1305", ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")),
)


def s_client(port, version, *options):
    peer = Program("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME,
                   "-CAfile", path("ca.crt"), "-verify_return_error",
                   "-tls" + version.replace(".", "_"), *options, stdin=-1)
    peer.say = lambda text: (peer.process.stdin.write(text.encode()), peer.process.stdin.flush())
    return peer


KERNEL_MODULES = {"AES-128-CCM": "ccm", "CHACHA20-POLY1305": "chacha20poly1305"}


def kernel_has(cipher):
    """Asks the kernel: what it has, our module must offer."""
    if run("modprobe", "-q", KERNEL_MODULES[cipher], check=False).returncode:
        raise Skip(f"this kernel has no {cipher}")
    ciphers = harness.status()["module"]["ciphers"]
    assert cipher in ciphers, f"the kernel has {cipher}, the module only {ciphers}"


def sealed_with(version, cipher, options):
    kernel_has(cipher)
    port = free_port()
    text = "".join(os.urandom(30).hex() + "\n" for _ in range(3000))
    with kseal_run(helper("echo"), "blocking", str(port)) as program:
        program.listening(port)
        with Capture(port) as capture, harness.counted(KsealSealed=1, KsealBadRecord=0):
            peer = s_client(port, version, "-quiet", *options)
            peer.say(text)
            peer.say("the end\n")
            peer.until("the end\n")
            assert text in peer.output(), "the text came back changed"
            [mine] = [e for e in harness.status()["sockets"] if e["local"].endswith(f":{port}")]
            eq((mine["tls_version"], mine["tls_cipher"]), ("TLS " + version, cipher))
            peer.stop()
        for stream in capture.streams().values():
            assert text[:30].encode() not in stream, "plaintext on the wire"


for _suite in SUITES:
    test(sealed_with, args=_suite,
         name=f"{_suite[1].lower().replace('-', '_')}_tls{_suite[0].replace('.', '')}")


def updated(version, cipher, options):
    """KeyUpdates both ways: the client's, and ours before a key has done its duty."""
    kernel_has(cipher)
    port = free_port()
    with kseal_run(helper("echo"), "blocking", str(port)) as program, \
         harness.parameters(max_records=16):
        program.listening(port)
        peer = s_client(port, version, *options)
        peer.until("Verify return code: 0")
        for n in range(40):
            if n % 10 == 5:
                peer.say("K\n")
                time.sleep(0.2)
            peer.say(f"line {n}.\n")
            peer.until(f"line {n}\\.")
        [mine] = [e for e in harness.status()["sockets"] if e["local"].endswith(f":{port}")]
        assert mine["rx_rekeys"] == 4 and mine["tx_rekeys"] >= 4, mine
        peer.say("Q\n")
        peer.wait()


for _suite in SUITES[2:]:
    test(updated, args=_suite, name=f"{_suite[1].lower().replace('-', '_')}_key_updates")


def gnutls_client(version, cipher, _):
    """gnutls-cli, which takes small records only (RFC 8449)."""
    kernel_has(cipher)
    port, size = free_port(), 600
    with kseal_run(PYTHON, "-m", "http.server", "--bind", "127.0.0.1", str(port),
                   "--directory", make_files()) as program:
        program.listening(port)
        with Capture(port) as capture:
            peer = Program("gnutls-cli", "--x509cafile", path("ca.crt"), "--sni-hostname", NAME,
                           "--verify-hostname", NAME, "--recordsize", str(size), "--priority",
                           f"NORMAL:-VERS-ALL:+VERS-TLS{version}:-CIPHER-ALL:+{cipher}",
                           "-p", str(port), "127.0.0.1", stdin=-1)
            peer.until("Handshake was completed")
            peer.process.stdin.write(b"GET /16385 HTTP/1.0\r\n\r\n")
            peer.process.stdin.flush()
            peer.until("Peer has closed the GnuTLS connection")
            peer.stop()
    for (source, _target), records in capture.records().items():
        if source == port:
            data = [len(payload) for kind, payload in records if kind == 23][-28:]
            assert max(data) <= size + 8 + 1 + 16 and sum(data) > 16000, f"records of {data}"


for _suite in SUITES:
    test(gnutls_client, args=_suite,
         name=f"gnutls_{_suite[1].lower().replace('-', '_')}_tls{_suite[0].replace('.', '')}")

