# SPDX-License-Identifier: GPL-2.0
"""Connections that never become sealed: whoever they come from, the server sees
nothing of them and they see nothing of the server."""

import contextlib
import errno
import os
import select
import socket
import ssl
import time

import harness
from harness import (NAME, VERSIONS, Capture, Child, Thread, Tls, accept, accepts_nothing, arm, client,
                     connect, context, counted, eq, eventually, listener, listeners_of, parameters,
                     port_of, raises, reset, status, test)

SECRET = b"a plaintext that must never arrive"


def pending(port):
    return [e for e in status()["handshakes"] if e["local"].endswith(f":{port}")]


def still_serves(sock):
    """The listener seals the next good client, and nothing is left of the others."""
    peer = client(port_of(sock))
    conn = accept(sock)
    while conn.getpeername() != peer.sock.getsockname():
        conn.close()        # one of before, that was ready
        conn = accept(sock)
    peer.send(b"ping")
    eq(conn.recv(100), b"ping")
    conn.sendall(b"pong")
    eq(peer.recv(), b"pong")
    conn.close()
    peer.close()
    eventually(lambda: not pending(port_of(sock)), "no pending handshake is left")


def is_cut_off(sock, seconds=20):
    """The other side ends the connection: returns what came before that."""
    sock.settimeout(seconds * harness.SLOW)
    out = b""
    try:
        while piece := sock.recv(65536):
            out += piece
    except ConnectionResetError:
        pass
    return out


def only_alerts(got):
    """The agent may tell a client why (RFC 8446 section 6), but nothing else."""
    records, rest = harness._records(got)
    assert not rest and all(kind == 21 for kind, _ in records), f"the client got {got!r}"


def leave(sock, how):
    if how == "fin":
        sock.close()
    elif how == "shutdown":
        sock.shutdown(socket.SHUT_WR)
        is_cut_off(sock)
        sock.close()
    else:
        reset(sock)


def leave_after_part_of_hello(how):
    sock = listener()
    port = port_of(sock)
    hello = Tls(None).hello()
    # Nothing; inside and at the end of the record header, the message header,
    # the random, the cipher suites; all but a byte; all of it.
    for cut in (0, 1, 4, 5, 6, 8, 9, 11, 43, 44, 77, len(hello) // 2, len(hello) - 1, len(hello)):
        raw = connect(port)
        raw.sendall(hello[:cut])
        leave(raw, how)
    still_serves(sock)
    accepts_nothing(sock, 0.1)


for how in ("fin", "shutdown", "rst"):
    test(leave_after_part_of_hello, args=(how,), timeout=120,
         name=f"a_client_that_leaves_inside_its_hello_by_{how}_harms_nobody")


def leave_later(how, version):
    """After the server's flight, after half of the client's second, after all of it."""
    sock = listener()
    port = port_of(sock)
    for stage in ("answer", "half", "whole"):
        peer = Tls(connect(port), context(version))
        peer.sock.sendall(peer.hello())
        second = b""
        while not second:
            peer.fill()
            try:
                peer.tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            second = peer.pull()
        if stage == "half":
            peer.sock.sendall(second[:len(second) // 2])
        if stage == "whole":
            peer.sock.sendall(second)
        leave(peer.sock, how)
        if stage != "whole":
            continue
        # Sealed or not, by how fast it went: if it is, all that can be read is an error.
        ready, _, _ = select.select([sock], [], [], 0.5 * harness.SLOW)
        if ready:
            sock.setblocking(False)
            try:
                conn, _ = sock.accept()
            except BlockingIOError:
                continue
            conn.settimeout(20)
            with raises(errno.ECONNRESET, errno.ENOTCONN):
                conn.recv(1)
            conn.close()
    still_serves(sock)


for version in VERSIONS:
    for how in ("fin", "rst"):
        test(leave_later, args=(how, version), timeout=120,
             name=f"a_client_that_leaves_later_in_the_handshake_by_{how}_harms_nobody_"
                  f"tls{version.replace('.', '')}")


# Invariant 1: no byte of the wire reaches the application unsealed, and none of
# the application's reaches the wire.
@test
def plain_http_is_never_accepted():
    sock = listener()
    with Capture(port_of(sock)) as capture:
        with counted(KsealAccepted=0):
            raw = connect(port_of(sock))
            raw.sendall(b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n" + SECRET)
            got = is_cut_off(raw)
            accepts_nothing(sock)
    only_alerts(got)
    eq(capture.bytes_from_server(), got, "what the capture saw of the server")
    still_serves(sock)


@test
def garbage_of_every_kind_is_never_accepted():
    sock = listener()
    port = port_of(sock)
    hello = Tls(None).hello()
    for name, data in (
            ("zeros", bytes(200)),
            ("random", os.urandom(2000)),
            ("application data first", b"\x17\x03\x03\x00\x20" + bytes(32)),
            ("alert first", b"\x15\x03\x03\x00\x02\x02\x28"),
            ("huge record", b"\x16\x03\x01\xff\xff" + bytes(70000)),
            ("empty record", b"\x16\x03\x01\x00\x00" * 40),
            ("SSL 2", b"\x80\x2e\x01\x03\x01" + bytes(41)),
            ("two hellos", hello + hello),
            ("hello and plaintext", hello + SECRET),
            ("hello and zeros", hello + bytes(100))):
        raw = connect(port)
        try:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got = is_cut_off(raw)
        raw.close()
        accepts_nothing(sock, 0.05)
        if hello in data:       # it has an answer
            _, rest = harness._records(got)
            assert not rest, f"{name}: no TLS record: {rest[:40]!r}"
        else:
            only_alerts(got)
        harness.note(f"{name}: refused, {len(got)} bytes came")
    still_serves(sock)


@test
def a_hanging_client_is_cut_off_at_the_deadline():
    with parameters(handshake_timeout=1500):
        for data in (b"", Tls(None).hello()[:50]):
            sock = listener()
            with counted(KsealSealed=0, KsealAccepted=0):
                raw = connect(port_of(sock))
                begin = time.monotonic()
                raw.sendall(data)
                only_alerts(is_cut_off(raw))
                took = time.monotonic() - begin
                assert 1.2 < took < 1.5 + 3 * harness.SLOW, f"cut off after {took:.2f} s"
            accepts_nothing(sock, 0.05)
    still_serves(sock)


@test
def the_agents_own_time_limit_cuts_off_too():
    sock = listener("hasty")
    raw = connect(port_of(sock))
    begin = time.monotonic()
    with counted(KsealTimeout=1, KsealRefused=0):
        raw.sendall(Tls(None).hello()[:50])
        is_cut_off(raw)
        took = time.monotonic() - begin
    assert 0.7 < took < 1 + 3 * harness.SLOW, f"cut off after {took:.2f} s"
    still_serves(sock)


@test
def a_client_that_trickles_its_hello_is_served():
    sock = listener()
    peer = Tls(connect(port_of(sock)))
    peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hello = peer.hello()
    for i in range(0, len(hello), 40):
        peer.sock.sendall(hello[i:i + 40])
        time.sleep(0.01)
    peer.handshake()
    conn = accept(sock)
    peer.send(b"done")
    eq(conn.recv(10), b"done")


@test
def data_that_follows_the_handshake_at_once_is_not_lost():
    for version in VERSIONS:
        sock = listener()
        peer = Tls(connect(port_of(sock)), context(version))
        peer.sock.sendall(peer.hello())
        # The last flight and application data in one segment.
        while True:
            peer.fill()
            try:
                peer.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if version == "1.2":
                    peer.flush()
        peer.tls.write(b"early bird " * 3000)
        peer.flush()
        conn = accept(sock)
        eq(harness.read_exactly(conn, 33000), b"early bird " * 3000, version)


@test
def a_client_that_refuses_the_certificate_is_never_accepted():
    sock = listener()
    for ctx, name in ((context(), "wrong.test"), (context(ca="other-ca"), NAME),
                      (context("1.2"), "wrong.test")):
        peer = Tls(connect(port_of(sock)), ctx, name)
        try:
            peer.handshake()
            raise AssertionError("the handshake succeeded")
        except ssl.SSLCertVerificationError:
            pass
        is_cut_off(peer.sock)
        accepts_nothing(sock, 0.1)
    still_serves(sock)


def refused(sock, ctx):
    """A handshake that the agent ends: the client gets a fatal alert, the server nothing."""
    peer = Tls(connect(port_of(sock)), ctx)
    try:
        peer.handshake()
        peer.send(SECRET)       # TLS 1.3: the client is done before it hears of it
        got = peer.recv()
        raise AssertionError(f"the client got {got!r}")
    except (ssl.SSLError, ConnectionError) as e:
        harness.note(f"refused: {e}")
        said = e
    peer.close()
    accepts_nothing(sock, 0.2)
    return said


@test
def mutual_tls_needs_the_right_client_certificate():
    sock = listener("mtls")
    for version in VERSIONS:
        with counted(KsealSealed=0, KsealRefused=2):
            refused(sock, context(version))
            refused(sock, context(version, certificate="stranger"))
        peer = Tls(connect(port_of(sock)), context(version, certificate="client")).handshake()
        conn = accept(sock)
        [entry] = [e for e in status()["sockets"] if e["local"].endswith(f":{port_of(sock)}")]
        assert "client of the test" in entry["peer_subject"], entry
        assert "client.test" in entry["peer_names"], entry
        want = ssl.PEM_cert_to_DER_cert(open(harness.path("client.crt")).read())
        import hashlib
        eq(entry["peer_fingerprint"], hashlib.sha256(want).hexdigest(), "fingerprint")
        peer.send(b"who am I")
        eq(conn.recv(100), b"who am I")
        conn.close()
        peer.close()


@test
def the_profile_decides_the_version():
    for profile, good, bad in (("only13", "1.3", "1.2"), ("only12", "1.2", "1.3")):
        sock = listener(profile)
        refused(sock, context(bad))
        peer = client(port_of(sock), context(good))
        eq(peer.version(), "TLSv" + good)
        accept(sock).close()


@test
def the_protocol_agreed_on_is_known():
    sock = listener("web")
    for offer, want in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "h2")):
        peer = client(port_of(sock), context(alpn=offer))
        eq(peer.tls.selected_alpn_protocol(), want)
        conn = accept(sock)
        [entry] = [e for e in status()["sockets"] if e["local"].endswith(f":{port_of(sock)}")]
        eq(entry["alpn"], want)
        eq(entry["server_name"], NAME)
        conn.close()


@test
def a_profile_serves_only_its_ports():
    with listener("port") as sock:
        refused(sock, None)
    with listener("port", port=harness.POLICY_PORT) as sock:
        peer = client(harness.POLICY_PORT)
        accept(sock).close()
        peer.close()


def as_user(uid, function, *args):
    def child():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        return function(*args)
    return Child(child).wait()


# Otherwise any user could pose as the site on another port.
@test
def a_profile_serves_only_its_users():
    def user_is_refused(profile):
        sock = listener(profile)
        refused(sock, None)

    def user_is_served(profile):
        sock = listener(profile)
        peer = client(port_of(sock))
        accept(sock).close()
        peer.close()

    as_user(harness.UNPRIVILEGED + 1, user_is_refused, "default")
    as_user(harness.UNPRIVILEGED + 1, user_is_refused, "user")
    as_user(harness.UNPRIVILEGED, user_is_refused, "default")
    as_user(harness.UNPRIVILEGED, user_is_served, "user")
    user_is_served("default")
    user_is_served("user")


@test
def a_profile_that_does_not_exist_serves_nobody():
    sock = listener("nonesuch")
    refused(sock, None)
    sock.setsockopt(harness.SOL_TLS, harness.KSEAL_PROFILE, b"default")
    still_serves(sock)


# Invariant 1: nobody to do the handshake.
@test
def without_an_agent_connections_are_aborted_and_no_plaintext_passes():
    harness.agent.stop()
    try:
        with parameters(agent_timeout=300):
            sock = listener()
            with Capture(port_of(sock)) as capture:
                with counted(KsealNoAgent=2, KsealAccepted=0):
                    for data in (SECRET, Tls(None).hello()):
                        raw = connect(port_of(sock))
                        raw.sendall(data)
                        eq(is_cut_off(raw), b"", "what the client got")
                    accepts_nothing(sock)
            eq(capture.bytes_from_server(), b"", "bytes of the server")
    finally:
        harness.agent.start()
    still_serves(sock)


@test
def connections_that_wait_for_an_agent_are_served_when_it_comes():
    harness.agent.stop()
    with parameters(agent_timeout=20000, handshake_timeout=60000):
        sock = listener()
        raw = [connect(port_of(sock)) for _ in range(8)]
        harness.agent.start()
        for r in raw:
            peer = Tls(r).handshake()
            conn = accept(sock)
            peer.send(b"late")
            eq(conn.recv(10), b"late")


@test
def the_backlog_bounds_what_is_held_and_ready():
    sock = listener(backlog=3)
    port = port_of(sock)
    peers = []
    for _ in range(12):
        raw = socket.socket()
        raw.setblocking(False)
        raw.connect_ex(("127.0.0.1", port))
        peers.append(raw)

    def full():
        [entry] = listeners_of(port)
        assert entry["held"] + entry["ready"] <= 4, entry
        return entry["held"] + entry["ready"] == 4
    eventually(full, "the backlog is full")
    time.sleep(0.3)
    assert full()
    # One leaves: the next is taken.
    for raw in peers:
        reset(raw)
    eventually(lambda: not pending(port), "they are gone")
    still_serves(sock)


@test
def ready_connections_wait_for_accept_in_order():
    sock = listener()
    peers = []
    for i in range(20):
        peer = client(port_of(sock))
        peer.send(b"%d" % i)
        peers.append(peer)
        eventually(lambda: listeners_of(port_of(sock))[0]["ready"] == i + 1, "it is ready")
    for i in range(20):
        eq(accept(sock).recv(10), b"%d" % i)


@test(timeout=120)
def a_listener_closed_with_connections_held_and_ready_aborts_them():
    for _ in range(5):
        sock = listener()
        port = port_of(sock)
        ready = [client(port) for _ in range(4)]
        held = [connect(port) for _ in range(4)]
        held[0].sendall(Tls(None).hello()[:20])
        held[1].sendall(Tls(None).hello())
        eventually(lambda: listeners_of(port)[0]["ready"] == 4, "four are ready")
        sock.close()
        for raw in held + [r.sock for r in ready]:
            is_cut_off(raw)
        eventually(lambda: not listeners_of(port) and not pending(port), "all is gone")
        with raises(errno.ECONNREFUSED):
            connect(port)


@test
def a_listener_shut_down_under_accept_wakes_it():
    sock = listener()
    port = port_of(sock)
    held = connect(port)

    def wait():
        sock.settimeout(None)
        with raises(errno.EINVAL):
            sock.accept()
    child = Child(wait)
    time.sleep(0.3)
    sock.shutdown(socket.SHUT_RDWR)
    child.wait()
    is_cut_off(held)
    # Listening again, it is as sealed as before (on another port: shutdown()
    # gave the kernel's choice back).
    sock.listen(5)
    raw = connect(port_of(sock))
    raw.sendall(SECRET)
    is_cut_off(raw)
    accepts_nothing(sock, 0.1)
    still_serves(sock)


@test(timeout=120)
def listeners_that_come_and_go_while_clients_arrive():
    """A race between arming, closing and handshakes leaves no connection hanging: each
    is served or ends. And the last listener serves all."""
    port = harness.free_port()
    stays = os.eventfd(0)       # readable once the last listener is there

    def clients():
        served = 0
        while not select.select([stays], [], [], 0)[0]:
            try:
                client(port).close()
                served += 1
            except TimeoutError:
                raise
            except OSError:             # its listener has gone, or the next is not there yet
                time.sleep(0.01)
        for _ in range(10):
            peer = client(port)
            eq(peer.recv(), b"served")
            peer.close()
        return served
    children = [Child(clients) for _ in range(3)]
    accepted = 0
    end = time.monotonic() + 3 * harness.SLOW
    while time.monotonic() < end or accepted < 5:
        # Armed after it listens: clients are in TCP's queue already.
        sock = listener(port=port, sealed=False)
        arm(sock)
        sock.settimeout(0.05 * harness.SLOW)
        try:
            conn, _ = sock.accept()
            eq(conn.getsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, 16)[:6], b"kseal\0")
            conn.close()
            accepted += 1
        except TimeoutError:
            pass
        sock.close()
    sock = listener(port=port)

    def serve():
        with raises(errno.EINVAL):      # it has been shut down
            while True:
                conn, _ = sock.accept()
                with contextlib.suppress(OSError):      # one of before, that has left
                    conn.sendall(b"served")
                conn.close()
    server = Thread(serve)
    os.eventfd_write(stays, 1)
    served = [c.wait() for c in children]
    sock.shutdown(socket.SHUT_RDWR)
    server.join()
    harness.note(f"{accepted} accepted, {served} handshakes of each client before the last listener")
    assert all(served), served
