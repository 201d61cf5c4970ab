"""What a search says about itself: how far its model can be trusted, and what it recommends."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.base import Document, example

_ERRORS: dict[str, Any] = {
    "rmse_log": 0.11,
    "factor": 1.12,
    "kendall_tau": 0.84,
    "coverage": {"50": 0.52, "80": 0.81, "95": 0.96},
}
_STAGE: dict[str, Any] = {"stage": "Mid", "weight": 1.4, "contribution": 0.21, "share": 0.23}
_FINDING: dict[str, Any] = {
    "code": "nothing_feasible",
    "severity": "warning",
    "metric": None,
    "finding": "Nothing is feasible yet; trial 7 misses noise_mse by a factor of 1.03.",
    "remedy": "Move noise_mse to 0.021: three evaluated architectures respect that. Or let the search run on.",
}
_PREDICTION: dict[str, Any] = {"trial": 7, "measured": 0.0206, "predicted": 0.0214, "low": 0.0172, "high": 0.0266}
_METRIC: dict[str, Any] = {
    "metric": "noise_mse",
    "points": 40,
    "noise_sd": 0.02,
    "leave_one_out": _ERRORS,
    "additivity": {
        "plain": {"spearman": 0.87, "r_squared": 0.81},
        "weighted": {"spearman": 0.94, "r_squared": 0.91},
    },
    "stages": [_STAGE],
    "decisive_stage": "Mid",
    "predictions": [_PREDICTION],
}
_REMAINING: dict[str, Any] = {
    "kind": "saving",
    "probability": 0.62,
    "expected_gain": 0.03,
    "candidates": 667,
    "is_sampled": False,
}
_CHOICE: dict[str, Any] = {
    "trial": 7,
    "architecture": {"E1": "RA", "Mid": "teacher"},
    "probability": 0.93,
    "is_pending": False,
    "metrics": {
        "params": {"measured": 412_000.0, "predicted": 412_000.0, "low": 412_000.0, "high": 412_000.0},
        "noise_mse": {"measured": 0.0181, "predicted": 0.0184, "low": 0.0172, "high": 0.0197},
    },
}


class ErrorsDocument(Document):
    """How far the model's predictions are off, each made without the measurement in question.

    Attributes:
        rmse_log: Root mean square error of the natural log.
        factor: The same as a factor.
        kendall_tau: Agreement in order with the measurements, -1 to 1; null where all are equal.
        coverage: Share of measurements inside the model's central intervals, by their size in per cent.
    """

    model_config = example(**_ERRORS)

    rmse_log: float
    factor: float
    kendall_tau: float | None = None
    coverage: dict[str, float]


class AgreementDocument(Document):
    """How well a sum of block losses follows the measured log."""

    model_config = example(spearman=0.87, r_squared=0.81)

    spearman: float | None = None
    r_squared: float | None = None


class AdditivityDocument(Document):
    """Whether block losses add up: their plain sum, and the sum with learned weights, power and floor."""

    model_config = example(**_METRIC["additivity"])

    plain: AgreementDocument
    weighted: AgreementDocument


class StageSensitivity(Document):
    """How much a stage matters for a metric.

    Attributes:
        weight: Learned weight of its block losses; 1 before anything is learned.
        contribution: What a cheaper variant typically contributes: a block loss, or a price.
        share: Weight times contribution, as a share of all stages.
    """

    model_config = example(**_STAGE)

    stage: str
    weight: float
    contribution: float
    share: float


class PredictionDocument(Document):
    """A trial as predicted without its own measurement, with the 95 % interval of a new measurement."""

    model_config = example(**_PREDICTION)

    trial: int
    measured: float
    predicted: float
    low: float
    high: float


class MetricHealth(Document):
    """The model of one estimated metric; everything but the points is null or empty while there are too few.

    Attributes:
        points: Measurements the model was fitted to.
        noise_sd: Learned standard deviation of the log of one measurement.
        additivity: Null where nothing is known of the blocks.
        decisive_stage: The stage of largest share.
        predictions: One per point.
    """

    model_config = example(**_METRIC)

    metric: str
    points: int
    noise_sd: float | None = None
    leave_one_out: ErrorsDocument | None = None
    additivity: AdditivityDocument | None = None
    stages: list[StageSensitivity]
    decisive_stage: str | None = None
    predictions: list[PredictionDocument]


class RemainingDocument(Document):
    """What is left to find.

    Attributes:
        kind: What is gained: a saving of the objective, or growth of the hypervolume.
        probability: That a feasible candidate is better by at least one per cent.
        expected_gain: Relative to what is recommended now; null while nothing is.
        candidates: Architectures that may be better.
        is_sampled: Whether these are a sample of a space too large to list.
    """

    model_config = example(**_REMAINING)

    kind: Literal["saving", "hypervolume"]
    probability: float
    expected_gain: float | None = None
    candidates: int
    is_sampled: bool


class MissDocument(Document):
    """A trial that is nearly feasible, and by what factor it exceeds each bound."""

    model_config = example(trial=7, factors={"noise_mse": 1.03})

    trial: int
    factors: dict[str, float]


class FindingDocument(Document):
    """One thing to know about a search, and what to do about it.

    Attributes:
        code: Stable word to branch on.
        metric: Which metric it is about; null for the search as a whole.
        remedy: Empty where nothing needs to be done.
    """

    model_config = example(**_FINDING)

    code: str
    severity: Literal["problem", "warning", "note", "good"]
    metric: str | None = None
    finding: str
    remedy: str


class HealthReport(Document):
    """The health of a search: how far its response models can be trusted, and what is left to find.

    Attributes:
        bounds_version: Version of the bounds it was judged by: the one in force.
        last_event: Last event that the report takes account of.
        points: Trials in which every metric of the problem has a value.
        nearest_misses: While nothing measured is feasible.
        findings: The gravest first.
    """

    model_config = example(
        search="reference-demo-1a2b3c",
        bounds_version=0,
        last_event=63,
        trials=42,
        verdict="fair",
        summary="The model is of use, with reservations.",
        points=40,
        metrics=[_METRIC],
        remaining=_REMAINING,
        nearest_misses=[{"trial": 7, "factors": {"noise_mse": 1.03}}],
        findings=[_FINDING],
    )

    search: str
    bounds_version: int
    last_event: int
    trials: int
    verdict: Literal["good", "fair", "poor", "too early"]
    summary: str
    points: int
    metrics: list[MetricHealth]
    remaining: RemainingDocument | None = None
    nearest_misses: list[MissDocument]
    findings: list[FindingDocument]


class BelievedMetric(Document):
    """One metric of an architecture, as measured and as believed given all measurements.

    Attributes:
        measured: Null where it was not measured.
        predicted: Median of what is believed; the exact value of an exact metric.
        low: Lower end of the 95 % interval.
        high: Its upper end.
    """

    model_config = example(**_CHOICE["metrics"]["noise_mse"])

    measured: float | None = None
    predicted: float
    low: float
    high: float


class ChoiceDocument(Document):
    """An architecture with the probability that it respects every bound.

    Attributes:
        trial: Null for one that was not evaluated.
        is_pending: Whether it is being evaluated.
    """

    model_config = example(**_CHOICE)

    trial: int | None = None
    architecture: dict[str, str]
    probability: float
    is_pending: bool = False
    metrics: dict[str, BelievedMetric]


class RecommendationDocument(Document):
    """What to take under some bounds, by the model rather than by the luckiest measurement.

    Attributes:
        is_modelled: Whether there are enough measurements for a model; without one, each stands for itself.
        recommended: Evaluated architectures that are feasible with a probability of at least one half: the
            best one, or of two objectives the front, cheapest first.
        luckiest: Of one objective, the best whose measured means respect the bounds.
        untried: What was not evaluated yet and would be recommended instead; if none is that likely, the likeliest.
        nearest_misses: While nothing measured is feasible.
    """

    model_config = example(
        search="reference-demo-1a2b3c",
        last_event=63,
        trials=42,
        objectives=["params"],
        bounds={"noise_mse": 0.02},
        points=40,
        is_modelled=True,
        recommended=[_CHOICE],
        luckiest=_CHOICE,
        untried=None,
        nearest_misses=[],
    )

    search: str
    last_event: int
    trials: int
    objectives: list[str]
    bounds: dict[str, float]
    points: int
    is_modelled: bool
    recommended: list[ChoiceDocument]
    luckiest: ChoiceDocument | None = None
    untried: ChoiceDocument | None = None
    nearest_misses: list[MissDocument]
