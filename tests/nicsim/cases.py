# SPDX-License-Identifier: GPL-2.0
"""What TLS through a card that seals has to do. Each case is a function of the ULP
whose ends use the cards; the kernel's own "tls" passes them all, so that they judge
kseal."""

import errno
import socket
import time

import lab
from lab import (A, B, ASYNC, DRIVER_REQ, NEXT_HINT, Flow, Link, Since, a, b, carry, check, conf, equal,
                 eventually)

MiB = 1 << 20
cases = []
case, each = lab.collect(cases)


def gone():
    """No stream is left in a card of the first pair."""
    def left():
        return [c.name for c in (a, b) if c.counters()["tx_ctx"] or c.counters()["rx_ctx"]]
    eventually(lambda: not left(), lambda: f"streams are left in {left()}")


@each(bits={"aes128": 128, "aes256": 256})
def the_card_seals_all_of_it(ulp, bits):
    b.tls(rx=False)
    a.tls(rx=False)
    sent = Since(a)
    with Link(ulp, "tls", bits=bits) as link:
        equal(conf(A, link.a), {"txconf": "hw", "rxconf": "sw"})
        carry(link, 3 * MiB, 0)
        check(sent.tx_records >= 3 * MiB // lab.RECORD, f"{sent}")
        equal(sent.tx_fallback + sent.tx_drop, 0, f"{sent}")
    gone()


@each(bits={"aes128": 128, "aes256": 256})
def the_card_opens_all_of_it(ulp, bits):
    a.tls(tx=False, rx=False)
    b.tls(tx=False)
    got = Since(b)
    with Link("tls", ulp, bits=bits) as link:
        equal(conf(B, link.b), {"txconf": "sw", "rxconf": "hw"})
        carry(link, 3 * MiB, 0)
        check(got.rx_records >= 3 * MiB // lab.RECORD, f"{got}")
        equal(got.rx_lost + got.rx_bad_tag, 0, f"{got}")
        # What TCP sends twice, for it was not answered in time, comes twice.
        twice = lab.retransmitted(link.a)
        check(got.rx_passed <= twice, f"{twice} segments were sent again: {got}")
    gone()


@case
def ipv6(ulp):
    if not lab.sh("ip", "-n", A, "-6", "addr", "show", "dev", a.name):
        raise lab.Skip("no IPv6")
    sent, got = Since(a), Since(b)
    with Link(ulp, ulp, family=socket.AF_INET6) as link:
        carry(link, MiB)
        check(sent.tx_records and got.rx_records, f"{sent}; {got}")
        equal(sent.tx_drop + got.rx_lost, 0)
    gone()


@case
def small_writes(ulp):
    with Link(ulp, ulp) as link:
        sent = Since(a)
        carry(link, 200000, write=313)
        check(sent.tx_records >= 100, f"{sent}")
    gone()


ACCIDENTS = {
    "1 % lost": {"drop": 10},
    "5 % lost": {"drop": 50},
    "reordered": {"reorder": 30},
    "duplicated": {"duplicate": 30},
    "damaged": {"corrupt": 20},
    "all of it": {"drop": 10, "reorder": 10, "duplicate": 10, "corrupt": 5},
}


@each(wire=ACCIDENTS)
def rebuilt_state_on_a_bad_wire(ulp, wire):
    """TX of both ends; what is sent again is sealed from the start of its record."""
    a.tls(rx=False)
    b.tls(rx=False)
    sent = Since(a)
    with Link(ulp, "tls") as link:
        a.set(**wire)
        b.set(**wire)
        carry(link, MiB)
        check(sent.tx_rebuild or "duplicate" in wire, f"{sent}")
        equal(sent.tx_fallback, 0)
    gone()


@each(wire=ACCIDENTS)
def software_fallback_on_a_bad_wire(ulp, wire):
    """TX; what is sent again is sealed by tls_encrypt_skb()."""
    a.tls(rx=False)
    b.tls(rx=False)
    sent = Since(a)
    with Link(ulp, "tls") as link:
        a.set(tx_fallback=1, **wire)
        carry(link, MiB, 0)
        check(sent.tx_fallback or "duplicate" in wire, f"{sent}")
        equal(sent.tx_rebuild + sent.tx_drop, 0, f"{sent}")
        check(sent.tx_records > 10, f"{sent}")
    gone()


def received(ulp, sync, wire, size=MiB):
    """RX, software at the other end; the card has to find the stream again."""
    a.tls(tx=False, rx=False)
    b.tls(tx=False)
    b.set(rx_sync=sync)
    got = Since(b)
    with Link("tls", ulp) as link:
        a.set(**wire)
        carry(link, size, 0)
        a.reset()
        # and from here on, on a good wire, it opens everything again
        mid = Since(b)
        # A hint comes too late for the card while a slow reader is behind, and after each
        # that did the kernel waits for twice as many records: such a one gets time to read.
        for pause in (None, 0.005, 0.005, 0.005):
            carry(link, 3 * MiB, 0, pause=pause)
            if mid.rx_records > 50:
                break
        if got.rx_lost:
            check(got.rx_resync, f"never synchronised: {got}")
        check(mid.rx_records > 50, f"on a good wire: {mid}; in all: {got}")
    gone()


@each(wire=ACCIDENTS)
def resync_when_the_driver_asks(ulp, wire):
    received(ulp, DRIVER_REQ, wire)


@each(wire=ACCIDENTS)
def resync_by_the_stacks_hint(ulp, wire):
    received(ulp, NEXT_HINT, wire)


@each(wire=ACCIDENTS)
def resync_when_the_driver_asks_for_a_span(ulp, wire):
    received(ulp, ASYNC, wire)


@each(share={"some": 100, "most": 800})
def records_that_are_half_decrypted(ulp, share):
    a.tls(tx=False, rx=False)
    b.tls(tx=False)
    got = Since(b)
    with Link("tls", ulp) as link:
        b.set(partial=share)
        carry(link, 2 * MiB, 0)
        check(got.rx_passed and got.rx_decrypted, f"{got}")
    gone()


@case
def both_ends_in_hardware_on_a_bad_wire(ulp):
    sent, got = Since(a), Since(b)
    with Link(ulp, ulp) as link:
        equal(conf(A, link.a), {"txconf": "hw", "rxconf": "hw"})
        equal(conf(B, link.b), {"txconf": "hw", "rxconf": "hw"})
        for card in (a, b):
            card.set(drop=10, reorder=10, duplicate=10, partial=50)
        carry(link, 2 * MiB)
        check(sent.tx_records and got.rx_records, f"{sent}; {got}")
    gone()


@each(refuse={"TX": 1, "RX": 2, "both": 3})
def what_a_card_refuses_stays_in_software(ulp, refuse):
    a.set(refuse=refuse)
    with Link(ulp, "tls") as link:
        equal(conf(A, link.a), {"txconf": "sw" if refuse & 1 else "hw", "rxconf": "sw" if refuse & 2 else "hw"})
        carry(link, MiB)
    gone()


@each(off={"TX": (False, True), "RX": (True, False)})
def without_the_feature_it_is_software(ulp, off):
    a.tls(tx=off[0], rx=off[1])
    with Link(ulp, "tls") as link:
        equal(conf(A, link.a), {"txconf": "hw" if off[0] else "sw", "rxconf": "hw" if off[1] else "sw"})
        carry(link, MiB)
    gone()


@case
def a_forged_record_is_refused(ulp):
    b.tls(tx=False)
    with Link("tls", ulp) as link:
        got = Since(b)
        carry(link, 100000, 0)
        a.set(forge=1)
        link.a.sendall(lab.block[:50000])
        lab.fails(lambda: [link.b.recv(1 << 16) for _ in range(9)], errno.EBADMSG)
        check(got.rx_bad_tag, f"{got}")
    gone()


@case
def what_was_sent_before_the_key_is_left_alone(ulp):
    b.tls(tx=False, rx=False)
    a.set(drop=300)
    with Link(ulp, "tls", start=False) as link:
        link.a.sendall(lab.block[:100000])
        link.a.setsockopt(lab.SOL_TLS, lab.TLS_TX, lab.info(128, "a to b"))
        flow = Flow(link.a, link.b, MiB)
        flow.sender.start()
        got = bytearray()
        while len(got) < 100000:
            got += link.b.recv(100000 - len(got))
        check(got == lab.block[:100000], "wrong bytes before the key")
        a.set(drop=10)
        link.b.setsockopt(lab.SOL_TLS, lab.TLS_RX, lab.info(128, "a to b"))
        flow.start()
        flow.finish()
    gone()


@each(wire={"lossless": {}, "1 % lost": {"drop": 10}})
def the_link_goes_down_and_up(ulp, wire):
    with Link(ulp, ulp) as link:
        for card in (a, b):
            card.set(**wire)
        flows = [Flow(link.a, link.b, 3 * MiB).begin(), Flow(link.b, link.a, 3 * MiB).begin()]
        eventually(lambda: flows[0].done > MiB, "no data")
        a.link("down")
        time.sleep(0.1)
        a.link("up")
        eventually(lambda: flows[1].done > 2 * MiB, "no data after the link was down", 60)
        b.link("down")
        b.link("up")
        for f in flows:
            f.finish()
        gone()
    gone()


@case
def the_route_moves_to_another_card(ulp):
    # nic-b sends back the same way; nothing tells the cards
    for netns, other, n in ((A, "nicsim2", 1), (B, "nicsim3", 2)):
        lab.sh("ip", "-n", netns, "route", "replace", f"10.77.0.{3 - n}/32", "dev",
               "nicsim0" if netns == A else "nicsim1", "src", f"10.77.0.{n}")
    try:
        with Link(ulp, "tls") as link:
            flow = Flow(link.a, link.b, 3 * MiB, pause=0.002).begin()
            eventually(lambda: flow.done > MiB, "no data")
            sent = Since(lab.a2)
            for netns, card, n in ((A, "nicsim2", 1), (B, "nicsim3", 2)):
                lab.sh("ip", "-n", netns, "route", "replace", f"10.77.0.{3 - n}/32", "dev", card,
                       "src", f"10.77.0.{n}")
            flow.finish()
            check(sent.wire, f"nothing went over the other card: {sent}")
            equal(sent.tx_records, 0)
        gone()
    finally:
        for netns, n in ((A, 1), (B, 2)):
            lab.sh("ip", "-n", netns, "route", "del", f"10.77.0.{3 - n}/32")


@case
def many_connections_while_the_link_flaps(ulp):
    links = [Link(ulp, ulp) for _ in range(64)]
    try:
        flows = [Flow(k.a, k.b, 256 << 10, pause=0.05).begin() for k in links]
        for _ in range(3):
            time.sleep(0.3)
            for card in (a, b):
                card.link("down")
                card.link("up")
        for f in flows:
            f.finish(180)
    finally:
        for k in links:
            k.close()
    gone()


@case
def closed_in_the_middle(ulp):
    for _ in range(20):
        with Link(ulp, ulp) as link:
            link.a.sendall(lab.block[:300000])
            link.b.sendall(lab.block[:300000])
    gone()


@case
def cards_without_their_cipher(ulp):
    """For the benchmark: what one does not seal, only another that does not open believes."""
    a.set(no_cipher=1)
    b.set(no_cipher=1)
    sent, got = Since(a), Since(b)
    with Link(ulp, ulp) as link:
        carry(link, MiB)
        check(min(sent.tx_records, got.rx_records) >= MiB // lab.RECORD, f"{sent}; {got}")
    b.set(no_cipher=0)
    with Link(ulp, "tls") as link:
        link.a.sendall(lab.block[:50000])
        lab.fails(lambda: [link.b.recv(1 << 16) for _ in range(9)], errno.EBADMSG)
    gone()
