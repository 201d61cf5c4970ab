"""Searches as documents."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.base import Document, FailureDocument, Seconds, UnixSeconds, example
from api.schemas.trials import A_TRIAL, TrialDocument
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus

A_SEARCH: dict[str, Any] = {
    "search": "reference-demo-1a2b3c",
    "name": "reference-demo",
    "project": "default",
    "kind": "search",
    "parent": "",
    "status": "running",
    "intent": "run",
    "objectives": ["params"],
    "bounds": {"noise_mse_relative": 0.05},
    "bounds_version": 0,
    "trials": 9,
    "counts": {"completed": 7, "running": 2},
    "budget": 48,
    "architectures_in_space": 55_296,
    "best": A_TRIAL,
    "created_at": 1_795_000_000.0,
    "ran_s": 61.2,
    "deleted_at": None,
    "failure": None,
    "seed": 0,
    "parallelism": 2,
    "library": {"done": 40, "total": 40},
    "last_event": 63,
    "estimate": None,
}


class Progress(Document):
    """How many of the results that a block library needs are at hand."""

    model_config = example(done=12, total=40)

    done: int
    total: int


class Estimate(Document):
    """What a search would take, extrapolated from a completed dry run.

    Attributes:
        seconds_library: Distilling what the library still lacks.
        seconds_trials: Evaluating the whole budget.
        slots: Jobs at once that the estimate reckons with.
    """

    model_config = example(seconds_library=240.0, seconds_trials=96.0, seconds_total=336.0, slots=2)

    seconds_library: Seconds
    seconds_trials: Seconds
    seconds_total: Seconds
    slots: int


class SearchDocument(Document):
    """One search with its progress.

    Attributes:
        kind: `dry_run` tries one random architecture end to end.
        parent: The search it was cloned from, or an empty string.
        bounds: Bounds in force: metric to its largest allowed mean.
        bounds_version: Their version; the first is 0.
        trials: Trials so far, whatever their status.
        counts: The same by status; statuses without trials are left out.
        best: The feasible trial of least first objective, the least violating one when none is feasible.
            Left out (null) in lists.
        ran_s: Seconds spent running, pauses left out; brought up to date whenever the status changes.
        deleted_at: When it was put into the trash.
        library: Null before its first result and in lists.
        last_event: Id of its last event.
        estimate: Of a completed dry run only; null in lists.
    """

    model_config = example(**A_SEARCH)

    search: str
    name: str
    project: str
    kind: Literal["search", "dry_run"]
    parent: str
    status: SearchStatus
    intent: Intent
    objectives: list[str]
    bounds: dict[str, float]
    bounds_version: int
    trials: int
    counts: dict[TrialStatus, int]
    budget: int
    architectures_in_space: int
    best: TrialDocument | None = None
    created_at: UnixSeconds
    ran_s: Seconds
    deleted_at: UnixSeconds | None = None
    failure: FailureDocument | None = None
    seed: int
    parallelism: int
    library: Progress | None = None
    last_event: int
    estimate: Estimate | None = None


class Validation(Document):
    """A spec that could be submitted as it stands."""

    model_config = example(valid=True, architectures_in_space=55_296, stages=["E1", "E2", "Mid", "D2", "D1"])

    valid: Literal[True] = True
    architectures_in_space: int
    stages: list[str]


class Bound(Document):
    """An upper bound on a metric, in the metric's own unit.

    Attributes:
        grid: Tighter values that are answered as well.
    """

    model_config = example(metric="noise_mse_relative", at_most=0.05, grid=[0.01, 0.02])

    metric: str
    at_most: float
    grid: list[float] = []


class BoundsDocument(Document):
    """One version of a search's objectives and bounds.

    Attributes:
        version: The first is 0; the highest is in force.
        by: Key that moved them; empty for the first version.
    """

    model_config = example(
        version=1,
        objectives=["params"],
        constraints=[{"metric": "noise_mse_relative", "at_most": 0.04}],
        by="k3f9a7c2m1q8",
        at=1_795_000_100.0,
    )

    version: int
    objectives: list[str]
    constraints: list[Bound]
    by: str
    at: UnixSeconds


class BoundsHistory(Document):
    """Every version of a search's bounds, oldest first."""

    model_config = example(
        items=[
            {
                "version": 0,
                "objectives": ["params"],
                "constraints": [{"metric": "noise_mse_relative", "at_most": 0.05}],
                "by": "",
                "at": 1_795_000_000.0,
            }
        ]
    )

    items: list[BoundsDocument]
