"""Whether the answer to a measurement can be true at all: a device may answer nonsense."""

from __future__ import annotations

import math

from nas.domain.device import LatencyMeasurement
from nas.domain.job import Job, Result
from nas.domain.payload import Measure


def nonsense(job: Job, result: Result | None) -> str:
    """Why a result cannot be what a job asked for, in one sentence; empty when it can, and for other jobs."""
    payload = job.payload
    if not isinstance(payload, Measure):
        return ""
    if not isinstance(result, LatencyMeasurement):
        return f"It answered {result.kind if result is not None else 'nothing'!r} instead of a latency."
    if result.device.name != payload.device:
        return f"It answered for the device {result.device.name!r}."
    if result.protocol != payload.protocol:
        return "It measured by another protocol."
    times = (result.median_ms, result.p90_ms, *result.interval_ms, *result.samples_ms, *result.canary_ms)
    # No clock ever read nothing, but what a compiler makes of a removed block may take no cycles.
    least = 0.0 if result.device.kind == "measured" else -math.ulp(0.0)
    wrong = next((ms for ms in times if not (math.isfinite(ms) and ms > least)), None)
    return "" if wrong is None else f"It answered a latency of {wrong:g} ms."
