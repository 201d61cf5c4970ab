"""Evaluations that were stopped early teach the models of health and what-if, and win nothing."""

from __future__ import annotations

import numpy as np
import pytest

from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.base import StrategyContext, make_strategy
from nas.strategy.bayesian import undisturbed
from nas.strategy.evidence import Evidence
from nas.strategy.health import report
from nas.strategy.insight import Insight
from tests.fakes.landscapes import MEDIUM, finished, landscape

LAND = landscape(1, MEDIUM)
BOUND = float(np.quantile(LAND.losses, 0.2))
SHARE, SEM = 0.25, 0.1


def problem(bound: float = BOUND) -> Problem:
    return Problem(objectives=("gmacs",), constraints=(OutcomeConstraint(metric="noise_mse", at_most=bound),))


def insight(trials: list[Trial], asked: Problem) -> Insight:
    strategy = make_strategy("auto", StrategyContext(LAND.priced, asked, 0, 8))
    strategy.tell(trials, [])
    return Insight.of(strategy)


def history(count: int = 48) -> list[Trial]:
    """Of these the ones clearly beyond the bound were stopped at a quarter of their samples."""
    draw = np.random.default_rng(3)
    trials = []
    for number, row in enumerate(draw.choice(len(LAND.losses), count, replace=False).tolist()):
        codes = np.unravel_index(row, LAND.space.cardinalities)
        architecture = LAND.space.decode(tuple(int(code) for code in codes))
        evaluation, loss = LAND.evaluate(architecture), float(LAND.losses[row])
        if loss > 1.3 * BOUND:
            rough = loss * float(np.exp(SEM / 3 * draw.normal()))
            measured = Measurement(mean=rough, sem=SEM * rough, samples=16)
            metrics = FrozenDict({**evaluation.metrics, "noise_mse": measured})
            evaluation = evaluation.evolve(metrics=metrics, share=SHARE)
        trials.append(finished(number, architecture, evaluation, TrialStatus.COMPLETED))
    return trials


TRIALS = history()
STOPPED = {trial.number for trial in TRIALS if trial.evaluation and trial.evaluation.share < 1}
WHOLE = [trial for trial in TRIALS if trial.number not in STOPPED]


def error_of(asked: Insight) -> float:
    """Root mean square error of the log over all architectures within four times the bound."""
    near = np.flatnonzero(LAND.losses < 4 * BOUND)
    codes = np.array(np.unravel_index(near, LAND.space.cardinalities), dtype=np.int16).T
    with undisturbed():
        predicted = asked.outlook().believe(codes).estimated["noise_mse"].mean
    true = np.log(np.maximum(LAND.losses[near], 1e-12))
    return float(np.sqrt(np.mean((predicted - true)[true > -20] ** 2)))


def test_models_learn_from_them() -> None:
    assert 10 < len(STOPPED) < 40
    everything = insight(TRIALS, problem())
    assert error_of(everything) < 0.8 * error_of(insight(WHOLE, problem()))
    (metric,) = report(everything)["metrics"]
    assert {one["trial"] for one in metric["predictions"]} >= STOPPED
    assert metric["points"] == sum(trial.evaluation.metrics["noise_mse"].mean > 0 for trial in TRIALS)  # type: ignore[union-attr]  # all are judged


@pytest.mark.parametrize("bound", [BOUND, 10 * BOUND, BOUND / 1e3])
def test_they_win_nothing_whatever_the_bound(bound: float) -> None:
    answer = insight(TRIALS, problem()).recommend(problem(bound))
    named = [*answer["recommended"], answer["luckiest"], *answer["nearest_misses"]]
    assert not STOPPED & {one["trial"] for one in named if one}


def test_under_a_wider_bound_one_of_them_may_be_worth_a_whole_evaluation() -> None:
    wide = float(LAND.losses.max()) * 2
    stopped = {trial.architecture.digest for trial in TRIALS if trial.number in STOPPED}
    outlook = insight(TRIALS, problem()).outlook(problem(wide))
    untried = {LAND.space.decode(tuple(row)).digest for row in outlook.candidates.tolist()}
    assert untried & stopped


def test_evidence_survives_its_document() -> None:
    evidence = insight(TRIALS, problem()).evidence
    again = Evidence.of_document(evidence.document())
    assert again.digest == evidence.digest
    assert set(evidence.numbers[again.rough].tolist()) == STOPPED
