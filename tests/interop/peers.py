# SPDX-License-Identifier: GPL-2.0
"""Other TLS implementations, each as a table row: what it calls the cipher suites, and
how it is had to PUT a body to a server over TLS. Used by test_matrix.py. Whoever
adds a peer adds a row."""

import base64
import contextlib
import http.client
import http.server
import os
import shutil
import socket
import ssl
import subprocess

import harness
from harness import NAME, Program, Skip, connect, context, free_port, path, run

BIN = os.path.join(harness.TOP, "build", "interop")
SERVER = os.path.join(BIN, "server")
GO = os.path.join(BIN, "peer")

VERSIONS = harness.VERSIONS
CIPHERS = ("AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM")

# (version, cipher) -> its name there
OPENSSL = {
    ("1.2", "AES-128-GCM"): "ECDHE-ECDSA-AES128-GCM-SHA256",
    ("1.2", "AES-256-GCM"): "ECDHE-ECDSA-AES256-GCM-SHA384",
    ("1.2", "CHACHA20-POLY1305"): "ECDHE-ECDSA-CHACHA20-POLY1305",
    ("1.2", "AES-128-CCM"): "ECDHE-ECDSA-AES128-CCM",
    ("1.3", "AES-128-GCM"): "TLS_AES_128_GCM_SHA256",
    ("1.3", "AES-256-GCM"): "TLS_AES_256_GCM_SHA384",
    ("1.3", "CHACHA20-POLY1305"): "TLS_CHACHA20_POLY1305_SHA256",
    ("1.3", "AES-128-CCM"): "TLS_AES_128_CCM_SHA256",
}
GNUTLS = {(v, c): f"NORMAL:-VERS-ALL:+VERS-TLS{v}:-CIPHER-ALL:+{c}"
          for v in VERSIONS for c in CIPHERS}
NSS = {
    ("1.2", "AES-128-GCM"): ":C02B",
    ("1.2", "AES-256-GCM"): ":C02C",
    ("1.2", "CHACHA20-POLY1305"): ":CCA9",
    ("1.3", "AES-128-GCM"): ":1301",
    ("1.3", "AES-256-GCM"): ":1302",
    ("1.3", "CHACHA20-POLY1305"): ":1303",
}
# These leave the suites of 1.3 to their library.
PYTHON_SSL = {k: v for k, v in OPENSSL.items() if k[0] == "1.2"} | {("1.3", None): ""}
GO_TLS = {
    ("1.2", "AES-128-GCM"): "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ("1.2", "AES-256-GCM"): "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ("1.2", "CHACHA20-POLY1305"): "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ("1.3", None): "",
}


def program(name):
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if not found:
        raise Skip(f"no {name} here")
    return found


def pair_of(certificate):
    return path(certificate + ".crt"), path(certificate + ".key")


def in_one_file(certificate):
    """Certificate and key, as haproxy and stunnel want them."""
    name = path(certificate + ".pem")
    if not os.path.exists(name):
        with open(name, "w") as out:
            for part in pair_of(certificate):
                with open(part) as f:
                    out.write(f.read())
    return name


def configuration(name, text):
    where = path(name)
    with open(where, "w") as f:
        f.write(text)
    return where


# --- a PUT --------------------------------------------------------------------------

def request(body):
    return (f"PUT /body HTTP/1.0\r\nHost: {NAME}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def body_of(answer):
    """The body of an answer, which must be whole."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.") and b" 200 " in head.split(b"\r\n")[0], \
        f"the answer begins {answer[:200]!r}"
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
               if line.lower().startswith(b"content-length:")]
    assert lengths in ([], [len(body)]), f"{len(body)} bytes of {lengths}"
    return body


def put_plain(port, body):
    """In the clear, to something that speaks TLS on our behalf."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60 * harness.SLOW)
    conn.request("PUT", "/body", body)
    answer = conn.getresponse()
    assert answer.status == 200, f"status {answer.status}: {answer.read()[:200]!r}"
    return answer.read()


def through_pipes(command, said, seconds=60):
    """Runs COMMAND; SAID is its input, which stays open until it ends by itself."""
    with Program(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
        def feed():
            with contextlib.suppress(BrokenPipeError):
                peer.process.stdin.write(said)
                peer.process.stdin.flush()
        feeder = harness.Thread(feed)
        answer = peer.process.stdout.read()
        feeder.join()
        peer.wait(seconds)
        if b"\r\n\r\n" not in answer:
            raise AssertionError(f"it said {answer[:300]!r} and:\n{peer.output()}")
    return answer


def say(peer, line):
    """To the standard input of a Program."""
    peer.process.stdin.write(line + b"\n")
    peer.process.stdin.flush()


def armed_client(port):
    """A connection of the test's own that kseal seals."""
    sock = socket.socket()
    sock.settimeout(30 * harness.SLOW)
    sock.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")
    sock.setsockopt(harness.SOL_TLS, harness.KSEAL_SERVER_NAME, NAME.encode())
    sock.connect(("127.0.0.1", port))
    return sock


# --- peers as clients: (port, version, name of the suite, body, certificate) -> answer --

def openssl_client(port, version, suite, body, certificate):
    option = "-cipher" if version == "1.2" else "-ciphersuites"
    more = [f for o, f in zip(("-cert", "-key"), pair_of(certificate)) for f in (o, f)] \
        if certificate else []
    return body_of(through_pipes(
        [program("openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{port}",
         "-servername", NAME, "-CAfile", path("ca.crt"), "-verify_return_error",
         "-verify_hostname", NAME, "-tls" + version.replace(".", "_"), option, suite, *more],
        request(body)))


def gnutls_client(port, _, priority, body, certificate):
    if len(body) > 10000:       # gnutls-cli writes what it has read byte by byte
        return body_of(through_pipes([os.path.join(BIN, "tunnel-gnutls"), str(port), NAME,
                                      path("ca.crt"), priority, "16384", "-1"], request(body)))
    more = [f for o, f in zip(("--x509certfile", "--x509keyfile"), pair_of(certificate))
            for f in (o, f)] if certificate else []
    return body_of(through_pipes(
        [program("gnutls-cli"), "--logfile", path("gnutls-cli.log"),
         "--x509cafile", path("ca.crt"), "--sni-hostname", NAME, "--verify-hostname", NAME,
         "--priority", priority, *more, "-p", str(port), "127.0.0.1"], request(body)))


def nss_database(certificate=None):
    """NSS wants certificates and keys in a database of its own."""
    where = path("nss")
    if not os.path.exists(where):
        os.makedirs(where)
        run(program("certutil"), "-N", "-d", "sql:" + where, "--empty-password")
        run("certutil", "-A", "-d", "sql:" + where, "-n", "ca", "-t", "CT,,", "-i", path("ca.crt"))
    if certificate and not os.path.exists(path(certificate + ".p12")):
        cert, key = pair_of(certificate)
        run("openssl", "pkcs12", "-export", "-name", certificate, "-in", cert, "-inkey", key,
            "-out", path(certificate + ".p12"), "-passout", "pass:x")
        run(program("pk12util"), "-i", path(certificate + ".p12"), "-d", "sql:" + where, "-W", "x")
    return "sql:" + where


def nss_client(port, version, suite, body, certificate):
    more = ("-n", certificate) if certificate else ()
    with open(path("nss.request"), "wb") as f:      # it takes no input from a pipe
        f.write(request(body))
    with open(f.name, "rb") as said:
        done = subprocess.run(
            [program("tstclnt"), "-h", "127.0.0.1", "-p", str(port), "-a", NAME,
             "-d", nss_database(certificate), "-V", f"tls{version}:tls{version}", "-c", suite,
             *more], stdin=said, capture_output=True, check=False)
    assert not done.returncode, f"tstclnt: {done.returncode}: {done.stderr.decode()}"
    return body_of(done.stdout)


def curl_client(port, version, suite, body, certificate):
    suites = ("--ciphers", suite) if version == "1.2" else ("--tls13-ciphers", suite)
    more = [f for o, f in zip(("--cert", "--key"), pair_of(certificate)) for f in (o, f)] \
        if certificate else []
    done = subprocess.run(
        [program("curl"), "-sS", "--fail", "--cacert", path("ca.crt"), f"--tlsv{version}",
         "--tls-max", version, *suites, *more, "--resolve", f"{NAME}:{port}:127.0.0.1",
         "-H", "Expect:", "--data-binary", "@-", "-X", "PUT", f"https://{NAME}:{port}/body"],
        input=body, capture_output=True, check=False)
    assert not done.returncode, f"curl: {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def python_client(port, version, suite, body, certificate):
    ctx = context(version, certificate=certificate)
    if suite:
        ctx.set_ciphers(suite)
    conn = http.client.HTTPSConnection(NAME, port, timeout=60 * harness.SLOW, context=ctx)
    conn._create_connection = lambda *_: connect(port)
    conn.request("PUT", "/body", body)
    answer = conn.getresponse()
    assert answer.status == 200, f"status {answer.status}"
    return answer.read()


def go_client(port, version, suite, body, certificate):
    more = pair_of(certificate) if certificate else ()
    done = subprocess.run([GO, "client", f"127.0.0.1:{port}", NAME, path("ca.crt"), version,
                           suite, *more], input=body, capture_output=True, check=False)
    assert not done.returncode, done.stderr.decode()
    return done.stdout


@contextlib.contextmanager
def started(*command):
    """A program that waits on a port of its own choice, the last word of COMMAND's."""
    port = command[-1]
    with Program(*command[:-1]) as proxy:
        yield proxy.listening(port)


def haproxy_client(port, version, suite, body, certificate):
    here = free_port()
    suites = f"ciphers {suite}" if version == "1.2" else f"ciphersuites {suite}"
    conf = configuration("haproxy.conf", f"""
defaults
    mode tcp
    timeout connect 60s
    timeout client 120s
    timeout server 120s
listen in
    bind 127.0.0.1:{here}
    server s 127.0.0.1:{port} ssl verify required ca-file {path("ca.crt")} sni str({NAME}) \
verifyhost {NAME} ssl-min-ver TLSv{version} ssl-max-ver TLSv{version} {suites} \
{"crt " + in_one_file(certificate) if certificate else ""}
""")
    with started(program("haproxy"), "-db", "-f", conf, here):
        return put_plain(here, body)


def stunnel_client(port, version, suite, body, certificate):
    here = free_port()
    conf = configuration("stunnel.conf", f"""
foreground = yes
pid =
syslog = no
[in]
client = yes
accept = 127.0.0.1:{here}
connect = 127.0.0.1:{port}
CAfile = {path("ca.crt")}
verifyChain = yes
checkHost = {NAME}
sni = {NAME}
sslVersion = TLSv{version}
{"ciphers" if version == "1.2" else "ciphersuites"} = {suite}
{f"cert = {path(certificate + '.crt')}" if certificate else ""}
{f"key = {path(certificate + '.key')}" if certificate else ""}
""")
    with started(program("stunnel4"), conf, here):
        return put_plain(here, body)


def nginx_configuration(server):
    where = path("nginx")
    os.makedirs(where, exist_ok=True)
    temporary = "\n".join(f"    {k}_temp_path {where}/{k};" for k in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return configuration("nginx/nginx.conf", f"""
daemon off;
master_process off;
pid {where}/pid;
error_log stderr info;
events {{ }}
http {{
    access_log off;
    client_max_body_size 0;
{temporary}
    server {{
        {server}
    }}
}}
""")


def nginx(conf, port):
    return started(program("nginx"), "-e", "stderr", "-p", os.path.dirname(conf), "-c", conf, port)


def nginx_client(port, version, suite, body, certificate):
    here = free_port()
    suites = f"proxy_ssl_ciphers {suite};" if version == "1.2" else \
        f"proxy_ssl_conf_command Ciphersuites {suite};"
    own = "proxy_ssl_certificate {}; proxy_ssl_certificate_key {};".format(*pair_of(certificate)) \
        if certificate else ""
    conf = nginx_configuration(f"""
        listen 127.0.0.1:{here};
        location / {{
            proxy_pass https://127.0.0.1:{port};
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {path("ca.crt")};
            proxy_ssl_name {NAME};
            proxy_ssl_server_name on;
            proxy_ssl_protocols TLSv{version};
            {suites}
            {own}
        }}""")
    with nginx(conf, here):
        return put_plain(here, body)


# --- peers as servers: (version, name of the suite, certificate wanted) -> port ----------
#
# The client is a plaintext program under kseal run: (port, body) -> what came back.

def through_kseal(port, *command, **more):
    done = subprocess.run(
        [harness.KSEAL, "run", "--port", "none", "--connect", f"{NAME}:{port}=peer", "--",
         *command], capture_output=True, check=False, **more)
    assert not done.returncode, f"{command[0]}: {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def curl_sealed(port, what, *options, **more):
    return through_kseal(
        port, program("curl"), "-sS", "--fail", "--noproxy", "*", "-H", "Expect:",
        "--resolve", f"{NAME}:{port}:127.0.0.1", *options, f"http://{NAME}:{port}{what}", **more)


def put_sealed(port, body):
    return curl_sealed(port, "/body", "--data-binary", "@-", "-X", "PUT", input=body)


@contextlib.contextmanager
def behind(proxy):
    """PROXY(port for TLS, port behind) runs in front of the plaintext server."""
    here, back = free_port(), free_port()
    with Program(SERVER, str(back)) as server:
        server.listening(back)
        with proxy(here, back):
            yield here


def haproxy_server(version, suite, certified):
    suites = f"ciphers {suite}" if version == "1.2" else f"ciphersuites {suite}"
    verify = f"ca-file {path('ca.crt')} verify required" if certified else ""

    def proxy(here, back):
        conf = configuration("haproxy.conf", f"""
defaults
    mode tcp
    timeout connect 60s
    timeout client 120s
    timeout server 120s
listen in
    bind 127.0.0.1:{here} ssl crt {in_one_file("server")} ssl-min-ver TLSv{version} \
ssl-max-ver TLSv{version} {suites} {verify}
    server s 127.0.0.1:{back}
""")
        return started(program("haproxy"), "-db", "-f", conf, here)
    return behind(proxy)


def stunnel_server(version, suite, certified):
    def proxy(here, back):
        cert, key = pair_of("server")
        conf = configuration("stunnel.conf", f"""
foreground = yes
pid =
syslog = no
[out]
accept = 127.0.0.1:{here}
connect = 127.0.0.1:{back}
cert = {cert}
key = {key}
sslVersion = TLSv{version}
{"ciphers" if version == "1.2" else "ciphersuites"} = {suite}
{f"CAfile = {path('ca.crt')}" if certified else ""}
{"verifyChain = yes" if certified else ""}
""")
        return started(program("stunnel4"), conf, here)
    return behind(proxy)


def nginx_server(version, suite, certified):
    suites = f"ssl_ciphers {suite};" if version == "1.2" else \
        f"ssl_conf_command Ciphersuites {suite};"
    verify = f"ssl_verify_client on; ssl_client_certificate {path('ca.crt')};" if certified else ""

    def proxy(here, back):
        cert, key = pair_of("server")
        return nginx(nginx_configuration(f"""
        listen 127.0.0.1:{here} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv{version};
        {suites}
        {verify}
        location / {{ proxy_pass http://127.0.0.1:{back}; }}"""), here)
    return behind(proxy)


@contextlib.contextmanager
def go_server(version, suite, certified):
    here = free_port()
    more = (path("ca.crt"),) if certified else ()
    with Program(GO, "server", f"127.0.0.1:{here}", *pair_of("server"), version, suite,
                 *more) as server:
        server.listening(here)
        yield here


class PutHandler(http.server.BaseHTTPRequestHandler):
    """Answers PUT with the body that came."""
    timeout = 120

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def python_server(version, suite, certified):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(*pair_of("server"))
    ctx.minimum_version = ctx.maximum_version = context(version).minimum_version
    if suite:
        ctx.set_ciphers(suite)
    if certified:
        ctx.load_verify_locations(path("ca.crt"))
        ctx.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PutHandler)
    server.socket = ctx.wrap_socket(server.socket, server_side=True)
    thread = harness.Thread(server.serve_forever)
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class PipeServer:
    """A TLS server whose connection is its standard input and output: it takes one
    request and hands over the answer, connection after connection."""

    def __init__(self, *command):
        self.program = Program(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.thread = harness.Thread(self.serve)

    def serve(self):
        process = self.program.process
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = process.stdout.read1(65536)
                if not piece:
                    return
                head += piece
            head, _, body = head.partition(b"\r\n\r\n")
            [size] = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:")]
            while len(body) < size:
                body += process.stdout.read1(65536)
            process.stdin.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)
            process.stdin.flush()


@contextlib.contextmanager
def openssl_server(version, suite, certified):
    here = free_port()
    option = "-cipher" if version == "1.2" else "-ciphersuites"
    cert, key = pair_of("server")
    more = ("-Verify", "1", "-verify_return_error", "-CAfile", path("ca.crt")) if certified else ()
    server = PipeServer(program("openssl"), "s_server", "-quiet", "-accept", f"127.0.0.1:{here}",
                        "-cert", cert, "-key", key, "-tls" + version.replace(".", "_"),
                        option, suite, *more)
    with server.program as running:
        running.listening(here)
        yield here


# Sends what it reads and writes as much as that back, at the same time.
ECHO = r"""
import socket, sys, threading
data = sys.stdin.buffer.read()
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sender = threading.Thread(target=s.sendall, args=(data,))
sender.start()
left = len(data)
while left:
    piece = s.recv(min(left, 65536))
    assert piece, f"the end, {left} bytes before it should be"
    sys.stdout.buffer.write(piece)
    left -= len(piece)
sender.join()
s.shutdown(socket.SHUT_WR)
"""


def echo_lines(port, body):
    """gnutls-serv returns lines of text, so the body crosses in such."""
    text = base64.encodebytes(body)
    return base64.decodebytes(through_kseal(port, harness.PYTHON, "-c", ECHO, str(port),
                                            input=text))


@contextlib.contextmanager
def gnutls_server(_, priority, certified):
    here = free_port()
    cert, key = pair_of("server")
    more = ("--require-client-cert", "--verify-client-cert", "--x509cafile", path("ca.crt")) \
        if certified else ("--disable-client-cert",)
    with Program(program("gnutls-serv"), "--echo", "--crlf", "--quiet", "--port", str(here),
                 "--x509certfile", cert, "--x509keyfile", key, "--priority", priority,
                 *more) as server:
        server.listening(here)
        yield here


def get_and_post(port, body):
    """selfserv sends any file, but reads no more than ten kilobytes, which it returns."""
    said = body[:4000].hex().encode()
    answer = curl_sealed(port, "/", "--data-binary", "@-", input=said + b"\n")
    assert said + b"\n" in answer, f"the answer is {answer[:300]!r}"
    with open(path("selfserv.file"), "wb") as f:
        f.write(body)
    return curl_sealed(port, f.name)


@contextlib.contextmanager
def nss_server(version, suite, certified):
    here = free_port()
    more = ("-r", "-r") if certified else ()
    with Program(program("selfserv"), "-d", nss_database("server"), "-n", "server", "-p", str(here),
                 "-V", f"tls{version}:tls{version}", "-c", suite, *more) as server:
        server.listening(here)
        yield here


# --- the table ------------------------------------------------------------------------

def package_version(package):
    done = run("dpkg-query", "-W", "-f", "${Package} ${Version}\n", package, check=False)
    return done.stdout.strip()


class Peer:
    """NAME; PACKAGE, Debian's; SUITES, {(version, cipher): its name}; CLIENT, SERVER, as
    above. EXCHANGE: what the client of its server does. OWN: it has a record layer of its
    own, and isn't one more user of OpenSSL's."""

    def __init__(self, name, package, suites, client, server=None, exchange=put_sealed, own=False):
        self.name, self.package, self.suites = name, package, suites
        self.client, self.server, self.exchange, self.own = client, server, exchange, own


PEERS = (
    Peer("openssl", "openssl", OPENSSL, openssl_client, openssl_server, own=True),
    Peer("gnutls", "gnutls-bin", GNUTLS, gnutls_client, gnutls_server, echo_lines, own=True),
    Peer("nss", "libnss3-tools", NSS, nss_client, nss_server, get_and_post, own=True),
    Peer("go", "golang-go", GO_TLS, go_client, go_server, own=True),
    Peer("curl", "curl", OPENSSL, curl_client),
    Peer("python", "python3", PYTHON_SSL, python_client, python_server),
    Peer("nginx", "nginx", OPENSSL, nginx_client, nginx_server),
    Peer("haproxy", "haproxy", OPENSSL, haproxy_client, haproxy_server),
    Peer("stunnel", "stunnel4", OPENSSL, stunnel_client, stunnel_server),
)
