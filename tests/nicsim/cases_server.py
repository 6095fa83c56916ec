# SPDX-License-Identifier: GPL-2.0
"""A server that knows no TLS behind a card that seals: nginx, started through kseal
run, sends a file with sendfile() to curl. The agent runs in the server's namespace."""

import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile

import lab
from cases import gone
from lab import A, B, Counted, Since, a, b, check, equal, eventually

sys.path.insert(1, os.path.join(os.path.dirname(lab.HERE), "e2e"))
import harness  # noqa: E402

cases = []
case, each = lab.collect(cases)
PORT = 8443
PORTS = {"on": PORT, "off": PORT + 1, "auto": PORT + 2}     # and profiles of these names


@contextlib.contextmanager
def running(*command, log):
    p = subprocess.Popen(["ip", "netns", "exec", B, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                         start_new_session=True)
    try:
        yield p
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, 15)
        p.wait(20)


def nginx_conf(where):
    temp = "".join(f"    {n}_temp_path {where}/{n};\n"
                   for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    listen = "".join(f"        listen 10.77.0.2:{port};\n" for port in PORTS.values())
    with open(f"{where}/nginx.conf", "w") as f:
        f.write(f"user root;\nworker_processes 1;\ndaemon off;\npid {where}/pid;\nerror_log stderr info;\n"
                f"events {{ }}\nhttp {{\n    access_log off;\n    sendfile on;\n    tcp_nopush on;\n{temp}"
                f"    server {{\n{listen}        root {where};\n    }}\n}}\n")


def listening():
    """How many of the ports are open."""
    sockets = lab.sh("ss", "-N", B, "-Htln")
    return sum(f":{port} " in sockets for port in PORTS.values())


def registered():
    """A worker of the agent is there: before that, connections wait for it only so long."""
    out = subprocess.run(["ip", "netns", "exec", B, harness.KSEAL, "status", "--json"],
                         capture_output=True, check=False)
    return not out.returncode and json.loads(out.stdout)["workers"]


GCM = ("--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")


def curl(where, port):
    return subprocess.run(["ip", "netns", "exec", A, "curl", "-sS", "--max-time", "100", "--cacert",
                           f"{where}/ca.crt", "--resolve", f"{harness.NAME}:{port}:10.77.0.2", *GCM,
                           f"https://{harness.NAME}:{port}/file"], capture_output=True, check=False)


def fetch(where, said, port=PORT):
    out = curl(where, port)
    equal(out.returncode, 0, f"curl: {out.stderr.decode(errors='replace')}\n{said()}")
    return out.stdout


@contextlib.contextmanager
def nginx_sealed(where):
    """nginx, sealed with a profile for each port; what all of them have said."""
    for program in ("nginx", "curl"):
        if subprocess.run(["which", program], capture_output=True, check=False).returncode:
            raise lab.Skip(f"no {program} here")
    for program in (harness.KSEALD, harness.KSEAL):
        check(os.access(program, os.X_OK), f"{program} is not built")
    harness.tmp = where
    harness.make_certificate("ca", None, "/CN=kseal test CA")
    harness.make_certificate("server", "ca", f"/CN={harness.NAME}", f"DNS:{harness.NAME}")
    with open(f"{where}/kseald.conf", "w") as f:
        for policy in PORTS:
            f.write(f'profile "{policy}" {{\n\tcertificate = "{where}/server.crt"\n\tkey = "{where}/server.key"\n'
                    f'\tversions = {{"1.2"}}\n\toffload = "{policy}"\n}}\n')
    ports = [word for policy, port in PORTS.items() for word in ("--port", f"{port}={policy}")]
    nginx_conf(where)
    with open(f"{where}/log", "w+") as log, \
            running(harness.KSEALD, "-c", f"{where}/kseald.conf", log=log), \
            running(harness.KSEAL, "run", "-v", *ports, "--", "nginx", "-e", "stderr",
                    "-p", where, "-c", f"{where}/nginx.conf", log=log) as server:
        def said():
            with open(f"{where}/log", errors="replace") as f:
                return f.read()[-2000:]

        def ready():
            check(server.poll() is None, said())
            return listening() == len(PORTS) and registered()
        eventually(ready, said, 60)
        yield said
    eventually(lambda: not listening(), "nginx is there still")


@each(wire={"lossless": {}, "1 % lost": {"drop": 10, "reorder": 10}})
def nginx_sends_a_file_through_the_card(ulp, wire):
    data = lab.block + lab.block[:123457]
    with tempfile.TemporaryDirectory(prefix="kseal-nicsim") as where, nginx_sealed(where) as said:
        with open(f"{where}/file", "wb") as f:
            f.write(data)
        for card in (a, b):
            card.set(**wire)
        sent, got, count = Since(b), Since(b), Counted(B)
        body = fetch(where, said)
        equal(hashlib.sha256(body).hexdigest(), hashlib.sha256(data).hexdigest(), "the file")
        check(sent.tx_records >= len(data) // lab.RECORD, f"{sent}")
        equal(count["KsealTxDeviceRecords"], count["KsealTxRecords"], "records that the card sealed")
        check(got.rx_add == 1, f"{got}")
    gone()


@case
def nginx_has_what_its_profile_says(ulp):
    with tempfile.TemporaryDirectory(prefix="kseal-nicsim") as where, nginx_sealed(where) as said:
        with open(f"{where}/file", "wb") as f:
            f.write(lab.block)

        def by_card(port):
            count = Counted(B)
            equal(fetch(where, said, port), lab.block, "the file")
            return count["KsealTxDeviceRecords"], count["KsealTxRecords"]
        equal(by_card(PORTS["off"])[0], 0, "off")
        device, all_of_them = by_card(PORTS["auto"])
        equal(device, all_of_them, "auto")
        b.set(refuse=3)
        equal(by_card(PORTS["auto"])[0], 0, "auto, refused")
        count = Counted(B)
        check(curl(where, PORTS["on"]).returncode, "on, refused: the card is not used")
        equal(count["KsealSealed"], 0, "on, refused")
    gone()


@case
def what_the_device_does_for_nginx_is_told(ulp):
    """A socket that the agent has keyed."""
    with tempfile.TemporaryDirectory(prefix="kseal-nicsim") as where, nginx_sealed(where):
        with open(f"{where}/file", "wb") as f:
            f.write(b"x" * 100000)
        trust = ssl.create_default_context(cafile=f"{where}/ca.crt")
        trust.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        raw = lab.inside(A, lambda: socket.create_connection(("10.77.0.2", PORT), timeout=30))
        with trust.wrap_socket(raw, server_hostname=harness.NAME) as s:
            def get():
                s.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
                reply = b""
                while not reply.endswith(b"x" * 100000):
                    reply += s.recv(1 << 16)

            def told():
                [mine] = lab.kseal(B, "status", "--json")["sockets"]
                equal(mine["peer"], "%s:%d" % s.getsockname())
                equal(lab.kseal(B, "info", "--json", str(mine["id"])), mine)
                return lab.told(mine)
            get()
            words = {"tx_offload": "device", "rx_offload": "device", "offload_policy": "on",
                     "offload_device": b.name}
            equal(told(), words)
            equal(lab.conf_of(B, f"state established sport = :{PORT}"), {"txconf": "hw", "rxconf": "hw"})
            b.tls(rx=False)
            get()
            equal(told(), {**words, "rx_offload": "lost"})
            equal(lab.conf_of(B, f"state established sport = :{PORT}"), {"txconf": "hw", "rxconf": "sw"})
    gone()
