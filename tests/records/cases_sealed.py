# SPDX-License-Identifier: GPL-2.0
"""Sealed sockets: what the kernel does with alerts, KeyUpdates, forgeries and the end
of a stream, and what the application gets to see of it (kernel/alert.c)."""

import errno
import fcntl
import mmap
import os
import random
import select
import signal
import socket
import struct
import threading
import time

from cases_explicit import in_background, inq, readable, receive
from peer import (ALERT, DATA, GCM_RECORDS, HANDSHAKE, KEY_UPDATE, KEY_UPDATE_REQUEST, SOL_TLS, TIOCOUTQ,
                  TLS_SET_RECORD_TYPE, TLS_TX, CLOSE_NOTIFY, Agent, case, case_tls12, case_tls13, check, connector, equal,
                  fails, sealed, stat)

UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW = 10, 20, 22
ILLEGAL_PARAMETER, DECODE_ERROR, PROTOCOL_VERSION, USER_CANCELED, NO_RENEGOTIATION = 47, 50, 70, 90, 100
WARNING, FATAL = 1, 2
IDLE_RECORDS_MAX = 32
UPDATES_MAX, UPDATE_BYTES = 32, 128

END = (ALERT, CLOSE_NOTIFY)


def alert(description):
    return ALERT, bytes([FATAL, description])


def is_dead(sock, wanted=errno.EBADMSG):
    """Reading fails for good, writing too, and poll does not sleep."""
    sock.setblocking(True)
    for _ in range(3):
        fails(lambda: sock.recv(10), wanted)
    try:
        sock.send(b"x", socket.MSG_NOSIGNAL)
    except OSError:
        pass
    fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)
    check(readable(sock))
    check(select.select([], [sock], [], 0)[1])


@case
def plaintext_here_records_there(suite):
    for family in (socket.AF_INET, socket.AF_INET6):
        sock, peer = sealed(suite, family=family)
        sock.sendall(b"hello")
        equal(peer.record(), (DATA, b"hello"))
        peer.send(b"world")
        equal(sock.recvmsg(100, 100)[:3], (b"world", [], 0))


@case
def the_application_can_not_forge_records(suite):
    sock, peer = sealed(suite)
    fails(lambda: sock.setsockopt(SOL_TLS, TLS_TX, peer.rx.crypto_info()), errno.EPERM)
    fails(lambda: sock.sendmsg([CLOSE_NOTIFY], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([ALERT]))]), errno.EINVAL)


@case
def nothing_of_a_forged_record_is_seen(suite):
    sock, peer = sealed(suite)
    text = os.urandom(16384)
    record = bytearray(peer.tx.seal(text))
    record[-1] ^= 1
    peer.sock.sendall(record)
    buf = bytearray(b"u" * 2 * len(text))
    fails(lambda: sock.recv_into(buf), errno.EBADMSG)
    equal(buf, b"u" * len(buf))
    is_dead(sock)


@case
def close_notify_is_the_end(suite):
    sock, peer = sealed(suite)
    peer.send(b"data")
    peer.send(CLOSE_NOTIFY, ALERT)
    peer.send(b"ignored")
    equal(sock.recv(100), b"data")
    for _ in range(3):
        equal(sock.recv(100), b"")
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLRDHUP)
    equal(poll.poll(0)[0][1], select.POLLIN | select.POLLRDHUP)
    sock.send(b"still")
    equal(peer.data(5), b"still")
    sock.close()
    peer.ends_with(END)


@case
def a_bare_fin_is_truncation(suite):
    before = stat("KsealTruncated")
    sock, peer = sealed(suite)
    peer.send(b"data")
    peer.sock.shutdown(socket.SHUT_WR)
    equal(sock.recv(100), b"data")
    for _ in range(3):
        fails(lambda: sock.recv(10), errno.ECONNRESET)
    equal(stat("KsealTruncated"), before + 1)
    sock, peer = sealed(suite)
    peer.sock.sendall(peer.tx.seal(b"data")[:-1])
    peer.sock.shutdown(socket.SHUT_WR)
    fails(lambda: sock.recv(10), errno.ECONNRESET)


@case
def a_reset_behind_a_fin_changes_nothing(suite):
    """A peer that closes at once gets an answer, and TCP resets the connection: of no interest to a reader."""
    for told, end in ((None, errno.ECONNRESET), ({Agent.A_TOLERATE_TRUNCATION: b""}, 0)):
        before = stat("KsealTruncated")
        sock, peer = sealed(suite, told=told)
        peer.send(b"data")
        peer.sock.close()
        equal(sock.recv(10), b"data")
        sock.send(b"answer")
        poll = select.poll()
        poll.register(sock, 0)
        check(poll.poll(5000), "no reset")
        for _ in range(3):
            if end:
                fails(lambda: sock.recv(10), end)
            else:
                equal(sock.recv(10), b"")
        equal(stat("KsealTruncated"), before + 1)
        fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)


@case_tls12
def a_header_that_changes_after_it_was_scanned(suite):
    """The sender's page is the receiver's: a record that looked like data when it came is an alert that means
    nothing when it is read, and the socket must not be readable for ever."""
    sock, peer = sealed(suite)
    empty = peer.tx.seal(b"")
    warning = bytearray(peer.tx.seal(bytes([WARNING, NO_RENEGOTIATION]), ALERT))
    with open(os.memfd_create("page"), "r+b", buffering=0) as f:
        f.truncate(mmap.PAGESIZE)
        with mmap.mmap(f.fileno(), mmap.PAGESIZE) as page:
            page[:len(warning)] = bytes([DATA]) + warning[1:]
            peer.sock.sendall(empty)
            equal(os.sendfile(peer.sock.fileno(), f.fileno(), 0, len(warning)), len(warning))
            check(readable(sock, 5))
            page[0] = ALERT
            sock.settimeout(None)
            fails(lambda: sock.recv(10, socket.MSG_DONTWAIT), errno.EAGAIN)
    check(not readable(sock), "still readable")
    peer.send(b"x")
    equal(sock.recv(10), b"x")


@case
def a_reset_is_never_an_end(suite):
    sock, peer = sealed(suite)
    peer.send(b"data")
    peer.reset()
    equal(sock.recv(100), b"data")
    for _ in range(3):
        fails(lambda: sock.recv(10), errno.ECONNRESET)
    for taken_by in (lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
                     lambda: fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.ECONNRESET)):
        sock, peer = sealed(suite)
        peer.reset()
        check(readable(sock, 5))
        taken_by()
        for _ in range(3):
            fails(lambda: sock.recv(10), errno.ECONNRESET)
        fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)


@case
def a_fatal_alert_ends_both_directions(suite):
    before = stat("KsealRxAlerts")
    sock, peer = sealed(suite)
    peer.send(b"data")
    peer.send(bytes([FATAL, 40]), ALERT)
    equal(sock.recv(100), b"data")
    is_dead(sock, errno.ECONNABORTED)
    equal(stat("KsealRxAlerts"), before + 1)
    sock.close()
    peer.ends()


@case
def user_canceled_may_be_fatal_in_tls_1_2(suite):
    """There the level says so (RFC 5246 section 7.2)."""
    sock, peer = sealed(suite)
    peer.send(bytes([FATAL, USER_CANCELED]), ALERT)
    if suite.tls13:
        peer.send(b"x")
        equal(sock.recv(10), b"x")
    else:
        is_dead(sock, errno.ECONNABORTED)


@case
def a_forged_record_is_answered_with_an_alert(suite):
    for size in (10, 5000):
        sock, peer = sealed(suite)
        record = bytearray(peer.tx.seal(b"z" * size))
        record[-1] ^= 1
        peer.sock.sendall(record)
        is_dead(sock)
        sock.close()
        peer.ends_with(alert(BAD_RECORD_MAC))


@case
def each_bad_header_has_its_alert(suite):
    headers = [(b"\x17\3\3\xff\xff", RECORD_OVERFLOW), (b"\x17\3\3\0\1", BAD_RECORD_MAC),
               (b"\x17\3\1\0\x40", PROTOCOL_VERSION),
               (b"GET / HTTP/1.1\r\n", UNEXPECTED_MESSAGE if suite.tls13 else PROTOCOL_VERSION)]
    if suite.tls13:
        headers += [(b"\x14\3\3\0\1\1", UNEXPECTED_MESSAGE), (b"\x16\3\3\1\0", UNEXPECTED_MESSAGE),
                    (b"\x15\3\3\0\2\1\0", UNEXPECTED_MESSAGE)]
    for header, description in headers:
        sock, peer = sealed(suite)
        peer.send(b"ok")
        peer.sock.sendall(header)
        equal(receive(sock, 2), b"ok")
        is_dead(sock)
        equal(peer.record(), alert(description))


@case
def records_are_no_longer_than_was_asked_for(suite):
    """RFC 8449 section 4: in TLS 1.3 padding counts."""
    for size in (64, 4096, 16384):
        sock, peer = sealed(suite, rx_max=size)
        peer.send(b"a" * size)
        peer.send(b"b" * (size - 10), padding=10)
        peer.send(b"ok")
        equal(receive(sock, size), b"a" * size)
        equal(receive(sock, size - 8), b"b" * (size - 10) + b"ok")
        if suite.tls13:
            peer.update()       # the limit outlives the key
        peer.send(b"c" * (size + 1))
        is_dead(sock)
        equal(peer.record(), alert(RECORD_OVERFLOW))
    sock, peer = sealed(suite, rx_max=64)
    peer.send(b"d" * 64)
    peer.send(b"e" * (55 if suite.tls13 else 65), padding=10)
    equal(receive(sock, 64), b"d" * 64)
    is_dead(sock)


@case
def what_has_no_place_here_is_refused(suite):
    for type_, body, description in (
            (20, b"\1", UNEXPECTED_MESSAGE), (24, b"x" * 10, UNEXPECTED_MESSAGE), (99, b"", UNEXPECTED_MESSAGE),
            (HANDSHAKE, b"\x18\0\0\1\2", ILLEGAL_PARAMETER if suite.tls13 else UNEXPECTED_MESSAGE),
            (HANDSHAKE, b"\4\0\0\0", UNEXPECTED_MESSAGE), (HANDSHAKE, b"\1" + b"x" * 500, UNEXPECTED_MESSAGE),
            (HANDSHAKE, KEY_UPDATE * 2, UNEXPECTED_MESSAGE),
            (HANDSHAKE, b"\x18\0\0\0", DECODE_ERROR if suite.tls13 else UNEXPECTED_MESSAGE),
            (HANDSHAKE, b"\x18\0\0\2\0\0", DECODE_ERROR if suite.tls13 else UNEXPECTED_MESSAGE),
            (HANDSHAKE, b"", UNEXPECTED_MESSAGE), (ALERT, b"", UNEXPECTED_MESSAGE), (ALERT, b"\1", DECODE_ERROR),
            (ALERT, b"\1\0\0", DECODE_ERROR)):
        sock, peer = sealed(suite)
        peer.send(b"ok")
        peer.send(body, type_)
        equal(receive(sock, 2), b"ok")
        is_dead(sock)
        equal(peer.record(), alert(description))


@case_tls13
def padding_is_taken_off(suite):
    sock, peer = sealed(suite)
    peer.send(b"abc", padding=1000)
    peer.send(b"q" * 4000, padding=5000)
    peer.send(b"", padding=16384)
    peer.send(b"\0" * 5, padding=5)
    equal(receive(sock, 4008), b"abc" + b"q" * 4000 + b"\0" * 5)


@case_tls13
def padding_alone_is_refused(suite):
    sock, peer = sealed(suite)
    peer.sock.sendall(peer.tx.seal_inner(bytes(100)))
    is_dead(sock)
    equal(peer.record(), alert(UNEXPECTED_MESSAGE))


@case
def idle_records_are_limited(suite):
    def warning(i):
        description = USER_CANCELED if suite.tls13 or i & 1 else NO_RENEGOTIATION
        return bytes([WARNING, description]), ALERT
    for idle in (lambda i: (b"", DATA), warning):
        sock, peer = sealed(suite)
        for i in range(IDLE_RECORDS_MAX):
            peer.send(*idle(i))
        peer.send(b"x")
        equal(sock.recv(1), b"x")
        for i in range(IDLE_RECORDS_MAX + 1):
            peer.send(*idle(i))
        is_dead(sock)
        equal(peer.record(), alert(UNEXPECTED_MESSAGE))


@case_tls13
def key_updates_are_answered_and_limited(suite):
    sock, peer = sealed(suite, seq=GCM_RECORDS - 3)
    for data in (b"1", b"2", b"3"):
        sock.send(data)
    equal(peer.data(2), b"12")
    peer.take_update()
    equal(peer.data(1), b"3")
    for _ in range(5):
        peer.update(request=True)
        peer.send(b"after")
        equal(sock.recv(10), b"after")
        peer.take_update()
        sock.send(b"x")
        equal(peer.data(1), b"x")
    before = stat("KsealRxFlood")
    for _ in range(IDLE_RECORDS_MAX + 1):
        peer.update()
    is_dead(sock)
    equal(peer.record(), alert(UNEXPECTED_MESSAGE))
    equal(stat("KsealRxFlood"), before + 1)


@case_tls13
def a_key_update_may_come_in_pieces(suite):
    """RFC 8446 section 5.1; but nothing in between, and what follows it has another key."""
    for make in (sealed, connector):
        sock, peer = make(suite)
        for cuts in ((1,), (4,), (1, 2, 3, 4)):
            for begin, end in zip((0,) + cuts, cuts + (5,)):
                peer.send(KEY_UPDATE_REQUEST[begin:end], HANDSHAKE)
            peer.tx.update()
            peer.send(b"x")
            equal(sock.recv(10), b"x")
            peer.take_update()
        for between in ((KEY_UPDATE[4:] + KEY_UPDATE[:1], HANDSHAKE), (b"x", DATA), (b"x" * 5000, DATA), (b"", DATA),
                        (b"", HANDSHAKE), (b"\2", HANDSHAKE)):
            sock, peer = make(suite)
            peer.send(KEY_UPDATE[:4], HANDSHAKE)
            peer.send(*between)
            is_dead(sock)
            equal(peer.record(), alert(ILLEGAL_PARAMETER if between[0] == b"\2" else UNEXPECTED_MESSAGE))


@case_tls13
def key_updates_between_bytes_are_a_flood(suite):
    for request, piece in ((False, 1), (True, 1), (False, 64)):
        sock, peer = sealed(suite)
        sock.send(b"x")
        equal(peer.data(1), b"x")
        before, done = stat("KsealRxRekeys"), 0
        most = 2 + UPDATES_MAX * UPDATE_BYTES // (UPDATE_BYTES - piece)
        begun = time.monotonic()
        try:
            for done in range(10 * most):
                peer.update(request)
                peer.send(bytes(piece))
                equal(receive(sock, piece), bytes(piece))
        except OSError as e:
            equal(e.errno, errno.EBADMSG)
        check(UPDATES_MAX <= done <= most or time.monotonic() - begun > 60, done)
        equal(stat("KsealRxRekeys"), before + done)
        is_dead(sock)
        while (record := peer.record()) == (HANDSHAKE, KEY_UPDATE):
            peer.rx.update()
        equal(record, alert(UNEXPECTED_MESSAGE))


@case_tls13
def key_updates_under_load_are_none(suite):
    sock, peer = sealed(suite)
    for n in range(500):
        peer.update()
        peer.send(bytes([n & 255]) * UPDATE_BYTES)
        equal(receive(sock, UPDATE_BYTES), bytes([n & 255]) * UPDATE_BYTES)
    sock.send(b"x")
    equal(peer.data(1), b"x")


@case_tls13
def a_key_update_alone_is_not_readable(suite):
    sock, peer = sealed(suite)
    sock.setblocking(True)
    peer.update(request=True)
    check(not readable(sock, 0.1))
    peer.take_update()
    equal(inq(sock), 0)
    fails(lambda: sock.recv(1, socket.MSG_DONTWAIT), errno.EAGAIN)


@case_tls13
def key_updates_without_answers_read_do_not_fill_memory(suite):
    sock, peer = sealed(suite)
    sock.setblocking(False)
    try:
        while True:
            sock.send(b"z" * 100000)
    except BlockingIOError:
        pass

    def outq():
        return struct.unpack("i", fcntl.ioctl(sock, TIOCOUTQ, bytes(4)))[0]
    before = outq()
    sock.setblocking(True)
    for _ in range(300):
        peer.update(request=True)
        peer.send(bytes(UPDATE_BYTES))
        equal(receive(sock, UPDATE_BYTES), bytes(UPDATE_BYTES))
    check(outq() < before + 300000, before, outq())
    writer = in_background(lambda: sock.send(b"end"))
    updates, content = 0, b""
    while not content.endswith(b"end"):
        type_, content = peer.record()
        if type_ == HANDSHAKE:
            equal(content, KEY_UPDATE)
            peer.rx.update()
            updates += 1
    writer.join()
    check(updates)


@case_tls13
def without_secrets_key_updates_are_refused(suite):
    sock, peer = sealed(suite, secrets=False)
    peer.send(KEY_UPDATE_REQUEST, HANDSHAKE)
    is_dead(sock)
    equal(peer.record(), alert(UNEXPECTED_MESSAGE))


@case
def without_secrets_a_key_stops_at_its_limit(suite):
    before = stat("KsealTxLimit")
    sock, peer = sealed(suite, secrets=False, seq=GCM_RECORDS - 3)
    sock.send(b"1")
    sock.send(b"2")
    for _ in range(2):
        fails(lambda: sock.send(b"3"), errno.EKEYEXPIRED)
    equal(stat("KsealTxLimit"), before + 1)
    sock.close()
    peer.ends_with((DATA, b"1"), (DATA, b"2"), END)


@case
def close_and_shutdown_send_close_notify(suite):
    sock, peer = sealed(suite)
    sock.send(b"a", socket.MSG_MORE)
    sock.close()
    peer.ends_with((DATA, b"a"), END)
    sock, peer = sealed(suite)
    sock.shutdown(socket.SHUT_WR)
    peer.ends_with(END)
    peer.send(b"q")
    equal(sock.recv(9), b"q")
    peer.send(CLOSE_NOTIFY, ALERT)
    equal(sock.recv(1), b"")
    sock, peer = sealed(suite)
    sock.shutdown(socket.SHUT_RDWR)
    peer.ends_with(END)
    equal(sock.recv(1), b"")


@case
def a_process_that_ends_sends_close_notify(suite):
    """However it ends; what it has written goes out first."""
    for end in ("exit", "kill"):
        sock, peer = sealed(suite)
        left, right = os.pipe()
        pid = os.fork()
        if not pid:
            sock.send(b"last words", socket.MSG_MORE)
            os.write(right, b".")
            if end == "exit":
                os._exit(0)
            while True:
                signal.pause()
        sock.close()
        os.read(left, 1)
        os.close(left)
        os.close(right)
        if end == "kill":
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        got = b""
        while True:
            type_, content = peer.record()
            if type_ == ALERT:
                break
            got += content
        equal((got, content), (b"last words", CLOSE_NOTIFY))
        peer.ends()


@case
def the_end_never_waits_for_the_peer(suite):
    """A peer that does not read: close(), shutdown() and SIGKILL are over at once."""
    def filled():
        sock, peer = sealed(suite)
        sock.setblocking(False)
        try:
            while True:
                sock.send(bytes(100000))
        except BlockingIOError:
            return sock, peer
    for end in ("close", "shutdown", "kill"):
        sock, peer = filled()
        begun = time.monotonic()
        if end == "kill":
            pid = os.fork()
            if not pid:
                signal.pause()
            sock.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        elif end == "shutdown":
            sock.shutdown(socket.SHUT_RDWR)
        else:
            sock.close()
        check(time.monotonic() - begun < 2)
        while True:
            record = peer.record()
            if record != (DATA, bytes(len(record[1]))):
                break
        equal(record, END)
        peer.ends()


@case
def so_linger_is_respected(suite):
    linger = socket.SOL_SOCKET, socket.SO_LINGER
    # 0: a reset, and no record of ours ahead of it that could be lost
    sock, peer = sealed(suite)
    sock.setsockopt(*linger, struct.pack("ii", 1, 0))
    sock.close()
    try:
        while peer.sock.recv(100):
            pass
        raise AssertionError("no reset")
    except ConnectionResetError:
        pass
    # Seconds: close() waits that long, and not longer, for a peer that does not read.
    sock, peer = sealed(suite)
    sock.setblocking(False)
    try:
        while True:
            sock.send(bytes(100000))
    except BlockingIOError:
        pass
    sock.setblocking(True)
    sock.setsockopt(*linger, struct.pack("ii", 1, 1))
    begun = time.monotonic()
    sock.close()
    check(0.9 < time.monotonic() - begun < 4, time.monotonic() - begun)


@case
def each_direction_ends_by_itself(suite):
    sock, peer = sealed(suite)
    peer.send(CLOSE_NOTIFY, ALERT)
    equal(sock.recv(1), b"")
    sock.sendall(b"z" * 100000)
    equal(peer.data(100000), b"z" * 100000)
    sock.shutdown(socket.SHUT_WR)
    peer.ends_with(END)
    fails(lambda: sock.send(b"x", socket.MSG_NOSIGNAL), errno.EPIPE)
    equal(sock.recv(1), b"")
    # Ours first: what the peer still sends is read, to its own end.
    sock, peer = sealed(suite)
    sock.shutdown(socket.SHUT_WR)
    peer.ends_with(END)
    for _ in range(3):
        peer.send(b"q" * 5000)
        equal(receive(sock, 5000), b"q" * 5000)
    peer.sock.shutdown(socket.SHUT_WR)
    fails(lambda: sock.recv(1), errno.ECONNRESET)
    # SHUT_RD alone says nothing to the peer.
    sock, peer = sealed(suite)
    sock.shutdown(socket.SHUT_RD)
    equal(sock.recv(1), b"")
    sock.send(b"x")
    equal(peer.record(), (DATA, b"x"))


@case
def an_unread_close_notify_does_not_make_close_reset(suite):
    sock, peer = sealed(suite)
    sock.send(b"response")
    peer.send(CLOSE_NOTIFY, ALERT)
    check(readable(sock, 5))
    sock.close()
    time.sleep(0.05)
    peer.ends_with((DATA, b"response"), END)


@case
def a_receive_buffer_smaller_than_a_record_is_enough(suite):
    sock, peer = sealed(suite, rcvbuf=2048)
    data = os.urandom(100000)

    def write():
        for i in range(0, len(data), 16384):
            peer.send(data[i:i + 16384])
    for timeout in (None, 0):
        writer = in_background(write)
        sock.settimeout(timeout)
        out = b""
        while len(out) < len(data):
            if timeout == 0:
                check(readable(sock, 10), len(out))
            try:
                out += sock.recv(random.choice((100, 100000)))
            except BlockingIOError:
                pass
        writer.join()
        equal(out, data)


@case
def many_writers_do_not_tear_records(suite):
    sock, peer = sealed(suite)
    count = {"sent": 0, "got": 0}
    lock = threading.Lock()

    def write(byte, dice):
        for _ in range(60):
            n = dice.choice((1, 100, 5000, 40000))
            sock.sendall(bytes([byte]) * n)
            with lock:
                count["sent"] += n

    def read():
        while True:
            record = peer.record()
            if record == END:
                return
            equal(record[0], DATA)
            count["got"] += len(record[1])
    reader = in_background(read)
    writers = [in_background(write, i, random.Random(i)) for i in range(4)]
    for thread in writers:
        thread.join()
    sock.shutdown(socket.SHUT_WR)
    reader.join()
    equal(count["got"], count["sent"])


@case
def many_readers_lose_nothing(suite):
    sock, peer = sealed(suite)
    sock.settimeout(None)
    total, lock = [0], threading.Lock()

    def read(flags):
        while True:
            got = sock.recv(random.choice((1, 100, 20000, 70000)), flags)
            if not got:
                return
            with lock:
                total[0] += len(got)

    def look():
        while sock.recv(30000, socket.MSG_PEEK):
            inq(sock)
    threads = [in_background(read, flags) for flags in (0, 0, socket.MSG_WAITALL)]
    threads.append(in_background(look))
    sent = 0
    for _ in range(200):
        n = random.choice((1, 200, 16384))
        peer.send(os.urandom(n))
        sent += n
    peer.send(CLOSE_NOTIFY, ALERT)
    for thread in threads:
        thread.join()
    equal(total[0], sent)
