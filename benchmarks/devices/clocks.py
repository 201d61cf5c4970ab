"""One timing by two clocks: the wall's, which the product tells, and the processor's, which others cannot slow.

On a machine that others share, a network is interrupted where a canary of half a millisecond is not: the wall then
says what the machine was up to, not what the network takes. Which of the two is right is there to be compared.
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
    with backend.prepare(subject, protocol) as prepared, backend.prepare(canary(), protocol) as small:
        run, beside = _Counted(prepared.run), _Counted(small.run)
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

        return told(samples, canaries), told(run.spent_ms[protocol.warmup :], beside.spent_ms[protocol.warmup :])


def in_short(one: LatencyMeasurement) -> LatencyMeasurement:
    """The same without its raw samples: the medians stand for them, everything told of them stays."""
    beside = (statistics.median(one.canary_ms),) if one.canary_ms else ()
    short: LatencyMeasurement = one.evolve(samples_ms=(one.median_ms,), canary_ms=beside)
    return short


class _Counted:
    """A call that notes how much processor time it took."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.spent_ms: list[float] = []

    def __call__(self) -> object:
        began = time.process_time()
        result = self.run()
        self.spent_ms.append((time.process_time() - began) * 1e3)
        return result
