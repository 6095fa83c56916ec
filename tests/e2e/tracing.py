# SPDX-License-Identifier: GPL-2.0
"""The trace events of kseal.ko and kseal_offload.ko, through an instance of tracefs of our
own. For test_trace.py and tests/nicsim."""

import os
import re

TRACEFS = "/sys/kernel/tracing"


def present():
    """Does this kernel have trace events? Then the module must have its own."""
    if not os.path.isdir(f"{TRACEFS}/events"):
        return False
    assert os.path.isdir(f"{TRACEFS}/events/kseal"), "the module has no trace events"
    return True


class Events:
    """with Events() as events: what is told meanwhile."""

    instance = f"{TRACEFS}/instances/kseal"

    def __enter__(self):
        self._names(False)
        os.mkdir(self.instance)
        self.switch(True)
        return self

    def __exit__(self, *_):
        self.switch(False)
        os.rmdir(self.instance)
        self._names(True)

    @staticmethod
    def _names(on):
        """Of the threads: to learn them the scheduler is patched, at which QEMU without KVM
        and with two processors fails now and then. An instance begins as the whole is."""
        with open(f"{TRACEFS}/options/record-cmd", "w") as f:
            f.write(str(int(on)))

    def switch(self, on):
        with open(f"{self.instance}/events/kseal/enable", "w") as f:
            f.write(str(int(on)))

    def of(self, port):
        """Of sockets with this port, in order: name without "kseal_", and the fields."""
        with open(f"{self.instance}/trace") as f:
            lines = [re.search(r"(kseal_\w+): (.*)$", line) for line in f if not line.startswith("#")]
        events = [(m[1].removeprefix("kseal_"), dict(w.split("=", 1) for w in m[2].split())) for m in lines]
        return [(name, e) for name, e in events if str(port) in (e["sport"], e["dport"])]
