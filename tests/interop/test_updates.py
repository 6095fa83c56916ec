# SPDX-License-Identifier: GPL-2.0
"""KeyUpdate in the kernel against OpenSSL and GnuTLS: keys change under load, and
neither side's application notices."""

import os
import random
import select
import socket
import subprocess
import threading
import time

import harness
from harness import (NAME, Program, Thread, counters, eq, free_port, helper, kseal_run, listener,
                     parameters, path, port_of, read_exactly, test)
from peers import BIN, armed_client, pair_of, program, say

# hash of the key schedule, OpenSSL's name, GnuTLS's
SUITES = (
    ("sha256", "TLS_AES_128_GCM_SHA256", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM"),
    ("sha384", "TLS_AES_256_GCM_SHA384", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM"),
)
LIBRARIES = {"openssl": 0, "gnutls": 160}       # GnuTLS takes eight a second


def tunnel(library, port, suite, chunk, interval):
    return Program(os.path.join(BIN, "tunnel-" + library), str(port), NAME, path("ca.crt"), suite,
                   str(chunk), str(interval), stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def feed(program, data, pause=0.0):
    for i in range(0, len(data), 4096):
        program.process.stdin.write(data[i:i + 4096])
        program.process.stdin.flush()
        time.sleep(pause)


def updates_of(program):
    return int(program.until(r"(\d+) updates").group(1))


def many(suite, count):
    """COUNT updates of the client's, and ours before every 64th record, on an echo server."""
    port, chunk = free_port(), 128
    data = random.Random(count).randbytes(count * chunk)
    before = counters()
    with kseal_run(helper("echo"), "epollet", str(port)) as server, parameters(max_records=64):
        server.listening(port)
        with tunnel("openssl", port, suite, chunk, 0) as client:
            feeder = Thread(feed, client, data)
            got = client.process.stdout.read(len(data))
            feeder.join()
            assert got == data, "other bytes came back"
            client.process.stdin.close()
            eq(client.wait(), 0, client.output())
            sent = updates_of(client)
    after = counters()
    assert sent >= count, f"{sent} updates"
    eq(after["KsealRxRekeys"] - before["KsealRxRekeys"], sent, "updates received")
    assert after["KsealTxRekeys"] - before["KsealTxRekeys"] > 100, "none of ours"
    eq(after["KsealBadRecord"] - before["KsealBadRecord"], 0, "bad records")


for _hash, _openssl, _ in SUITES:
    test(many, args=(_openssl, 1000), name=f"a_thousand_key_updates_{_hash}", timeout=60)
    test(many, args=(_openssl, 10000), name=f"ten_thousand_key_updates_{_hash}", timeout=300,
         long=True)


def in_every_way(conn, size, seed):
    """SIZE bytes from CONN, by peek, splice, recv, recvmsg, MSG_WAITALL, after poll."""
    rng, got = random.Random(seed), bytearray()
    r, w = os.pipe()
    poll = select.poll()
    poll.register(conn, select.POLLIN)
    while len(got) < size:
        assert poll.poll(60000 * harness.SLOW), "poll: nothing came"
        want = min(rng.choice((1, 7, 100, 1000, 20000)), size - len(got))
        way = rng.randrange(5)
        if way == 0:
            first = conn.recv(want, socket.MSG_PEEK)
            assert first, "end of stream"
            eq(conn.recv(len(first), socket.MSG_WAITALL), first, "what was peeked at")
            got += first
        elif way == 1:
            n = os.splice(conn.fileno(), w, min(want, 4096))
            while n:
                piece = os.read(r, n)
                got += piece
                n -= len(piece)
        elif way == 2:
            got += conn.recvmsg(want)[0]
        elif way == 3:
            got += read_exactly(conn, want)
        else:
            got += conn.recv(want, socket.MSG_WAITALL)
    os.close(r)
    os.close(w)
    return bytes(got)


def unnoticed(library, suite, size, pause):
    """Two writers and a reader on one socket while both sides change their keys."""
    sock = listener()
    data = random.Random(size).randbytes(size)
    before = counters()
    with parameters(max_records=32 if library == "openssl" else 0), \
         tunnel(library, port_of(sock), suite, 512, LIBRARIES[library]) as client:
        conn = harness.accept(sock)
        conn.settimeout(None)
        stop = threading.Event()
        written = {b"a": 0, b"b": 0}

        def write(who):
            while not stop.is_set():
                conn.sendall(b"%s%07d|" % (who, written[who]) * 10)
                written[who] += 1
                time.sleep(pause)
        out = bytearray()

        def drain():
            while piece := client.process.stdout.read1(65536):
                out.extend(piece)
        writers = [Thread(write, who) for who in written]
        drainer = Thread(drain)
        feeder = Thread(feed, client, data, pause)
        assert in_every_way(conn, size, size) == data, "other bytes came"
        feeder.join()
        stop.set()
        for t in writers:
            t.join()
        client.process.stdin.close()
        eq(conn.recv(10), b"", "end of stream")
        conn.close()
        drainer.join()
        eq(client.wait(), 0, client.output())
        sent = updates_of(client)
    counted = dict.fromkeys(written, 0)
    for i in range(0, len(out), 90):
        who = bytes(out[i:i + 1])
        eq(bytes(out[i:i + 90]), b"%s%07d|" % (who, counted[who]) * 10, "a write")
        counted[who] += 1
    eq(counted, written, "writes")
    after = counters()
    eq(after["KsealRxRekeys"] - before["KsealRxRekeys"], sent, "updates received")
    answered = after["KsealTxRekeys"] - before["KsealTxRekeys"]
    assert sent > 10 and answered >= sent // 4, f"{sent} updates of theirs, {answered} of ours"
    eq(after["KsealBadRecord"] - before["KsealBadRecord"], 0, "bad records")


for _hash, _openssl, _gnutls in SUITES:
    test(unnoticed, args=("openssl", _openssl, 200000, 0.0), timeout=60,
         name=f"updates_of_openssl_under_load_{_hash}")
    test(unnoticed, args=("gnutls", _gnutls, 200000, 0.08), timeout=60,
         name=f"updates_of_gnutls_under_load_{_hash}")


def idle(sock):
    """No data has come; what else has, is acted on."""
    timeout = sock.gettimeout()
    sock.setblocking(False)
    try:
        raise AssertionError(f"it has read {sock.recv(100)!r}")
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(timeout)


@test
def updates_of_an_openssl_server_are_answered():
    """s_server's commands k and K, to a client that kseal seals."""
    port = free_port()
    crt, key = pair_of("server")
    with Program(program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", crt,
                 "-key", key, "-tls1_3", stdin=subprocess.PIPE) as server:
        server.listening(port)
        sock = armed_client(port)
        before = counters()["KsealRxRekeys"]

        def rekeys():
            return counters()["KsealRxRekeys"] - before
        with harness.counted(KsealRxRekeys=2, KsealTxRekeys=1):
            for number, (command, line) in enumerate(((b"k", b"not requested"),
                                                      (b"K", b"update_requested")), 1):
                say(server, command)
                harness.eventually(lambda n=number: idle(sock) and rekeys() == n, "it has come")
                say(server, line)
                eq(read_exactly(sock, len(line) + 1), line + b"\n")
                sock.sendall(b"with " + line + b"\n")
                server.until("with " + line.decode())
        sock.close()
