# SPDX-License-Identifier: GPL-2.0
"""What only kseal has: that the device does all of the work, the policy, what happens
when a feature is switched off or a module goes."""

import ctypes
import errno
import mmap
import os
import socket
import subprocess
import sys
import time

import lab
from cases import MiB, gone
from lab import A, AUTO, B, OFF, ON, Counted, Flow, Link, Since, a, b, carry, check, conf, equal, eventually

sys.path.insert(1, os.path.join(os.path.dirname(lab.HERE), "e2e"))
import tracing  # noqa: E402

cases = []
case, each = lab.collect(cases)


@case
def software_seals_and_opens_nothing(ulp):
    out, back = Counted(A), Counted(B)
    with Link(ulp, ulp) as link:
        carry(link, 2 * MiB, 0)
        records = out["KsealTxRecords"]
        check(records >= 2 * MiB // lab.RECORD)
        equal(out["KsealTxDeviceRecords"], records, "sealed by the device")
        equal(back["KsealRxRecords"], records, "received")
        equal(back["KsealRxDeviceRecords"], records, "opened by the device")
        equal(back["KsealRxMixed"], 0)
    gone()


@case
def a_bad_buffer_loses_nothing_that_the_card_opened(ulp):
    page = mmap.PAGESIZE
    area = mmap.mmap(-1, 16 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    check(not lab.libc.mprotect(ctypes.c_void_p(start + 2 * page), 14 * page, 0), "mprotect")
    back = Counted(B)
    with Link("tls", ulp) as link:
        link.a.sendall(lab.block[:8 * lab.RECORD])
        got = b""
        while len(got) < 4 * lab.RECORD:
            n = lab.libc.recv(link.b.fileno(), ctypes.c_void_p(start), 16 * page, 0)
            if n > 0:
                check(n <= 2 * page, n)
                got += area[:n]
                continue
            equal(ctypes.get_errno(), errno.EFAULT)
            got += link.b.recv(page)
        while len(got) < 8 * lab.RECORD:
            got += link.b.recv(1 << 16)
        check(got == lab.block[:8 * lab.RECORD], "wrong bytes")
        check(back["KsealRxDeviceRecords"] >= 8, back["KsealRxDeviceRecords"])
    check(not lab.libc.mprotect(ctypes.c_void_p(start), 16 * page, mmap.PROT_READ | mmap.PROT_WRITE), "mprotect")
    gone()


@case
def off_is_software(ulp):
    out = Counted(A)
    with Link(ulp, "tls", offload_a=OFF) as link:
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "sw"})
        equal(int.from_bytes(link.a.getsockopt(lab.SOL_TLS, lab.KSEAL_OFFLOAD, 4), "little"), OFF)
        carry(link, MiB)
        equal(out["KsealTxDevice"] + out["KsealTxDeviceRecords"], 0)
    gone()


@case
def on_fails_where_there_is_no_device(ulp):
    a.set(refuse=1)
    with Link(ulp, "tls", offload_a=ON, start=False) as link:
        lab.fails(lambda: link.a.setsockopt(lab.SOL_TLS, lab.TLS_TX, lab.info(128, "a to b")),
                  errno.EOPNOTSUPP)
        a.set(refuse=0)
        link.key()
        equal(conf(A, link.a), {"txconf": "hw", "rxconf": "hw"})
        lab.fails(lambda: link.a.setsockopt(lab.SOL_TLS, lab.KSEAL_OFFLOAD, AUTO), errno.EBUSY)
        carry(link, MiB)
    gone()


def key_tls13(link):
    def info(key):
        return (0x0304).to_bytes(2, sys.byteorder) + lab.info(128, key)[2:]

    for s, tx, rx in ((link.b, "b to a", "a to b"), (link.a, "a to b", "b to a")):
        s.setsockopt(lab.SOL_TLS, lab.TLS_RX, info(rx))
        s.setsockopt(lab.SOL_TLS, lab.TLS_TX, info(tx))


@case
def tls13_is_software(ulp):
    """No driver can do it; but these cards could."""
    with Link(ulp, ulp, start=False) as link:
        key_tls13(link)
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "sw"})
        carry(link, MiB)
    gone()


def load_offload(*parameters):
    eventually(lambda: subprocess.run(["rmmod", "kseal_offload"], check=False, stderr=subprocess.DEVNULL).returncode
               == 0, "kseal_offload stays")
    lab.sh("insmod", f"{lab.directory}/kseal_offload.ko", *parameters, quiet=False)


@each(wire={"lossless": {}, "1 % lost": {"drop": 10}, "half decrypted": {"partial": 100}})
def tls13_would_be_ready(ulp, wire):
    """A card that can do it needs a row in a table."""
    load_offload("tls13=1")
    try:
        out, back = Counted(A), Counted(B)
        with Link(ulp, ulp, start=False) as link:
            key_tls13(link)
            equal([conf(A, link.a), conf(B, link.b)], [{"txconf": "hw", "rxconf": "hw"}] * 2)
            b.set(**wire)
            a.set(**wire)
            carry(link, 2 * MiB)
            lab.reset()
            equal(out["KsealTxDeviceRecords"], out["KsealTxRecords"], "sealed by the device")
            if wire:
                check(back["KsealRxDeviceRecords"] > 10, back["KsealRxDeviceRecords"])
            else:
                equal(back["KsealRxDeviceRecords"], back["KsealRxRecords"], "opened by the device")
            if "partial" in wire:
                check(back["KsealRxMixed"], "no record was half decrypted")
            # the type is inside the record
            link.a.sendmsg([b"\1\0"], [(lab.SOL_TLS, lab.TLS_SET_RECORD_TYPE, bytes([lab.ALERT]))])
            data, control, _, _ = link.b.recvmsg(1 << 15, 64)
            equal((data, control), (b"\1\0", [(lab.SOL_TLS, lab.TLS_GET_RECORD_TYPE, bytes([lab.ALERT]))]))
    finally:
        lab.reset()
        load_offload()
    gone()


@case
def a_feature_is_switched_off_while_data_moves(ulp):
    out = Counted(A)
    with Link(ulp, ulp) as link:
        flows = [Flow(link.a, link.b, 256 * MiB, pause=0.002).begin(),
                 Flow(link.b, link.a, 256 * MiB, pause=0.002).begin()]
        eventually(lambda: flows[0].done > MiB // 2, "no data")
        a.tls(tx=False)
        # at a write that finds nothing on its way to the card; it is looked for once a second
        eventually(lambda: conf(A, link.a) == {"txconf": "sw", "rxconf": "hw"}, "the card seals still", 60)
        eventually(lambda: flows[1].done > MiB, "no data")
        a.tls(rx=False)
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "sw"})
        equal(out["KsealDeviceLost"], 2)
        for f in flows:
            f.end()
        for f in flows:
            f.finish()
        equal(a.counters()["tx_ctx"] + a.counters()["rx_ctx"], 0, "in the card")
    gone()


def switched_off():
    a.tls(tx=False)


def rerouted():
    for card, netns, n in ((lab.a2, A, 2), (lab.b2, B, 1)):
        lab.sh("ip", "-n", netns, "route", "replace", f"10.77.0.{n}/32", "dev", card.name,
               "src", f"10.77.0.{3 - n}")


def becomes_software(link):
    """With a write at a moment at which none of its packets is on the way."""
    def sealed_here():
        link.a.sendall(b"x")
        return link.b.recv(1) == b"x" and conf(A, link.a)["txconf"] == "sw"
    eventually(sealed_here, "it stays with the card")


def back_again():
    for netns, n in ((A, 2), (B, 1)):
        subprocess.run(["ip", "-n", netns, "route", "del", f"10.77.0.{n}/32"], check=False,
                       stderr=subprocess.DEVNULL)


@each(loses={"its feature": switched_off, "the route": rerouted})
def what_waits_at_a_full_card_is_sealed_all_the_same(ulp, loses):
    """It has been let through to the card in plaintext before the card was given up."""
    b.tls(rx=False)
    wire = lab.inside(B, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    wire.bind((b.name, 0))
    wire.setblocking(False)
    lost = Counted(A)
    try:
        with wire, Link(ulp, "tls") as link:
            link.a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            a.set(full=1)
            link.a.sendall(lab.block[:5000])
            loses()
            for at in range(5000, 9000, 1000):      # the first may be what finds the other route
                link.a.sendall(lab.block[at:at + 1000])
            given_up = lost["KsealDeviceLost"]
            a.set(full=0)
            got = b""
            while len(got) < 9000:
                got += link.b.recv(9000)
            check(got == lab.block[:9000], "wrong bytes")
            eventually(lambda: a.queued() == 0, "the card is full still")
            time.sleep(0.1)
            seen = b""
            while True:
                try:
                    seen += wire.recv(1 << 16)
                except BlockingIOError:
                    break
            check(seen, "nothing was on the wire")
            check(lab.block[:100] not in seen, "plaintext on the wire")
            equal(given_up, 0, "given up with packets on their way to it")
            becomes_software(link)
            carry(link, 100000, 0)
            equal(a.counters()["tx_ctx"], 0, "in the card")
    finally:
        back_again()
    gone()


@case
def a_card_that_is_full_holds_up_no_more_than_one_writer(ulp):
    """Each waits for it otherwise: ten seconds in all, for who serves them all."""
    links = [Link(ulp, "tls") for _ in range(40)]
    for link in links:
        link.a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    a.set(full=1)
    for link in links:
        link.a.sendall(lab.block[:100])
    switched_off()
    begin = time.monotonic()
    for link in links:
        link.a.sendall(lab.block[100:200])
    took = time.monotonic() - begin
    a.set(full=0)
    for link in links:
        got = b""
        while len(got) < 200:
            got += link.b.recv(200)
        check(got == lab.block[:200], "wrong bytes")
        link.close()
    check(took < 5, f"held up for {took:.2f} s")
    gone()


@case
def a_socket_whose_route_moved_is_software(ulp):
    with Link(ulp, "tls") as link:
        flow = Flow(link.a, link.b, 2 * MiB, pause=0.002).begin()
        eventually(lambda: flow.done > MiB // 2, "no data")
        rerouted()
        try:
            flow.finish()
            becomes_software(link)
        finally:
            back_again()
    gone()


TX, RX, TX_LOST, RX_LOST = 1, 2, 4, 8


def says(link, mask, policy, **words):
    """KSEAL_INFO, ss, kseal info and kseal status say the same of the end in A."""
    device = words["offload_device"]
    equal(lab.offload_of(link.a), (mask, policy, lab.ifindex(a) if device else 0))
    equal(conf(A, link.a), {"txconf": "hw" if mask & TX else "sw", "rxconf": "hw" if mask & RX else "sw"})
    # asked from another namespace, where the number is another device's
    equal(lab.told(lab.kseal(B, "info", "--json", str(os.getpid()), str(link.a.fileno()))), words)
    address = "%s:%d" % link.a.getsockname()
    equal([lab.told(s) for s in lab.kseal(A, "status", "--json")["sockets"] if s["local"] == address], [words])


@case
def what_the_device_does_is_told(ulp):
    with Link(ulp, ulp) as link:
        says(link, TX | RX, AUTO, tx_offload="device", rx_offload="device", offload_policy="auto",
             offload_device=a.name)
        a.tls(tx=False)
        carry(link, 1, 0)
        says(link, TX_LOST | RX, AUTO, tx_offload="lost", rx_offload="device", offload_policy="auto",
             offload_device=a.name)
        carry(link, MiB // 4)
        a.link("down")
        a.link("up")
        says(link, TX_LOST | RX_LOST, AUTO, tx_offload="lost", rx_offload="lost", offload_policy="auto",
             offload_device=None)
    lab.reset()
    with Link(ulp, "tls", offload_a=ON) as link:
        says(link, TX | RX, ON, tx_offload="device", rx_offload="device", offload_policy="on",
             offload_device=a.name)
    with Link(ulp, "tls", offload_a=OFF) as link:
        says(link, 0, OFF, tx_offload="software", rx_offload="software", offload_policy="off",
             offload_device=None)
    a.set(refuse=1)
    with Link(ulp, "tls") as link:
        says(link, RX, AUTO, tx_offload="software", rx_offload="device", offload_policy="auto",
             offload_device=a.name)
    gone()


@case
def tracepoints_tell_what_the_device_does(ulp):
    if not tracing.present():
        raise lab.Skip("this kernel has no trace events")

    def told(link, *names):
        return [(name, e) for name, e in events.of(link.a.getsockname()[1])
                if name in names and e["sport"] == str(link.a.getsockname()[1])]

    device = str(lab.ifindex(a))
    with tracing.Events() as events:
        a.set(refuse=2)
        with Link(ulp, "tls") as link:
            tx, rx = sorted(told(link, "offload_up"), key=lambda e: e[1]["dir"] != "tx")
            equal((tx[1]["dir"], tx[1]["ifindex"], tx[1]["error"]), ("tx", device, "0"), "taken")
            equal((rx[1]["dir"], rx[1]["ifindex"], rx[1]["error"] == "0"), ("rx", device, False), "refused")
            equal({e["dir"]: e["device"] for _, e in told(link, "seal")}, {"tx": "1", "rx": "0"})
        lab.reset()
        with Link(ulp, "tls") as link:
            for _ in range(20):         # only what hides a header makes a card lose the stream
                b.set(drop=20)
                carry(link, 0, 2 * MiB)
                b.set(drop=0)
                carry(link, 0, MiB)
                syncs = told(link, "offload_resync")
                if syncs:
                    break
            check(syncs, f"no resync: {a.counters()}")
            equal({(e["dir"], e["ifindex"]) for _, e in syncs}, {("rx", device)})
            check(max(int(e["record"]) for _, e in syncs) > 0, syncs)
            a.tls(tx=False)
            carry(link, 1, 0)
            a.link("down")
            a.link("up")
            equal([(e["tx"], e["rx"], e["ifindex"]) for _, e in told(link, "offload_down")],
                  [("1", "0", device), ("0", "1", device)])
    gone()


def refused(module):
    p = subprocess.run(["rmmod", module], capture_output=True, text=True, check=False)
    check(p.returncode and "in use" in p.stderr, f"rmmod {module}: {p.returncode} {p.stderr}")


@case
def modules_go_in_one_order_only(ulp):
    with Link(ulp, "tls") as link:
        for module in ("tls", "kseal", "kseal_offload"):
            refused(module)
        carry(link, MiB // 4)
    gone()
    for module in ("tls", "kseal"):
        refused(module)
    eventually(lambda: subprocess.run(["rmmod", "kseal_offload"], check=False).returncode == 0,
               "kseal_offload stays")
    with Link(ulp, "tls") as link:      # kseal works without it, in software
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "sw"})
        carry(link, MiB // 4)
    lab.load(lab.directory, "kseal_offload")
    with Link(ulp, "tls") as link:
        equal(conf(A, link.a), {"txconf": "hw", "rxconf": "hw"})
        carry(link, MiB // 4)
    gone()
