# SPDX-License-Identifier: GPL-2.0
"""Servers as Debian ships them, told nothing of TLS, through kseal run (and attach),
with their own clients. nginx and python's http.server are in tests/e2e."""

import contextlib
import ftplib
import hashlib
import io
import os
import pwd
import subprocess

import harness
from harness import (NAME, Program, client, connect, context, eq, eventually, free_port,
                     helper, kseal_run, path, read_exactly, run, test)
from peers import GO, configuration, go_client, program

SIZES = (0, 1, 16385, 1 << 20)


def exists(user):
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(user)
    return None


# For those whose listeners are not root's.
harness.PROFILES["services"] = {"users": [u for u in ("postgres", "nobody") if exists(u)] or
                                ["root"]}


def files():
    where = path("files")
    os.makedirs(where, exist_ok=True)
    for size in SIZES:
        with open(os.path.join(where, str(size)), "wb") as f:
            f.write(os.urandom(size))
    return where


def curl(port, name, version="1.3"):
    done = subprocess.run(
        [program("curl"), "-sS", "--fail", "--cacert", path("ca.crt"), f"--tlsv{version}",
         "--tls-max", version, "--resolve", f"{NAME}:{port}:127.0.0.1",
         f"https://{NAME}:{port}/{name}"], capture_output=True, check=False)
    assert not done.returncode, f"curl: {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def serves_files(port, where):
    for version in harness.VERSIONS:
        for size in SIZES:
            with open(os.path.join(where, str(size)), "rb") as f:
                want = f.read()
            got = curl(port, str(size), version)
            eq(len(got), size, "length")
            eq(hashlib.sha256(got).digest(), hashlib.sha256(want).digest(), "SHA-256")
    serves_no_plaintext(port, b"GET /16385 HTTP/1.0\r\n\r\n")


# Invariant 1
def serves_no_plaintext(port, request):
    with connect(port) as raw:
        raw.sendall(request)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            got = harness.read_all(raw)
    assert got[:1] in (b"", b"\x15"), f"neither nothing nor an alert: {got[:100]!r}"


@contextlib.contextmanager
def sealed(port, *command, **more):
    with kseal_run(*command, **more) as server:
        yield server.listening(port, 60)


def apache(mpm):
    program("apache2")
    port, where = free_port(), files()
    conf = configuration("apache.conf", f"""
ServerRoot {harness.tmp}
ServerName {NAME}
DefaultRuntimeDir {harness.tmp}
PidFile {path("apache.pid")}
ErrorLog /dev/stderr
LoadModule mpm_{mpm}_module /usr/lib/apache2/modules/mod_mpm_{mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
Listen 127.0.0.1:{port}
DocumentRoot {where}
EnableSendfile On
""")
    # It passes SIGTERM on to its whole process group.
    with sealed(port, "apache2", "-DFOREGROUND", "-f", conf, start_new_session=True):
        serves_files(port, where)


for _mpm in ("prefork", "event"):
    test(apache, args=(_mpm,), timeout=120, name=f"apache_{_mpm}")


def lighttpd_configuration(port, *more):
    lines = "\n".join(more)
    return configuration("lighttpd.conf", f"""
server.document-root = "{files()}"
server.bind = "127.0.0.1"
server.port = {port}
server.username = "www-data"
server.groupname = "www-data"
{lines}
""")


@test
def lighttpd():
    program("lighttpd")
    port = free_port()
    with sealed(port, "lighttpd", "-D", "-f", lighttpd_configuration(port)):
        serves_files(port, path("files"))


@test
def redis():
    program("redis-server")
    port = free_port()
    cli = [program("redis-cli"), "--tls", "--cacert", path("ca.crt"), "--sni", NAME,
           "-h", "127.0.0.1", "-p", str(port)]
    with sealed(port, "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                "--dir", harness.tmp):
        eq(run(*cli, "ping").stdout, "PONG\n")
        value = os.urandom(300000).hex()
        done = run(*cli, "-x", "set", "key", input=value)
        eq(done.stdout, "OK\n")
        eq(run(*cli, "get", "key").stdout, value + "\n")
        # many requests on their way at once
        lines = "".join(f"INCRBY n {i}\r\n" for i in range(2000))
        said = run(*cli, "--pipe", input=lines).stdout
        assert "errors: 0, replies: 2000" in said, said
        eq(run(*cli, "get", "n").stdout, "1999000\n")
        serves_no_plaintext(port, b"PING\r\n")


@test(timeout=180)
def postgresql():
    """A process each. Its client is psql, which has no TLS of its own that begins with the
    first byte: through kseal too, or behind stunnel."""
    [binaries] = [os.path.join(e.path, "bin") for e in os.scandir("/usr/lib/postgresql")
                  if os.path.exists(os.path.join(e.path, "bin", "initdb"))][-1:] or [None]
    if not binaries:
        raise harness.Skip("no PostgreSQL here")
    port, here = free_port(), free_port()
    where = path("pg")
    os.makedirs(where)
    os.chmod(harness.tmp, 0o755)
    run("chown", "postgres:", where)
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    run(*as_user, f"{binaries}/initdb", "-N", "-A", "trust", "-D", where, cwd="/")
    conf = configuration("stunnel-pg.conf", f"""
foreground = yes
pid =
syslog = no
[postgresql]
client = yes
accept = 127.0.0.1:{here}
connect = 127.0.0.1:{port}
CAfile = {path("ca.crt")}
verifyChain = yes
checkHost = {NAME}
sni = {NAME}
""")

    def psql(command, to=here, before=(), **more):
        return run(*before, program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                   f"host=127.0.0.1 port={to} user=postgres dbname=postgres sslmode=disable",
                   "-c", command, **more).stdout

    def sealed_psql(command, **more):
        return psql(command, port, (harness.KSEAL, "run", "--port", "none", "--connect",
                                    f"{NAME}:{port}", "--"), **more)
    with sealed(port, *as_user, f"{binaries}/postgres", "-D", where, "-p", str(port),
                "-h", "127.0.0.1", "-k", "", "-F", options=("--profile", "services"),
                cwd="/"), \
         Program(program("stunnel4"), conf) as stunnel:
        stunnel.listening(here)
        eq(psql("select 6 * 7").strip(), "42")
        psql("create table t (n int, s text)")
        rows = "".join(f"{i}\t{'x' * (i % 1000)}\n" for i in range(3000))
        psql("copy t from stdin", input=rows)
        eq(psql("copy (select * from t order by n) to stdout"), rows)
        eq(sealed_psql("copy (select * from t order by n) to stdout"), rows)
        sealed_psql("create table u (n int, s text)")
        sealed_psql("copy u from stdin", input=rows)
        eq(psql("select count(*) from t natural join u").strip(), "3000")
        children = [harness.Thread(lambda how=how: eq(how("select sum(n) from t").strip(), "4498500"))
                    for how in (psql, sealed_psql) * 2]
        for child in children:
            child.join()
        serves_no_plaintext(port, bytes.fromhex("0000000804d2162f"))    # SSLRequest


class ImplicitFtps(ftplib.FTP):
    """FTP whose every connection is TLS from the first byte, as kseal makes it. The
    server accepts the connection for data before it answers the command, and accepts
    only what is sealed: so first the handshake, then the command."""

    def __init__(self, port):
        super().__init__(timeout=60 * harness.SLOW)
        self.ctx = context()
        self.sock = self.ctx.wrap_socket(connect(port), server_hostname=NAME)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd, rest=None):
        _, port = self.makepasv()
        conn = self.ctx.wrap_socket(connect(port), server_hostname=NAME)
        answer = self.sendcmd(cmd)
        assert answer[0] == "1", answer
        return conn, None

    def storbinary(self, cmd, data, **_):
        conn, _ = self.ntransfercmd(cmd)
        conn.sendall(data)
        conn.unwrap().close()
        return self.voidresp()


@test(timeout=120)
def vsftpd():
    """fork and exec by root, sessions of other users, a listener for each transfer."""
    program("vsftpd")
    port, where = free_port(), path("ftp")
    os.makedirs(os.path.join(where, "incoming"))
    run("chown", "ftp:", os.path.join(where, "incoming"))
    os.makedirs("/run/vsftpd/empty", exist_ok=True)
    data = os.urandom(700000)
    with open(os.path.join(where, "file"), "wb") as f:
        f.write(data)
    conf = configuration("vsftpd.conf", f"""
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={where}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
pasv_address=127.0.0.1
""")
    with sealed(port, "vsftpd", conf, options=("--profile", "services")):
        ftp = ImplicitFtps(port)
        ftp.login()
        got = io.BytesIO()
        ftp.retrbinary("RETR file", got.write)
        eq(hashlib.sha256(got.getvalue()).digest(), hashlib.sha256(data).digest(), "SHA-256")
        ftp.storbinary("STOR incoming/back", data)
        with open(os.path.join(where, "incoming", "back"), "rb") as f:
            eq(f.read(), data, "the file that was sent")
        assert "file" in ftp.nlst()
        ftp.quit()


def go_serves(port):
    for version, suite in (("1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), ("1.3", "")):
        for size in SIZES:
            body = os.urandom(size)
            eq(go_client(port, version, suite, body, None) == body, True, f"{size} bytes")
    serves_no_plaintext(port, b"PUT / HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody")


@test
def a_static_go_binary():
    port = free_port()
    with sealed(port, GO, "plain", f"127.0.0.1:{port}"):
        go_serves(port)


@test
def a_static_go_binary_attached_to():
    port = free_port()
    with Program(GO, "plain", f"127.0.0.1:{port}") as server:
        server.listening(port)
        with connect(port) as raw:
            raw.sendall(b"PUT / HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody")
            assert harness.read_all(raw).endswith(b"body")
        run(harness.KSEAL, "attach", str(server.pid), str(port))
        go_serves(port)


def echoes(port, size=200000):
    """Of a service that returns what it gets, until the client's close_notify."""
    for version in harness.VERSIONS:
        peer = client(port, context(version))
        data = os.urandom(size)
        sender = harness.Thread(peer.send, data[:20000])
        eq(read_exactly(peer, 20000), data[:20000])
        sender.join()
        peer.close_notify()
        eq(peer.recv(), b"", "the end")
        peer.close()
    serves_no_plaintext(port, b"plain text")


@test
def inetd():
    """The superserver accepts; the service has the connection as descriptors 0 to 2."""
    port = free_port()
    conf = configuration("inetd.conf",
                         f"127.0.0.1:{port} stream tcp nowait root /bin/cat cat\n")
    with sealed(port, program("inetd"), "-i", conf):
        echoes(port)


@test
def systemd_accepts_for_a_service():
    port = free_port()
    with sealed(port, program("systemd-socket-activate"), "--inetd", "-a", "-l",
                f"127.0.0.1:{port}", "/bin/cat"):
        echoes(port)


@test
def a_socket_activated_service():
    """systemd's socket listens, plainly, before there is a kseal to seal it: what has
    come by then is no sealed connection and is not served as if it were."""
    program("lighttpd")
    port = free_port()
    conf = lighttpd_configuration(port, 'server.systemd-socket-activation = "enable"')
    with Program(program("systemd-socket-activate"), "-l", f"127.0.0.1:{port}", harness.KSEAL,
                 "run", "-v", program("lighttpd"), "-D", "-f", conf) as server:
        server.listening(port)
        with connect(port) as first:
            eventually(lambda: harness.listeners_of(port), "it is started and sealed", 30)
            serves_files(port, path("files"))
            first.close()
