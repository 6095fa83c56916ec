# SPDX-License-Identifier: GPL-2.0
"""Every shape of server: a sealed listener behaves as a plain one does."""

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import threading
import time

import harness
from harness import (Capture, Child, Skip, Thread, Tls, VERSIONS, accept, accepts_nothing, client,
                     connect, context, counted, eq, eventually, free_port, helper, kseal_run,
                     listener, listeners_of, pair, port_of, raises, status, sysctl, test)
from test_handshake import SECRET, is_cut_off, only_alerts, pending, still_serves

TFO = 0x20000000        # MSG_FASTOPEN
TCPI_OPT_SYN_DATA = 32


def talk(port, ctx=None, host="127.0.0.1", times=3, size=20000):
    """A client that says something a few times and leaves in order."""
    peer = client(port, ctx, host)
    for i in range(times):
        data = b"%d " % i + os.urandom(size)
        peer.send(data)
        eq(peer.read_exactly(len(data)), data, "echo")
    peer.close_notify()
    eq(peer.recv(), b"", "close_notify of the server")
    peer.close()


def a_static_server(mode):
    port = free_port()
    with kseal_run(helper("echo"), mode, str(port)) as program:
        program.listening(port)
        for version in VERSIONS:
            for _ in range(3):
                talk(port, context(version))
        threads = [Thread(talk, port) for _ in range(8)]
        for t in threads:
            t.join()
        talk(port)
        assert "accept:" not in program.output(), program.output()
        assert "read:" not in program.output(), program.output()


for mode, what in (("blocking", "that_blocks_in_accept"),
                   ("timed", "that_accepts_with_a_time_limit"),
                   ("poll", "that_polls"),
                   ("threads", "of_threads_that_accept"),
                   ("epoll", "on_level_triggered_epoll"),
                   ("epollet", "on_edge_triggered_epoll"),
                   ("fork", "that_forks"),
                   ("prefork", "that_has_forked_before"),
                   ("exec", "whose_connections_cross_exec")):
    test(a_static_server, args=(mode,), timeout=90, name=f"a_static_server_{what}_is_sealed")


@test
def a_nonblocking_accept_says_eagain():
    sock = listener()
    sock.setblocking(False)
    with raises(errno.EAGAIN):
        sock.accept()
    raw = connect(port_of(sock))
    time.sleep(0.2)
    with raises(errno.EAGAIN):          # connected, but not sealed
        sock.accept()
    Tls(raw).handshake()
    eventually(lambda: select.select([sock], [], [], 0)[0], "it is readable")
    conn, _ = sock.accept()
    with raises(errno.EAGAIN):
        sock.accept()
    # What it gave is blocking: accept(2) passes no flags on.
    assert not os.get_blocking(sock.fileno())
    eq(conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)


@test
def an_accept_with_a_time_limit_ends_with_eagain():
    sock = listener()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 300000))
    connect(port_of(sock))
    begin = time.monotonic()
    with raises(errno.EAGAIN):
        sock._accept()
    took = time.monotonic() - begin
    assert 0.25 < took < 0.3 + harness.SLOW, f"{took:.3f} s"


@test
def a_signal_interrupts_accept_as_it_does_on_tcp():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    for sealed in (False, True):
        sock = listener(sealed=sealed)

        def wait(restart):
            kept = []       # one that goes at once may be gone before it is sealed
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.siginterrupt(signal.SIGALRM, not restart)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            if restart:
                # Restarted: only a client ends it.
                come = client if sealed else connect
                threading.Timer(0.5, lambda: kept.append(come(port_of(sock)))).start()
            fd = libc.accept(sock.fileno(), None, None)
            return fd if fd >= 0 else -ctypes.get_errno()
        assert Child(wait, True).wait() >= 0
        eq(Child(wait, False).wait(), -errno.EINTR)
        sock.close()


@test
def epoll_tells_of_sealed_connections_only():
    for flags in (0, select.EPOLLET):
        sock = listener()
        sock.setblocking(False)
        epoll = select.epoll()
        epoll.register(sock, select.EPOLLIN | flags)
        raw = [connect(port_of(sock)) for _ in range(5)]
        raw[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
        is_cut_off(raw[0])
        eq(epoll.poll(0.3), [], "events")
        peers = [Tls(r).handshake() for r in raw[1:]]
        taken = 0
        while taken < len(peers):
            assert epoll.poll(20 * harness.SLOW), "no event"
            while True:
                try:
                    sock.accept()[0].close()
                    taken += 1
                except BlockingIOError:
                    break
        eq(epoll.poll(0.2), [], "events afterwards")


@test
def poll_and_select_agree_with_accept():
    sock = listener()
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT | select.POLLRDNORM)
    eq(poll.poll(100), [])
    peer = client(port_of(sock))
    [(_, events)] = poll.poll(20000 * harness.SLOW)
    eq(events, select.POLLIN | select.POLLRDNORM)
    accept(sock).close()
    eq(poll.poll(100), [])
    peer.close()


@test
def accept_tells_the_peers_address_and_takes_flags():
    sock = listener()
    peer = client(port_of(sock))
    eventually(lambda: select.select([sock], [], [], 0)[0], "it is readable")
    conn, address = sock.accept()
    eq(address, peer.sock.getsockname())
    eq(conn.getpeername(), peer.sock.getsockname())
    eq(conn.getsockname(), peer.sock.getpeername())
    eq(conn.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), socket.IPPROTO_TCP)
    eq(conn.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 0)
    eq(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
    # TCP_INFO of an established connection
    eq(conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0], 1, "tcpi_state")


@test
def accepted_sockets_inherit_the_listeners_options():
    sock = listener(TCP_NODELAY=1, SO_KEEPALIVE=1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100000)
    peer = client(port_of(sock))
    conn = accept(sock)
    eq(conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
    eq(conn.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
    eq(conn.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), 200000)
    peer.close()


@test
def two_listeners_on_one_port_both_serve():
    with listener(SO_REUSEPORT=1) as one, listener(port=0, SO_REUSEPORT=1, sealed=False) as probe:
        probe.close()
        two = listener(port=port_of(one), SO_REUSEPORT=1)
        served = {one: 0, two: 0}
        for _ in range(40):
            peer = client(port_of(one))
            ready, _, _ = select.select([one, two], [], [], 20 * harness.SLOW)
            eq(len(ready), 1, "listeners that are readable")
            conn = accept(ready[0])
            served[ready[0]] += 1
            peer.send(b"x")
            eq(conn.recv(1), b"x")
            conn.close()
            peer.close()
        assert min(served.values()) > 0, served
        # One goes: the other still serves everybody.
        two.close()
        for _ in range(10):
            peer = client(port_of(one))
            accept(one).close()
            peer.close()


@test
def a_plain_listener_beside_a_sealed_one_stays_plain():
    sealed, plain = listener(SO_REUSEPORT=1), None
    plain = listener(port=port_of(sealed), SO_REUSEPORT=1, sealed=False)
    kinds = set()
    for _ in range(60):
        raw = connect(port_of(sealed))
        ready, _, _ = select.select([plain], [], [], 0.05)
        if ready:
            conn = accept(plain)
            conn.sendall(b"plain")
            eq(raw.recv(10), b"plain")
            kinds.add("plain")
        else:
            Tls(raw).handshake()
            accept(sealed)
            kinds.add("sealed")
        if len(kinds) == 2:
            return
    raise AssertionError(f"only {kinds}")


def queued(port):
    """Clients' ports of the connections to PORT that wait in TCP's own queue."""
    held = {int(e["peer"].rpartition(":")[2]) for e in pending(port)}
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    return {int(r[2].partition(":")[2], 16) for r in rows
            if r[1].endswith(f":{port:04X}") and r[3] == "01"} - held


def migrating(other_sealed):
    """A sealed listener whose queue is full closes beside another one. Returns that, and
    the clients of the queue, by port."""
    one = listener(SO_REUSEPORT=1, backlog=1)
    port = port_of(one)
    clients = []
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
        clients.append(s)
    # It holds two and leaves two in the queue. The others have a SYN or an ACK to send
    # again, perhaps to the other listener: they are no connections of this one.
    eventually(lambda: len(pending(port)) == 2 and len(queued(port)) >= 2, "the queue is full")
    ports = queued(port)        # before the other has some of its own
    two = listener(port=port, SO_REUSEPORT=1, sealed=other_sealed)
    one.close()
    migrated = {}
    for s in clients:
        if s.getsockname()[1] in ports:
            s.settimeout(20 * harness.SLOW)
            migrated[s.getsockname()[1]] = s
        else:
            s.close()
    assert len(migrated) >= 2, f"only {list(migrated)} migrate"
    return two, migrated


@test
def migration_between_reuseport_listeners_stays_sealed():
    """net.ipv4.tcp_migrate_req: a closing listener's queue goes to another one."""
    with sysctl("net.ipv4.tcp_migrate_req", 1):
        sock, migrated = migrating(True)
        plain, good, *others = migrated.values()
        for s in others:
            s.close()
        plain.sendall(SECRET)
        other = client(port_of(sock))       # not every kernel tells a listener of what migrated
        peer = Tls(good).handshake()
        ports = {accept(sock).getpeername()[1] for _ in range(2)}
        eq(ports, {s.getsockname()[1] for s in (other.sock, good)}, "clients that are sealed")
        only_alerts(is_cut_off(plain))
        still_serves(sock)
        peer.close()


@test
def nothing_migrates_to_a_plain_listener():
    with sysctl("net.ipv4.tcp_migrate_req", 1):
        sock, migrated = migrating(False)
        with Capture(port_of(sock)) as capture:
            for s in migrated.values():
                with contextlib.suppress(ConnectionError):
                    s.sendall(SECRET)
            while select.select([sock], [], [], 1)[0]:
                with accept(sock) as conn:      # one that came to the plain listener
                    assert conn.getpeername()[1] not in migrated, "it has migrated"
            for s in migrated.values():
                eq(is_cut_off(s), b"", "what the client got")
        for (source, target), segments in capture.segments.items():
            assert source != port_of(sock) or target not in migrated, f"the server sent {segments}"


@test
def ipv6_and_mapped_ipv4_clients_are_served():
    if not os.path.exists("/proc/net/if_inet6"):
        raise Skip("no IPv6 here")
    sock = listener(address="::")
    for host, family in (("::1", "::1"), ("127.0.0.1", "::ffff:127.0.0.1")):
        for version in VERSIONS:
            peer = client(port_of(sock), context(version), host)
            conn = accept(sock)
            eq(conn.getpeername()[0], family)
            peer.send(b"six")
            eq(conn.recv(10), b"six")
            conn.sendall(b"back")
            eq(peer.recv(), b"back")
            [entry] = [e for e in status()["sockets"]
                       if e["local"].endswith(f":{port_of(sock)}")]
            assert str(peer.sock.getsockname()[1]) in entry["peer"], entry
            with raises(errno.EOPNOTSUPP, errno.EISCONN, errno.EINVAL):
                conn.connect(("::1", 1))
            conn.close()
            eq(peer.recv(), b"")
            peer.close()
    raw = connect(port_of(sock))
    raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
    is_cut_off(raw)
    accepts_nothing(sock, 0.1)
    sock.close()


@test
def syn_cookies_lead_to_sealed_connections_too():
    with sysctl("net.ipv4.tcp_syncookies", 2):
        for address in ("127.0.0.1", "::1"):
            sock = listener(address=address)
            for _ in range(5):
                peer = client(port_of(sock), host=address)
                conn = accept(sock)
                peer.send(b"cookie")
                eq(conn.recv(10), b"cookie")
            raw = connect(port_of(sock), address)
            raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
            is_cut_off(raw)
            accepts_nothing(sock, 0.1)


@test
def deferred_accept_works():
    sock = listener(TCP_DEFER_ACCEPT=5)
    for _ in range(3):
        peer = client(port_of(sock))
        conn = accept(sock)
        conn.sendall(b"hello")
        eq(peer.recv(), b"hello")


def fast_open(port, data):
    """A connection whose SYN carries DATA, or as much of it as fits."""
    sock = socket.socket()
    sent = sock.sendto(data, TFO, ("127.0.0.1", port))
    options = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5]
    assert options & TCPI_OPT_SYN_DATA, f"no data in the SYN: tcpi_options is {options:#x}"
    sock.settimeout(20 * harness.SLOW)
    sock.sendall(data[sent:])
    return sock


# Invariant 1: data in a SYN is a byte of the wire as any other.
@test
def fast_open_data_is_never_read_unsealed():
    # Both sides, and neither wants a cookie.
    with sysctl("net.ipv4.tcp_fastopen", 0x607):
        sock = listener(TCP_FASTOPEN=16)
        port = port_of(sock)
        with Capture(port) as capture, counted(KsealAccepted=0):
            raw = fast_open(port, b"GET / HTTP/1.0\r\n\r\n" + SECRET)
            accepts_nothing(sock, 0.2)
            got = is_cut_off(raw)
            accepts_nothing(sock, 0)
            raw.close()
        only_alerts(got)
        eq(capture.bytes_from_server(), got, "what the capture saw of the server")
        raw = fast_open(port, Tls(None).hello())
        accepts_nothing(sock, 0.2)
        raw.close()
        # A ClientHello in the SYN begins a good handshake.
        for version in VERSIONS:
            peer = Tls(None, context(version))
            peer.sock = fast_open(port, peer.hello())
            peer.handshake()
            conn = accept(sock)
            peer.send(b"fast")
            eq(conn.recv(10), b"fast")
            conn.sendall(b"open")
            eq(peer.recv(), b"open")


# Invariant 3.
@test
def a_connection_outlives_its_listener_and_shares_nothing_with_it():
    sock = listener()
    peers, conns = [], []
    for _ in range(3):
        peers.append(client(port_of(sock)))
        conns.append(accept(sock))
    with raises(errno.EINVAL):
        conns[0].setsockopt(harness.SOL_TLS, harness.KSEAL_PROFILE, b"default")
    conns[0].close()
    sock.close()
    for conn, peer in zip(conns[1:], peers[1:]):
        peer.send(b"alone")
        eq(conn.recv(10), b"alone")
        conn.sendall(b"still")
        eq(peer.recv(), b"still")
        conn.close()
        eq(peer.recv(), b"")


@test
def a_sealed_connection_crosses_fork():
    conn, peer = pair()

    def child():
        conn.sendall(b"from the child ")
        return conn.recv(100)
    peer.send(b"to the child")
    eq(Child(child).wait(), b"to the child")
    conn.sendall(b"from the parent")
    eq(peer.read_exactly(30), b"from the child from the parent")
    conn.close()
    eq(peer.recv(), b"")


@test
def a_sealed_connection_and_listener_cross_a_unix_socket():
    sock = listener()
    peer = client(port_of(sock))
    conn = accept(sock)
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def child():
        left.close()
        conn.close()
        sock.close()
        _, fds, _, _ = socket.recv_fds(right, 10, 2)
        got, more = (socket.socket(fileno=fd) for fd in fds)
        got.setblocking(True)
        eq(got.recv(100), b"passed")
        got.sendall(b"on")
        got.close()
        second = accept(more)
        second.sendall(second.recv(100))
        second.close()
    process = Child(child)
    socket.send_fds(left, [b"x"], [conn.fileno(), sock.fileno()])
    conn.close()
    sock_port = port_of(sock)
    sock.close()
    peer.send(b"passed")
    eq(peer.recv(), b"on")
    eq(peer.recv(), b"", "close_notify when the last descriptor goes")
    other = client(sock_port)
    other.send(b"second")
    eq(other.recv(), b"second")
    process.wait()


@test
def a_descriptor_in_flight_when_everything_closes_leaks_nothing():
    for _ in range(5):
        conn, peer = pair()
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        socket.send_fds(left, [b"x"], [conn.fileno(), left.fileno()])
        conn.close()
        left.close()
        right.close()
        peer.close()
    port = port_of(sock := listener())
    sock.close()
    eventually(lambda: not listeners_of(port), "the listener is gone")


@test
def a_listener_in_two_processes_lives_until_the_last_closes_it():
    sock = listener()
    port = port_of(sock)
    r, w = os.pipe()

    def child():
        os.close(w)
        os.read(r, 1)
        conn = accept(sock)
        conn.sendall(b"child")
        conn.close()
    process = Child(child)
    sock.close()
    peer = client(port)
    os.write(w, b"x")
    eq(peer.recv(), b"child")
    process.wait()
    with raises(errno.ECONNREFUSED):
        connect(port)


@test(timeout=90)
def many_threads_in_accept_each_get_their_own_connection():
    sock = listener(backlog=200)
    sock.settimeout(None)
    got, lock = [], threading.Lock()

    def take():
        for _ in range(5):
            conn, _ = sock.accept()
            conn.settimeout(20 * harness.SLOW)
            data = conn.recv(100)
            with lock:
                got.append(data)
            conn.close()
    threads = [Thread(take) for _ in range(8)]
    peers = []
    for i in range(40):
        peers.append(client(port_of(sock)))
        peers[-1].send(b"%d" % i)
    for t in threads:
        t.join()
    eq(sorted(map(int, got)), list(range(40)))


@test
def a_backlog_of_zero_still_serves():
    sock = listener(backlog=0)
    for _ in range(5):
        peer = client(port_of(sock))
        conn = accept(sock)
        peer.send(b"x")
        eq(conn.recv(1), b"x")
        conn.close()
        peer.close()


@test
def the_owner_of_a_listener_may_change_its_profile():
    sock = listener("nonesuch")
    eq(sock.getsockopt(harness.SOL_TLS, harness.KSEAL_PROFILE, 64), b"nonesuch\0")
    eq(listeners_of(port_of(sock))[0]["profile"], "nonesuch")
    for bad in (b"", b"x" * 64, b"x" * 1000, b"a\0b"):
        with raises(errno.EINVAL):
            sock.setsockopt(harness.SOL_TLS, harness.KSEAL_PROFILE, bad)
    sock.setsockopt(harness.SOL_TLS, harness.KSEAL_PROFILE, b"web")
    eq(sock.getsockopt(harness.SOL_TLS, harness.KSEAL_PROFILE, 64), b"web\0")
    still_serves(sock)
    with raises(errno.EEXIST):
        sock.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")


@test
def arming_goes_wrong_in_words_of_its_own():
    raw = socket.socket()
    with raises(errno.ENOENT):
        raw.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"nonesuch")
    for make in (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
                 lambda: socket.socket(socket.AF_UNIX)):
        with make() as sock:
            with raises(errno.ENOPROTOOPT, errno.EOPNOTSUPP):
                sock.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")
    # A connection that is neither closed, listening nor established.
    half = socket.socket()
    half.setblocking(False)
    with sysctl("net.ipv4.tcp_syn_retries", 1):
        half.connect_ex(("127.66.0.1", 9))
        server = listener(sealed=False)
        conn = connect(port_of(server))
        other = accept(server)
        other.close()
        conn.recv(1)
        with raises(errno.ENOTCONN):    # TCP_CLOSE_WAIT
            conn.setsockopt(socket.IPPROTO_TCP, harness.TCP_ULP, b"kseal")
