# SPDX-License-Identifier: GPL-2.0
"""Other TLS implementations against kseal: each peer, as client and as server, each
version, each cipher that both have, bodies of several sizes there and back. The table
is peers.py; Documentation/interop.md is made from what this prints (tests/interop/table)."""

import random
import re

import harness
from harness import eq, free_port, kseal_run, test
from peers import PEERS, SERVER, VERSIONS

harness.CLIENTS["peer"] = {"ca": "ca.crt", "certificate": "client.crt", "key": "client.key"}

SMALL = (0, 1, 100000)
LARGE = (16 << 20,)


def handshakes(since):
    """(version, cipher) of those that the agent has completed."""
    with open(harness.agent.log) as f:
        f.seek(since)
        return re.findall(r"handshake .* version=TLS(\S+) cipher=(\S+) .*outcome=sealed", f.read())


def position(log):
    with open(log, "a") as f:
        return f.tell()


def as_client(peer, version, cipher, sizes, certificate=None):
    """PEER's bodies come back from a sealed server."""
    port = free_port()
    profile = "mtls" if certificate else "default"
    since = position(harness.agent.log)
    with kseal_run(SERVER, str(port), options=("--profile", profile)) as program:
        program.listening(port)
        for size in sizes:
            body = random.Random(size).randbytes(size)
            back = peer.client(port, version, peer.suites[version, cipher], body, certificate)
            eq(len(back), size, "length")
            assert back == body, "other bytes came back"
    the_right_ones(since, version, cipher)


def the_right_ones(since, version, cipher):
    """What was agreed on in all handshakes since then."""
    used = set(harness.eventually(lambda: handshakes(since), "the agent has logged them"))
    eq({v for v, _ in used}, {version}, "version")
    if cipher:
        eq({c for _, c in used}, {cipher}, "cipher")


def as_server(peer, version, cipher, sizes, certificate=None):
    """PEER returns the bodies of a plaintext client whose connections are sealed."""
    since = position(harness.agent.log)
    with peer.server(version, peer.suites[version, cipher], bool(certificate)) as port:
        for size in sizes:
            body = random.Random(size).randbytes(size)
            back = peer.exchange(port, body)
            eq(len(back), size, "length")
            assert back == body, "other bytes came back"
    the_right_ones(since, version, cipher)


def name_of(peer, role, version, cipher, what):
    return f"{peer.name}_{role}_tls{version}_{cipher or 'its_choice'}_{what}"


def tests_of(peer, role, function):
    ciphers = list(peer.suites)
    first = {v: next(k for k in ciphers if k[0] == v) for v in VERSIONS}
    for version, cipher in ciphers:
        # Of those that share a library one suite of each version will do every time.
        few = not peer.own and (version, cipher) != first[version]
        test(function, args=(peer, version, cipher, SMALL), timeout=60, long=few,
             name=name_of(peer, role, version, cipher, "small"))
        # gnutls-serv takes two kilobytes at a time.
        test(function, args=(peer, version, cipher, LARGE), timeout=120,
             long=not peer.own or (version, cipher) != first["1.3"] or
             (peer.name, role) == ("gnutls", "server"),
             name=name_of(peer, role, version, cipher, "16_MiB"))
    for version, cipher in first.values():
        test(function, args=(peer, version, cipher, (0, 1), "client"), timeout=60,
             name=name_of(peer, role, version, cipher, "mutual"))


for _peer in PEERS:
    tests_of(_peer, "client", as_client)
for _peer in PEERS:
    if _peer.server:
        tests_of(_peer, "server", as_server)
