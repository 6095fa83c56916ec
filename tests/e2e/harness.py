# SPDX-License-Identifier: GPL-2.0
"""What the end-to-end tests stand on: the registry of tests and their runner,
and the module, the agent, certificates, programs, TLS clients and captures that
they use. Called by tests/e2e/run; every test runs in a process of its own."""

import contextlib
import errno
import json
import os
import pickle
import re
import resource
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "tests", "e2e")
sys.path.append(os.path.join(TOP, "tests"))

from background import Thread  # noqa: E402,F401

KO = os.environ.get("KSEAL_KO", os.path.join(TOP, "kseal.ko"))
KSEALD = os.environ.get("KSEAL_KSEALD", os.path.join(TOP, "agent", "kseald"))
KEYLOG_KSEALD = os.path.join(TOP, "build", "keylog", "kseald")  # make KEYLOG=1
KSEAL = os.environ.get("KSEAL_CLI", os.path.join(TOP, "tools", "kseal"))
BIN = os.path.join(HERE, "bin")
PYTHON = "/usr/bin/python3"

# <netinet/tcp.h>, <linux/tls.h>, include/uapi/linux/kseal.h
TCP_ULP = 31
SOL_TLS = 282
TLS_TX = 1
TLS_RX = 2
KSEAL_PROFILE = 0x4B01
KSEAL_TX_SECRET = 0x4B02
KSEAL_RX_SECRET = 0x4B03
KSEAL_SERVER_NAME = 0x4B04

NAME = "example.test"
SLOW = 1            # set by calibrate()
tmp = None          # directory of this run, set by set_up()


# --- tests ------------------------------------------------------------------

class Skip(Exception):
    """This test can't be run here."""


tests = []
long_tests = set()      # names


def test(function=None, *, timeout=60, name=None, args=(), long=False):
    """Registers a test. TIMEOUT is in seconds on a fast machine. A LONG one is not
    run unless asked for."""
    def register(f):
        tests.append((name or f.__name__, f, timeout, args))
        if long:
            long_tests.add(name or f.__name__)
        return f
    return register(function) if function else register


def eq(got, want, what="value"):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def note(text):
    """A line of diagnostics, shown if the test fails."""
    print(f"{time.monotonic() - started:8.3f} {text}", file=sys.stderr, flush=True)


started = time.monotonic()


@contextlib.contextmanager
def raises(*errnos):
    """The block fails with an OSError with one of these numbers."""
    try:
        yield
    except OSError as e:
        assert e.errno in errnos, f"errno {e.errno} ({e}), want one of {errnos}"
        return
    raise AssertionError(f"no error, want errno {errnos}")


def eventually(condition, what, seconds=10):
    """Waits until CONDITION() is true and returns its value."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds * SLOW} s: {what}")
        time.sleep(0.02)


# What the kernel says when it has found something wrong with itself.
KERNEL_FAULT = re.compile(
    r"WARNING|BUG:|KASAN|KCSAN|KMSAN|UBSAN|lockdep|possible (circular|recursive|irq)|"
    r"inconsistent lock|refcount|leaked|kmemleak|Oops|general protection|"
    r"scheduling while atomic|sleeping function|suspicious RCU|hung_task|blocked for more|"
    r"soft lockup|rcu_\w+ (detected|self-detected)|ODEBUG|list_(add|del) corruption|"
    r"unregister_netdevice: waiting|tainted by")
HARMLESS = re.compile(r"kmemleak: (Kernel memory leak detector|Automatic memory scanning|"
                      r"Early log|Cannot allocate|Memory pool)|"
                      r"loading out-of-tree module taints|module verification failed")


class KernelLog:
    """New lines of the kernel's log."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        out = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return out
            except BrokenPipeError:     # overwritten before we read it
                out.append("BUG: kernel log overran")
                continue
            out.append(record.partition(";")[2].split("\n")[0])

    @staticmethod
    def faults(lines):
        return [n for n, line in enumerate(lines)
                if KERNEL_FAULT.search(line) and not HARMLESS.search(line)]


def _run_child(function, args, out):
    """In the child: runs the test, returns its verdict through OUT."""
    os.setpgid(0, 0)
    log = os.path.join(tmp, "test.log")
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    import faulthandler
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    verdict = "ok"
    try:
        function(*args)
    except Skip as e:
        verdict = f"skip {e}"
    except BaseException:       # SystemExit too: a test has no business exiting
        traceback.print_exc()
        verdict = "failed"
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(out, verdict.encode())
    os._exit(0)


def group(pgid):
    """Processes of a process group: the test and all that it started."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{entry}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            if int(fields[2]) == pgid and fields[0] != "Z":
                found.append(int(entry))
    return found


def show_hang(pgid):
    """Where every process of a test that timed out is waiting."""
    out = []
    for pid in group(pgid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGUSR1) if pid == pgid else None
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline") as f:
                out.append(f"pid {pid}: " + f.read().replace("\0", " "))
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/stack") as f:
                    out += [f"    {task} {line}" for line in f.read().splitlines()]
    time.sleep(0.5)
    return out


def run_one(function, timeout, args):
    """Runs one test in a child. Returns its verdict and what it had to say."""
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(r)
        _run_child(function, args, w)
    os.close(w)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    extra = []
    ready, _, _ = select.select([r], [], [], timeout * SLOW)
    verdict = os.read(r, 4096).decode() if ready else ""
    if not ready:
        verdict = f"no end after {timeout * SLOW} s"
        extra = show_hang(pid)
    elif not verdict:
        verdict = "died"
    os.close(r)
    for _ in range(200):
        left = group(pid)
        if not left:
            break
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.02)
    else:
        extra.append(f"processes that can't be killed: {left}")
        extra += show_hang(pid)
        verdict = "failed"
    os.waitpid(pid, 0)
    with open(os.path.join(tmp, "test.log"), errors="replace") as f:
        return verdict, f.read().splitlines() + extra


# --- the machine ---------------------------------------------------------------

def calibrate():
    """How many times slower than a machine of today this guest is."""
    global SLOW
    begin = time.monotonic()
    x = 0
    for i in range(1000000):
        x += i
    took = time.monotonic() - begin
    SLOW = max(1, min(8, round(took / 0.1)))
    with contextlib.suppress(OSError):
        with open("/proc/cpuinfo") as f:
            if "User Mode Linux" in f.read():
                SLOW = max(SLOW, 3)


def run(*command, check=True, **more):
    """Runs a command to its end; its output is text."""
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.STDOUT)
    done = subprocess.run(command, check=False, text=True, **more)
    assert not check or not done.returncode, \
        f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}"
    return done


def parameter(name, value=None):
    """Reads, or sets, a parameter of the module."""
    path = f"/sys/module/kseal/parameters/{name}"
    if value is None:
        with open(path) as f:
            return f.read().strip()
    with open(path, "w") as f:
        return f.write(str(value))


@contextlib.contextmanager
def parameters(**values):
    """Parameters of the module, put back afterwards."""
    old = {k: parameter(k) for k in values}
    try:
        for k, v in values.items():
            parameter(k, v)
        yield
    finally:
        for k, v in old.items():
            parameter(k, v)


@contextlib.contextmanager
def sysctl(name, value):
    path = "/proc/sys/" + name.replace(".", "/")
    with open(path) as f:
        old = f.read()
    try:
        with open(path, "w") as f:
            f.write(str(value))
        yield
    finally:
        with open(path, "w") as f:
            f.write(old)


def insmod(*parameters):
    for needed in ("gcm", "aesni_intel"):
        subprocess.run(["modprobe", "-q", needed], check=False, stderr=subprocess.DEVNULL)
    run("insmod", KO, *parameters)


def loaded():
    with open("/proc/modules") as f:
        return any(line.startswith("kseal ") for line in f)


def counters():
    with open("/proc/net/kseal_stat") as f:
        return {k: int(v) for k, v in (line.split() for line in f)}


@contextlib.contextmanager
def counted(**deltas):
    """The block moves these counters by these amounts."""
    before = counters()
    yield
    for name, delta in deltas.items():
        eventually(lambda: counters()[name] - before[name] >= delta, f"{name} + {delta}")
        eq(counters()[name] - before[name], delta, name)


# --- certificates --------------------------------------------------------------

def _openssl(*args):
    run("openssl", *args)


def make_certificate(name, ca, subject, san=None):
    """NAME.crt and NAME.key, signed by CA (None: self-signed, a CA)."""
    path = os.path.join(tmp, name)
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path + ".key")
    if ca is None:
        _openssl("req", "-x509", "-new", "-key", path + ".key", "-subj", subject,
                 "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", path + ".crt")
        return
    _openssl("req", "-new", "-key", path + ".key", "-subj", subject, "-out", path + ".csr")
    with open(path + ".ext", "w") as f:
        f.write("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n")
        if san:
            f.write(f"subjectAltName={san}\n")
    ca = os.path.join(tmp, ca)
    _openssl("x509", "-req", "-in", path + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key",
             "-CAcreateserial", "-days", "2", "-extfile", path + ".ext", "-out", path + ".crt")


def path(name):
    return os.path.join(tmp, name)


def make_certificates():
    make_certificate("ca", None, "/CN=kseal test CA")
    make_certificate("other-ca", None, "/CN=kseal other CA")
    make_certificate("server", "ca", f"/CN={NAME}", f"DNS:{NAME},IP:127.0.0.1,IP:::1")
    make_certificate("client", "ca", "/CN=client of the test", "DNS:client.test")
    make_certificate("stranger", "other-ca", "/CN=stranger", "DNS:stranger.test")


# --- the agent -----------------------------------------------------------------

# Profiles that are always there. Everyone may use them but where said.
UNPRIVILEGED = 12345
POLICY_PORT = 18443
PROFILES = {
    "default": {},
    "web": {"alpn": ["h2", "http/1.1"]},
    "only13": {"versions": ["1.3"]},
    "only12": {"versions": ["1.2"]},
    "mtls": {"client-ca": "ca.crt", "client-auth": "require"},
    "port": {"ports": [POLICY_PORT]},
    "user": {"users": [str(UNPRIVILEGED)]},
    "hasty": {"timeout": 1},
    "patient": {"timeout": 600},
    "fair": {"timeout": 600, "max-handshakes-per-address": 4},
    "few": {"timeout": 600, "max-handshakes": 2, "handshake-queue": 2},
    "proxy": {"client-ca": "ca.crt", "client-auth": "request", "proxy-protocol": "v2"},
    "rude": {"truncation": "tolerate"},
}

# Client sections that are always there.
CLIENTS = {
    "default": {"ca": "ca.crt"},
    "stranger": {"ca": "other-ca.crt"},
    "mutual": {"ca": "ca.crt", "certificate": "client.crt", "key": "client.key"},
    "tolerant": {"ca": "ca.crt", "truncation": "tolerate"},
    "named": {"ca": "ca.crt", "server-name": NAME},
    "short": {"ca": "ca.crt", "timeout": 1},
    "old": {"ca": "ca.crt", "versions": ["1.2"]},
}


def write_config(where, profiles=None, clients=None):
    def value(v):
        if isinstance(v, list):
            return "{" + ", ".join(value(e) for e in v) + "}"
        return str(v) if isinstance(v, int) else f'"{v}"'

    def section(f, kind, name, options):
        f.write(f'{kind} "{name}" {{\n')
        for k, v in options.items():
            named = k in ("certificate", "key", "ca", "client-ca", "crl")
            f.write(f"\t{k} = {value(path(v) if named else v)}\n")
        f.write("}\n")
    with open(where, "w") as f:
        f.write('log-level = "debug"\nworkers = 2\n')
        for name, options in (profiles or PROFILES).items():
            section(f, "profile", name, {"certificate": "server.crt", "key": "server.key", **options})
        for name, options in (clients or CLIENTS).items():
            section(f, "client", name, options)


class Agent:
    """The agent of the test machine: started once, restarted by who harms it."""

    def __init__(self):
        self.pidfile = path("kseald.pid")
        self.log = path("kseald.log")
        self.config = path("kseald.conf")

    def pid(self):
        """0 if it doesn't run."""
        try:
            with open(self.pidfile) as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/stat") as f:
                return 0 if f.read().rpartition(")")[2].split()[0] == "Z" else pid
        except (OSError, ValueError):
            return 0

    def start(self, env=None, program=None, options=()):
        if self.pid():
            return
        program = program or KSEALD     # as it is now: a test may upgrade it
        with open(self.log, "a") as log:
            child = subprocess.Popen([program, "-c", self.config, *options], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, start_new_session=True,
                                     env=dict(os.environ, **(env or {})))
        with open(self.pidfile, "w") as f:
            f.write(str(child.pid))
        def ready():
            assert child.poll() is None, f"kseald ended: {self.tail()}"
            return workers() >= 2
        eventually(ready, "the agent's workers register")

    def stop(self, how=signal.SIGTERM):
        pid = self.pid()
        if not pid:
            return
        os.kill(pid, how)
        eventually(lambda: not self.pid(), "the agent ends")
        with contextlib.suppress(OSError):
            os.waitpid(pid, os.WNOHANG)
        eventually(lambda: not workers(), "the kernel forgets the agent")

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-20:])


agent = None


def status():
    """What `kseal status --json` says."""
    done = run(KSEAL, "status", "--json", stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)


def workers():
    return len(status()["workers"])


def listeners_of(port):
    return [e for e in status()["listeners"] if e["local"].endswith(f":{port}")]


def for_everybody(name):
    """NAME, or a copy of it if it lies where other users, whom tests play, may not go."""
    part = name
    while os.stat(part).st_mode & 1:
        if part == "/":
            return name
        part = os.path.dirname(part)
    copy = os.path.join(tmp, os.path.basename(name))
    return (shutil.copytree if os.path.isdir(name) else shutil.copy)(name, copy)


def set_up():
    """The directory of this run, certificates, module, agent."""
    global tmp, agent, KSEAL, BIN
    for where in (os.environ.get("TMPDIR"), "/run", "/tmp"):
        if where and os.access(where, os.W_OK) and os.statvfs(where).f_flag & os.ST_RDONLY == 0:
            break
    tmp = tempfile.mkdtemp(prefix="kseal-e2e-", dir=where)
    os.chmod(tmp, 0o755)
    os.environ["TMPDIR"] = tmp
    KSEAL, BIN = for_everybody(KSEAL), for_everybody(BIN)
    limit = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    calibrate()
    agent = Agent()
    make_certificates()
    write_config(agent.config)
    insmod()
    agent.start()


def tear_down():
    if agent:
        agent.stop()
    shutil.rmtree(tmp, ignore_errors=True)


# --- sockets ---------------------------------------------------------------------

def arm(sock, profile="default"):
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"kseal")
    sock.setsockopt(SOL_TLS, KSEAL_PROFILE, profile.encode())


def listener(profile="default", address="127.0.0.1", port=0, backlog=128, sealed=True, **options):
    """A listening socket, armed; OPTIONS are socket options to set before."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option, value in options.items():
        level = socket.IPPROTO_TCP if option.startswith("TCP_") else socket.SOL_SOCKET
        sock.setsockopt(level, getattr(socket, option), value)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind((address, port))
    if sealed:
        arm(sock, profile)
    sock.listen(backlog)
    return sock


def port_of(sock):
    return sock.getsockname()[1]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return port_of(sock)


def connect(port, host="127.0.0.1", timeout=20):
    return socket.create_connection((host, port), timeout * SLOW)


def reset(sock):
    """Closes with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def accept(sock, timeout=20):
    """accept() that must succeed soon; the connection has a time limit too."""
    sock.settimeout(timeout * SLOW)
    conn, _ = sock.accept()
    conn.settimeout(timeout * SLOW)
    return conn


def accepts_nothing(sock, seconds=0.3):
    ready, _, _ = select.select([sock], [], [], seconds)
    assert not ready, "the listener is readable"
    sock.setblocking(False)
    try:
        conn, peer = sock.accept()
    except BlockingIOError:
        return
    raise AssertionError(f"accept() returned a connection from {peer}")


def read_all(sock):
    """Up to the end of the stream."""
    out = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            return out
        out += piece


def read_exactly(sock, size):
    out = b""
    while len(out) < size:
        piece = sock.recv(size - len(out))
        if not piece:
            raise EOFError(f"end of stream after {len(out)} of {size} bytes")
        out += piece
    return out


def context(version=None, ca="ca", certificate=None, alpn=None):
    """The TLS settings of a client; VERSION is "1.2" or "1.3"."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if hasattr(ssl, "OP_IGNORE_UNEXPECTED_EOF"):
        ctx.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    ctx.load_verify_locations(path(ca + ".crt"))
    if certificate:
        ctx.load_cert_chain(path(certificate + ".crt"), path(certificate + ".key"))
    if version:
        number = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
        ctx.minimum_version = ctx.maximum_version = number
    if alpn:
        ctx.set_alpn_protocols(alpn)
    return ctx


class Tls:
    """A TLS client over a TCP socket, whose records are in the test's hands."""

    def __init__(self, sock, ctx=None, name=NAME):
        self.sock = sock
        self.inbound = ssl.MemoryBIO()
        self.outbound = ssl.MemoryBIO()
        self.tls = (ctx or context()).wrap_bio(self.inbound, self.outbound, server_hostname=name)

    def pull(self):
        """What the client has to say now, not sent."""
        return self.outbound.read()

    def flush(self):
        data = self.pull()
        if data:
            self.sock.sendall(data)

    def fill(self):
        data = self.sock.recv(65536)
        if data:
            self.inbound.write(data)
        else:
            self.inbound.write_eof()

    def _loop(self, call, *args):
        while True:
            try:
                result = call(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self.flush()        # the alert
                raise

    def hello(self):
        """The ClientHello."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.pull()

    def handshake(self):
        self._loop(self.tls.do_handshake)
        return self

    def seal(self, data):
        """Records that carry DATA, not sent."""
        self.tls.write(data)
        return self.pull()

    def send(self, data):
        self.sock.sendall(self.seal(data) if data else b"")

    def recv(self, size=65536):
        """b"" after close_notify; ssl.SSLError for an alert or a bare FIN."""
        try:
            return self._loop(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""

    def read_exactly(self, size):
        return read_exactly(self, size)

    def read_all(self):
        return read_all(self)

    def close_notify(self):
        """Sends ours; doesn't wait for theirs. Reading goes on."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass
        self.flush()

    def close(self):
        self.sock.close()

    def version(self):
        return self.tls.version()


def client(port, ctx=None, host="127.0.0.1", name=NAME):
    """A connected TLS client after its handshake."""
    return Tls(connect(port, host), ctx, name).handshake()


def pair(ctx=None, **options):
    """Both ends of a sealed connection: the server's socket and the client."""
    sock = listener(**options)
    peer = client(port_of(sock), ctx)
    conn = accept(sock)
    sock.close()
    return conn, peer


def plain_pair():
    """Both ends of a plain TCP connection, of the same make."""
    sock = listener(sealed=False)
    peer = connect(port_of(sock))
    conn = accept(sock)
    sock.close()
    return conn, peer


VERSIONS = ("1.2", "1.3")


# --- programs ----------------------------------------------------------------------

class Child:
    """A function in a forked process; wait() returns its value or raises its error."""

    def __init__(self, function, *args):
        self.result, w = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(w)
            return
        os.close(self.result)
        try:
            value = (True, function(*args))
        except BaseException:
            value = (False, traceback.format_exc())
        with os.fdopen(w, "wb") as f:
            pickle.dump(value, f)
        sys.stderr.flush()
        os._exit(0)

    def wait(self):
        with os.fdopen(self.result, "rb") as f:
            good, value = pickle.load(f)
        os.waitpid(self.pid, 0)
        assert good, f"in the child:\n{value}"
        return value


class Program:
    """A program that runs beside the test, its output in a file."""

    def __init__(self, *command, **more):
        fd, self.log = tempfile.mkstemp(prefix="program-", dir=tmp)
        note("$ " + " ".join(command))
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", fd)
        self.process = subprocess.Popen(command, stderr=fd, **more)
        self.pid = self.process.pid
        os.close(fd)

    def output(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def wait(self, seconds=20):
        try:
            return self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; it said:\n{self.output()}") from None

    def until(self, pattern, seconds=20):
        """Waits for output that matches PATTERN, returns the match."""
        def look():
            found = re.search(pattern, self.output())
            assert found or self.process.poll() is None, \
                f"it ended with {self.process.returncode}:\n{self.output()}"
            return found
        try:
            return eventually(look, pattern, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; it said:\n{self.output()}") from None

    def listening(self, port, seconds=20):
        """Waits until something listens on PORT."""
        def look():
            assert self.process.poll() is None, \
                f"it ended with {self.process.returncode}:\n{self.output()}"
            return is_listening(port)
        eventually(look, f"port {port} listens", seconds)
        return self

    def stop(self, how=signal.SIGTERM):
        """Ends it, and by more of the same signal what `kseal run` waits for."""
        def ended():
            if self.process.poll() is None:
                self.process.send_signal(how)
            return self.process.poll() is not None
        eventually(ended, "it ends")
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            note(self.output())
        if self.process.poll() is None:
            self.stop()


def is_listening(port):
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as f:
            for line in f:
                fields = line.split()
                if fields[3] == "0A" and fields[1].endswith(f":{port:04X}"):
                    return True
    return False


def kseal_run(*command, options=(), **more):
    return Program(KSEAL, "run", "-v", *options, "--", *command, **more)


def helper(name):
    program = os.path.join(BIN, name)
    if not os.access(program, os.X_OK):
        raise Skip(f"{program} is not built")
    return program


def need_i386(call, way, port, expected):
    """Skips where system calls of the 32-bit ABI are not known, or trap."""
    done = run(helper("abi32"), call, way, str(port), stdin=subprocess.DEVNULL, check=False)
    if done.returncode == -signal.SIGSEGV or done.stdout.strip() == str(-errno.ENOSYS):
        raise Skip("this kernel has no 32-bit ABI")
    eq(done.returncode, 0, done.stdout)
    eq(done.stdout.strip(), str(expected))


# --- captures ------------------------------------------------------------------------

ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33


def _records(stream):
    """Splits a TCP stream into (type, payload); the rest is no record."""
    out = []
    while len(stream) >= 5:
        kind, version, length = struct.unpack("!BHH", stream[:5])
        if not 20 <= kind <= 23 or version not in (0x0301, 0x0302, 0x0303) or \
                length > 16384 + 2048 or len(stream) < 5 + length:
            break
        out.append((kind, stream[5:5 + length]))
        stream = stream[5 + length:]
    return out, stream


class Capture:
    """All that goes over lo from and to a port, while the block runs."""

    def __init__(self, port):
        self.port = port
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
        self.segments = {}      # (local, peer) ports -> {sequence number: payload}
        self.origin = {}        # the same -> first sequence number

    def __enter__(self):
        self.sock.bind(("lo", 3))       # ETH_P_ALL
        self.sock.settimeout(0.2)
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        while True:
            try:
                frame, address = self.sock.recvfrom(1 << 17)
            except TimeoutError:
                break
            if address[2] != PACKET_OUTGOING:
                self._take(frame[14:], address[1])
        dropped = struct.unpack("II", self.sock.getsockopt(263, 6, 8))[1]   # PACKET_STATISTICS
        self.sock.close()
        assert not dropped, f"the capture lost {dropped} packets"

    def _take(self, packet, protocol):
        if protocol == ETH_P_IP and packet[9] == socket.IPPROTO_TCP:
            total = struct.unpack("!H", packet[2:4])[0] or len(packet)
            tcp = packet[(packet[0] & 15) * 4:total]
        elif protocol == ETH_P_IPV6 and packet[6] == socket.IPPROTO_TCP:
            total = struct.unpack("!H", packet[4:6])[0] + 40
            tcp = packet[40:total if total > 40 else len(packet)]
        else:
            return
        source, target, sequence = struct.unpack("!HHI", tcp[:8])
        if self.port not in (source, target):
            return
        key = (source, target)
        if tcp[13] & 2:         # SYN
            self.origin[key] = (sequence + 1) & 0xFFFFFFFF
            sequence += 1
        payload = tcp[(tcp[12] >> 4) * 4:]
        if payload:
            self.segments.setdefault(key, []).append((sequence & 0xFFFFFFFF, payload))

    def streams(self):
        """{(source port, target port): bytes}, put together by sequence number."""
        out = {}
        for key, segments in self.segments.items():
            stream = bytearray()
            origin = self.origin[key]
            for sequence, payload in sorted(((s - origin) & 0xFFFFFFFF, p) for s, p in segments):
                assert sequence <= len(stream), f"the capture has a hole in {key}"
                stream[sequence:sequence + len(payload)] = payload
            out[key] = bytes(stream)
        return out

    def bytes_from_server(self):
        return b"".join(s for k, s in self.streams().items() if k[0] == self.port)

    def records(self):
        """{key: [(type, payload)]}; asserts that there is nothing else."""
        out = {}
        for key, stream in self.streams().items():
            out[key], rest = _records(stream)
            assert not rest, f"no TLS record in {key}: {rest[:40]!r}"
        return out
