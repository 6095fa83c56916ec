# SPDX-License-Identifier: GPL-2.0
"""Two network namespaces and two pairs of simulated cards between them:

    nic-a                                  nic-b
      nicsim0 10.77.0.1, fd77::1 --------- nicsim1 10.77.0.2, fd77::2
      nicsim2 10.77.1.1 ------------------ nicsim3 10.77.1.2

Sockets on them that have TLS 1.2 keys without a handshake, and what carries data
across and compares it."""

import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

TCP_ULP, SOL_TLS = 31, 282
TLS_TX, TLS_RX = 1, 2
TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE, ALERT = 1, 2, 21
KSEAL_INFO, KSEAL_OFFLOAD = 0x4B05, 0x4B08
AUTO, ON, OFF = 0, 1, 2
A, B = "nic-a", "nic-b"
HERE = os.path.dirname(os.path.abspath(__file__))
DEBUGFS = "/sys/kernel/debug/nicsim"
KNOBS = ("drop", "duplicate", "reorder", "corrupt", "forge", "partial", "refuse", "tx_fallback", "rx_sync",
         "no_cipher", "full")
DRIVER_REQ, NEXT_HINT, ASYNC = 0, 1, 2
RECORD = 16384

directory = "."     # where the modules are
libc = ctypes.CDLL(None, use_errno=True)
block = os.urandom(1 << 20)


class Skip(Exception):
    """This case does not apply here."""


def collect(cases):
    """@case, and @each for a case with every value of one parameter: they append to cases."""
    def case(function):
        cases.append((function.__name__, function))
        return function

    def each(**values):
        (name, options), = values.items()

        def decorate(function):
            for label, value in options.items():
                cases.append((f"{function.__name__} {label}", lambda ulp, v=value: function(ulp, **{name: v})))
            return function
        return decorate
    return case, each


def check(truth, *what):
    if not truth:
        raise AssertionError(*what)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r:.300}, wanted {wanted!r:.300}")


def eventually(truth, what, seconds=10):
    end = time.monotonic() + seconds
    while not truth():
        check(time.monotonic() < end, what() if callable(what) else what)
        time.sleep(0.02)


def sh(*command, quiet=True):
    return subprocess.run(command, check=True, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None).stdout


def inside(netns, function):
    """function() with this thread in a namespace."""
    with open(f"/run/netns/{netns}") as there, open("/proc/thread-self/ns/net") as here:
        check(libc.setns(there.fileno(), 0) == 0, "setns")
        try:
            return function()
        finally:
            check(libc.setns(here.fileno(), 0) == 0, "setns")


class Card:
    def __init__(self, name, netns):
        self.name, self.netns = name, netns

    def set(self, **knobs):
        for knob, value in knobs.items():
            with open(f"{DEBUGFS}/{self.name}/{knob}", "w") as f:
                f.write(str(value))

    def reset(self):
        self.set(**{k: 0 for k in KNOBS})

    def counters(self):
        with open(f"{DEBUGFS}/{self.name}/counters") as f:
            return {k: int(v) for k, v in (line.split() for line in f)}

    def tls(self, tx=None, rx=None):
        args = []
        for name, value in (("tls-hw-tx-offload", tx), ("tls-hw-rx-offload", rx)):
            if value is not None:
                args += [name, "on" if value else "off"]
        sh("ip", "netns", "exec", self.netns, "ethtool", "-K", self.name, *args)

    def queued(self):
        """Packets in its qdisc."""
        [qdisc, *_] = json.loads(sh("ip", "netns", "exec", self.netns, "tc", "-s", "-j", "qdisc", "show",
                                    "dev", self.name))
        return qdisc["qlen"]

    def link(self, state):
        sh("ip", "-n", self.netns, "link", "set", self.name, state)


class Since:
    """What a card has counted since."""

    def __init__(self, card):
        self.card, self.before = card, card.counters()

    def __getattr__(self, name):
        return self.card.counters()[name] - self.before[name]

    def __str__(self):
        now = self.card.counters()
        return " ".join(f"{k}={v - self.before[k]}" for k, v in now.items() if v != self.before[k])


CARDS = [Card("nicsim0", A), Card("nicsim1", B), Card("nicsim2", A), Card("nicsim3", B)]
a, b, a2, b2 = CARDS


def load(where, *modules):
    global directory
    directory = where
    subprocess.run(["modprobe", "-q", "tls"], check=False)
    for name in modules:
        sh("insmod", f"{where}/{name}.ko", *(["pairs=2"] if name == "kseal_nicsim" else []), quiet=False)


def settle():
    """The kernel patches its code when the first outgoing stream comes, and when the
    last one goes. QEMU's TCG can trip over that if another processor is just running
    there: have it done with, and keep it so. (tests/vm/guest does so for all guests
    with what is patched at the first connection.)"""
    link = Link("tls", "tls", address="10.77.1.2")
    time.sleep(0.2)
    return link


def set_up():
    for netns in (A, B):
        sh("ip", "netns", "add", netns)
        sh("ip", "-n", netns, "link", "set", "lo", "up")
    for n, card in enumerate(CARDS):
        sh("ip", "link", "set", card.name, "netns", card.netns)
        pair, end = n // 2, n % 2 + 1
        sh("ip", "-n", card.netns, "addr", "add", f"10.77.{pair}.{end}/24", "dev", card.name)
        if not pair:
            try:
                sh("ip", "-n", card.netns, "addr", "add", f"fd77::{end}/64", "dev", card.name, "nodad")
            except subprocess.CalledProcessError:
                pass
        card.link("up")
    for netns in (A, B):        # nothing of the lab's is to be dropped for another reason
        sh("ip", "netns", "exec", netns, "sysctl", "-q", "-w", "net.ipv4.tcp_no_metrics_save=1",
           "net.ipv4.conf.all.rp_filter=0", "net.ipv4.ip_forward=0")


def tear_down():
    for netns in (A, B):
        subprocess.run(["ip", "netns", "del", netns], check=False)


def reset():
    for card in CARDS:
        card.reset()
        card.link("up")
        card.tls(tx=True, rx=True)


def info(bits, key, seq=0):
    """struct tls12_crypto_info_aes_gcm_*"""
    material = (key * 100).encode()
    return (0x0303.to_bytes(2, sys.byteorder) + (51 if bits == 128 else 52).to_bytes(2, sys.byteorder) +
            material[:8] + material[8:8 + bits // 8] + material[50:54] + seq.to_bytes(8, "big"))


def stats(netns):
    """kseal's counters of a namespace."""
    out = sh("ip", "netns", "exec", netns, "cat", "/proc/net/kseal_stat")
    return {k: int(v) for k, v in (line.split() for line in out.splitlines())}


class Counted:
    """What kseal has counted since."""

    def __init__(self, netns):
        self.netns, self.before = netns, stats(netns)

    def __getitem__(self, name):
        return stats(self.netns)[name] - self.before[name]


class Link:
    """A connection from nic-a to nic-b. ulp: of each end; keys are set by key()."""

    def __init__(self, ulp_a, ulp_b, family=socket.AF_INET, bits=128, offload_a=None, offload_b=None,
                 start=True, address=None):
        self.bits = bits
        self.ulp = (ulp_a, ulp_b)
        address = address or ("10.77.0.2" if family == socket.AF_INET else "fd77::2")
        server = inside(B, lambda: socket.create_server((address, 0), family=family))
        port = server.getsockname()[1]
        self.a = inside(A, lambda: socket.create_connection((address, port), timeout=30))
        self.b = server.accept()[0]
        server.close()
        for s, ulp, offload in ((self.a, ulp_a, offload_a), (self.b, ulp_b, offload_b)):
            s.settimeout(60)
            s.setsockopt(socket.IPPROTO_TCP, TCP_ULP, ulp.encode())
            if offload is not None:
                s.setsockopt(SOL_TLS, KSEAL_OFFLOAD, offload)
        if start:
            self.key()

    def key(self):
        self.b.setsockopt(SOL_TLS, TLS_RX, info(self.bits, "a to b"))
        self.b.setsockopt(SOL_TLS, TLS_TX, info(self.bits, "b to a"))
        self.a.setsockopt(SOL_TLS, TLS_RX, info(self.bits, "b to a"))
        self.a.setsockopt(SOL_TLS, TLS_TX, info(self.bits, "a to b"))

    def close(self):
        self.a.close()
        self.b.close()

    def abort(self):
        for s in (self.a, self.b):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def conf_of(netns, which):
    """What inet_diag says of a socket: {"txconf": "hw", "rxconf": "sw"}."""
    words = sh("ss", "-N", netns, "-Htie", *which.split()).split()
    return {k: words[words.index(k + ":") + 1] for k in ("txconf", "rxconf") if k + ":" in words}


def conf(netns, sock):
    return conf_of(netns, f"sport = :{sock.getsockname()[1]}")


def retransmitted(sock):
    """Segments that TCP has sent again: tcpi_total_retrans."""
    return int.from_bytes(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[100:104], sys.byteorder)


INFO = struct.Struct("=IIHHHBB7Q64s256s256s1024s1024s32s256s4I")


def offload_of(sock):
    """The end of struct kseal_info: what the device does, the policy, its number."""
    buf, size = ctypes.create_string_buffer(INFO.size), ctypes.c_uint(INFO.size)
    check(not libc.getsockopt(sock.fileno(), SOL_TLS, KSEAL_INFO, buf, ctypes.byref(size)), ctypes.get_errno())
    equal(size.value, INFO.size)
    return INFO.unpack(buf.raw)[-4:-1]


def ifindex(card):
    return inside(card.netns, lambda: socket.if_nametoindex(card.name))


def kseal(netns, *args):
    """What kseal says in a namespace, as an object."""
    tool = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools", "kseal")
    return json.loads(sh("ip", "netns", "exec", netns, tool, *args, quiet=False))


def told(row):
    """Of an object of kseal's, who does the cryptography."""
    return {k: row.get(k) for k in ("tx_offload", "rx_offload", "offload_policy", "offload_device")}


class Flow(threading.Thread):
    """One direction: size bytes, compared as they come. write: bytes a call."""

    def __init__(self, source, sink, size, write=1 << 16, pause=None):
        super().__init__(daemon=True)
        self.source, self.sink, self.size, self.write, self.pause = source, sink, size, write, pause
        self.done, self.error, self.ending = 0, None, False
        self.sender = threading.Thread(target=self.send, daemon=True)

    def send(self):
        sent = 0
        try:
            while sent < self.size:
                at = sent % len(block)
                n = min(self.write, self.size - sent, len(block) - at)
                if self.ending:
                    self.size = sent + n
                self.source.sendall(memoryview(block)[at:at + n])
                sent += n
                if self.pause:
                    time.sleep(self.pause)
        except OSError as e:
            self.error = self.error or e

    def run(self):
        buf = bytearray(1 << 18)
        try:
            while self.done < self.size:
                n = self.sink.recv_into(buf, min(len(buf), self.size - self.done))
                check(n, "end of file")
                at, end = self.done % len(block), self.done % len(block) + n
                wanted = block[at:end] + block[:max(0, end - len(block))]
                check(buf[:n] == wanted, f"wrong bytes in {self.done}..{self.done + n}")
                self.done += n
        except (OSError, AssertionError) as e:
            self.error = self.error or e

    def begin(self):
        self.sender.start()
        self.start()
        return self

    def end(self):
        """With the next write, however much was to come."""
        self.ending = True

    def finish(self, seconds=120):
        self.join(seconds)
        if self.is_alive():
            raise AssertionError(f"{self.done} of {self.size} bytes after {seconds} s")
        if self.error:
            raise AssertionError(f"{self.error!r} after {self.done} of {self.size} bytes")
        self.sender.join(seconds)


def carry(link, size, back=None, **how):
    """size bytes from a to b, and as many (or back) from b to a at the same time."""
    back = size if back is None else back
    flows = [Flow(link.a, link.b, size, **how).begin()]
    if back:
        flows.append(Flow(link.b, link.a, back, **how).begin())
    for f in flows:
        f.finish()


def fails(function, *errnos):
    try:
        result = function()
    except OSError as e:
        check(e.errno in errnos, f"{e!r}, wanted {[errno.errorcode[n] for n in errnos]}")
        return
    raise AssertionError(f"no error but {result!r:.300}")
