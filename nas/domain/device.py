"""A device, how it is measured, and a latency one can trust."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nas.domain.value import FrozenDict, Value

LatencyKind = Literal["measured", "compiler estimate", "model"]


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
    """

    warmup: Annotated[int, Field(ge=0, le=1000)] = 3
    repeats: Annotated[int, Field(ge=3, le=100_000)] = 15
    seconds: Annotated[float, Field(ge=0, le=600)] = 0.2
    batch: Annotated[int, Field(ge=1, le=1024)] = 1
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    precision: Literal["fp32"] = "fp32"
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0


class LatencyMeasurement(Value):
    """A latency with everything needed to believe it; all raw samples are kept.

    Attributes:
        subject: Digest of what was measured (graph, not weights).
        samples_ms: Every timed call, in the order taken.
        interval_ms: Distribution-free 95 % interval of the median.
    """

    kind: Literal["latency"] = "latency"
    subject: str
    device: Device
    protocol: LatencyProtocol
    samples_ms: Annotated[tuple[float, ...], Field(min_length=1)]
    median_ms: float
    p90_ms: float
    interval_ms: tuple[float, float]
