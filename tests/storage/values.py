"""Domain values for storage tests, whole but small."""

from __future__ import annotations

from nas.domain.architecture import Architecture
from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.job import Evaluation, Failure
from nas.domain.library import BlockCost, LibraryEntry
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict

SPACE = SearchSpace(
    stages=tuple(StageChoices(stage=f"E{i}", variants=("teacher", "RA", "R", "narrow")) for i in range(1, 7))
)


def a_search(search_id: str = "alpha", created_at: float = 1_750_000_000.25) -> Search:
    spec = SearchSpec(name="a search", constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.1),))
    return Search(id=search_id, spec=spec, space=SPACE, problems=(spec.problem,), created_at=created_at)


def an_architecture(number: int) -> Architecture:
    """The `number`-th architecture of the space; equal numbers, equal architectures."""
    digits = [number // 4**place % 4 for place in range(6)]
    return SPACE.decode(tuple(digits))


def a_trial(number: int, search_id: str = "alpha", architecture: int | None = None) -> Trial:
    shape = an_architecture(number if architecture is None else architecture)
    return Trial(search=search_id, number=number, architecture=shape, origin="sobol", created_at=12.5)


def an_evaluation() -> Evaluation:
    metrics = FrozenDict({"noise_mse": Measurement(mean=0.1 + 0.2, sem=1e-17, samples=64)})
    return Evaluation(metrics=metrics, band_noise_mse=(0.5, 0.25), stage_distances=FrozenDict({"E1": 0.125}))


def a_failed_attempt() -> Attempt:
    failure = Failure(code="transient_error", message="worker lost: ε \x00 \u2603", transient=True)
    return Attempt(started_at=1.0, ended_at=2.0, failure=failure)


def an_entry(key: str = "a" * 64, block_loss: float = 0.25) -> LibraryEntry:
    cost = BlockCost(params=2**40, macs=2**50, attention_macs=3)
    return LibraryEntry(
        key=key, stage="E1", variant="RA", cost=cost, block_loss=block_loss, curve=((0, 1.0), (9, 0.5))
    )


def a_latency(median_ms: float = 2.0) -> LatencyMeasurement:
    device = Device(name="host", backend="onnxruntime", runtime="onnxruntime 1.31", kind="measured")
    return LatencyMeasurement(
        subject="b" * 64,
        device=device,
        protocol=LatencyProtocol(),
        samples_ms=(1.0, median_ms, 3.0),
        median_ms=median_ms,
        p90_ms=3.0,
        interval_ms=(1.0, 3.0),
    )
