"""Evaluation by table: every job has its result at once, so that only the service itself takes time."""

from __future__ import annotations

import hashlib
import math
import time

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.job import (
    CaptureFeatures,
    CountFloor,
    DistillBlock,
    EvaluateArchitecture,
    Evaluation,
    FeatureSet,
    Job,
    Outcome,
    Result,
)
from nas.domain.library import BlockCost, LibraryEntry, NetworkFloor
from nas.domain.metric import Measurement
from nas.domain.value import FrozenDict


def answer(job: Job) -> Outcome:
    """The outcome of a job."""
    return Outcome(key=job.key, result=look_up(job))


def look_up(job: Job) -> Result:
    """The result of a job, as a function of its payload."""
    match job.payload:
        case CaptureFeatures():
            return FeatureSet(key=job.key, size_bytes=1, samples=1)
        case CountFloor():
            return NetworkFloor(cost=BlockCost(params=100_000, macs=2_000_000, attention_macs=0))
        case DistillBlock(stage=stage, variant=variant):
            return _entry(job.key, stage, variant)
        case EvaluateArchitecture(architecture=architecture):
            return evaluation(architecture.choices)
    raise AssertionError(f"no {job.payload.kind} is asked for here")


class TableBackend:
    """As many workers as there are jobs, all of them done at the next poll.

    Args:
        evaluation_s: Real seconds that a round of jobs takes.
    """

    def __init__(self, evaluation_s: float = 0.0) -> None:
        self._evaluation_s = evaluation_s
        self._queue: dict[str, Job] = {}

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._queue.setdefault(job.key, job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Answer every queued job."""
        del timeout_s
        if self._queue:
            time.sleep(self._evaluation_s)
        jobs, self._queue = self._queue, {}
        return [answer(job) for job in jobs.values()]

    def cancel(self, key: str) -> None:
        """Drop a job."""
        self._queue.pop(key, None)

    def withdraw(self) -> list[str]:
        """Drop every job; none has begun."""
        keys = list(self._queue)
        self._queue.clear()
        return keys

    def close(self) -> None:
        """Drop every job."""
        self._queue.clear()


def _entry(key: str, stage: str, variant: str) -> LibraryEntry:
    kept = _kept(stage, variant)
    cost = BlockCost(params=round(1_000_000 * kept), macs=round(30_000_000 * kept), attention_macs=round(1e6 * kept))
    weights = "" if variant == TEACHER_VARIANT else hashlib.sha256(f"{stage}/{variant}".encode()).hexdigest()
    return LibraryEntry(
        key=key, stage=stage, variant=variant, weights=weights, cost=cost, block_loss=(1.0 - kept) ** 2
    )


def evaluation(choices: FrozenDict[str, str]) -> Evaluation:
    """What a table says about an architecture."""
    lost = sum((1.0 - _kept(stage, variant)) ** 2 for stage, variant in choices.items())
    values = {
        "noise_mse": 0.001 + lost / 50,
        "noise_mse_relative": 0.001 + lost / 40,
        "feature_distance": math.sqrt(lost + 0.0001),
    }
    metrics = {name: Measurement(mean=value, sem=0.03 * value, samples=64) for name, value in values.items()}
    return Evaluation(metrics=FrozenDict(metrics))


def _kept(stage: str, variant: str) -> float:
    if variant == TEACHER_VARIANT:
        return 1.0
    return 0.2 + 0.6 * int(hashlib.sha256(f"{stage}/{variant}".encode()).hexdigest()[:4], 16) / 0xFFFF
