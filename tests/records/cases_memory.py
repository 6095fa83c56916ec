# SPDX-License-Identifier: GPL-2.0
"""Memory that runs out (fault injection, in debug kernels): a stream ends, or goes on
without a byte lost or repeated."""

import errno
import hashlib
import os
import random
import socket
import time

from cases_explicit import Thread, in_background
from peer import (ALERT, DATA, HANDSHAKE, SOL_TLS, TLS_SET_RECORD_TYPE, CLOSE_NOTIFY, Agent, Direction, Peer, Skip,
                  case, case_once, check, equal, listener, push_keys, sealed, ulp)

DEBUG = "/sys/kernel/debug"
FCLONES = "/sys/kernel/slab/skbuff_fclone_cache/failslab"


def write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


class Failing:
    """Allocations of this thread fail, that often."""

    def __init__(self, percent, caches=None, pages=True):
        if not os.path.exists(f"{DEBUG}/failslab") or not os.path.exists("/proc/self/make-it-fail"):
            check("-debug-" not in os.uname().release, "a debug kernel without fault injection")
            raise Skip("this kernel has no fault injection")
        kinds = ["failslab"] + (["fail_page_alloc"] if pages else [])
        for kind in kinds:
            for name, value in (("task-filter", "Y"), ("times", -1), ("ignore-gfp-wait", "N"), ("verbose", 0),
                                ("probability", percent)):
                write(f"{DEBUG}/{kind}/{name}", value)
        write(f"{DEBUG}/failslab/cache-filter", "Y" if caches else "N")
        if caches:
            write(caches, 1)
        if pages:
            write(f"{DEBUG}/fail_page_alloc/min-order", 0)
            write(f"{DEBUG}/fail_page_alloc/ignore-gfp-highmem", "N")

    def __enter__(self):
        self.file = open("/proc/thread-self/make-it-fail", "w")
        self._set(1)

    def __exit__(self, *_):
        self._set(0)
        self.file.close()

    def _set(self, value):
        self.file.write(str(value))
        self.file.flush()

    @staticmethod
    def stop():
        for kind in ("failslab", "fail_page_alloc"):
            if os.path.exists(f"{DEBUG}/{kind}"):
                write(f"{DEBUG}/{kind}/probability", 0)


class Sink(Thread):
    """Reads what the peer gets, to the end."""

    def __init__(self, peer):
        self.peer, self.hash, self.count, self.whole = peer, hashlib.sha256(), 0, False
        super().__init__(self.read)

    def read(self):
        try:
            while True:
                record = self.peer.record()
                if record == (ALERT, CLOSE_NOTIFY):
                    self.whole = True
                if record is None or self.whole:
                    return
                equal(record[0], DATA)
                self.hash.update(record[1])
                self.count += len(record[1])
        except OSError:
            pass


def writes(suite, failing, must_survive):
    blocks = [os.urandom(n) for n in (1, 100, 5000, 16384, 40000, 100000)]
    for flags in (0, socket.MSG_DONTWAIT):
        sock, peer = sealed(suite)
        sock.setblocking(True)
        sink, sent, count = Sink(peer), hashlib.sha256(), 0
        with failing:
            for _ in range(60):
                block = random.choice(blocks)
                more = socket.MSG_MORE if random.random() < 0.3 else 0
                try:
                    n = sock.send(block, flags | more | socket.MSG_NOSIGNAL)
                except OSError as e:
                    check(not must_survive or e.errno == errno.EAGAIN, e)
                    continue
                sent.update(block[:n])
                count += n
        sock.close()
        sink.join()
        check(sink.whole or not must_survive)
        if sink.whole:
            equal((sink.count, sink.hash.digest()), (count, sent.digest()))


@case
def tcp_without_memory_delays_records(suite):
    try:
        for percent in (10, 50, 90):
            writes(suite, Failing(percent, FCLONES, pages=False), True)
    finally:
        Failing.stop()


@case
def no_memory_to_seal_in_ends_the_stream_or_not(suite):
    try:
        for percent in (1, 5, 20):
            writes(suite, Failing(percent), False)
    finally:
        Failing.stop()


@case
def no_memory_at_the_end_makes_no_false_end(suite):
    """close_notify comes behind all that was written, or not at all."""
    try:
        for percent in (30, 60, 90) * 3:
            for ends in (lambda: sock.shutdown(socket.SHUT_WR), lambda: sock.close()):
                sock, peer = sealed(suite)
                peer.sock.settimeout(3)
                sock.send(b"e" * 300, socket.MSG_MORE)
                with Failing(percent):
                    ends()
                sink = Sink(peer)
                sink.join()
                check(sink.count == 300 or not sink.whole)
                sock.close()
    finally:
        Failing.stop()


@case
def no_memory_to_open_in_loses_nothing(suite):
    try:
        for percent in (1, 5, 20):
            reads(suite, Failing(percent))
    finally:
        Failing.stop()


@case
def reads_need_no_memory_in_large_pieces(suite):
    failing = Failing(100)
    try:
        write(f"{DEBUG}/failslab/probability", 0)
        write(f"{DEBUG}/fail_page_alloc/min-order", 3)
        sock, peer = sealed(suite)
        data = os.urandom(16384)
        for n in (1, 3000, 16384) * 10:
            peer.send(data[:n])
            with failing:
                equal(sock.recv(n, socket.MSG_WAITALL), data[:n])
    finally:
        Failing.stop()


def reads(suite, failing):
    sock, peer = sealed(suite)
    sock.setblocking(True)
    data = os.urandom(300000)

    def feed():
        i = 0
        try:
            while i < len(data):
                n = random.choice((1, 100, 3000, 16384))
                peer.send(data[i:i + n])
                i += n
                if suite.tls13 and random.random() < 0.02:
                    peer.update()
            peer.send(CLOSE_NOTIFY, ALERT)
        except OSError:
            pass
    feeder = in_background(feed)
    at = 0
    while True:
        flags = random.choice((0, 0, 0, socket.MSG_PEEK))
        try:
            with failing:
                got = sock.recv(random.choice((1, 100, 5000, 70000)), flags)
        except OSError as e:
            if e.errno == errno.ENOMEM:
                continue
            equal(e.errno, errno.EBADMSG)   # no memory for a KeyUpdate
            break
        if not got:
            equal(at, len(data))
            break
        equal(got, data[at:at + len(got)])
        if not flags:
            at += len(got)
    sock.close()
    feeder.join()


@case_once
def what_waits_for_memory_waits_for_accept(suite):
    """Until then there is no socket on which TCP could note that it had none."""
    failing = Failing(100, FCLONES, pages=False)
    tx, rx = Direction(suite), Direction(suite)

    def push(proxy):
        push_keys(proxy, tx, rx, True)
        with failing:
            proxy.sendmsg([b"ticket"], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([HANDSHAKE]))])
        write(f"{DEBUG}/failslab/task-filter", "N")     # the work's fail as well

    with listener() as l:
        ulp(l)
        l.listen()
        client = socket.create_connection(l.getsockname()[:2])
        try:
            Agent.get().serve(push)
            time.sleep(0.3)
        finally:
            Failing.stop()
        sock = l.accept()[0]
    peer = Peer(client, rx, tx)
    client.settimeout(30)
    equal(peer.record(), (HANDSHAKE, b"ticket"))
    sock.sendall(b"and data")
    equal(peer.data(8), b"and data")
