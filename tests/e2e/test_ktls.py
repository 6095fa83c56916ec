# SPDX-License-Identifier: GPL-2.0
"""Programs made for the kernel's own TLS, unmodified on kseal.ko under the name tls:
OpenSSL, nginx and GnuTLS push keys that they have negotiated themselves. That records
went through the module is seen from its counters."""

import contextlib
import http.client
import os
import re
import socket
import ssl

import harness
from harness import (NAME, TCP_ULP, VERSIONS, KernelLog, Program, Skip, Thread, accept, client, connect, context,
                     counters, eq, eventually, free_port, insmod, loaded, path, plain_pair, port_of,
                     run, test)
from test_transfer import SIZES, make_files, nginx_server

SIZE = 300000


def tls_is_loaded():
    with open("/proc/modules") as f:
        return any(line.startswith("tls ") for line in f)


def without(module):
    """These are nobody's but ours; sockets may hold them for a moment."""
    eventually(lambda: not run("rmmod", module, check=False).returncode, f"{module} goes", 30)


@contextlib.contextmanager
def no_module():
    """Neither kseal nor the kernel's tls, and afterwards all as it was."""
    harness.agent.stop()
    without("kseal")
    if tls_is_loaded():
        without("tls")
    try:
        yield
    finally:
        if loaded():
            without("kseal")
        insmod()
        harness.agent.start()


@contextlib.contextmanager
def named_tls():
    with no_module():
        insmod("ulp_name=tls")
        yield


@contextlib.contextmanager
def sealed_by_kseal(tx=0, rx=0):
    """In the block at least as many bytes pass through the module's record layer."""
    before = counters()
    yield
    after = counters()
    for name, least in (("KsealTxBytes", tx), ("KsealRxBytes", rx)):
        moved = after[name] - before[name]
        assert moved >= least, f"{name} grew by {moved}, not by {least}"
    eq(after["KsealBadRecord"], before["KsealBadRecord"], "forged records")
    assert after["KsealExplicit"] > before["KsealExplicit"], "no socket had the ULP"


def configuration(name, text):
    with open(path(name), "w") as f:
        f.write(text)
    return path(name)


def openssl(*arguments, **more):
    """The command line program; a configuration has it use the kernel's TLS."""
    conf = configuration("ktls.cnf", "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = options\n"
                                     "[options]\nOptions = KTLS\n")
    return Program("openssl", *arguments, env=dict(os.environ, OPENSSL_CONF=conf), **more)


def gnutls(*arguments, **more):
    conf = configuration("gnutls.conf", "[global]\nktls = true\n")
    libraries = run("sh", "-c", f"ldd $(command -v {arguments[0]})", check=False).stdout
    library = re.search(r"/\S+/libgnutls\.so\S*", libraries)
    if not library:
        raise Skip(f"no {arguments[0]} here")
    with open(library[0], "rb") as f:
        if b"\0recvmsg\0" not in f.read():    # it would have to import that
            raise Skip("this GnuTLS is built without kTLS, as Debian 12's")
    return Program(*arguments, env=dict(os.environ, GNUTLS_SYSTEM_PRIORITY_FILE=conf), **more)


def in_12(version, least):
    """OpenSSL 3.0 leaves reading to the kernel in TLS 1.2 only."""
    return least if version == "1.2" else 0


def get(port, version, name):
    """Over TLS in this process, without the kernel."""
    conn = http.client.HTTPSConnection(NAME, port, timeout=60 * harness.SLOW, context=context(version))
    conn._create_connection = lambda *_: connect(port)
    conn.request("GET", name)
    body = conn.getresponse().read()
    conn.close()
    return body


def serve_once(sock, version, content, answer):
    """A TLS server in this process, without the kernel."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(path("server.crt"), path("server.key"))
    number = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    ctx.minimum_version = ctx.maximum_version = number
    with ctx.wrap_socket(accept(sock), server_side=True) as conn:
        got = b""
        while len(got) < SIZE:
            part = conn.recv(1 << 16)
            assert part, f"end after {len(got)} bytes"
            got += part
        eq(got, content)
        conn.sendall(answer)


@test(timeout=120)
def openssl_serves_with_the_keys_in_kseal():
    port, content = free_port(), os.urandom(SIZE)
    with open(path("some"), "wb") as f:
        f.write(content)
    with named_tls():
        for sendfile in ((), ("-sendfile",)):
            server = openssl("s_server", "-accept", str(port), "-cert", path("server.crt"), "-key",
                             path("server.key"), "-WWW", *sendfile, cwd=path("."))
            with server.listening(port):
                for version in VERSIONS:
                    with sealed_by_kseal(tx=SIZE, rx=in_12(version, 10)):
                        assert get(port, version, "/some") == content, version


@test(timeout=120)
def openssl_is_a_client_with_the_keys_in_kseal():
    content, answer = os.urandom(SIZE), os.urandom(SIZE)
    with named_tls(), socket.socket() as sock, open(path("content"), "w+b") as stdin:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        stdin.write(content)
        for version in VERSIONS:
            stdin.seek(0)
            with sealed_by_kseal(tx=SIZE, rx=in_12(version, SIZE)):
                server = Thread(serve_once, sock, version, content, answer)
                peer = openssl("s_client", "-connect", f"127.0.0.1:{port_of(sock)}", "-servername", NAME,
                               "-CAfile", path("ca.crt"), "-verify_return_error", "-quiet", stdin=stdin)
                server.join()
                peer.wait()
            with open(peer.log, "rb") as f:
                assert answer in f.read(), f"{version}: the answer has not come"


@test(timeout=120)
def nginx_serves_with_the_keys_in_kseal():
    port, where = free_port(), make_files()
    tls = (f"ssl_certificate {path('server.crt')}; ssl_certificate_key {path('server.key')};"
           "ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Options KTLS;")
    with named_tls(), nginx_server(port, tls) as server:
        server.listening(port)
        for version in VERSIONS:
            for size in SIZES:
                with open(os.path.join(where, str(size)), "rb") as f:
                    want = f.read()
                with sealed_by_kseal(tx=size, rx=in_12(version, 10)):
                    assert get(port, version, f"/{size}") == want, f"{version}: {size} bytes"


@test(timeout=120)
def gnutls_serves_with_the_keys_in_kseal():
    lines = [os.urandom(n).hex() + "\n" for n in (1, 30, 500, 1000) * 20]
    total = sum(map(len, lines))
    with named_tls():
        for version in VERSIONS:
            port = free_port()
            server = gnutls("gnutls-serv", "--echo", "--port", str(port), "--x509certfile", path("server.crt"),
                            "--x509keyfile", path("server.key"), "--disable-client-cert",
                            "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}:-CIPHER-ALL:+AES-128-GCM")
            with server.listening(port), sealed_by_kseal(tx=total, rx=total):
                peer = client(port, context(version))
                for line in lines:
                    peer.send(line.encode())
                    eq(peer.read_exactly(len(line)).decode(), line)
                peer.close()


@test
def the_name_tls_is_not_taken_from_the_kernels_own():
    with no_module():
        if run("modprobe", "tls", check=False).returncode:
            raise Skip("this kernel has no tls.ko")
        log = KernelLog()
        done = run("insmod", harness.KO, "ulp_name=tls", check=False)
        assert done.returncode and not loaded(), "both have the name"
        said = "\n".join(log.lines())
        assert "rmmod tls" in said and "blacklist tls" in said, said
        # Under its own name it goes beside it.
        insmod()
        for name in (b"tls", b"kseal"):
            sock, peer = plain_pair()
            sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, name)
            sock.close()
            peer.close()
        without("kseal")
        without("tls")
        done = run("insmod", harness.KO, "ulp_name=mptcp", check=False)
        assert done.returncode and not loaded(), "any name will do"
