# SPDX-License-Identifier: GPL-2.0
"""The explicit mode's next keys: an application that sends and receives KeyUpdates
itself (RFC 8446 section 4.6.3) sets them with the same socket options as the first, as
with the "tls" ULP of Linux 6.14 and later. And the size of records."""

import contextlib
import errno
import os
import select
import socket
import struct
import time

from cases_explicit import in_background, readable, receive
from peer import (ALERT, CLOSE_NOTIFY, DATA, GCM_RECORDS, HANDSHAKE, KEY_UPDATE, KSEAL_RX_MAX_PAYLOAD_LEN,
                  KSEAL_TX_SECRET, SOL_TLS, TLS_GET_RECORD_TYPE, TLS_RX, TLS_SET_RECORD_TYPE, TLS_TX, ALL, Direction,
                  case, case_tls13, check, equal, explicit, fails, sealed)

MAX_RECORDS = "/sys/module/kseal/parameters/max_records"
TLS_TX_MAX_PAYLOAD_LEN = 5


def send_update(sock, peer):
    """What an application does: the message, then its next key."""
    sock.sendmsg([KEY_UPDATE], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([HANDSHAKE]))])
    peer.take_update()
    sock.setsockopt(SOL_TLS, TLS_TX, peer.rx.crypto_info())


def receive_update(sock):
    equal(sock.recvmsg(100, 100)[:2], (KEY_UPDATE, [(SOL_TLS, TLS_GET_RECORD_TYPE, bytes([HANDSHAKE]))]))


def refuses_to_read(sock):
    """With a timeout, Python would wait for it to become readable."""
    timeout = sock.gettimeout()
    sock.settimeout(None)
    for flags in (0, socket.MSG_DONTWAIT, socket.MSG_PEEK):
        fails(lambda: sock.recv(100, flags), errno.EKEYEXPIRED)
    sock.settimeout(timeout)


@case_tls13
def keys_follow_each_other_both_ways(suite):
    sock, peer = explicit(suite)
    for n in range(20):
        sock.sendall(b"out %d" % n)
        equal(peer.record(), (DATA, b"out %d" % n))
        send_update(sock, peer)
        peer.send(b"in %d" % n)
        peer.update()
        key = peer.tx.crypto_info()
        peer.send(b"next")
        equal(sock.recv(100), b"in %d" % n)
        receive_update(sock)
        refuses_to_read(sock)
        sock.setsockopt(SOL_TLS, TLS_RX, key)
        equal(sock.recv(100), b"next")
    data = os.urandom(300000)
    writer = in_background(lambda: sock.sendall(data))
    equal(peer.data(len(data)), data)
    writer.join()


@case_tls13
def nothing_is_readable_until_the_next_key_is_there(suite):
    sock, peer = explicit(suite)
    peer.send(b"before")
    peer.update()
    check(readable(sock, 5))
    equal(sock.recv(100), b"before")
    check(readable(sock, 5))
    fails(lambda: sock.recv(100), errno.EIO)
    check(readable(sock))
    receive_update(sock)
    key = peer.tx.crypto_info()
    peer.send(b"after")
    check(not readable(sock, 0.1))
    # A sleeper wakes when the key comes, whether the record was there before or not.
    seen = []
    sleeper = in_background(lambda: seen.append(readable(sock, 10)))
    time.sleep(0.1)
    begin = time.monotonic()
    sock.setsockopt(SOL_TLS, TLS_RX, key)
    sleeper.join()
    check(seen == [True] and time.monotonic() - begin < 5)
    equal(sock.recv(100), b"after")
    peer.update()
    receive_update(sock)
    sleeper = in_background(lambda: seen.append(readable(sock, 10)))
    time.sleep(0.1)
    sock.setsockopt(SOL_TLS, TLS_RX, peer.tx.crypto_info())
    peer.send(b"late")
    sleeper.join()
    equal(seen, [True, True])
    equal(sock.recv(100), b"late")


@case_tls13
def much_waits_for_the_next_key(suite):
    """More than the receive buffer holds."""
    sock, peer = explicit(suite, rcvbuf=4096)
    peer.update()
    receive_update(sock)
    data = os.urandom(200000)
    key = peer.tx.crypto_info()
    records = b"".join(peer.tx.seal(data[n:n + 16384]) for n in range(0, len(data), 16384))
    writer = in_background(lambda: peer.sock.sendall(records))
    for _ in range(5):
        check(not select.select([sock], [], [], 0.02)[0])
        refuses_to_read(sock)
    sock.setsockopt(SOL_TLS, TLS_RX, key)
    equal(receive(sock, len(data)), data)
    writer.join()


@case_tls13
def a_wrong_next_key_is_found_out(suite):
    sock, peer = explicit(suite)
    peer.update()
    peer.send(b"x")
    receive_update(sock)
    sock.setsockopt(SOL_TLS, TLS_RX, Direction(suite).crypto_info())
    fails(lambda: sock.recv(100), errno.EBADMSG)


@case
def next_keys_are_checked_as_the_tls_ulp_does(suite):
    sock, peer = explicit(suite)
    if not suite.tls13:
        for option in (TLS_TX, TLS_RX):
            fails(lambda: sock.setsockopt(SOL_TLS, option, Direction(suite).crypto_info()), errno.EBUSY)
    else:
        for other in ALL:
            if other is not suite:
                for option in (TLS_TX, TLS_RX):
                    fails(lambda: sock.setsockopt(SOL_TLS, option, Direction(other).crypto_info()), errno.EINVAL)
        fails(lambda: sock.setsockopt(SOL_TLS, TLS_TX, peer.rx.crypto_info()[:-1]), errno.EINVAL)
    sock.sendall(b"as before")
    equal(peer.record(), (DATA, b"as before"))
    peer.send(b"likewise")
    equal(sock.recv(100), b"likewise")


@case
def the_key_comes_back_as_it_is_now(suite):
    sock, peer = explicit(suite, seq=7)
    for _ in range(3):
        sock.sendall(b"x")
        peer.record()
        peer.send(b"y")
        equal(sock.recv(10), b"y")
    size = len(peer.rx.crypto_info())
    tx, rx = sock.getsockopt(SOL_TLS, TLS_TX, size), sock.getsockopt(SOL_TLS, TLS_RX, size)
    equal(rx, peer.tx.crypto_info())
    equal(tx[-8:], (10).to_bytes(8, "big"))
    if suite.tls13:
        equal(tx, peer.rx.crypto_info())
        send_update(sock, peer)
        equal(sock.getsockopt(SOL_TLS, TLS_TX, size), peer.rx.crypto_info())


@case_tls13
def a_spent_key_leaves_room_for_a_key_update(suite):
    sock, peer = explicit(suite, seq=GCM_RECORDS - 3)
    sock.sendall(b"1")
    sock.sendall(b"2")
    for _ in range(2):
        fails(lambda: sock.send(b"3"), errno.EKEYEXPIRED)
    equal(peer.data(2), b"12")
    send_update(sock, peer)
    sock.sendall(b"3")
    equal(peer.data(1), b"3")


@case_tls13
def an_open_record_goes_out_before_a_key_update(suite):
    sock, peer = explicit(suite)
    sock.send(b"held ", socket.MSG_MORE)
    sock.sendmsg([KEY_UPDATE], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([HANDSHAKE]))])
    equal(peer.record(), (DATA, b"held "))
    peer.take_update()
    sock.setsockopt(SOL_TLS, TLS_TX, peer.rx.crypto_info())
    sock.send(b"go on", socket.MSG_MORE)
    sock.send(b"!")
    equal(peer.record(), (DATA, b"go on!"))


@case_tls13
def a_next_key_ends_the_kernels_own_updates(suite):
    sock, peer = explicit(suite, secrets=True)
    peer.rx = Direction(suite)
    sock.setsockopt(SOL_TLS, TLS_TX, peer.rx.crypto_info())
    sock.sendall(b"x")
    equal(peer.record(), (DATA, b"x"))
    sock.setsockopt(SOL_TLS, KSEAL_TX_SECRET, peer.rx.secret)


class Limit:
    """On the plaintext of a direction's records, an option of @sock."""

    def __init__(self, sock, suite, option):
        self.sock, self.option, self.least = sock, option, 63 if suite.tls13 else 64
        equal(sock.getsockopt(SOL_TLS, option, 8), struct.pack("H", 16384))
        for bad in (b"", b"\1", struct.pack("I", 1000), struct.pack("H", self.least - 1), struct.pack("H", 16385)):
            fails(lambda: sock.setsockopt(SOL_TLS, option, bad), errno.EINVAL)
        fails(lambda: sock.getsockopt(SOL_TLS, option, 1), errno.EINVAL)

    def set(self, size):
        self.sock.setsockopt(SOL_TLS, self.option, struct.pack("H", size))
        equal(self.sock.getsockopt(SOL_TLS, self.option, 2), struct.pack("H", size))


@case
def records_are_no_larger_than_wanted(suite):
    sock, peer = explicit(suite)
    limit = Limit(sock, suite, TLS_TX_MAX_PAYLOAD_LEN)
    data = os.urandom(100000)
    for size in (limit.least, 1000, 4096, 16384):
        limit.set(size)
        writer = in_background(lambda: sock.sendall(data))
        got = b""
        while len(got) < len(data):
            type_, content = peer.record()
            check(type_ == DATA and len(content) <= size)
            got += content
        equal(got, data)
        writer.join()
    sock.send(b"open", socket.MSG_MORE)
    fails(lambda: limit.set(100), errno.EBUSY)
    sock.send(b".")
    equal(peer.record(), (DATA, b"open."))
    limit.set(100)


@case
def longer_records_than_wanted_are_refused(suite):
    sock, peer = explicit(suite)
    limit = Limit(sock, suite, KSEAL_RX_MAX_PAYLOAD_LEN)
    for size in (limit.least, 1000, 16384):
        limit.set(size)
        peer.send(b"x" * size)
        equal(sock.recv(20000), b"x" * size)
    equal(sock.getsockopt(SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, 2), struct.pack("H", 16384))
    # What has come before is judged by what was in force then.
    peer.send(b"y" * 2000)
    check(readable(sock, 5))
    limit.set(1999)
    equal(sock.recv(20000), b"y" * 2000)
    peer.send(b"z" * 2000)
    fails(lambda: sock.recv(20000), errno.EMSGSIZE)


@contextlib.contextmanager
def max_records_lowered(sock, peer):
    """For a key that has protected more by then."""
    for n in range(40):
        sock.send(b"%d" % n)
        equal(peer.record(), (DATA, b"%d" % n))
    try:
        with open(MAX_RECORDS, "w") as f:
            f.write("20")
        yield
    finally:
        with open(MAX_RECORDS, "w") as f:
            f.write("0")


@case
def max_records_lowered_counts_for_old_connections(suite):
    sock, peer = sealed(suite)
    with max_records_lowered(sock, peer):
        if suite.tls13:
            sock.send(b"next")
            peer.take_update()
            equal(peer.record(), (DATA, b"next"))
        else:
            fails(lambda: sock.send(b"next"), errno.EKEYEXPIRED)
    sock.close()
    peer.ends_with((ALERT, CLOSE_NOTIFY))


@case_tls13
def max_records_lowered_leaves_room_for_a_key_update(suite):
    """Of an application that sends it itself."""
    sock, peer = explicit(suite)
    with max_records_lowered(sock, peer):
        fails(lambda: sock.send(b"next"), errno.EKEYEXPIRED)
        send_update(sock, peer)
        sock.send(b"next")
        equal(peer.record(), (DATA, b"next"))
