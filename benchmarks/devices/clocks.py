"""One timing by two clocks: the wall's, which the product tells, and the processor's, which others cannot slow.

On a machine that others share, the wall says what the machine was up to, too; how much of that a canary takes out is
there to be seen beside the processor's clock, which users do not wait by.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from nas.domain.device import LatencyMeasurement, LatencyProtocol
from nas.estimation.devices.base import DeviceBackend, Subject, measurement
from nas.estimation.devices.canary import canary
from nas.estimation.devices.timed import Run, TimedDevice, timed_calls

ON_PROCESSOR = ("host", "torch", "torch-compile", "openvino", "litert")
"""Devices whose every cycle is one of this process."""


def by_both_clocks(
    name: str, backend: DeviceBackend, subject: Subject, protocol: LatencyProtocol
) -> tuple[LatencyMeasurement, LatencyMeasurement | None]:
    """A latency as the product takes it, and the same calls in processor time where that says something.

    Args:
        name: Of the device.
        backend: The device.
        subject: What is timed.
        protocol: How; of one thread, which is what PyTorch must be set to.

    Raises:
        EvaluationError: If the device cannot run it.
    """
    if name not in ON_PROCESSOR or not isinstance(backend, TimedDevice) or not protocol.canary:
        return backend.measure(subject, protocol), None
    backend.require(protocol)
    began = time.perf_counter()
    log: list[tuple[bool, float]] = []
    with backend.prepare(subject, protocol) as prepared, backend.prepare(canary(), protocol) as small:
        run, beside = _noted(prepared.run, log, is_canary=False), _noted(small.run, log, is_canary=True)
        samples, canaries = timed_calls(run, protocol, canary_run=beside)
        seconds = time.perf_counter() - began

        def told(taken: Sequence[float], canary_ms: Sequence[float]) -> LatencyMeasurement:
            return measurement(
                prepared.subject,
                backend.describe(protocol),
                protocol,
                taken,
                canary_ms=canary_ms,
                fallbacks=prepared.fallbacks,
                seconds=seconds,
            )

        return told(samples, canaries), told(*in_turns(log, len(samples)))


def in_short(one: LatencyMeasurement) -> LatencyMeasurement:
    """The same without its raw samples: the medians stand for them, everything told of them stays."""
    beside = (statistics.median(one.canary_ms),) if one.canary_ms else ()
    short: LatencyMeasurement = one.evolve(samples_ms=(one.median_ms,), canary_ms=beside)
    return short


def in_turns(log: Sequence[tuple[bool, float]], count: int) -> tuple[list[float], list[float]]:
    """The last so many calls, and the mean of the canary's calls before each: what is timed, without the warm-ups.

    Args:
        log: Every call in order: whether it was the canary's, and its milliseconds.
        count: Of calls that are no warm-ups.
    """
    samples: list[float] = []
    canaries: list[float] = []
    before: list[float] = []
    for is_canary, spent_ms in log:
        if is_canary:
            before.append(spent_ms)
        else:
            samples.append(spent_ms)
            canaries.append(statistics.fmean(before))
            before = []
    return samples[-count:], canaries[-count:]


def _noted(run: Run, log: list[tuple[bool, float]], *, is_canary: bool) -> Run:
    """A call that notes how much processor time it took."""

    def call() -> object:
        began = time.process_time()
        result = run()
        log.append((is_canary, (time.process_time() - began) * 1e3))
        return result

    return call
