"""A worker's work replaced by a formula: every job has a known result, and every execution is counted."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.job import (
    CaptureFeatures,
    CountFloor,
    DistillBlock,
    EvaluateArchitecture,
    Evaluation,
    FeatureSet,
    Job,
    MeasureBlock,
    MeasureNetwork,
    Result,
)
from nas.domain.library import BlockCost, LibraryEntry, NetworkFloor
from nas.domain.metric import Measurement
from nas.domain.stopping import is_clearly_beyond
from nas.domain.value import FrozenDict
from nas.ports import Workspace

FLOOR = BlockCost(params=1_000, macs=2_000_000, attention_macs=0)
SLOWER = {"phone": 3.0}
"""By how much other devices than the host are slower."""
HOST = Device(name="host", backend="onnxruntime", runtime="onnxruntime 1.31", kind="measured")


def share(stage: str, variant: str) -> float:
    """How much of a stage a variant removes: 0 for the teacher's own block, below 1 for all others."""
    if variant == TEACHER_VARIANT:
        return 0.0
    return 0.2 + 0.6 * int(hashlib.sha256(f"{stage}/{variant}".encode()).hexdigest()[:4], 16) / 0xFFFF


def block_cost(stage: str, variant: str) -> BlockCost:
    kept = 1.0 - share(stage, variant)
    return BlockCost(params=round(10_000 * kept), macs=round(1e9 * kept), attention_macs=round(1e8 * kept))


def noise_mse(choices: FrozenDict[str, str]) -> float:
    return 0.001 + sum(share(stage, variant) ** 2 for stage, variant in choices.items()) / 10


def evaluation(choices: FrozenDict[str, str], limit: float | None = None) -> Evaluation:
    """Stopped at an eighth when the error is clearly beyond a limit, as a worker would."""
    value = noise_mse(choices)
    rough = Measurement(mean=value, sem=value / 100, samples=32)
    if limit is not None and is_clearly_beyond(rough, limit):
        return Evaluation(metrics=FrozenDict({"noise_mse": rough}), share=1 / 8)
    return Evaluation(metrics=FrozenDict({"noise_mse": Measurement(mean=value)}))


def landscape(job: Job, workspace: Workspace) -> Result:
    """The result of any job, as a function of its payload. Picklable: it is a plain function."""
    match job.payload:
        case CaptureFeatures():
            return FeatureSet(key=job.key, size_bytes=1, samples=1)
        case CountFloor():
            return NetworkFloor(cost=FLOOR)
        case DistillBlock(stage=stage, variant=variant):
            is_teacher = variant == TEACHER_VARIANT
            weights = "" if is_teacher else workspace.artifacts.put(f"weights of {stage}/{variant}".encode())
            cost, loss = block_cost(stage, variant), share(stage, variant) ** 2
            return LibraryEntry(
                key=job.key, stage=stage, variant=variant, weights=weights, cost=cost, block_loss=loss
            )
        case MeasureBlock(stage=stage, variant=variant, protocol=protocol, device=device):
            return latency(0.5 if not stage else 2.0 * (1 - share(stage, variant)), protocol, device)
        case MeasureNetwork(architecture=architecture, protocol=protocol, device=device):
            kept = sum(1 - share(stage, variant) for stage, variant in architecture.choices.items())
            return latency(1.0 + kept, protocol, device)
        case EvaluateArchitecture(architecture=architecture, weights=weights):
            for digest in weights.values():
                workspace.artifacts.get(digest)
            return evaluation(architecture.choices, job.payload.stop_beyond.get("noise_mse"))


def latency(median_ms: float, protocol: LatencyProtocol, device: str = HOST.name) -> LatencyMeasurement:
    median_ms *= SLOWER.get(device, 1.0)
    return LatencyMeasurement(
        subject="0" * 64,
        device=HOST.evolve(name=device),
        protocol=protocol,
        samples_ms=(median_ms,) * 3,
        median_ms=median_ms,
        p90_ms=median_ms,
        interval_ms=(median_ms, median_ms),
    )


class CountingExecutor:
    """The landscape, with a count of finished executions and a script of errors to raise.

    Attributes:
        finished: How often the work of a key was done to its end.
        kinds: Finished work by kind of job.
        order: Finished jobs, oldest first.
        script: Errors for the next executions; None lets one pass.
        fault_of: Error that a job always meets, or None.
    """

    def __init__(self) -> None:
        self.finished: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.order: list[Job] = []
        self.script: deque[Exception | None] = deque()
        self.fault_of: Callable[[Job], Exception | None] = lambda job: None

    def __call__(self, job: Job, workspace: Workspace) -> Result:
        error = (self.script.popleft() if self.script else None) or self.fault_of(job)
        if error is not None:
            raise error
        result = landscape(job, workspace)
        self.finished[job.key] += 1
        self.kinds[job.payload.kind] += 1
        self.order.append(job)
        return result
