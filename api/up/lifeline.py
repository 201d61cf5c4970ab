"""Ties a process to the one that started it, also when that one is killed without a word.

The supervisor keeps the writing end of the child's standard input and never writes. However the supervisor
ends, the kernel closes that end, and the child asks itself to stop.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def hold() -> None:
    """Send SIGTERM to this process as soon as its standard input ends."""
    threading.Thread(target=_wait_for_the_end, name="lifeline", daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
