# SPDX-License-Identifier: GPL-2.0
"""Small writes: they share a record while TCP would not send them anyway (Nagle), and
go without another call when it would. All of it is with acknowledgments that are
delayed: the peer's TCP sends one when the peer has read all, or 40 ms later. On a slow
machine that may be between any two calls."""

import fcntl
import os
import random
import select
import socket
import struct
import time

from cases_explicit import in_background, receive
from peer import (ALERT, CLOSE_NOTIFY, DATA, FIONREAD, SOL_TLS, TIOCOUTQ, TLS_SET_RECORD_TYPE, Direction, Peer,
                  case, check, equal, eventually, explicit, push_keys, sealed, tcp, ulp)

TCP_MAXSEG, TCP_CORK, TCP_QUICKACK = 2, 3, 12


def delay_acks(peer):
    peer.sock.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 0)


def pair(suite):
    sock, peer = explicit(suite)
    delay_acks(peer)
    return sock, peer


def ioctl(sock, request):
    return struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0]


def wire_length(suite, *lengths):
    return sum(n + (5 + 1 + 16 if suite.tls13 else 5 + 8 + 16) for n in lengths)


@case
def small_writes_share_records_while_data_is_in_flight(suite):
    sock, peer = pair(suite)
    for _ in range(3):
        sock.send(b"first")
        for i in range(100):
            sock.send(bytes([i]))
        equal(peer.record(), (DATA, b"first"))
        got, records = b"", 0
        while len(got) < 100:
            got += peer.record()[1]
            records += 1
        equal(got, bytes(range(100)))
        check(records < 50, f"{records} records")   # on a busy machine acknowledgments come between
        delay_acks(peer)


@case
def many_small_writes_make_few_records(suite):
    sock, peer = pair(suite)
    data, records, got = os.urandom(100 * 5000), 0, b""

    def write():
        for i in range(0, len(data), 100):
            sock.sendall(data[i:i + 100])
        sock.close()
    writer = in_background(write)
    while record := peer.record():
        records += 1
        got += record[1]
    writer.join()
    check(got == data)
    check(records < 3000, f"{records} records")     # 5000, were none held back


@case
def an_acknowledgment_sends_what_was_held_back(suite):
    """Not the clock, which would take 0.2 s each time."""
    sock, peer = pair(suite)
    begin, rounds = time.monotonic(), 30
    for _ in range(rounds):
        sock.send(b"one")
        sock.send(b"two")
        sock.send(b"three")
        equal(peer.data(11), b"onetwothree")
        delay_acks(peer)
    took = time.monotonic() - begin
    check(took < 0.1 * rounds, f"{took} s")


@case
def outq_is_empty_when_all_has_been_acknowledged(suite):
    sock, peer = pair(suite)
    for _ in range(5):
        begin = time.monotonic()
        for n in (10, 20, 30):
            sock.send(bytes(n))
        outq = ioctl(sock, TIOCOUTQ)
        if time.monotonic() - begin < 0.03:
            check(outq in (wire_length(suite, 10, 50), wire_length(suite, 50)), outq)
        # Without a read or another write.
        eventually(lambda: not ioctl(sock, TIOCOUTQ), "not all is sent")
        check(ioctl(peer.sock, FIONREAD) in (wire_length(suite, 10, 50), wire_length(suite, 10, 20, 30)))
        equal(peer.data(60), bytes(60))
        delay_acks(peer)


@case
def nodelay_sends_at_once(suite):
    sock, peer = pair(suite)
    sock.send(b"a")
    sock.send(b"b")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.send(b"c")
    sock.send(b"d")
    eventually(lambda: ioctl(peer.sock, FIONREAD) == wire_length(suite, 1, 1, 1, 1), "not all is sent")
    for byte in (b"a", b"b", b"c", b"d"):
        equal(peer.record(), (DATA, byte))


@case
def msg_eor_ends_a_record(suite):
    sock, peer = pair(suite)
    sock.send(b"a")
    sock.send(b"b", socket.MSG_EOR)
    sock.send(b"c", socket.MSG_EOR)
    for byte in (b"a", b"b", b"c"):
        equal(peer.record(), (DATA, byte))


@case
def an_acknowledgment_does_not_end_msg_more(suite):
    for _ in range(20):
        sock, peer = pair(suite)
        sock.send(b"a")
        begun = time.monotonic()
        sock.send(b"b", socket.MSG_MORE)
        equal(peer.record(), (DATA, b"a"))
        early = select.select([peer.sock], [], [], 0.05)[0]
        # Nothing is held back for longer, which a slow machine may have taken.
        if time.monotonic() - begun < 0.2:
            break
    check(not early, "sent though more was announced")
    sock.send(b"c")
    equal(peer.record(), (DATA, b"bc"))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 1)
    sock.send(b"d")
    sock.send(b"e")
    sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 0)
    equal(peer.record(), (DATA, b"de"))


@case
def what_is_held_back_goes_ahead_of_the_end(suite):
    for end in (socket.socket.close, lambda s: s.shutdown(socket.SHUT_WR),
                lambda s: s.shutdown(socket.SHUT_RDWR)):
        for pair_of, last in ((explicit, ()), (sealed, ((ALERT, CLOSE_NOTIFY),))):
            sock, peer = pair_of(suite)
            delay_acks(peer)
            sock.send(b"a")
            sock.send(b"b")
            sock.send(b"c")
            end(sock)
            equal(peer.data(3), b"abc")
            peer.ends_with(*last)


@case
def what_is_held_back_goes_ahead_of_control_records(suite):
    sock, peer = pair(suite)
    sock.send(b"a")
    sock.send(b"b")
    sock.sendmsg([b"\1\0"], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([ALERT]))])
    for record in ((DATA, b"a"), (DATA, b"b"), (ALERT, b"\1\0")):
        equal(peer.record(), record)


@case
def a_full_segment_is_not_held_back(suite):
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.IPPROTO_TCP, TCP_MAXSEG, 1000)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        sock, _ = listener.accept()
        with sock:
            tx, rx = Direction(suite), Direction(suite)
            ulp(sock)
            push_keys(sock, tx, rx, False)
            peer = Peer(client, rx, tx)
            delay_acks(peer)
            sock.send(b"a")
            sock.send(bytes(5000))
            equal(peer.record(), (DATA, b"a"))
            equal(peer.record(), (DATA, bytes(5000)))
            eventually(lambda: not ioctl(sock, TIOCOUTQ), "not all is acknowledged")
            delay_acks(peer)
            sock.send(b"b")
            for _ in range(20):
                sock.send(bytes(300))
            equal(peer.record(), (DATA, b"b"))
            type_, first = peer.record()
            check(type_ == DATA and len(first) <= 1200, len(first))
            equal(peer.data(6000 - len(first)), bytes(6000 - len(first)))


@case
def poll_and_memory_know_nothing_of_it(suite):
    sock, peer = pair(suite)
    sock.send(b"a")
    sock.send(b"b")
    equal(select.select([], [sock], [], 0)[1], [sock])
    poller = select.epoll()
    poller.register(sock, select.EPOLLOUT | select.EPOLLET)
    equal(poller.poll(0), [(sock.fileno(), select.EPOLLOUT)])
    equal(peer.data(2), b"ab")
    # Full, then half read: an edge, though records were held back meanwhile.
    sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sock.send(bytes(random.choice((100, 5000))))
    except BlockingIOError:
        pass
    poller.poll(0)
    reader = in_background(peer.data, sent)
    check(poller.poll(5), "nobody was told of the room")
    reader.join()


@case
def a_reader_of_the_last_byte_is_not_kept_waiting(suite):
    a, b = tcp()
    ab, ba = Direction(suite), Direction(suite)
    dice = random.Random(3)
    for sock, tx, rx in ((a, ab, ba), (b, ba, ab)):
        ulp(sock)
        push_keys(sock, tx, rx, False)
        sock.settimeout(10)
    rounds = [[dice.choice((1, 10, 100, 3000)) for _ in range(dice.randint(1, 5))] for _ in range(200)]

    def answer():
        for sizes in rounds:
            equal(receive(b, sum(sizes)), bytes(sum(sizes)))
            for n in sizes:
                b.send(bytes(n))
    thread = in_background(answer)
    begin = time.monotonic()
    for sizes in rounds:
        for n in sizes:
            a.send(bytes(n))
        equal(receive(a, sum(sizes)), bytes(sum(sizes)))
    thread.join()
    took = time.monotonic() - begin
    check(took < 0.15 * len(rounds), f"{took} s")
