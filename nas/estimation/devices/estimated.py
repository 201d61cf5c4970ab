"""Devices without a clock here: a compiler's cycle count or an analytic model says how long a call would take."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass

from nas.domain.device import LatencyMeasurement, LatencyProtocol, LayerLatency
from nas.estimation.devices.base import DeviceBackend, Subject, count_fallbacks, measurement


@dataclass(frozen=True)
class Estimate:
    """What a compiler or model says.

    Attributes:
        subject: Digest of the graph, weights left out.
        milliseconds: Of one call.
        layers: Where they go; they need not add up to `milliseconds`, because units overlap.
        interval_ms: Range that holds the true latency with 95 % confidence, where the model can tell.
    """

    subject: str
    milliseconds: float
    layers: tuple[LayerLatency, ...]
    interval_ms: tuple[float, float] | None = None


class EstimatedDevice(DeviceBackend):
    """A device whose latency is told without a clock: the same graph always gives the same number."""

    @abstractmethod
    def estimate(self, subject: Subject, protocol: LatencyProtocol) -> Estimate:
        """Estimate one call.

        Raises:
            EvaluationError: If it cannot be compiled for the device, or not in the protocol's time.
        """

    def measure(self, subject: Subject, protocol: LatencyProtocol) -> LatencyMeasurement:
        """The estimate, as a single sample."""
        self.require(protocol)
        began = time.perf_counter()
        estimate = self.estimate(subject, protocol)
        single = measurement(
            estimate.subject,
            self.describe(protocol),
            protocol,
            (estimate.milliseconds,),
            fallbacks=count_fallbacks(estimate.layers),
            seconds=time.perf_counter() - began,
        )
        return single if estimate.interval_ms is None else single.evolve(interval_ms=estimate.interval_ms)

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """The layers of the estimate."""
        self.require(protocol)
        return self.estimate(subject, protocol).layers
