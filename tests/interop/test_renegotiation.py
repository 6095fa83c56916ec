# SPDX-License-Identifier: GPL-2.0
"""Peers that want to renegotiate in TLS 1.2 (RFC 5246 section 7.4.1): there is no such
thing here (RFC 9325 section 3.5). As a client kseal declines with no_renegotiation and
the peer decides; a ClientHello on a sealed stream ends it, as it would have to be parsed
in the kernel. OpenSSL and GnuTLS ask for it."""

import errno
import json
import os
import socket
import subprocess

import harness
from harness import NAME, Program, eq, free_port, path, port_of, raises, run, test
from peers import armed_client, pair_of, program, say

TLS12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"


def told(sock):
    return json.loads(run(harness.KSEAL, "info", "--json", str(os.getpid()),
                          str(sock.fileno())).stdout)


# --- clients --------------------------------------------------------------------------

def openssl_client(port):
    return Program(program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername",
                   NAME, "-CAfile", path("ca.crt"), "-verify_return_error", "-tls1_2",
                   stdin=subprocess.PIPE), b"R", "unexpected message"


def gnutls_client(port):
    return Program(program("gnutls-cli"), "--inline-commands", "--x509cafile", path("ca.crt"),
                   "--sni-hostname", NAME, "--verify-hostname", NAME, "--priority", TLS12, "-p",
                   str(port), "127.0.0.1", stdin=subprocess.PIPE), b"^renegotiate^", "Unexpected message"


def a_client(start):
    sock = harness.listener()
    peer, command, verdict = start(port_of(sock))
    with peer:
        conn = harness.accept(sock)
        say(peer, b"before")
        eq(harness.read_exactly(conn, 7), b"before\n")
        say(peer, command)
        for _ in range(2):
            with raises(errno.EBADMSG):
                conn.recv(100)
        with raises(errno.EBADMSG, errno.EPIPE):
            conn.send(b"x", socket.MSG_NOSIGNAL)
        eq(told(conn)["tx_alert"], "unexpected_message")
        peer.until(verdict)
        conn.close()
        assert peer.wait(), "it ended as if all were well"


# --- servers --------------------------------------------------------------------------

def openssl_server(port):
    crt, key = pair_of("server")
    return Program(program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", crt,
                   "-key", key, "-tls1_2", stdin=subprocess.PIPE)


def gnutls_server(port):
    crt, key = pair_of("server")
    return Program(program("gnutls-serv"), "--echo", "--crlf", "--port", str(port), "--priority", TLS12,
                   "--x509certfile", crt, "--x509keyfile", key, "--disable-client-cert")


@test
def renegotiation_of_an_openssl_client_is_refused():
    a_client(openssl_client)


@test
def renegotiation_of_a_gnutls_client_is_refused():
    a_client(gnutls_client)


@test
def renegotiation_of_an_openssl_server_is_declined():
    """OpenSSL does not go on without."""
    port = free_port()
    with openssl_server(port) as server:
        server.listening(port)
        sock = armed_client(port)
        sock.sendall(b"before\n")
        server.until("before")
        say(server, b"between")
        eq(harness.read_exactly(sock, 8), b"between\n")
        say(server, b"r")
        with raises(errno.ECONNABORTED):
            sock.recv(100)
        eq(told(sock)["rx_alert"], "handshake_failure")
        server.until("no renegotiation")


@test
def renegotiation_of_a_gnutls_server_is_declined():
    """gnutls-serv answers the command. When it has read that we decline, it ends, without
    close_notify."""
    port = free_port()
    with gnutls_server(port) as server:
        server.listening(port)
        sock = armed_client(port)
        sock.sendall(b"before\n")
        eq(harness.read_exactly(sock, 7), b"before\n")
        sock.sendall(b"**REHANDSHAKE**\n")
        eq(harness.read_exactly(sock, 30), b"Successfully executed command\n")
        with raises(errno.ECONNRESET):
            sock.recv(100)
        server.until("Sending rehandshake request")
        server.until("warning alert has been received")
        assert not {"tx_alert", "rx_alert"} & told(sock).keys(), told(sock)
