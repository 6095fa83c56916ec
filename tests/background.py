# SPDX-License-Identifier: GPL-2.0
"""A thread for tests. Used by tests/e2e/harness.py and tests/records."""

import threading


class Thread(threading.Thread):
    """A thread whose error join() raises again: nothing fails unseen."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self.work = (function, args)
        self.error = None
        self.start()

    def run(self):
        try:
            self.work[0](*self.work[1])
        except BaseException as e:
            self.error = e

    def join(self, timeout=None):
        super().join(timeout)
        if self.error:
            raise self.error
