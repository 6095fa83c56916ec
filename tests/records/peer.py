# SPDX-License-Identifier: GPL-2.0
"""The other side of a connection, down to the single byte of a record: keys, sealing
and opening with OpenSSL's libcrypto, and three ways to get a kseal socket that uses
the same keys: the explicit mode, and a sealed listener or connector with this process
as its agent, which skips the handshake."""

import ctypes
import errno
import hashlib
import hmac
import os
import select
import socket
import struct
import time

TCP_ULP = 31
SOL_TLS = 282
TLS_TX, TLS_RX = 1, 2
TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE = 1, 2
KSEAL_PROFILE, KSEAL_TX_SECRET, KSEAL_RX_SECRET, KSEAL_SERVER_NAME, KSEAL_INFO, KSEAL_REKEY = range(0x4B01, 0x4B07)
KSEAL_RX_MAX_PAYLOAD_LEN = 0x4B07
FIONREAD, TIOCOUTQ = 0x541B, 0x5411

TLS12, TLS13 = 0x0303, 0x0304
ALERT, HANDSHAKE, DATA = 21, 22, 23
MAX_PLAINTEXT = 16384
GCM_RECORDS = 23726566          # RFC 8446 section 5.5

CLOSE_NOTIFY = b"\1\0"
KEY_UPDATE = b"\x18\0\0\1\0"
KEY_UPDATE_REQUEST = b"\x18\0\0\1\1"


class Skip(Exception):
    """This case does not apply here."""


class Suite:
    """A version and a cipher."""

    def __init__(self, version, bits):
        self.version, self.bits = version, bits
        self.tls13 = version == TLS13
        self.hash = hashlib.sha256 if bits == 128 else hashlib.sha384

    def __str__(self):
        return f"{'tls13' if self.tls13 else 'tls12'}, aes{self.bits}"


ALL = [Suite(v, b) for v in (TLS12, TLS13) for b in (128, 256)]
ONLY_TLS12 = [s for s in ALL if not s.tls13]
ONLY_TLS13 = [s for s in ALL if s.tls13]

cases = []


def case(function):
    """A test of every suite."""
    cases.append((function, ALL))
    return function


def case_tls12(function):
    cases.append((function, ONLY_TLS12))
    return function


def case_tls13(function):
    cases.append((function, ONLY_TLS13))
    return function


def case_once(function):
    """A test that the cipher makes no difference to."""
    cases.append((function, ONLY_TLS13[:1]))
    return function


def check(truth, *what):
    if not truth:
        raise AssertionError(*what)


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.300}, wanted {wanted!r:.300}")


def fails(function, *errnos):
    """function() ends with one of these."""
    try:
        result = function()
    except OSError as e:
        check(e.errno in errnos, f"{e!r}, wanted {[errno.errorcode[n] for n in errnos]}")
        return
    raise AssertionError(f"no error but {result!r:.300}")


def eventually(truth, what, seconds=5):
    end = time.monotonic() + seconds
    while not truth():
        check(time.monotonic() < end, what)
        time.sleep(0.01)


# AES-GCM

def _libcrypto():
    for name in ("libcrypto.so.3", "libcrypto.so.1.1"):
        try:
            lib = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise Skip("no libcrypto")
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_256_gcm"):
        getattr(lib, name).restype = ctypes.c_void_p
    return lib


class BadTag(Exception):
    pass


class Gcm:
    lib = None
    GET_TAG, SET_TAG = 0x10, 0x11

    def __init__(self, key):
        Gcm.lib = Gcm.lib or _libcrypto()
        cipher = Gcm.lib.EVP_aes_128_gcm if len(key) == 16 else Gcm.lib.EVP_aes_256_gcm
        self.cipher = ctypes.c_void_p(cipher())
        self.key = key
        self.ctx = ctypes.c_void_p(Gcm.lib.EVP_CIPHER_CTX_new())

    def __del__(self):
        Gcm.lib.EVP_CIPHER_CTX_free(self.ctx)

    def _run(self, seal, nonce, aad, data):
        lib, n = Gcm.lib, ctypes.c_int()
        out = ctypes.create_string_buffer(len(data) + 16)
        check(lib.EVP_CipherInit_ex(self.ctx, self.cipher, None, self.key, nonce, seal) == 1)
        check(lib.EVP_CipherUpdate(self.ctx, None, ctypes.byref(n), aad, len(aad)) == 1)
        check(lib.EVP_CipherUpdate(self.ctx, out, ctypes.byref(n), data, len(data)) == 1)
        return out.raw[:len(data)]

    def seal(self, nonce, aad, data):
        out, n = self._run(1, nonce, aad, data), ctypes.c_int()
        tag = ctypes.create_string_buffer(16)
        check(Gcm.lib.EVP_CipherFinal_ex(self.ctx, tag, ctypes.byref(n)) == 1)
        check(Gcm.lib.EVP_CIPHER_CTX_ctrl(self.ctx, Gcm.GET_TAG, 16, tag) == 1)
        return out + tag.raw

    def open(self, nonce, aad, data):
        out, n = self._run(0, nonce, aad, data[:-16]), ctypes.c_int()
        check(Gcm.lib.EVP_CIPHER_CTX_ctrl(self.ctx, Gcm.SET_TAG, 16, data[-16:]) == 1)
        if Gcm.lib.EVP_CipherFinal_ex(self.ctx, ctypes.create_string_buffer(16), ctypes.byref(n)) != 1:
            raise BadTag
        return out


# Keys and records: RFC 8446 sections 5 and 7, RFC 5246 section 6.2, RFC 5288

def expand_label(hash_, secret, label, length):
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + b"\0\1"
    return hmac.new(secret, info, hash_).digest()[:length]


class Direction:
    """The keys of one direction. @seq is the number of the next record."""

    def __init__(self, suite, seq=0):
        self.suite, self.seq = suite, seq
        self.secret = os.urandom(suite.hash().digest_size)
        self.explicit = int.from_bytes(os.urandom(8), "big")
        self._derive()

    def _derive(self):
        s = self.suite
        self.key = expand_label(s.hash, self.secret, b"key", s.bits // 8)
        self.iv = expand_label(s.hash, self.secret, b"iv", 12)
        self.gcm = Gcm(self.key)

    def update(self):
        """KeyUpdate"""
        self.secret = expand_label(self.suite.hash, self.secret, b"traffic upd", len(self.secret))
        self.seq = 0
        self._derive()

    def crypto_info(self):
        """struct tls12_crypto_info_aes_gcm_*"""
        iv = self.iv[4:] if self.suite.tls13 else self.explicit.to_bytes(8, "big")
        return (struct.pack("=HH", self.suite.version, 51 if self.suite.bits == 128 else 52) +
                iv + self.key + self.iv[:4] + self.seq.to_bytes(8, "big"))

    def _nonce(self):
        return (int.from_bytes(self.iv, "big") ^ self.seq).to_bytes(12, "big")

    def seal(self, content, type_=DATA, padding=0):
        if self.suite.tls13:
            return self.seal_inner(content + bytes([type_]) + bytes(padding))
        explicit = self.explicit.to_bytes(8, "big")
        self.explicit = (self.explicit + 1) % 2**64
        aad = self.seq.to_bytes(8, "big") + struct.pack(">BHH", type_, TLS12, len(content))
        body = explicit + self.gcm.seal(self.iv[:4] + explicit, aad, content)
        self.seq += 1
        return struct.pack(">BHH", type_, TLS12, len(body)) + body

    def seal_inner(self, inner):
        """A TLSInnerPlaintext, whatever is in it."""
        header = struct.pack(">BHH", DATA, TLS12, len(inner) + 16)
        record = header + self.gcm.seal(self._nonce(), header, inner)
        self.seq += 1
        return record

    def open(self, record):
        """Returns content type and content."""
        header, body = record[:5], record[5:]
        type_, version, length = struct.unpack(">BHH", header)
        equal((version, length), (TLS12, len(body)))
        if self.suite.tls13:
            equal(type_, DATA)
            inner = self.gcm.open(self._nonce(), header, body).rstrip(b"\0")
            type_, content = inner[-1], inner[:-1]
        else:
            aad = self.seq.to_bytes(8, "big") + header[:3] + struct.pack(">H", len(body) - 24)
            content = self.gcm.open(self.iv[:4] + body[:8], aad, body[8:])
        self.seq += 1
        return type_, content


class Peer:
    """A plain socket, and the keys of both directions."""

    def __init__(self, sock, tx, rx):
        self.sock, self.tx, self.rx, self.buf = sock, tx, rx, b""

    def record(self):
        """The next record: type and content; None at the end of the stream."""
        while len(self.buf) < 5 or len(self.buf) < 5 + int.from_bytes(self.buf[3:5], "big"):
            got = self.sock.recv(1 << 16)
            if not got:
                equal(self.buf, b"")
                return None
            self.buf += got
        n = 5 + int.from_bytes(self.buf[3:5], "big")
        record, self.buf = self.buf[:n], self.buf[n:]
        return self.rx.open(record)

    def data(self, length):
        """That much application data and not a byte more."""
        out = b""
        while len(out) < length:
            record = self.record()
            check(record and record[0] == DATA, f"{record!r:.100} after {len(out)} of {length} bytes")
            out += record[1]
        equal(len(out), length)
        return out

    def send(self, content, type_=DATA, padding=0):
        self.sock.sendall(self.tx.seal(content, type_, padding))

    def update(self, request=False):
        self.send(KEY_UPDATE_REQUEST if request else KEY_UPDATE, HANDSHAKE)
        self.tx.update()

    def take_update(self):
        equal(self.record(), (HANDSHAKE, KEY_UPDATE))
        self.rx.update()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def ends(self):
        equal(self.record(), None)

    def ends_with(self, *records):
        for record in records:
            equal(self.record(), record)
        self.ends()


# Connections

def listener(family=socket.AF_INET, rcvbuf=None):
    sock = socket.socket(family)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    return sock


def tcp(family=socket.AF_INET, rcvbuf=None):
    with listener(family, rcvbuf) as l:
        l.listen()
        client = socket.create_connection(l.getsockname()[:2])
        return client, l.accept()[0]


def ulp(sock):
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"kseal")


def push_keys(sock, tx, rx, secrets, rx_max=None):
    sock.setsockopt(SOL_TLS, TLS_TX, tx.crypto_info())
    sock.setsockopt(SOL_TLS, TLS_RX, rx.crypto_info())
    if rx_max:
        sock.setsockopt(SOL_TLS, KSEAL_RX_MAX_PAYLOAD_LEN, struct.pack("H", rx_max))
    if secrets and tx.suite.tls13:
        sock.setsockopt(SOL_TLS, KSEAL_TX_SECRET, tx.secret)
        sock.setsockopt(SOL_TLS, KSEAL_RX_SECRET, rx.secret)


def _ready(sock, client, tx, rx):
    sock.settimeout(30)
    client.settimeout(30)
    return sock, Peer(client, rx, tx)


def explicit(suite, secrets=False, seq=0, rcvbuf=None):
    """A socket keyed by its application, and its peer. @seq: of its first record."""
    client, sock = tcp(rcvbuf=rcvbuf)
    tx, rx = Direction(suite, seq), Direction(suite)
    ulp(sock)
    push_keys(sock, tx, rx, secrets)
    return _ready(sock, client, tx, rx)


def sealed(suite, secrets=True, seq=0, rcvbuf=None, family=socket.AF_INET, accept=None, told=None, rx_max=None):
    """A socket accepted from a sealed listener, and its peer. @accept: how. @told: more of DONE's attributes.
    @rx_max: limit on the records that it takes."""
    agent = Agent.get()
    with listener(family, rcvbuf) as l:
        ulp(l)
        l.listen()
        taken = accept(l) if accept else lambda: l.accept()[0]
        client = socket.create_connection(l.getsockname()[:2])
        tx, rx = Direction(suite, seq), Direction(suite)
        agent.serve(lambda proxy: push_keys(proxy, tx, rx, secrets, rx_max), told)
        sock = taken()
    return _ready(sock, client, tx, rx)


def armed(family=socket.AF_INET, name=b"a.test", blocking=False):
    """A socket that will be a connector."""
    sock = socket.socket(family)
    ulp(sock)
    if name:
        sock.setsockopt(SOL_TLS, KSEAL_SERVER_NAME, name)
    sock.setblocking(blocking)
    return sock


def connecting(family=socket.AF_INET, sock=None):
    """A connector whose handshake waits for its agent, and the other end."""
    sock = sock or armed(family)
    with listener(family) as l:
        l.listen()
        equal(sock.connect_ex(l.getsockname()), errno.EINPROGRESS)
        return sock, l.accept()[0]


def connector(suite, secrets=True, seq=0, family=socket.AF_INET, told=None):
    """A sealed connector, and its peer, the server."""
    agent = Agent.get()
    sock, server = connecting(family)
    tx, rx = Direction(suite, seq), Direction(suite)
    agent.serve(lambda proxy: push_keys(proxy, tx, rx, secrets), told)
    check(select.select([], [sock], [], 5)[1], "not writable")
    equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
    return _ready(sock, server, tx, rx)


class Agent:
    """As much of an agent as it takes: include/uapi/linux/kseal.h."""

    NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 16, 3
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
    REGISTER, READY, ACCEPT, DONE = 1, 2, 3, 4
    SOCKET_GET, REKEY, TICKET = 9, 10, 11
    (A_ID, A_FD, A_ROLE, A_PROFILE, A_SERVER_NAME, A_LOCAL, A_PEER, A_TIMEOUT, A_UID, A_GID, A_STATUS, A_ALPN,
     A_RESUMED, A_PEER_SUBJECT, A_PEER_NAMES, A_PEER_FINGERPRINT) = range(2, 18)
    (A_GROUP, A_REASON, A_TOLERATE_TRUNCATION, A_PREAMBLE, A_MESSAGE, A_REKEY, A_TX_ALERT, A_RX_ALERT) = range(35, 43)
    NLMSG_ERROR, NLMSG_DONE, NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 2, 3, 1, 4, 0x300
    one = None

    @classmethod
    def get(cls):
        cls.one = cls.one or cls()
        return cls.one

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self.NETLINK_GENERIC)
        self.sock.bind((0, 0))
        self.seq = 0
        self.tickets = []
        reply = self.call(self.GENL_ID_CTRL, self.CTRL_CMD_GETFAMILY,
                          {self.CTRL_ATTR_FAMILY_NAME: b"kseal\0"})
        self.family = int.from_bytes(reply[self.CTRL_ATTR_FAMILY_ID], "little")
        self.call(self.family, self.REGISTER, {})

    @staticmethod
    def attributes(message):
        found = {}
        while len(message) >= 4:
            n, attribute = struct.unpack_from("HH", message)
            found[attribute & 0x3FFF] = message[4:n]
            message = message[(n + 3) // 4 * 4:]
        return found

    def call(self, family, command, attributes, flags=NLM_F_ACK):
        """Returns the last answer's attributes; in a list, those of a dump's."""
        dump = [] if flags & self.NLM_F_DUMP else None
        self.seq += 1
        body = bytes([command, 1, 0, 0])
        for type_, value in attributes.items():
            body += struct.pack("HH", 4 + len(value), type_) + value + bytes(-len(value) % 4)
        self.sock.send(struct.pack("IHHII", 16 + len(body), family,
                                   self.NLM_F_REQUEST | flags, self.seq, 0) + body)
        reply = {}
        while True:
            data = self.sock.recv(1 << 16)
            while data:
                length, type_, _, seq, _ = struct.unpack_from("IHHII", data)
                message, data = data[16:length], data[(length + 3) // 4 * 4:]
                if seq != self.seq:
                    self.notice(message)
                    continue
                if type_ == self.NLMSG_DONE:
                    return dump
                if type_ == self.NLMSG_ERROR:
                    code = -struct.unpack_from("i", message)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return reply
                reply.update(self.attributes(message[4:]))
                if dump is not None:
                    dump.append(self.attributes(message[4:]))

    def notice(self, message):
        if message[0] == self.TICKET:
            ticket = self.attributes(message[4:])
            self.tickets.append((ticket[self.A_ID], ticket[self.A_MESSAGE]))

    def take_tickets(self):
        """Those that have come."""
        while select.select([self.sock], [], [], 0)[0]:
            self.notice(self.sock.recv(1 << 16)[16:])
        tickets, self.tickets = self.tickets, []
        return tickets

    def dump(self, command):
        return self.call(self.family, command, {}, self.NLM_F_DUMP)

    def take(self):
        """The oldest waiting connection: what ACCEPT says of it, and the proxy."""
        reply = {}

        def accepted():
            try:
                reply.update(self.call(self.family, self.ACCEPT, {}))
            except BlockingIOError:
                return False
            return True
        eventually(accepted, "no connection to serve")
        return reply, socket.socket(fileno=int.from_bytes(reply[self.A_FD], "little"))

    def done(self, reply, status=0, told=None):
        self.call(self.family, self.DONE, {self.A_ID: reply[self.A_ID], self.A_STATUS: status.to_bytes(4, "little"),
                                           **(told or {})})

    def serve(self, push, told=None):
        """Take the oldest waiting connection, give it its keys, hand it on."""
        reply, proxy = self.take()
        with proxy:
            push(proxy)
            self.done(reply, 0, told)
        return reply


def forget_agent():
    if Agent.one:
        Agent.one.sock.close()
    Agent.one = None


def stat(name):
    """A counter of /proc/net/kseal_stat."""
    with open("/proc/net/kseal_stat") as f:
        return {line.split()[0]: int(line.split()[1]) for line in f}[name]
