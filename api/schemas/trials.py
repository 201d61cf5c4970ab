"""Trials as documents: one line of a list, and one in full."""

from __future__ import annotations

from typing import Any

from api.schemas.base import Document, FailureDocument, MeasurementDocument, UnixSeconds, example
from nas.domain.lifecycle import TrialStatus

A_TRIAL: dict[str, Any] = {
    "trial": 7,
    "status": "completed",
    "origin": "bayesian",
    "architecture": {"E1": "RA", "E2": "removed", "Mid": "teacher"},
    "metrics": {
        "params": {"mean": 410_000.0, "sem": 0.0, "unit": "parameters"},
        "noise_mse_relative": {"mean": 0.0421, "sem": 0.0012, "unit": "1"},
    },
    "feasible": True,
    "screened": False,
    "share": 1.0,
    "violations": {},
    "attempts": 1,
    "failure": None,
    "bounds_version": 0,
    "created_at": 1_795_000_000.0,
}


class TrialFacts(Document):
    """What a list and a detail say alike.

    Attributes:
        trial: Number within the search; the teacher is usually 0.
        origin: Who proposed it: `teacher`, `warm start`, `sobol`, `bayesian`, `random`.
        architecture: Variant of every searched stage, in the order of execution.
        metrics: What was measured; empty while it was not.
        feasible: Whether every bound asked about is respected by the measured means.
        screened: Whether it broke an exact bound and nothing was spent on its fidelity.
        share: Share of the hold-out samples its fidelity was measured on. Below 1 it was stopped early, clearly
            beyond a bound: never feasible, never on a front, and evaluated again when the bounds allow it.
        violations: By how much a metric exceeds its bound, in the metric's unit; bounds respected are left out.
        bounds_version: Version of the bounds in force when it was proposed.
    """

    trial: int
    status: TrialStatus
    origin: str
    architecture: dict[str, str]
    metrics: dict[str, MeasurementDocument]
    feasible: bool
    screened: bool
    share: float = 1.0
    violations: dict[str, float]
    failure: FailureDocument | None = None
    bounds_version: int
    created_at: UnixSeconds


class TrialDocument(TrialFacts):
    """One trial, judged by the bounds asked about.

    Attributes:
        attempts: How often it was given to the workers.
    """

    model_config = example(**A_TRIAL)

    attempts: int


class AttemptDocument(Document):
    """One submission of a trial to the workers.

    Attributes:
        ended_at: Null while it runs, or when its coordinator died with it.
        log: Tail of the job's log.
    """

    model_config = example(started_at=1_795_000_000.0, ended_at=1_795_000_004.5, failure=None, log="")

    started_at: UnixSeconds
    ended_at: UnixSeconds | None
    failure: FailureDocument | None = None
    log: str = ""


class StageComparison(Document):
    """One stage of a trial's network beside the teacher's.

    Attributes:
        block_loss: Normalised error of the surrogate block alone on held-out features; 0 for the teacher's own.
        teacher_params: The same of the teacher's block, likewise below.
    """

    model_config = example(
        stage="E1",
        variant="RA",
        params=12_000,
        gmacs=0.12,
        table_latency_ms=0.8,
        block_loss=0.03,
        teacher_params=30_000,
        teacher_gmacs=0.31,
        teacher_table_latency_ms=1.9,
    )

    stage: str
    variant: str
    params: int | None
    gmacs: float | None
    table_latency_ms: float | None
    block_loss: float | None
    teacher_params: int | None
    teacher_gmacs: float | None
    teacher_table_latency_ms: float | None


class TrialDetail(TrialFacts):
    """One trial in full.

    Attributes:
        band_noise_mse: `noise_mse` per timestep band, early to late.
        stage_distances: Feature distance per stage, along the assembled network.
        stages: Every stage against the teacher's; empty while the library is incomplete.
    """

    model_config = example(
        **{
            **A_TRIAL,
            "attempts": [{"started_at": 1_795_000_000.0, "ended_at": 1_795_000_004.5, "failure": None, "log": ""}],
            "band_noise_mse": [0.05, 0.03],
            "stage_distances": {"E1": 0.02},
            "stages": [],
        }
    )

    attempts: list[AttemptDocument]
    band_noise_mse: list[float]
    stage_distances: dict[str, float]
    stages: list[StageComparison]
