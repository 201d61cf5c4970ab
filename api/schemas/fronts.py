"""What plots are drawn from: the front, its growth, and all trials column by column."""

from __future__ import annotations

from typing import Any

from api.schemas.base import Document, MeasurementDocument, example
from api.schemas.trials import A_TRIAL, TrialDocument

A_POINT: dict[str, Any] = {key: A_TRIAL[key] for key in ("trial", "architecture", "metrics", "feasible")}


class FrontPoint(Document):
    """One architecture on the front."""

    model_config = example(**A_POINT)

    trial: int
    architecture: dict[str, str]
    metrics: dict[str, MeasurementDocument]
    feasible: bool


class NearestMiss(Document):
    """The least violating trial while none is feasible, and by how much it exceeds each bound."""

    model_config = example(trial=5, violated_by={"noise_mse_relative": 0.004})

    trial: int
    violated_by: dict[str, float]


class GridAnswer(Document):
    """The answer to one ε of a grid.

    Attributes:
        bounds: Upper bounds by metric, with this ε.
        trial: The feasible trial of least first objective; null while none is feasible.
        value: Its first objective.
    """

    model_config = example(bounds={"noise_mse_relative": 0.02}, trial=7, value=2_740_000.0)

    bounds: dict[str, float]
    trial: int | None
    value: float | None


class FrontDocument(Document):
    """The trials no other trial beats, by rising first axis, judged by one version of the bounds.

    Attributes:
        axes: The metrics compared; one or two.
        stopped_early: How many trials take no part because their evaluation was stopped, clearly beyond a bound.
        best: Feasible trial of least first objective, or the least violating one; null before the first.
        knee: Trial of the front farthest from the line between its ends: where more cost buys little.
        grid: Answers by rising ε, where a bound has a grid.
        nearest_miss: Null as soon as a trial is feasible.
    """

    model_config = example(
        search="reference-demo-1a2b3c",
        seed=0,
        bounds={"noise_mse_relative": 0.05},
        bounds_version=0,
        axes=["params", "noise_mse_relative"],
        trials=9,
        stopped_early=2,
        architectures_in_space=55_296,
        points=[A_POINT],
        best=A_TRIAL,
        knee=7,
        grid=[],
        nearest_miss=None,
    )

    search: str
    seed: int
    bounds: dict[str, float]
    bounds_version: int
    axes: list[str]
    trials: int
    stopped_early: int = 0
    architectures_in_space: int
    points: list[FrontPoint]
    best: TrialDocument | None
    knee: int | None
    grid: list[GridAnswer] = []
    nearest_miss: NearestMiss | None = None


class HypervolumePoint(Document):
    """Hypervolume after so many trials, in the product of the axes' units."""

    model_config = example(trials=9, hypervolume=1834.2)

    trials: int
    hypervolume: float


class HypervolumeDocument(Document):
    """How the front grew, against a reference point that never moves.

    Attributes:
        reference: One coordinate per axis; null until every coordinate is known.
        how: Where the reference comes from, in words.
        points: One for every trial that made the front grow, and the last trial.
    """

    model_config = example(
        axes=["params", "noise_mse_relative"],
        reference=[682_000.0, 0.1],
        how="params: 1.1 times the teacher's; noise_mse_relative: twice the first bound",
        points=[{"trials": 9, "hypervolume": 18_342.0}],
    )

    axes: list[str]
    reference: list[float] | None
    how: str
    points: list[HypervolumePoint]


class MetricColumns(Document):
    """One metric of many trials; null where it was not measured."""

    model_config = example(unit="1", mean=[0.0421, None], sem=[0.0012, None])

    unit: str
    mean: list[float | None]
    sem: list[float | None]


class PointsDocument(Document):
    """Trials column by column: row `i` of every list is the same trial.

    Attributes:
        last_event: Ask with `after_event` set to this to get only what changed since.
        next: Ask with `after` set to this for the next rows; null on the last page.
        variants: Per stage, the names that `codes` counts.
        codes: Per trial, the variant's position at each stage.
        share: Per trial, the share of the hold-out samples that was seen; below 1 where it was stopped early.
        changed: Per trial, an event id not before its last change.
    """

    model_config = example(
        last_event=63,
        next=None,
        stages=["E1", "Mid"],
        variants={"E1": ["teacher", "RA"], "Mid": ["teacher", "removed"]},
        number=[0, 1],
        status=["completed", "running"],
        origin=["teacher", "sobol"],
        bounds_version=[0, 0],
        codes=[[0, 0], [1, 0]],
        share=[1.0, 1.0],
        metrics={"params": {"unit": "parameters", "mean": [620_000.0, None], "sem": [0.0, None]}},
        changed=[40, 63],
    )

    last_event: int
    next: int | None = None
    stages: list[str]
    variants: dict[str, list[str]]
    number: list[int]
    status: list[str]
    origin: list[str]
    bounds_version: list[int]
    codes: list[list[int]]
    share: list[float]
    metrics: dict[str, MetricColumns]
    changed: list[int]
