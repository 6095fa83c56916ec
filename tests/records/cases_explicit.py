# SPDX-License-Identifier: GPL-2.0
"""The explicit mode: data in all sizes, the socket calls on it, and what the kernel's
own "tls" ULP does too. Most of it runs the same code as a sealed socket."""

import errno
import fcntl
import os
import random
import select
import socket
import struct
import tempfile
import threading
import time

from background import Thread
from peer import (ALERT, DATA, FIONREAD, GCM_RECORDS, KSEAL_TX_SECRET, SOL_TLS, TLS_GET_RECORD_TYPE, TLS_RX,
                  TLS_SET_RECORD_TYPE, TLS_TX, ALL, CLOSE_NOTIFY, Direction, case, case_tls13, check, equal,
                  explicit, fails, push_keys, tcp, ulp)

TCP_CORK = 3
SIZES = (1, 2, 15, 16, 17, 1000, 4095, 4096, 4097, 16383, 16384)


def receive(sock, length, flags=0):
    out = b""
    while len(out) < length:
        got = sock.recv(min(length - len(out), 1 << 17), flags)
        check(got, f"end after {len(out)} of {length}")
        out += got
    return out


def in_background(function, *args):
    return Thread(function, *args)


def readable(sock, timeout=0):
    return bool(select.select([sock], [], [], timeout)[0])


def inq(sock):
    return struct.unpack("i", fcntl.ioctl(sock, FIONREAD, bytes(4)))[0]


@case
def every_size_arrives(suite):
    sock, peer = explicit(suite)
    for n in SIZES:
        data = os.urandom(n)
        sock.sendall(data)
        equal(peer.record(), (DATA, data))
        peer.send(data)
        equal(receive(sock, n), data)


@case
def a_long_stream_arrives(suite):
    sock, peer = explicit(suite)
    data = os.urandom(3 * 2**20 + 77)
    writer = in_background(lambda: sock.sendall(data))
    equal(peer.data(len(data)), data)
    writer.join()


@case
def records_of_any_size_are_read_in_any_size(suite):
    sock, peer = explicit(suite)
    data = os.urandom(2**20 + 5)
    dice = random.Random(1)

    def write():
        i = 0
        while i < len(data):
            n = dice.choice((1, 100, 5000, 16384))
            padding = dice.choice((0, 0, 5)) if suite.tls13 and n < 16000 else 0
            peer.send(data[i:i + n], padding=padding)
            i += n
    writer = in_background(write)
    out = b""
    while len(out) < len(data):
        got = sock.recv(random.choice((1, 10, 4096, 16384, 100000)))
        check(got)
        out += got
    writer.join()
    equal(out, data)


@case
def two_kseal_sockets_understand_each_other(suite):
    for family in (socket.AF_INET, socket.AF_INET6):
        one, other = tcp(family)
        there, back = Direction(suite), Direction(suite)
        for sock, tx, rx in ((one, there, back), (other, back, there)):
            ulp(sock)
            push_keys(sock, tx, rx, False)
        data = os.urandom(2**21)
        writer = in_background(lambda: (one.sendall(data), one.shutdown(socket.SHUT_WR)))
        out = bytearray()
        while True:
            got = other.recv(random.choice((4096, 65536, 1 << 18)))
            if not got:
                break
            out += got
        writer.join()
        equal(bytes(out), data)


@case
def sendfile_sends_the_file(suite):
    sock, peer = explicit(suite)
    sock.setblocking(True)
    for size, start in ((1, 0), (16384, 0), (16385, 0), (1000003, 77), (70000, 4095)):
        with tempfile.TemporaryFile(dir="/dev/shm") as f:
            data = os.urandom(size)
            f.write(data)
            f.flush()

            def send():
                at = start
                while at < size:
                    at += os.sendfile(sock.fileno(), f.fileno(), at, size - at)
            writer = in_background(send)
            equal(peer.data(size - start), data[start:])
            writer.join()


@case
def msg_more_makes_one_record(suite):
    sock, peer = explicit(suite)
    sock.send(b"a" * 10, socket.MSG_MORE)
    sock.send(b"b" * 10, socket.MSG_MORE)
    sock.send(b"c")
    equal(peer.record(), (DATA, b"a" * 10 + b"b" * 10 + b"c"))
    sock.send(b"z" * 20000, socket.MSG_MORE)
    sock.send(b"y" * 10)
    equal(peer.record(), (DATA, b"z" * 16384))
    equal(peer.record(), (DATA, b"z" * 3616 + b"y" * 10))
    sock.send(b"a", socket.MSG_MORE)
    sock.close()
    peer.ends_with((DATA, b"a"))


@case
def msg_more_does_not_hold_back_for_ever(suite):
    sock, peer = explicit(suite)
    begin = time.monotonic()
    sock.send(b"x", socket.MSG_MORE)
    equal(peer.record(), (DATA, b"x"))
    check(time.monotonic() - begin > 0.1)


@case
def tcp_cork_makes_one_record(suite):
    sock, peer = explicit(suite)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 1)
    sock.send(b"head")
    sock.send(b"body")
    sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 0)
    equal(peer.record(), (DATA, b"headbody"))


@case
def peek_leaves_the_data_there(suite):
    sock, peer = explicit(suite)
    peer.send(b"abc")
    peer.send(b"def")
    equal(sock.recv(2, socket.MSG_PEEK), b"ab")
    equal(sock.recv(6, socket.MSG_PEEK | socket.MSG_WAITALL), b"abcdef")
    equal(sock.recv(1), b"a")
    equal(sock.recv(100, socket.MSG_PEEK), b"bcdef")
    equal(sock.recv(100), b"bcdef")
    sock.setblocking(False)
    fails(lambda: sock.recv(1), errno.EAGAIN)


@case
def waitall_waits_for_several_records(suite):
    sock, peer = explicit(suite)
    sock.settimeout(None)
    threading.Timer(0.1, lambda: peer.send(b"1" * 10)).start()
    threading.Timer(0.2, lambda: peer.send(b"2" * 10)).start()
    equal(sock.recv(20, socket.MSG_WAITALL), b"1" * 10 + b"2" * 10)


@case
def msg_trunc_discards(suite):
    sock, peer = explicit(suite)
    peer.send(b"abcdef")
    equal(sock.recv_into(bytearray(3), 3, socket.MSG_TRUNC), 3)
    equal(sock.recv(10), b"def")


@case
def poll_knows_whole_records_only(suite):
    sock, peer = explicit(suite)
    check(not readable(sock))
    record = peer.tx.seal(b"x" * 1000)
    for i in range(0, len(record) - 1, 100):
        peer.sock.sendall(record[i:min(i + 100, len(record) - 1)])
        time.sleep(0.005)
        check(not readable(sock), i)
    peer.sock.sendall(record[-1:])
    check(readable(sock, 5))
    equal(len(sock.recv(999)), 999)
    check(readable(sock))
    sock.recv(1)
    check(not readable(sock))


@case
def edge_triggered_epoll_misses_nothing(suite):
    sock, peer = explicit(suite)
    with select.epoll() as poll:
        poll.register(sock, select.EPOLLIN | select.EPOLLET)
        for _ in range(30):
            record = peer.tx.seal(os.urandom(300))
            peer.sock.sendall(record[:7])
            peer.sock.sendall(record[7:200])
            check(not poll.poll(0.001))
            peer.sock.sendall(record[200:])
            check(poll.poll(5))
            equal(len(sock.recv(1000)), 300)


@case
def fionread_counts_plaintext(suite):
    sock, peer = explicit(suite)
    equal(inq(sock), 0)
    peer.send(b"abc")
    peer.send(b"defg")
    check(readable(sock, 5))
    time.sleep(0.02)
    equal(inq(sock), 7)
    sock.recv(2)
    equal(inq(sock), 5)


@case
def rcvlowat_counts_plaintext(suite):
    sock, peer = explicit(suite)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100)
    peer.send(b"x" * 60)
    peer.send(b"x" * 39)
    check(not readable(sock, 0.05))
    peer.send(b"x")
    check(readable(sock, 5))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    sock.recv(10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100)
    check(not readable(sock))
    peer.send(b"x" * 9)
    check(not readable(sock, 0.05))
    peer.send(b"x")
    check(readable(sock, 5))


@case
def rcvlowat_may_be_set_while_records_wait(suite):
    sock, peer = explicit(suite)
    peer.send(b"x" * 50)
    check(readable(sock, 5))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100)
    check(not readable(sock, 0.05))
    peer.send(b"x" * 49)
    check(not readable(sock, 0.05))
    peer.send(b"x")
    check(readable(sock, 5))


@case
def nonblocking_writes_stop_when_full_and_go_on(suite):
    sock, peer = explicit(suite)
    sock.setblocking(False)
    data, sent = os.urandom(1 << 20), 0
    while True:
        try:
            sent += sock.send(data)
        except BlockingIOError:
            break
    check(sent > 100000)
    check(not select.select([], [sock], [], 0)[1])
    got = 0
    while got < sent:
        got += len(peer.record()[1])
    equal(got, sent)
    check(select.select([], [sock], [], 5)[1])


@case
def timeouts_are_obeyed(suite):
    sock, peer = explicit(suite)
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
    fails(lambda: sock.recv(1), errno.EAGAIN)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200000))
    data, sent, begin = os.urandom(1 << 20), 0, time.monotonic()
    try:
        while True:
            sent += sock.send(data)
    except BlockingIOError:
        pass
    check(time.monotonic() - begin > 0.15)
    got = 0
    while got < sent:
        got += len(peer.record()[1])


@case
def control_records_are_named(suite):
    sock, peer = explicit(suite)
    sock.sendmsg([CLOSE_NOTIFY], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([ALERT]))])
    equal(peer.record(), (ALERT, CLOSE_NOTIFY))
    peer.send(b"data")
    peer.send(CLOSE_NOTIFY, ALERT)
    peer.send(b"more")
    time.sleep(0.05)
    equal(sock.recvmsg(100, 100)[:2], (b"data", [(SOL_TLS, TLS_GET_RECORD_TYPE, bytes([DATA]))]))
    fails(lambda: sock.recv(100), errno.EIO)
    equal(sock.recvmsg(100, 100)[:2], (CLOSE_NOTIFY, [(SOL_TLS, TLS_GET_RECORD_TYPE, bytes([ALERT]))]))
    equal(sock.recv(100), b"more")
    fails(lambda: sock.sendmsg([b"x"], [(SOL_TLS, 9, b"x")]), errno.EINVAL)


@case
def a_forged_record_fails_for_good(suite):
    for size in (10, 5000):
        sock, peer = explicit(suite)
        peer.send(b"ok")
        record = bytearray(peer.tx.seal(b"z" * size))
        record[-1] ^= 1
        peer.sock.sendall(record)
        equal(receive(sock, 2), b"ok")
        for _ in range(3):
            fails(lambda: sock.recv(20000), errno.EBADMSG)
        check(readable(sock))


@case
def a_bad_header_fails(suite):
    for header, wanted in ((b"\x17\3\3\xff\xff", errno.EMSGSIZE), (b"\x17\3\3\0\1", errno.EBADMSG),
                           (b"\x17\3\1\0\x40", errno.EINVAL)):
        sock, peer = explicit(suite)
        peer.sock.sendall(header)
        sock.settimeout(None)       # a read that may wait is told again
        fails(lambda: sock.recv(100), wanted)
        fails(lambda: sock.recv(100), wanted)

    # What is not TLS at all: as the kernel's own TLS has it, told once.
    sock, peer = explicit(suite)
    sock.settimeout(None)
    peer.sock.sendall(b"U" * 64)
    fails(lambda: sock.recv(100), errno.EMSGSIZE)
    fails(lambda: sock.recv(100, socket.MSG_DONTWAIT), errno.EAGAIN)
    fails(lambda: sock.recv(100), errno.EMSGSIZE)


@case
def a_key_stops_at_its_limit(suite):
    sock, peer = explicit(suite, seq=GCM_RECORDS - 3)
    sock.send(b"1")
    sock.send(b"2")
    for _ in range(2):
        fails(lambda: sock.send(b"3"), errno.EKEYEXPIRED)
    equal(peer.data(2), b"12")


@case_tls13
def with_secrets_key_updates_are_the_kernels_business(suite):
    sock, peer = explicit(suite, secrets=True, seq=GCM_RECORDS - 3)
    for data in (b"1", b"2", b"3"):
        sock.send(data)
    equal(peer.data(2), b"12")
    peer.take_update()
    equal(peer.data(1), b"3")
    for request in (False, True, False, True):
        peer.update(request)
        peer.send(b"after")
        equal(sock.recv(10), b"after")
        if request:
            peer.take_update()
    sock.send(b"x")
    equal(peer.data(1), b"x")


@case
def keys_are_checked_as_the_tls_ulp_does(suite):
    _, sock = tcp()
    tx = Direction(suite)
    info = tx.crypto_info()
    ulp(sock)
    for bad in (b"ab", info[:-1], info + b"x", b"\5\5" + info[2:], info[:2] + b"\0\0" + info[4:]):
        fails(lambda: sock.setsockopt(SOL_TLS, TLS_TX, bad), errno.EINVAL)
    fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_TX_SECRET, tx.secret), errno.EINVAL)
    fails(lambda: sock.getsockopt(SOL_TLS, TLS_TX, 4), errno.EBUSY)
    sock.setsockopt(SOL_TLS, TLS_TX, info)
    for other in ALL:
        if other is not suite:
            fails(lambda: sock.setsockopt(SOL_TLS, TLS_RX, Direction(other).crypto_info()), errno.EINVAL)
    for length in range(3, 100):
        if length == 4 or length == len(info):
            equal(sock.getsockopt(SOL_TLS, TLS_TX, length), info[:length])
        else:
            fails(lambda: sock.getsockopt(SOL_TLS, TLS_TX, length), errno.EINVAL)
    if suite.tls13:
        fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_TX_SECRET, tx.secret[:-1]), errno.EINVAL)
        sock.setsockopt(SOL_TLS, KSEAL_TX_SECRET, tx.secret)
        fails(lambda: sock.setsockopt(SOL_TLS, KSEAL_TX_SECRET, tx.secret), errno.EBUSY)
