"""Devices with a clock that this process can read: compile, warm up, and take turns with the canary."""

from __future__ import annotations

import contextlib
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from nas.domain.device import LatencyMeasurement, LatencyProtocol
from nas.errors import EvaluationError
from nas.estimation.devices.base import DeviceBackend, Subject, measurement
from nas.estimation.devices.canary import canary
from nas.estimation.latency_statistics import quantile

MOST_IN_A_ROW = 100
"""Calls of the canary before one call of what is timed."""
Clock = Callable[[], float]
Run = Callable[[], object]


@dataclass(frozen=True)
class Prepared:
    """Something ready to be timed.

    Attributes:
        subject: Digest of its graph, weights left out.
        run: One call with inputs already in place; returns when the result is there.
        fallbacks: Operators placed on another unit.
    """

    subject: str
    run: Run
    fallbacks: int = 0


class TimedDevice(DeviceBackend):
    """A device whose calls this process can time."""

    @abstractmethod
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> AbstractContextManager[Prepared]:
        """Compile something for the device; what it needs is released when the context ends.

        Raises:
            EvaluationError: If the device cannot run it.
        """

    def measure(
        self, subject: Subject, protocol: LatencyProtocol, clock: Clock = time.perf_counter
    ) -> LatencyMeasurement:
        """Compile, warm up and time something, in turns with the canary."""
        self.require(protocol)
        began = clock()
        with self.prepare(subject, protocol) as prepared:
            samples, canaries = timed_calls(prepared.run, protocol, clock, self._canary(protocol))
            return measurement(
                prepared.subject,
                self.describe(protocol),
                protocol,
                samples,
                canary_ms=canaries,
                fallbacks=prepared.fallbacks,
                seconds=max(0.0, clock() - began),
            )

    def canary_ms(self, clock: Clock = time.perf_counter) -> float | None:
        """Median of the canary under the default protocol; compiled once."""
        protocol = LatencyProtocol()
        run = self._canary(protocol)
        assert run is not None
        return quantile(timed_calls(run, protocol, clock)[0], 0.5)

    def _canary(self, protocol: LatencyProtocol) -> Run | None:
        """A call of the canary, compiled once and kept as long as the process lives."""
        if not protocol.canary:
            return None
        kept = self.__dict__.setdefault("_canaries", {})
        way = (protocol.threads, protocol.precision)
        if way not in kept:
            stack = contextlib.ExitStack()
            kept[way] = stack, stack.enter_context(self.prepare(canary(), protocol))
        run: Run = kept[way][1].run
        return run


def timed_calls(
    run: Run, protocol: LatencyProtocol, clock: Clock = time.perf_counter, canary_run: Run | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Milliseconds of every call after the warm-ups: at least `repeats` of them and at least `seconds` long.

    Args:
        run: What is timed.
        protocol: How often and for how long.
        clock: Seconds.
        canary_run: Called and timed right before each call, so that both meet the same machine; or None. It is called
            as often in a row as makes it take about as long: what others take from a shared processor comes in
            slices of milliseconds, and falls between short calls.

    Returns:
        Milliseconds of each call, and of one call of the canary before it.

    Raises:
        EvaluationError: If that takes longer than the protocol allows.
    """
    watch = _Stopwatch(clock, protocol.timeout_s)
    in_a_row = _warmed_up(watch, run, canary_run, protocol.warmup)
    samples: list[float] = []
    canaries: list[float] = []
    first = clock()
    while len(samples) < protocol.repeats or clock() - first < protocol.seconds:
        if canary_run is not None:
            canaries.append(watch.ms(canary_run, in_a_row))
        samples.append(watch.ms(run))
    return tuple(samples), tuple(canaries)


def _warmed_up(watch: _Stopwatch, run: Run, canary_run: Run | None, calls: int) -> int:
    """Make the calls that do not count; returns how many calls of the canary take about as long as one of `run`."""
    in_a_row = 1
    for _ in range(calls):
        canary_ms = watch.ms(canary_run) if canary_run is not None else 0.0
        taken_ms = watch.ms(run)
        if canary_ms > 0:
            in_a_row = min(MOST_IN_A_ROW, max(1, round(taken_ms / canary_ms)))
    return in_a_row


class _Stopwatch:
    """Times calls until the protocol's time is over."""

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self._clock, self._timeout_s, self._began = clock, timeout_s, clock()

    def ms(self, call: Run, in_a_row: int = 1) -> float:
        """Milliseconds of one call, as the mean of so many in a row.

        Raises:
            EvaluationError: If the time is over.
        """
        start = self._clock()
        for _ in range(in_a_row):
            call()
        stop = self._clock()
        if stop - self._began > self._timeout_s:
            raise EvaluationError(
                f"Timing took longer than {self._timeout_s:g} s.", "Ask for fewer repeats or a longer timeout_s."
            )
        return (stop - start) * 1e3 / in_a_row
