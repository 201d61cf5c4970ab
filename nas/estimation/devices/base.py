"""The contract of a device, and the timing loop that all of them share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.errors import EvaluationError
from nas.estimation.latency_statistics import median_interval, quantile
from nas.registry import Registry

if TYPE_CHECKING:  # naming the devices must not cost importing torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Prepared:
    """A module ready to be timed.

    Attributes:
        subject: Digest of its graph, weights left out.
        run: One call with inputs already in place; returns when the result is there.
    """

    subject: str
    run: Callable[[], object]


class DeviceBackend(ABC):
    """Something with a clock on which modules run."""

    @abstractmethod
    def describe(self, protocol: LatencyProtocol) -> Device:
        """Fingerprint under a protocol: its threads are part of it."""

    @abstractmethod
    def prepare(
        self, module: nn.Module, inputs: dict[str, Tensor], protocol: LatencyProtocol
    ) -> AbstractContextManager[Prepared]:
        """Compile a module for the device; what it needs is released when the context ends.

        Args:
            module: Takes the inputs by position, in the order given.
            inputs: Example inputs by name; their shapes are the shapes that are timed.
            protocol: Threads and precision.

        Raises:
            EvaluationError: If the device cannot run the module.
        """


DEVICES: Registry[DeviceBackend] = Registry("device", home="nas.estimation.devices")


def measure(
    backend: DeviceBackend,
    module: nn.Module,
    inputs: dict[str, Tensor],
    protocol: LatencyProtocol,
    clock: Callable[[], float] = time.perf_counter,
) -> LatencyMeasurement:
    """Compile, warm up and time a module.

    Raises:
        EvaluationError: If the device cannot run it, or not in the protocol's time.
    """
    with backend.prepare(module, inputs, protocol) as prepared:
        samples = timed_calls(prepared.run, protocol, clock)
        return LatencyMeasurement(
            subject=prepared.subject,
            device=backend.describe(protocol),
            protocol=protocol,
            samples_ms=samples,
            median_ms=quantile(samples, 0.5),
            p90_ms=quantile(samples, 0.9),
            interval_ms=median_interval(samples),
        )


def timed_calls(
    run: Callable[[], object], protocol: LatencyProtocol, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, ...]:
    """Milliseconds of every call after the warm-ups: at least `repeats` of them and at least `seconds` long.

    Raises:
        EvaluationError: If that takes longer than the protocol allows.
    """
    began = clock()
    for _ in range(protocol.warmup):
        run()
        _require_time(clock() - began, protocol)
    samples: list[float] = []
    first = clock()
    while len(samples) < protocol.repeats or clock() - first < protocol.seconds:
        start = clock()
        run()
        stop = clock()
        samples.append((stop - start) * 1e3)
        _require_time(stop - began, protocol)
    return tuple(samples)


def _require_time(elapsed: float, protocol: LatencyProtocol) -> None:
    if elapsed > protocol.timeout_s:
        raise EvaluationError(
            f"Timing took longer than {protocol.timeout_s:g} s.", "Ask for fewer repeats or a longer timeout_s."
        )
