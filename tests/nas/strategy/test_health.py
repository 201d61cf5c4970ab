"""Health reports: what is said, and what a user is told to do about it, case by case."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.base import STRATEGIES, Strategy, StrategyContext, make_strategy
from nas.strategy.bayesian import undisturbed
from nas.strategy.examination import examine
from nas.strategy.findings import of_metric
from nas.strategy.health import health
from nas.strategy.insight import Insight
from tests.fakes.landscapes import MEDIUM, Landscape, finished, landscape, screened

LAND = landscape(1, MEDIUM)
BOUND = float(np.quantile(LAND.losses, 0.1))
FRONT = Problem(objectives=("gmacs", "noise_mse"))


def problem(bound: float = BOUND) -> Problem:
    return Problem(objectives=("gmacs",), constraints=(OutcomeConstraint(metric="noise_mse", at_most=bound),))


def history(count: int, asked: Problem, land: Landscape = LAND, seed: int = 0) -> list[Trial]:
    trials = []
    for number, row in enumerate(np.random.default_rng(seed).choice(len(land.losses), count, replace=False)):
        codes = np.unravel_index(int(row), land.space.cardinalities)
        architecture = land.space.decode(tuple(int(code) for code in codes))
        trials.append(finished(number, architecture, screened(land, architecture, asked), TrialStatus.COMPLETED))
    return trials


def told(trials: list[Trial], asked: Problem, land: Landscape = LAND, name: str = "auto") -> Strategy:
    strategy = make_strategy(name, StrategyContext(land.priced, asked, 0, 8))
    strategy.tell(trials, [])
    return strategy


def valued(trials: list[Trial], values: np.ndarray[Any, np.dtype[np.float64]], sem: float = 0.02) -> list[Trial]:
    """The same trials with other values of `noise_mse`."""
    measured = [
        Evaluation(metrics=FrozenDict({"noise_mse": Measurement(mean=v, sem=sem * v)})) for v in values.tolist()
    ]
    return [trial.evolve(evaluation=evaluation) for trial, evaluation in zip(trials, measured, strict=True)]


def codes_of(report: dict[str, Any]) -> set[str]:
    return {one["code"] for one in report["findings"]}


def one(report: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [finding for finding in report["findings"] if finding["code"] == code]
    return found


def test_a_good_model_is_called_good_and_says_what_it_has_learned() -> None:
    report = health(told(history(80, problem()), problem()))
    (metric,) = report["metrics"]
    assert report["verdict"] == "good"
    assert metric["leave_one_out"]["kendall_tau"] > 0.6
    assert 1.0 < metric["leave_one_out"]["factor"] < 1.5
    assert sum(stage["share"] for stage in metric["stages"]) == pytest.approx(1.0)
    assert metric["decisive_stage"] == max(metric["stages"], key=lambda stage: stage["share"])["stage"]
    assert {stage["stage"] for stage in metric["stages"]} == {choices.stage for choices in LAND.space.stages}
    assert len(metric["predictions"]) == metric["points"] == 80
    for prediction in metric["predictions"]:
        truth = LAND.losses[LAND.position(history(80, problem())[prediction["trial"]].architecture)]
        assert prediction["measured"] == pytest.approx(truth)
        assert prediction["low"] < prediction["predicted"] < prediction["high"]


def test_the_weighted_sum_orders_at_least_as_well_as_the_plain_one() -> None:
    (metric,) = health(told(history(80, problem()), problem()))["metrics"]
    plain, weighted = metric["additivity"]["plain"], metric["additivity"]["weighted"]
    assert weighted["spearman"] > plain["spearman"] > 0.5
    assert weighted["r_squared"] > plain["r_squared"]


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("asked", [problem(), FRONT])
def test_few_trials_are_too_early_and_told_to_go_on(count: int, asked: Problem) -> None:
    report = health(told(history(count, asked), asked))
    assert report["verdict"] == "too early"
    assert one(report, "too_early")["remedy"] == "Let the search run on."
    json.dumps(report, allow_nan=False)


def test_exact_metrics_alone_need_no_model() -> None:
    asked = Problem(objectives=("gmacs", "params"))
    report = health(told(history(30, asked), asked))
    assert (report["verdict"], report["metrics"]) == ("good", [])
    assert report["remaining"]["probability"] == 1.0


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_has_a_health(name: str) -> None:
    asked = FRONT if name == "pareto" else problem()
    report = health(told(history(30, asked), asked, name=name))
    assert report["verdict"] == "good"
    json.dumps(report, allow_nan=False)


def test_values_that_have_nothing_to_do_with_blocks_are_found_out() -> None:
    trials = history(60, problem())
    values = np.random.default_rng(1).lognormal(-2.0, 0.5, len(trials))
    report = health(told(valued(trials, values), problem()))
    assert report["verdict"] == "poor"
    assert one(report, "order")["severity"] == "problem"
    assert "distil with more steps" in one(report, "block_losses")["remedy"].lower()


def test_a_bound_that_nothing_meets_is_moved_to_where_three_are_within() -> None:
    trials = history(30, problem())
    tight = problem(BOUND / 1000)
    report = health(told(trials, tight))
    said = one(report, "nothing_feasible")
    moved = float(said["remedy"].removeprefix("Move noise_mse to ").split(":")[0])
    losses = np.array([LAND.losses[LAND.position(trial.architecture)] for trial in trials])
    assert (losses <= moved).sum() == 3
    assert f"trial {int(losses.argmin())} misses noise_mse by a factor" in said["finding"]
    assert report["verdict"] == "fair"


def test_a_bound_that_an_untried_one_would_meet_is_kept() -> None:
    trials = [
        trial for trial in history(60, problem()) if LAND.losses[LAND.position(trial.architecture)] > 1.02 * BOUND
    ]
    report = health(told(trials, problem()))
    assert one(report, "nothing_feasible")["remedy"].startswith("Let the search run on: an untried")


def test_a_stage_that_decides_is_named() -> None:
    trials = history(80, problem())
    losses = LAND.priced.block_losses
    codes = np.array([LAND.space.encode(trial.architecture) for trial in trials])
    effect = sum((8.0 if s == 2 else 0.2) * losses[s][codes[:, s]] for s in range(codes.shape[1]))
    report = health(told(valued(trials, 0.1 * np.asarray(effect) + 1e-4), problem()))
    said = one(report, "decisive_stage")
    assert said["finding"].startswith("Stage E3 decides noise_mse")
    assert "E3" in said["remedy"]


def test_noise_is_told_with_what_reduces_it() -> None:
    trials = history(80, problem())
    truth = np.array([LAND.losses[LAND.position(trial.architecture)] for trial in trials])
    noisy = truth * np.exp(np.random.default_rng(0).normal(0.0, 0.4, len(truth)))
    report = health(told(valued(trials, noisy, sem=1.0), problem()))
    assert "calibration.holdout" in one(report, "noise")["remedy"]


def test_a_lucky_measurement_is_not_recommended() -> None:
    noisy = replace(LAND, noise=0.3)
    reports = [health(told(history(80, problem(), noisy, seed), problem(), noisy)) for seed in range(8)]
    lucky = [one(report, "lucky") for report in reports if "lucky" in codes_of(report)]
    assert lucky
    assert all(said["remedy"].startswith(("Take trial", "Judge it again")) for said in lucky)


def test_it_says_whether_to_go_on() -> None:
    more = one(health(told(history(30, problem()), problem())), "more_to_find")
    assert "run on" in more["remedy"]
    tiny = landscape(3, (3, 3))
    loose = problem(float(np.quantile(tiny.losses, 0.5)))
    nothing = one(health(told(history(9, loose, tiny), loose, tiny)), "nothing_left")
    assert nothing["remedy"].startswith("Stop here")


def test_an_overconfident_model_is_found_out() -> None:
    insight = Insight.of(told(history(80, problem()), problem()))
    with undisturbed():
        outlook = insight.outlook()
        model = outlook.models["noise_mse"]
        model.model.covar_module.kernels[0].outputscale = 1e-4
        model.condition()
        said = {finding["code"]: finding for finding in of_metric(examine(outlook, "noise_mse"))}
    assert "leave a margin" in said["overconfident"]["remedy"]
