#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The parts of the demo that no standard client does; called by tests/demo/show.

records PCAP PORT STRING     the capture holds nothing but TLS records on PORT,
                             and not STRING
plain PORT PATH SECONDS      ask for PATH in plain HTTP; be refused within SECONDS
hang PORT SECONDS HEX        send HEX, then nothing; be refused after SECONDS
keepalive PORT CA NAME FILE  one request, wait for FILE to appear, another one on
                             the same connection
"""

import os
import socket
import ssl
import struct
import sys
import time


def tcp_streams(path, port):
    """Each direction of each connection on port: its bytes, in order."""
    with open(path, "rb") as f:
        data = f.read()
    magic, = struct.unpack_from("<I", data)
    if magic not in (0xA1B2C3D4, 0xA1B23C4D):
        sys.exit("not a capture of this machine")
    link, = struct.unpack_from("<I", data, 20)
    if link != 1:
        sys.exit(f"link type {link}")
    segments = {}
    at = 24
    while at + 16 <= len(data):
        caplen, length = struct.unpack_from("<II", data, at + 8)
        frame = data[at + 16:at + 16 + caplen]
        at += 16 + caplen
        if caplen != length:
            sys.exit("a packet was cut off")
        kind, = struct.unpack_from("!H", frame, 12)
        if kind != 0x0800:
            continue
        ip = frame[14:]
        ip = ip[:struct.unpack_from("!H", ip, 2)[0]]
        tcp = ip[(ip[0] & 15) * 4:]
        src, dst, seq = struct.unpack_from("!HHI", tcp)
        if port not in (src, dst):
            continue
        payload = tcp[(tcp[12] >> 4) * 4:]
        stream = segments.setdefault((src, dst), {})
        if tcp[13] & 2:
            stream["isn"] = seq
        if payload and len(payload) > len(stream.get(seq, b"")):
            stream[seq] = payload
    for key, stream in segments.items():
        if "isn" not in stream:
            sys.exit("a connection began before the capture")
        start = stream.pop("isn") + 1
        whole = b""
        for seq in sorted(stream, key=lambda s: (s - start) % 2**32):
            offset = (seq - start) % 2**32
            if offset > len(whole):
                sys.exit("the capture has a gap")
            whole += stream[seq][len(whole) - offset:]
        yield key, whole


def records(path, port, string):
    """RFC 8446 section 5.1: type, legacy version, length, fragment."""
    count = {20: 0, 21: 0, 22: 0, 23: 0}
    connections = set()
    total = 0
    for (src, dst), stream in tcp_streams(path, port):
        connections.add(src if dst == port else dst)
        if string.encode() in stream:
            sys.exit("the known string crossed the wire")
        at = 0
        while at < len(stream):
            if len(stream) - at < 5:
                sys.exit(f"{src} -> {dst}: {len(stream) - at} bytes that are no record")
            kind, version, length = struct.unpack_from("!BHH", stream, at)
            if kind not in count or version not in (0x0301, 0x0303) or length > 16384 + 256:
                sys.exit(f"{src} -> {dst}: no record at {at}: {stream[at:at + 16]!r}")
            if at + 5 + length > len(stream):
                sys.exit(f"{src} -> {dst}: the record at {at} is not complete")
            count[kind] += 1
            at += 5 + length
        total += len(stream)
    if not connections or not count[22] or not count[23]:
        sys.exit("no handshake or no application data in the capture")
    print(f"{total} bytes, {sum(count.values())} records, "
          f"{count[23]} of them application data")


def refused(sock, seconds):
    """Read until the connection ends; only a TLS alert may come (RFC 8446 6)."""
    sock.settimeout(seconds)
    got = b""
    how = "closed"
    try:
        while True:
            data = sock.recv(65536)
            if not data:
                break
            got += data
    except ConnectionResetError:
        how = "reset"
    except socket.timeout:
        sys.exit(f"still open after {seconds} s, {len(got)} bytes received")
    if got and not (got[0] == 21 and len(got) == 7):
        sys.exit(f"received {got[:64]!r}")
    return how, "a TLS alert" if got else "0 bytes"


def plain(port, path, seconds):
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        how, what = refused(sock, seconds)
    print(f"{what}, {how} after {time.monotonic() - start:.1f} s")


def hang(port, seconds, hexdata):
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(bytes.fromhex(hexdata))
        how, what = refused(sock, seconds + 10)
    took = time.monotonic() - start
    if took < seconds - 0.5 or took > seconds + 5:
        sys.exit(f"{how} after {took:.1f} s")
    print(f"{what}, {how} after {took:.1f} s")


def request(tls):
    tls.sendall(b"GET /16385 HTTP/1.1\r\nHost: x\r\n\r\n")
    got = b""
    while b"\r\n\r\n" not in got:
        got += tls.recv(65536)
    head, body = got.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n")[0]:
        sys.exit(f"answered {head!r}")
    while len(body) < 16385:
        data = tls.recv(65536)
        if not data:
            sys.exit(f"the connection ended after {len(body)} bytes")
        body += data


def keepalive(port, ca, name, path):
    context = ssl.create_default_context(cafile=ca)
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    with context.wrap_socket(sock, server_hostname=name) as tls:
        request(tls)
        print("first answer", flush=True)
        while not os.path.exists(path):
            time.sleep(0.05)
        request(tls)
        print("second answer")


def main():
    args = sys.argv[1:]
    what = args.pop(0)
    if what == "records":
        records(args[0], int(args[1]), args[2])
    elif what == "plain":
        plain(int(args[0]), args[1], int(args[2]))
    elif what == "hang":
        hang(int(args[0]), int(args[1]), args[2])
    elif what == "keepalive":
        keepalive(int(args[0]), *args[1:])
    else:
        sys.exit(__doc__)


main()
