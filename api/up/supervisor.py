"""Keeps the processes of one machine running until told to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from api.up.child import Child
from nas.errors import TransientError

START_PATIENCE_S: Final = 120.0
"""Importing everything for the first time takes a slow disk half a minute."""

GRACE_S: Final = 15.0
"""What stopping may take beyond the drain."""

_TICK_S: Final = 0.1


class Signals:
    """What the user asked for so far: nothing, to stop, or to stop at once."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.at_once = threading.Event()

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Count one SIGINT, SIGTERM or SIGHUP."""
        del number, frame
        (self.at_once if self.stop.is_set() else self.stop).set()

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Catch the signals while the block runs."""
        caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self.receive) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def supervise(
    children: Sequence[Child],
    signals: Signals,
    *,
    is_ready: Callable[[], bool],
    on_ready: Callable[[], None],
    drain_s: float,
) -> None:
    """Run the children until a signal comes; returns when all of them have ended.

    A second signal kills them at once. Nothing is lost either way: whatever was killed is taken up again
    by the next coordinator.

    Args:
        children: In the order in which they start; they are stopped in the opposite order.
        signals: What the user asks for.
        is_ready: Whether the service answers.
        on_ready: Called once, as soon as it does.
        drain_s: Seconds that running jobs get to finish.

    Raises:
        TransientError: If the service does not answer in time; its log says why.
    """
    deadline = time.monotonic() + START_PATIENCE_S
    ready = False
    try:
        while not signals.stop.wait(_TICK_S):
            for child in children:
                child.tend()
            if ready:
                continue
            if is_ready():
                ready = True
                on_ready()
            elif time.monotonic() > deadline:
                raise _never_answered(children[0])
    finally:
        patience_s = drain_s + GRACE_S if ready else 0.0
        for child in reversed(children):
            child.ask_to_stop()
            child.end(patience_s, signals.at_once.is_set)


def _never_answered(child: Child) -> TransientError:
    message = f"The {child.name} does not answer after {START_PATIENCE_S:g} s. The end of {child.log}:"
    return TransientError(message, last_lines(child.log))


def last_lines(log: Path, count: int = 8) -> str:
    """The end of a log, to be shown in an error."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(it cannot be read)"
    return "\n".join(text.splitlines()[-count:]) or "(it is empty)"
