# SPDX-License-Identifier: GPL-2.0
"""The sealed connector with the real agent: whom it reaches, whom it refuses, how it
resumes, and what it says; and the header that tells a server who its client is."""

import contextlib
import ctypes
import errno
import os
import re
import select
import signal
import socket
import ssl
import struct
import threading

import harness
from harness import (NAME, SLOW, SOL_TLS, Skip, Thread, VERSIONS, accept, client, context, eq,
                     eventually, free_port, kseal_run, make_certificate, parameters, path, port_of,
                     raises, run, test)

KSEAL_INFO = 0x4B05
SEALED, RESUMED, PEER_CERTIFICATE, EOF = 1, 2, 4, 8
CLIENT = 3


libc = ctypes.CDLL(None, use_errno=True)


class Info:
    """struct kseal_info"""
    layout = struct.Struct("=IIHHHBB7Q64s256s256s1024s1024s32s256s4I")

    def __init__(self, sock):
        # socket.getsockopt() takes no more than a kilobyte.
        data = ctypes.create_string_buffer(self.layout.size)
        size = ctypes.c_uint(self.layout.size)
        if libc.getsockopt(sock.fileno(), SOL_TLS, KSEAL_INFO, data, ctypes.byref(size)):
            raise OSError(ctypes.get_errno(), "KSEAL_INFO")
        eq(size.value, self.layout.size, "size of KSEAL_INFO")
        fields = self.layout.unpack(data.raw)
        (self.flags, self.role, self.version, self.cipher, self.group, self.tx_alert,
         self.rx_alert) = fields[:7]
        (self.profile, self.server_name, self.alpn, self.peer_subject, self.peer_names, _,
         self.reason) = (f.partition(b"\0")[0].decode() for f in
                         (*fields[14:19], b"", fields[20]))


class Server(threading.Thread):
    """A TLS server of OpenSSL's: one connection after another, each answered with what
    it said."""

    def __init__(self, version="1.3", certificate="server", ask=None, host="127.0.0.1",
                 rude=False, tls=True):
        super().__init__(daemon=True)
        self.rude = rude            # end without close_notify
        self.reused = []            # of each handshake: was it resumed?
        self.names = []             # SNI of each
        self.subjects = []          # of client certificates
        self.errors = []
        self.read = b""             # all application data
        self.ctx = None
        if tls:
            number = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
            self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ctx.minimum_version = self.ctx.maximum_version = number
            self.ctx.load_cert_chain(path(certificate + ".crt"), path(certificate + ".key"))
            self.ctx.sni_callback = lambda s, name, c: self.names.append(name)
            if ask:
                self.ctx.load_verify_locations(path(ask + ".crt"))
                self.ctx.verify_mode = ssl.CERT_REQUIRED
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.bind((host, 0))
        self.sock.listen(16)
        self.port = port_of(self.sock)
        self.start()

    def run(self):
        while True:
            conn, _ = self.sock.accept()
            with contextlib.closing(conn):
                try:
                    self.serve(conn)
                except (OSError, ssl.SSLError) as e:
                    self.errors.append(str(e))

    def serve(self, raw):
        raw.settimeout(20 * SLOW)
        if not self.ctx:
            raw.sendall(b"220 no TLS here\r\n")
            with contextlib.suppress(OSError):
                harness.read_all(raw)
            return
        with self.ctx.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False) as tls:
            self.reused.append(tls.session_reused)
            certificate = tls.getpeercert()
            if certificate:
                self.subjects.append(certificate["subject"])
            while True:
                data = tls.recv(65536)
                self.read += data
                if not data or data == b"end":
                    break
                tls.sendall(data)
            if not self.rude:
                with contextlib.suppress(OSError, ssl.SSLError):
                    tls.unwrap()


def connector(profile=None, name=NAME, family=socket.AF_INET):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(30 * SLOW)
    sock.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")
    if profile:
        sock.setsockopt(SOL_TLS, harness.KSEAL_PROFILE, profile.encode())
    if name:
        sock.setsockopt(SOL_TLS, harness.KSEAL_SERVER_NAME, name.encode())
    return sock


def reach(port, profile=None, name=NAME, host="127.0.0.1"):
    sock = connector(profile, name, socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.connect((host, port))
    return sock


def talk(sock, text=b"how do you do"):
    sock.sendall(text)
    eq(sock.recv(1000), text)


def refused(number, server, reason, *args, **more):
    """connect() fails with NUMBER, the application and the log know why."""
    sock = connector(*args)
    with raises(number):
        sock.connect((more.get("host", "127.0.0.1"), server.port))
    info = Info(sock)
    assert reason in info.reason, f"reason {info.reason!r}, want {reason!r}"
    assert not info.flags & SEALED
    if reason:
        eventually(lambda: info.reason in harness.agent.tail(), "the agent's log says so")
    sock.close()
    eq(server.read, b"", "what the application sent")


@test
def a_connector_speaks_tls():
    for version in VERSIONS:
        server = Server(version)
        sock = reach(server.port)
        talk(sock)
        info = Info(sock)
        eq(info.flags, SEALED | PEER_CERTIFICATE, "flags")
        eq((info.role, info.profile, info.server_name), (CLIENT, "default", NAME))
        eq(info.version, {"1.2": 0x303, "1.3": 0x304}[version])
        assert info.group, "no group"
        eq((info.peer_subject, info.reason), (f"CN={NAME}", ""))
        assert f"DNS:{NAME}" in info.peer_names, info.peer_names
        eq(server.names, [NAME])
        sock.shutdown(socket.SHUT_WR)
        eq(sock.recv(10), b"")
        assert Info(sock).flags & EOF
        eq(server.errors, [])


@test
def a_connector_that_does_not_block():
    server = Server()
    sock = connector()
    sock.setblocking(False)
    eq(sock.connect_ex(("127.0.0.1", server.port)), errno.EINPROGRESS)
    _, writable, _ = select.select([], [sock], [], 20 * SLOW)
    assert writable, "never connected"
    eq(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
    assert Info(sock).flags & SEALED
    sock.setblocking(True)
    talk(sock)


@test
def the_servers_certificate_must_be_good():
    make_certificate("elsewhere", "ca", "/CN=x", "DNS:elsewhere.test")
    make_certificate("expired", "ca", f"/CN={NAME}", f"DNS:{NAME}")
    run("certtool", "--generate-certificate", "--load-privkey", path("expired.key"),
        "--load-ca-certificate", path("ca.crt"), "--load-ca-privkey", path("ca.key"),
        "--template", "/dev/stdin", "--outfile", path("expired.crt"),
        stdin=template(f'cn = "{NAME}"', f'dns_name = "{NAME}"', "signing_key",
                       'activation_date = "2020-01-01 00:00:00"',
                       'expiration_date = "2020-02-01 00:00:00"'))
    for version in VERSIONS:
        good, stranger = Server(version), Server(version, "stranger")
        elsewhere, expired = Server(version, "elsewhere"), Server(version, "expired")
        refused(errno.EKEYREJECTED, good, "issuer is unknown", "stranger")
        refused(errno.EKEYREJECTED, stranger, "issuer is unknown")
        refused(errno.EKEYREJECTED, elsewhere, f"certificate for {NAME}")
        refused(errno.EKEYREJECTED, expired, "expired")
        refused(errno.EKEYREJECTED, good, "certificate for other.test", None, "other.test")
        for server in (good, stranger, elsewhere, expired):
            eventually(lambda s=server: s.errors, "the server is told")
            assert "alert" in server.errors[0].lower(), server.errors


def template(*lines):
    """A file descriptor to read LINES from."""
    r, w = os.pipe()
    os.write(w, "\n".join(lines).encode() + b"\n")
    os.close(w)
    return r


@test
def an_address_must_be_in_the_certificate():
    make_certificate("names-only", "ca", f"/CN={NAME}", f"DNS:{NAME}")
    for version in VERSIONS:
        good, names_only = Server(version), Server(version, "names-only")
        six = Server(version, host="::1")
        talk(reach(good.port, name=None))
        talk(reach(good.port, name="127.0.0.1"))
        talk(reach(six.port, name=None, host="::1"))
        eq(good.names + six.names, [None] * 3, "names sent")
        refused(errno.EKEYREJECTED, names_only, "certificate for 127.0.0.1", None, None)
        good.read = b""
        refused(errno.EKEYREJECTED, good, "certificate for 127.0.0.2", None, "127.0.0.2")


@test
def a_revoked_certificate_is_refused():
    make_certificate("revoked", "ca", f"/CN={NAME}", f"DNS:{NAME}")
    run("certtool", "--generate-crl", "--load-ca-certificate", path("ca.crt"), "--load-ca-privkey",
        path("ca.key"), "--load-certificate", path("revoked.crt"), "--template", "/dev/stdin",
        "--outfile", path("revoked.crl"), stdin=template("crl_next_update = 2", "crl_number = 1"))
    with sections(revoking={"ca": "ca.crt", "crl": "revoked.crl"}):
        for version in VERSIONS:
            talk(reach(Server(version).port, "revoking"))
            refused(errno.EKEYREJECTED, Server(version, "revoked"), "revoked", "revoking")


@contextlib.contextmanager
def whom_the_system_trusts(ca):
    """CA and nobody else, for who opens the file that Debian has for this."""
    store = "/etc/ssl/certs/ca-certificates.crt"
    if not os.path.exists(store):
        raise Skip("no ca-certificates here")
    run("mount", "--bind", path(ca + ".crt"), store)
    try:
        yield
    finally:
        run("umount", store)


@test
def without_a_ca_it_trusts_whom_the_system_trusts():
    server, stranger = Server(), Server(certificate="stranger")
    with sections(plain={}):
        refused(errno.EKEYREJECTED, server, "issuer is unknown", "plain")
        with whom_the_system_trusts("ca"):
            reload_agent()
            talk(reach(server.port, "plain"))
            refused(errno.EKEYREJECTED, stranger, "issuer is unknown", "plain")


@contextlib.contextmanager
def sections(**clients):
    """More client sections, while the block runs."""
    harness.write_config(harness.agent.config, clients=dict(harness.CLIENTS, **clients))
    reload_agent()
    try:
        yield
    finally:
        harness.write_config(harness.agent.config)
        reload_agent()


def reload_agent():
    with open(harness.agent.log, errors="replace") as f:
        f.seek(0, 2)
        os.kill(harness.agent.pid(), signal.SIGHUP)
        said = ""

        def done():
            nonlocal said
            said += f.read()
            return "reloaded" in said
        eventually(done, "the agent reloads")


@test
def a_connector_shows_its_certificate():
    for version in VERSIONS:
        server = Server(version, ask="ca")
        talk(reach(server.port, "mutual"))
        eq(server.subjects, [((("commonName", "client of the test"),),)])
        sock = connector()
        with contextlib.suppress(OSError):      # TLS 1.3: the server says so later
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(b"x")
            eq(sock.recv(10), b"", "what came back")
            raise AssertionError("served without a certificate")
        eq(len(server.subjects), 1)


@test
def a_certificate_is_not_for_everybody():
    server = Server(ask="ca")

    def as_another():
        os.setgid(harness.UNPRIVILEGED)
        os.setuid(harness.UNPRIVILEGED)
        mine = connector("mutual")
        try:
            mine.connect(("127.0.0.1", server.port))
        except OSError as e:
            return e.errno
        return 0
    eq(harness.Child(as_another).wait(), errno.EACCES)
    eventually(lambda: f"uid {harness.UNPRIVILEGED}" in harness.agent.tail(), "the log says who")
    eq(server.subjects, [])

    open_to_all = Server()

    def anonymous():
        os.setgid(harness.UNPRIVILEGED)
        os.setuid(harness.UNPRIVILEGED)
        talk(reach(open_to_all.port))
        return True
    assert harness.Child(anonymous).wait()


@test
def sessions_are_resumed():
    for version in VERSIONS:
        server = Server(version)
        for i in range(4):
            sock = reach(server.port)
            talk(sock)
            talk(sock, b"once more")
            eq(bool(Info(sock).flags & RESUMED), i > 0, f"TLS {version}, connection {i}: resumed")
            eq(Info(sock).peer_subject, f"CN={NAME}")
            sock.close()
            eventually(lambda n=i: len(server.reused) == n + 1, "the handshake")
        eq(server.reused, [False, True, True, True])
        # Another name of the same server, and another server: from the beginning.
        talk(reach(server.port, name=None))
        talk(reach(Server(version).port))
        eq(server.reused[4:], [False])
        # So is a new configuration.
        reload_agent()
        talk(reach(server.port))
        eq(server.reused[5:], [False])


@test
def a_stream_that_is_cut_is_an_error_unless_tolerated():
    for version in VERSIONS:
        server = Server(version, rude=True)
        sock = reach(server.port)
        sock.sendall(b"end")
        with raises(errno.ECONNRESET):
            sock.recv(10)
        sock = reach(server.port, "tolerant")
        sock.sendall(b"end")
        eq(sock.recv(10), b"")


def leave(listener, read, said):
    conn, _ = listener.accept()
    conn.sendall(said)
    if read:
        conn.recv(65536)
    else:
        select.select([conn], [], [])
    conn.close()


@test
def what_a_server_may_do_instead_of_a_handshake():
    refused(errno.EPROTO, Server(tls=False), "not TLS")
    with sections(only12={"ca": "ca.crt", "versions": ["1.2"]}, hasty={"ca": "ca.crt",
                                                                       "timeout": 1}):
        refused(errno.EPROTO, Server("1.3"), "the server refuses: alert", "only12")
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            sock = connector("hasty")
            with raises(errno.ETIMEDOUT):
                sock.connect(silent.getsockname())
            assert "too long" in Info(sock).reason, Info(sock).reason
            silent.accept()[0].close()
            # One that ends in order after the hello, one that has not read it, one that
            # has said something before that.
            for read, said in ((1, b""), (0, b""), (0, b"220 ")):
                gone = Thread(leave, silent, read, said)
                sock = connector()
                with raises(errno.ECONNRESET):
                    sock.connect(silent.getsockname())
                gone.join(20)


@test
def a_section_that_does_not_exist():
    server = Server()
    refused(errno.ENOKEY, server, "no client section", "nowhere")
    refused(errno.ENOKEY, server, "no client section", "web")      # a server's profile
    eq(server.names, [], "handshakes")


@test
def without_an_agent_nothing_is_sent():
    server = Server()
    harness.agent.stop()
    try:
        with parameters(agent_timeout=300), harness.Capture(server.port) as capture:
            sock = connector()
            with raises(errno.ENOKEY):
                sock.connect(("127.0.0.1", server.port))
            sock.close()
        eq([s for s in capture.streams().values() if s], [], "bytes on the wire")
    finally:
        harness.agent.start()


@test
def connectors_wait_for_an_agent_that_is_restarted():
    server = Server()
    sealed = reach(server.port)
    talk(sealed)
    sealed.close()
    server = Server()
    with parameters(agent_timeout=60000, handshake_timeout=120000):
        harness.agent.stop()
        socks = [connector() for _ in range(4)]
        for sock in socks:
            sock.setblocking(False)
            eq(sock.connect_ex(("127.0.0.1", server.port)), errno.EINPROGRESS)
        eq(select.select([], socks, [], 0.2)[1], [])
        harness.agent.start()
        for sock in socks:
            assert select.select([], [sock], [], 30 * SLOW)[1], "never connected"
            eq(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
            sock.setblocking(True)
            talk(sock)
            sock.close()


# --- the header of the PROXY protocol -------------------------------------------------

def have(program):
    if run("sh", "-c", f"command -v {program}", check=False).returncode:
        raise Skip(f"no {program} here")


def ask(port, certificate=None, version=None):
    peer = client(port, context(version, certificate=certificate))
    peer.send(b"GET /who HTTP/1.0\r\nHost: a\r\n\r\n")
    answer = peer.read_all()
    local = peer.sock.getsockname()
    peer.close()
    return answer.decode(), local


@test(timeout=90)
def nginx_learns_who_the_client_is():
    have("nginx")
    port, where = free_port(), path("nginx-proxy")
    # Older ones pass over what is not an address.
    names = version_of("nginx", "-v") >= (1, 24)
    name = "$proxy_protocol_tlv_ssl_cn" if names else ""
    os.makedirs(where, exist_ok=True)
    temporary = "\n".join(f"{k}_temp_path {where}/{k};" for k in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(os.path.join(where, "nginx.conf"), "w") as f:
        f.write(f"""
daemon off;
pid {where}/pid;
error_log stderr info;
events {{ }}
http {{
    access_log off;
    {temporary}
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        location /who {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port {name}\\n"; }}
    }}
}}
""")
    with kseal_run("nginx", "-e", "stderr", "-p", where, "-c", os.path.join(where, "nginx.conf"),
                   options=("--port", f"{port}=proxy")) as program:
        program.listening(port)
        for version in VERSIONS:
            for certificate, who in (("client", "client of the test"), (None, "")):
                answer, (host, local) = ask(port, certificate, version)
                want = f"{host} {local} {port} {who if names else ''}\n"
                assert answer.endswith("\r\n\r\n" + want), answer


@test(timeout=90)
def haproxy_learns_who_the_client_is():
    have("haproxy")
    port, where = free_port(), path("haproxy.cfg")
    # Older ones know addresses and the server name.
    names = version_of("haproxy", "-v") >= (2, 9)
    name = "%[fc_pp_tlv(0x20),hex]" if names else ""
    with open(where, "w") as f:
        f.write(f"""
defaults
    mode http
    timeout client 20s
    timeout connect 20s
    timeout server 20s
frontend f
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%ci %cp %[fc_pp_authority] {name}"
""")
    with kseal_run("haproxy", "-db", "-f", where, options=("--port", f"{port}=proxy")) as program:
        program.listening(port)
        for version in VERSIONS:
            answer, (host, local) = ask(port, "client", version)
            addresses, _, ssl_values = answer.partition("\r\n\r\n")[2].rpartition(" ")
            eq(addresses, f"{host} {local} {NAME}")
            if names:
                values = tlvs(bytes.fromhex(ssl_values)[5:])
                eq(values[0x22], b"client of the test", "common name")


def version_of(*command):
    done = run(*command)
    return tuple(int(n) for n in re.search(r"[ /](\d+)\.(\d+)\.\d+", done.stdout).groups())


@test
def a_server_reads_the_clients_name_from_the_header():
    sock = harness.listener("proxy")
    for version in VERSIONS:
        for certificate in ("client", None):
            peer = client(port_of(sock), context(version, certificate=certificate))
            conn = accept(sock)
            peer.send(b"and then the data")
            head = harness.read_exactly(conn, 16)
            eq(head[:13], b"\r\n\r\n\0\r\nQUIT\n\x21")
            eq(head[13], 0x11)
            body = harness.read_exactly(conn, struct.unpack("!H", head[14:])[0])
            eq(socket.inet_ntoa(body[:4]), "127.0.0.1")
            eq(struct.unpack("!HH", body[8:12]), (peer.sock.getsockname()[1], port_of(sock)))
            values = tlvs(body[12:])
            eq(values[0x02], NAME.encode(), "authority")
            ssl_values = tlvs(values[0x20][5:])
            eq(ssl_values[0x21], b"TLSv" + version.encode())
            eq(ssl_values.get(0x22), b"client of the test" if certificate else None)
            eq(struct.unpack("!I", values[0x20][1:5])[0] == 0, certificate is not None)
            eq(conn.recv(100), b"and then the data")
            conn.close()
            peer.close()


def tlvs(data):
    out = {}
    while data:
        kind, size = struct.unpack("!BH", data[:3])
        out[kind] = data[3:3 + size]
        data = data[3 + size:]
    return out


@test
def a_profile_may_tolerate_truncation():
    for version in VERSIONS:
        conn, peer = harness.pair(context(version), profile="rude")
        peer.send(b"last words")
        peer.sock.shutdown(socket.SHUT_WR)
        eq(conn.recv(100), b"last words")
        eq(conn.recv(100), b"")
        conn, peer = harness.pair(context(version))
        peer.send(b"last words")
        peer.sock.shutdown(socket.SHUT_WR)
        eq(conn.recv(100), b"last words")
        with raises(errno.ECONNRESET):
            conn.recv(100)
