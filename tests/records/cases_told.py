# SPDX-License-Identifier: GPL-2.0
"""What the agent and the tools are told, and tell: KSEAL_INFO, KSEAL_CMD_SOCKET_GET, KeyUpdates
on request, tickets, and how DONE wants a connection treated."""

import ctypes
import errno
import os
import select
import socket
import struct
import time

from cases_explicit import inq, readable, receive
from cases_sealed import FATAL, UNEXPECTED_MESSAGE, DECODE_ERROR, IDLE_RECORDS_MAX, WARNING, alert, is_dead
from peer import (ALERT, CLOSE_NOTIFY, DATA, HANDSHAKE, KEY_UPDATE, KEY_UPDATE_REQUEST, KSEAL_INFO, KSEAL_REKEY, SOL_TLS,
                  Agent, Suite, TLS12, case, case_once, case_tls13, check, connecting, connector, equal, explicit, fails,
                  forget_agent, sealed, stat)

SEALED, RESUMED, PEER_CERTIFICATE, EOF = 1, 2, 4, 8
NONE = 0xff
SERVER, EXPLICIT, CLIENT = 1, 2, 3
FORMAT = struct.Struct("=IIHHHBB7Q64s256s256s1024s1024s32s256s4I")
FIELDS = ("flags role tls_version tls_cipher group tx_alert rx_alert tx_records rx_records tx_bytes rx_bytes tx_rekeys "
          "rx_rekeys id profile server_name alpn peer_subject peer_names peer_fingerprint reason "
          "offload offload_policy offload_ifindex reserved").split()
TICKETS_MAX = 32
TICKET_MAX = 16384

TOLD = {Agent.A_ALPN: b"h2\0", Agent.A_GROUP: struct.pack("=H", 29), Agent.A_RESUMED: b"",
        Agent.A_PEER_SUBJECT: b"CN=peer\0", Agent.A_PEER_NAMES: b"DNS:a.test\0",
        Agent.A_PEER_FINGERPRINT: bytes(range(32))}


libc = ctypes.CDLL(None, use_errno=True)


def raw_info(sock, size):
    """Python asks for 1024 bytes at most."""
    buf, length = ctypes.create_string_buffer(b"\xaa" * size, size), ctypes.c_uint(size)
    check(not libc.getsockopt(sock.fileno(), SOL_TLS, KSEAL_INFO, buf, ctypes.byref(length)), ctypes.get_errno())
    equal(buf.raw[length.value:], b"\xaa" * (size - length.value))
    return buf.raw[:length.value]


def info(sock):
    raw = raw_info(sock, 4096)
    equal(len(raw), FORMAT.size)
    return {k: v.rstrip(b"\0") if isinstance(v, bytes) else v for k, v in zip(FIELDS, FORMAT.unpack(raw))}


def has(sock, **wanted):
    got = info(sock)
    equal({k: got[k] for k in wanted}, wanted)


@case
def info_tells_what_there_is(suite):
    sock, server = connecting()
    has(sock, flags=0, role=CLIENT, tls_version=0, tls_cipher=0, tx_alert=NONE, rx_alert=NONE, profile=b"default",
        server_name=b"a.test", reason=b"")
    reply, proxy = Agent.get().take()
    Agent.get().done(reply, errno.EKEYREJECTED, {Agent.A_REASON: b"the certificate is for b.test\0"})
    has(sock, flags=0, role=CLIENT, tls_version=0, reason=b"the certificate is for b.test")

    cipher = 51 if suite.bits == 128 else 52
    sock, peer = connector(suite, told=TOLD)
    sock.send(b"12345")
    peer.record()
    peer.send(b"abc")
    equal(sock.recv(10), b"abc")
    common = {"tls_version": suite.version, "tls_cipher": cipher, "group": 29, "alpn": b"h2",
              "peer_subject": b"CN=peer", "peer_names": b"DNS:a.test", "peer_fingerprint": bytes(range(32)),
              "tx_records": 1, "rx_records": 1, "tx_bytes": 5, "rx_bytes": 3, "tx_rekeys": 0, "rx_rekeys": 0}
    has(sock, flags=SEALED | RESUMED | PEER_CERTIFICATE, role=CLIENT, server_name=b"a.test", profile=b"default",
        reason=b"", **common)
    shown = [s for s in Agent.get().dump(Agent.SOCKET_GET)
             if s[Agent.A_ID] == info(sock)["id"].to_bytes(8, "little")]
    equal(len(shown), 1)
    for attribute, value in {**TOLD, Agent.A_ROLE: struct.pack("=I", CLIENT), Agent.A_SERVER_NAME: b"a.test\0",
                             Agent.A_UID: struct.pack("=I", os.getuid())}.items():
        equal(shown[0][attribute], value)
    check(Agent.A_TX_ALERT not in shown[0] and Agent.A_RX_ALERT not in shown[0])
    peer.send(CLOSE_NOTIFY, ALERT)
    equal(sock.recv(1), b"")
    check(info(sock)["flags"] & EOF)
    equal(raw_info(sock, 8), struct.pack("=II", info(sock)["flags"], CLIENT))

    sock, peer = sealed(suite, told={**TOLD, Agent.A_SERVER_NAME: b"sni.test\0"})
    has(sock, role=SERVER, server_name=b"sni.test", **{**common, **{k: 0 for k in common if "x_" in k}})
    sock, peer = sealed(suite)
    has(sock, flags=SEALED, server_name=b"", alpn=b"", group=0, peer_fingerprint=b"")
    sock, peer = explicit(suite)
    has(sock, flags=0, role=EXPLICIT, tls_version=suite.version, profile=b"", offload=0, offload_policy=0,
        offload_ifindex=0, reserved=0)
    equal(len(raw_info(sock, FORMAT.size - 16)), FORMAT.size - 16)      # a caller of before there was offload


@case
def alerts_are_told(suite):
    sock, peer = sealed(suite)
    peer.send(bytes([FATAL, 40]), ALERT)
    is_dead(sock, errno.ECONNABORTED)
    has(sock, tx_alert=NONE, rx_alert=40)
    shown = [s for s in Agent.get().dump(Agent.SOCKET_GET) if Agent.A_RX_ALERT in s]
    equal([s[Agent.A_RX_ALERT] for s in shown], [b"\x28"])
    sock, peer = sealed(suite)
    peer.sock.sendall(b"\x17\3\3\0\x40" + bytes(64))
    is_dead(sock)
    has(sock, tx_alert=20, rx_alert=NONE)
    sock, peer = sealed(suite)
    peer.send(CLOSE_NOTIFY, ALERT)
    equal(sock.recv(1), b"")
    sock.shutdown(socket.SHUT_WR)
    has(sock, tx_alert=NONE, rx_alert=NONE)


def fill(sock):
    """Returns what went in before nothing more did."""
    sent = full = 0
    while full < 5:
        try:
            sent += sock.send(b"z" * 100000)
            full = 0
        except BlockingIOError:
            full += 1
            time.sleep(0.1)
    return sent


@case
def keys_change_on_request(suite):
    sock, peer = connector(suite)
    both, own = struct.pack("=I", 1), struct.pack("=I", 0)
    if not suite.tls13:
        fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_REKEY, own), errno.EOPNOTSUPP)
        return
    for bad in (b"", b"\0", struct.pack("=I", 2)):
        fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_REKEY, bad), errno.EINVAL)
    for _ in range(3):
        sock.setsockopt(SOL_TLS, KSEAL_REKEY, own)
        peer.take_update()
        sock.setsockopt(SOL_TLS, KSEAL_REKEY, both)
        equal(peer.record(), (HANDSHAKE, KEY_UPDATE_REQUEST))
        peer.rx.update()
        peer.update()
        sock.send(b"x")
        equal(peer.record(), (DATA, b"x"))
        peer.send(b"y")
        equal(sock.recv(1), b"y")
    has(sock, tx_rekeys=6, rx_rekeys=3)

    def rekey(id_, whose):
        Agent.get().call(Agent.get().family, Agent.REKEY, {Agent.A_ID: id_.to_bytes(8, "little"), Agent.A_REKEY: whose})
    rekey(info(sock)["id"], own)
    peer.take_update()
    fails(lambda: rekey(1 << 60, own), errno.ENOENT)
    fails(lambda: rekey(info(sock)["id"], struct.pack("=I", 2)), errno.ERANGE, errno.EINVAL)
    # A peer that does not read gets none, before there is room again.
    sock.setblocking(False)
    fill(sock)
    for _ in range(100):
        sock.setsockopt(SOL_TLS, KSEAL_REKEY, both)
    sock.shutdown(socket.SHUT_WR)
    updates = 0
    while True:
        record = peer.record()
        if not record or record[0] == ALERT:
            break
        if record[0] == HANDSHAKE:
            equal(record[1], KEY_UPDATE_REQUEST)
            peer.rx.update()
            updates += 1
    check(updates <= 1, updates)
    fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_REKEY, own), errno.EPIPE)
    sock, peer = sealed(suite, secrets=False)
    fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_REKEY, own), errno.EOPNOTSUPP)
    sock, _ = connecting()
    fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_REKEY, own), errno.ENOTCONN)


@case_tls13
def one_key_update_is_asked_for_at_a_time(suite):
    """RFC 9846 section 4.7.3; and an answer does not ask (RFC 8446 section 4.6.3)."""
    sock, peer = connector(suite)
    both = struct.pack("=I", 1)

    def takes(update):
        equal(peer.record(), (HANDSHAKE, update))
        peer.rx.update()
    for _ in range(2):
        for update in (KEY_UPDATE_REQUEST, KEY_UPDATE, KEY_UPDATE):
            sock.setsockopt(SOL_TLS, KSEAL_REKEY, both)
            takes(update)
        peer.update()
        peer.send(b"x")
        equal(sock.recv(10), b"x")
    # We wish to ask, but have no room; then the peer does.
    sock.setblocking(False)
    sent = fill(sock)
    sock.setsockopt(SOL_TLS, KSEAL_REKEY, both)
    sock.setblocking(True)
    peer.update(request=True)
    peer.send(b"y")
    equal(sock.recv(10), b"y")
    got, updates = 0, []
    while got <= sent:
        if got == sent:
            sock.send(b"y")
        type_, content = peer.record()
        if type_ == HANDSHAKE:
            updates.append(content)
            peer.rx.update()
        else:
            got += len(content)
    equal(updates, [KEY_UPDATE])


def ticket(n, size=100):
    return b"\4" + (size - 4).to_bytes(3, "big") + bytes([n & 255]) * (size - 4)


@case_tls13
def tickets_go_to_the_agent(suite):
    sock, peer = connector(suite)
    agent, id_ = Agent.get(), info(sock)["id"].to_bytes(8, "little")
    agent.take_tickets()

    def after(*records):
        for record in records:
            peer.send(record, HANDSHAKE)
        peer.send(b"x")
        equal(sock.recv(10), b"x")
        return agent.take_tickets()
    a, b, c = ticket(1), ticket(2, 5000), ticket(3, TICKET_MAX)
    equal(after(a), [(id_, a)])
    equal(after(a + b, c), [(id_, a), (id_, b), (id_, c)])
    # in pieces, of any size
    for cut in (1, 3, 4, 5, 99):
        equal(after(a[:cut], a[cut:] + b), [(id_, a), (id_, b)])
    equal(after(*[bytes([x]) for x in ticket(7, 30)]), [(id_, ticket(7, 30))])
    # too large for the agent: passed over
    equal(after(ticket(4, TICKET_MAX + 1)[:9000], ticket(4, TICKET_MAX + 1)[9000:] + a), [(id_, a)])
    # a KeyUpdate may end the record
    peer.send(a + KEY_UPDATE_REQUEST, HANDSHAKE)
    peer.tx.update()
    equal(after(b), [(id_, a), (id_, b)])
    peer.take_update()
    sock.send(b"y")
    equal(peer.record(), (DATA, b"y"))


@case_tls13
def a_ticket_alone_is_not_readable(suite):
    sock, peer = connector(suite)
    sock.setblocking(True)
    Agent.get().take_tickets()
    peer.send(ticket(1), HANDSHAKE)
    check(not readable(sock, 0.1))
    equal(inq(sock), 0)
    equal(len(Agent.get().take_tickets()), 1)


@case_tls13
def tickets_are_limited(suite):
    sock, peer = connector(suite)
    Agent.get().take_tickets()
    got = 0
    for i in range(TICKETS_MAX + 10):
        peer.send(ticket(i), HANDSHAKE)
        peer.send(b"x")
        equal(sock.recv(10), b"x")
        got += len(Agent.get().take_tickets())
    equal(got, TICKETS_MAX)
    for i in range(IDLE_RECORDS_MAX + 1):
        peer.send(ticket(i), HANDSHAKE)
    is_dead(sock)
    equal(peer.record(), alert(UNEXPECTED_MESSAGE))


@case_tls13
def tickets_without_their_worker_are_dropped(suite):
    sock, peer = connector(suite)
    forget_agent()
    agent = Agent.get()
    peer.send(ticket(1), HANDSHAKE)
    peer.send(b"x")
    equal(sock.recv(10), b"x")
    equal(agent.take_tickets(), [])


@case_tls13
def what_a_server_may_not_send_is_refused(suite):
    a = ticket(1)
    for records, description in (
            ([(HANDSHAKE, b"")], UNEXPECTED_MESSAGE), ([(HANDSHAKE, b"\4\0\0\0")], DECODE_ERROR),
            ([(HANDSHAKE, b"\x0d\0\0\1\0")], UNEXPECTED_MESSAGE), ([(HANDSHAKE, b"\0\0\0\0")], UNEXPECTED_MESSAGE),
            ([(HANDSHAKE, KEY_UPDATE + a)], UNEXPECTED_MESSAGE), ([(HANDSHAKE, KEY_UPDATE * 2)], UNEXPECTED_MESSAGE),
            ([(HANDSHAKE, b"\x18\0\0\0")], DECODE_ERROR), ([(HANDSHAKE, b"\x18\0\0\2\0\0")], DECODE_ERROR),
            # nothing between the parts of a message
            ([(HANDSHAKE, a[:50]), (DATA, b"x")], UNEXPECTED_MESSAGE),
            ([(HANDSHAKE, a[:50]), (DATA, b"x" * 5000)], UNEXPECTED_MESSAGE),
            ([(HANDSHAKE, a[:2]), (DATA, b"")], UNEXPECTED_MESSAGE),
            ([(20, b"\1")], UNEXPECTED_MESSAGE)):
        sock, peer = connector(suite)
        peer.send(b"ok")
        for type_, content in records:
            peer.send(content, type_)
        equal(receive(sock, 2), b"ok")
        is_dead(sock)
        equal(peer.record(), alert(description))


@case
def a_hello_request_is_declined(suite):
    """RFC 5246 section 7.4.1.1: no_renegotiation."""
    if suite.tls13:
        suite = Suite(TLS12, suite.bits)
    sock, peer = connector(suite)
    for _ in range(3):
        peer.send(bytes(4), HANDSHAKE)
        peer.send(b"x")
        equal(sock.recv(1), b"x")
        equal(peer.record(), (ALERT, bytes([WARNING, 100])))
    sock.send(b"y")
    equal(peer.record(), (DATA, b"y"))
    has(sock, tx_alert=NONE)
    for bad in (bytes(5), b"\1\0\0\0", bytes(8)):
        sock, peer = connector(suite)
        peer.send(bad, HANDSHAKE)
        is_dead(sock)
        equal(peer.record(), alert(UNEXPECTED_MESSAGE))


@case
def truncation_may_be_tolerated(suite):
    tolerant = {Agent.A_TOLERATE_TRUNCATION: b""}
    for make in (sealed, connector):
        before = stat("KsealTruncated")
        sock, peer = make(suite, told=tolerant)
        peer.send(b"data")
        peer.sock.shutdown(socket.SHUT_WR)
        equal(sock.recv(100), b"data")
        for _ in range(3):
            equal(sock.recv(10), b"")
        check(not info(sock)["flags"] & EOF)
        equal(stat("KsealTruncated"), before + 1)
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLRDHUP)
        equal(poll.poll(0)[0][1], select.POLLIN | select.POLLRDHUP)
        sock.send(b"still")
        equal(peer.data(5), b"still")
        # A record that is cut is never an end, nor is a reset.
        sock, peer = make(suite, told=tolerant)
        peer.sock.sendall(peer.tx.seal(b"data")[:-1])
        peer.sock.shutdown(socket.SHUT_WR)
        fails(lambda: sock.recv(10), errno.ECONNRESET)
        sock, peer = make(suite, told=tolerant)
        peer.send(b"data")
        peer.reset()
        equal(sock.recv(10), b"data")
        fails(lambda: sock.recv(10), errno.ECONNRESET)


@case
def a_preamble_is_read_first(suite):
    for size in (1, 100, 4096):
        preamble = os.urandom(size)
        told = {Agent.A_PREAMBLE: preamble}
        sock, peer = sealed(suite, told=told)
        check(readable(sock))
        equal(inq(sock), size)
        equal(sock.recv(10000, socket.MSG_PEEK), preamble)
        peer.send(b"after")
        check(peer_has_come(sock, size + 5))
        equal(sock.recv(10000, socket.MSG_PEEK), preamble + b"after")
        equal(sock.recv(1), preamble[:1])
        equal(receive(sock, size + 4), preamble[1:] + b"after")
        has(sock, rx_bytes=5)
        # by splice()
        sock, peer = sealed(suite, told=told)
        left, right = os.pipe()
        equal(os.splice(sock.fileno(), right, 10000), size)
        equal(os.read(left, 10000), preamble)
        os.close(left)
        os.close(right)
        # SO_RCVLOWAT counts it
        sock, peer = sealed(suite, told=told)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size + 3)
        check(not readable(sock))
        peer.send(b"abc")
        check(readable(sock, 5))
        equal(sock.recv(10000), preamble + b"abc")
        # and it is not lost when nothing follows
        sock, peer = sealed(suite, told=told)
        peer.send(CLOSE_NOTIFY, ALERT)
        equal(receive(sock, size), preamble)
        equal(sock.recv(1), b"")


def peer_has_come(sock, size):
    return any(readable(sock, 0.05) and inq(sock) == size for _ in range(100))


@case_once
def a_client_gets_no_preamble(suite):
    sock, server = connecting()
    reply, proxy = Agent.get().take()
    fails(lambda: Agent.get().done(reply, 0, {Agent.A_PREAMBLE: b"x"}), errno.EINVAL)
    equal(sock.connect_ex(server.getsockname()), errno.ECONNABORTED)
