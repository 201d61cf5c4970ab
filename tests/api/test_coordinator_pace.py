from __future__ import annotations

import threading
import time

from api.coordinator.run import LONGEST_BACKOFF_S, LONGEST_PAUSE_S, STEP_S, _turn, pause_s


class Slow:
    """A coordinator whose steps wait for something, as on a slow database."""

    def __init__(self, stop: threading.Event) -> None:
        self.began: list[float] = []
        self._stop = stop

    def step(self) -> None:
        self.began.append(time.monotonic())
        if len(self.began) == 2:
            self._stop.set()
        else:
            time.sleep(1.0)


def test_a_step_that_only_waited_is_followed_at_once() -> None:
    stop = threading.Event()
    slow = Slow(stop)
    _turn(slow, stop)  # type: ignore[arg-type]  # all that is asked of it is a step
    assert slow.began[1] - slow.began[0] < 1.0 + 4 * STEP_S


def test_costly_steps_are_spread_but_no_pause_is_long() -> None:
    assert pause_s(0.01, 0) == STEP_S
    assert STEP_S < pause_s(0.1, 0) < LONGEST_PAUSE_S
    assert pause_s(60.0, 0) == LONGEST_PAUSE_S


def test_failures_are_repeated_ever_more_slowly() -> None:
    pauses = [pause_s(0.0, failures) for failures in range(1, 30)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_BACKOFF_S
