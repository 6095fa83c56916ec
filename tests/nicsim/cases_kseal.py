# SPDX-License-Identifier: GPL-2.0
"""What only kseal has: that the device does all of the work, the policy, what happens
when a feature is switched off or a module goes."""

import errno
import os
import subprocess

import lab
from cases import MiB, gone
from lab import A, AUTO, B, OFF, ON, Counted, Flow, Link, Since, a, b, carry, check, conf, equal, eventually

cases = []


def case(function):
    cases.append((function.__name__, function))
    return function


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


@case
def tls13_is_software(ulp):
    """No driver can do it."""
    def info(key):
        return (0x0304).to_bytes(2, "little") + lab.info(128, key)[2:]

    with Link(ulp, ulp, start=False) as link:
        for s, tx, rx in ((link.a, "a to b", "b to a"), (link.b, "b to a", "a to b")):
            s.setsockopt(lab.SOL_TLS, lab.TLS_TX, info(tx))
            s.setsockopt(lab.SOL_TLS, lab.TLS_RX, info(rx))
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "sw"})
        carry(link, MiB)
    gone()


@case
def a_feature_is_switched_off_while_data_moves(ulp):
    out = Counted(A)
    with Link(ulp, ulp) as link:
        flows = [Flow(link.a, link.b, 3 * MiB, pause=0.002).begin(),
                 Flow(link.b, link.a, 3 * MiB, pause=0.002).begin()]
        eventually(lambda: flows[0].done > MiB // 2, "no data")
        a.tls(tx=False)
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "hw"})
        eventually(lambda: flows[1].done > MiB, "no data")
        a.tls(rx=False)
        equal(conf(A, link.a), {"txconf": "sw", "rxconf": "sw"})
        equal(out["KsealDeviceLost"], 2)
        for f in flows:
            f.finish()
        equal(a.counters()["tx_ctx"] + a.counters()["rx_ctx"], 0, "in the card")
    gone()


@case
def a_socket_whose_route_moved_is_software(ulp):
    with Link(ulp, "tls") as link:
        flow = Flow(link.a, link.b, 2 * MiB, pause=0.002).begin()
        eventually(lambda: flow.done > MiB // 2, "no data")
        for card, netns, n in ((lab.a2, A, 2), (lab.b2, B, 1)):
            lab.sh("ip", "-n", netns, "route", "replace", f"10.77.0.{n}/32", "dev", card.name,
                   "src", f"10.77.0.{3 - n}")
        try:
            flow.finish()
            equal(conf(A, link.a)["txconf"], "sw")
        finally:
            for netns, n in ((A, 2), (B, 1)):
                lab.sh("ip", "-n", netns, "route", "del", f"10.77.0.{n}/32")
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
