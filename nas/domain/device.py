"""A device, how it is measured, and a latency one can trust."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nas.domain.metric import LATENCY, Measurement
from nas.domain.value import FrozenDict, Value

SEM_OF_INTERVAL = 3.92
"""A 95 % interval spans so many standard errors where the median is about normal."""
LatencyKind = Literal["measured", "compiler estimate", "model"]
Precision = Literal["fp32", "fp16", "int8"]


class Device(Value):
    """Fingerprint of the thing that is timed: two devices with equal fingerprints are interchangeable.

    Attributes:
        name: Name in specs and plots (`host`).
        backend: Registered device back end (`onnxruntime`).
        runtime: Runtime and its version.
        kind: Whether a clock ran on the device, a compiler estimated, or a model predicted.
        labels: soc, os, driver, threads and whatever else changes a latency.
    """

    name: str
    backend: str
    runtime: str
    kind: LatencyKind
    labels: FrozenDict[str, str] = FrozenDict()


class LatencyProtocol(Value):
    """How a latency is taken. Part of every cache key.

    Samples go on until there are at least `repeats` of them *and* `seconds` have passed.

    Attributes:
        precision: Of weights and activations. `int8` is 8-bit weights and activations with static ranges.
        canary: Take turns with a small network that never changes, so that drift of the machine cancels. Only
            where a clock runs; estimates do not drift.
    """

    warmup: Annotated[int, Field(ge=0, le=1000)] = 3
    repeats: Annotated[int, Field(ge=3, le=100_000)] = 15
    seconds: Annotated[float, Field(ge=0, le=600)] = 0.2
    batch: Annotated[int, Field(ge=1, le=1024)] = 1
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    precision: Precision = "fp32"
    canary: bool = True
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0


class LatencyMeasurement(Value):
    """A latency with everything needed to believe it; all raw samples are kept.

    Attributes:
        subject: Digest of what was measured (graph, not weights).
        samples_ms: Every timed call, in the order taken. One for an estimate.
        interval_ms: Distribution-free 95 % interval of the median.
        canary_ms: What the canary took right before each sample; empty without one.
        relative: Median of sample over canary, and its distribution-free 95 % interval; None without a canary.
        fallbacks: Operators that ran on another unit than the one the device is named for.
        seconds: What the job took in all, conversion and compilation included.
        conditions: What the device told of itself meanwhile (temperature and clock before and after, how samples were
            summarised). Evidence, no part of its fingerprint: it differs every time.
    """

    kind: Literal["latency"] = "latency"
    subject: str
    device: Device
    protocol: LatencyProtocol
    samples_ms: Annotated[tuple[float, ...], Field(min_length=1)]
    median_ms: float
    p90_ms: float
    interval_ms: tuple[float, float]
    canary_ms: tuple[float, ...] = ()
    relative: tuple[float, float, float] | None = None
    fallbacks: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    conditions: FrozenDict[str, str] = FrozenDict()

    def steadied_ms(self, canary_ms: float) -> float:
        """The median on a machine on which the canary takes `canary_ms`; the plain median without a canary."""
        return self.median_ms if self.relative is None else self.relative[0] * canary_ms

    def told(self, canary_ms: float) -> Measurement:
        """The latency with its error, on a machine on which the canary takes `canary_ms`; with 0 as it was taken."""
        middle, low, high = self.median_ms, *self.interval_ms
        if canary_ms and self.relative is not None:
            middle, low, high = (share * canary_ms for share in self.relative)
        sem = (high - low) / SEM_OF_INTERVAL
        return Measurement(mean=middle, sem=sem, samples=len(self.samples_ms), unit=LATENCY.unit)


class LayerLatency(Value):
    """One operator of a measured network.

    Attributes:
        name: As the runtime calls it; where the exporter keeps module paths, it begins with one.
        operator: Its type in the runtime's words.
        ms: Mean time per call.
        unit: What computed it (`CPU`, `NPU`, ...).
        is_fallback: Whether that is another unit than the one the device is named for.
    """

    name: str
    operator: str
    ms: float
    unit: str
    is_fallback: bool = False
