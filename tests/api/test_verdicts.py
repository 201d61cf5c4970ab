"""Verdicts over columns agree with those of the engine, trial by trial, whatever is measured and asked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.service.points import Columns
from api.service.verdicts import front_of, history_of
from api.service.warm_start import best_architectures
from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.pareto import hypervolume_2d
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.front import axes, best, front
from storage.trial_points import TrialPoint
from tests.api.filled import SPACE, architectures

METRICS = ("params", "noise_mse_relative", "gmacs")
SHAPES = architectures(40)
few_values = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0])
measured = st.dictionaries(st.sampled_from(METRICS), few_values, min_size=1)
cut_short = st.fixed_dictionaries(dict.fromkeys(METRICS, few_values)).map(lambda means: {**means, "share": 0.25})
histories = st.lists(st.one_of(st.none(), measured, cut_short), max_size=20)
problems = st.builds(
    Problem,
    objectives=st.sampled_from([("params",), ("gmacs",), ("params", "noise_mse_relative"), ("gmacs", "params")]),
    constraints=st.lists(
        st.builds(OutcomeConstraint, metric=st.sampled_from(METRICS), at_most=few_values),
        max_size=2,
        unique_by=lambda bound: bound.metric,
    ).map(tuple),
)


def a_trial(number: int, means: dict[str, float] | None, shape: Architecture | None = None) -> Trial:
    """A trial; `share` among its means says that its evaluation was stopped early."""
    told = dict(means or {})
    share = told.pop("share", 1.0)
    metrics = FrozenDict({name: Measurement(mean=mean) for name, mean in told.items()})
    return Trial(
        search="s",
        number=number,
        architecture=shape or SHAPES[number],
        status=TrialStatus.RUNNING if means is None else TrialStatus.COMPLETED,
        evaluation=None if means is None else Evaluation(metrics=metrics, share=share),
    )


def columns_of(trials: list[Trial]) -> Columns:
    columns = Columns(SPACE)
    columns.update([a_point(trial) for trial in trials], len(trials))
    return columns


def a_point(trial: Trial, changed: int = 0) -> TrialPoint:
    metrics = trial.evaluation.metrics if trial.evaluation else {}
    values = {name: (one.mean, one.sem, one.unit) for name, one in metrics.items()}
    share = trial.evaluation.share if trial.evaluation else 1.0
    return TrialPoint(
        trial.number, trial.status.value, changed, "x", 0, dict(trial.architecture.choices), values, share
    )


@settings(max_examples=200)
@given(history=histories, problem=problems)
def test_front_best_and_feasible_are_those_of_the_engine(
    history: list[dict[str, float] | None], problem: Problem
) -> None:
    trials = [a_trial(number, means) for number, means in enumerate(history)]
    found = front_of(columns_of(trials), problem)
    assert [int(row) for row in found.rows] == [trial.number for trial in front(trials, problem)]
    winner = best(trials, problem)
    assert found.best == (None if winner is None else winner.number)
    assert found.feasible.tolist() == [trial.is_feasible(problem) for trial in trials]
    stopped = {trial.number for trial in trials if trial.is_partial}
    assert not stopped & {trials[row].number for row in (*found.rows, *([] if found.best is None else [found.best]))}
    assert not any(found.feasible[number] for number in stopped)


@settings(max_examples=200)
@given(history=histories, problem=problems)
def test_hypervolume_is_the_area_that_the_trials_so_far_dominate(
    history: list[dict[str, float] | None], problem: Problem
) -> None:
    # The teacher comes first, so that the reference of exact axes is known.
    everything = {"params": 2.0, "gmacs": 2.0, "noise_mse_relative": 2.0}
    trials = [a_trial(number, means) for number, means in enumerate([everything, *history])]
    names = axes(problem)
    found = history_of(columns_of(trials), problem, problem, initial_trials=1)
    assert found.reference is not None
    for count, volume in found.points:
        taking_part = [
            trial.evaluation.metrics
            for trial in trials[:count]
            if trial.is_judged
            and all(name in trial.evaluation.metrics for name in names)
            and (not problem.is_pareto or problem.is_feasible(trial.evaluation.metrics))
        ]
        points = [tuple(metrics[name].mean for name in names) for metrics in taking_part]
        if len(names) == 1:
            expected = max([found.reference[0] - point[0] for point in points] + [0.0])
        else:
            expected = hypervolume_2d(points, found.reference)
        assert math.isclose(volume, expected, abs_tol=1e-9)
    volumes = [volume for _, volume in found.points]
    assert volumes == sorted(volumes)
    assert found.points[-1][0] == len(trials)


def test_the_reference_follows_the_first_bounds_whatever_is_asked_later() -> None:
    trials = [
        a_trial(0, {"params": 100.0, "noise_mse_relative": 0.0}),
        a_trial(1, {"params": 50.0, "noise_mse_relative": 0.3}),
    ]
    first = Problem(constraints=(OutcomeConstraint(metric="noise_mse_relative", at_most=0.5),))
    later = Problem(constraints=(OutcomeConstraint(metric="noise_mse_relative", at_most=0.01),))
    for problem in (first, later):
        reference = history_of(columns_of(trials), problem, first, 8).reference
        assert reference == (pytest.approx(110.0), 1.0)


def test_without_the_teacher_the_reference_is_not_known_yet() -> None:
    problem = Problem(constraints=(OutcomeConstraint(metric="noise_mse_relative", at_most=0.5),))
    history = history_of(columns_of([a_trial(1, {"params": 1.0, "noise_mse_relative": 0.1})]), problem, problem, 8)
    assert (history.reference, history.points) == (None, ())


def test_a_reopened_trial_loses_what_it_had() -> None:
    columns = columns_of([a_trial(0, {"params": 1.0})])
    columns.update([a_point(a_trial(0, None), changed=2)], 2)
    assert np.isnan(columns.mean("params")).all()
    assert front_of(columns, Problem()).best is None


def test_what_was_stopped_early_is_in_no_warm_start_and_moves_no_reference() -> None:
    cut = {"params": 1.0, "gmacs": 9.0, "noise_mse_relative": 0.5, "share": 0.125}
    trials = [a_trial(0, {"params": 100.0, "gmacs": 3.0, "noise_mse_relative": 0.1}), a_trial(1, cut)]
    columns = columns_of(trials)
    assert [one.digest for one in best_architectures(columns, Problem())] == [trials[0].architecture.digest]
    problem = Problem(objectives=("params", "noise_mse_relative"))
    assert history_of(columns, problem, problem, 2).reference == (pytest.approx(110.0), pytest.approx(0.11))


def test_columns_grow_without_losing_what_they_had() -> None:
    columns = Columns(SPACE)
    for number, shape in enumerate(architectures(300, seed=1)):
        columns.update([a_point(a_trial(number, {"params": float(number)}, shape))], number + 1)
    assert columns.size == 300
    assert columns.mean("params").tolist() == [float(number) for number in range(300)]
    assert columns.architecture(299) == {
        stage.stage: architectures(300, seed=1)[299].variant(stage.stage) for stage in SPACE.stages
    }


def test_the_knee_is_where_more_cost_begins_to_buy_little() -> None:
    corner = [(1.0, 10.0), (2.0, 2.0), (10.0, 1.0)]
    trials = [a_trial(i, {"params": x, "noise_mse_relative": y}) for i, (x, y) in enumerate(corner)]
    bound = OutcomeConstraint(metric="noise_mse_relative", at_most=5.0)
    assert front_of(columns_of(trials), Problem(constraints=(bound,))).knee == 1
    assert front_of(columns_of(trials[:2]), Problem(constraints=(bound,))).knee is None


def test_a_warm_start_takes_the_best_first_then_the_ends_of_the_front_and_no_architecture_twice() -> None:
    line = [(float(i), 20.0 - i) for i in range(1, 10)]
    trials = [a_trial(i, {"params": x, "noise_mse_relative": y}) for i, (x, y) in enumerate(line)]
    bound = OutcomeConstraint(metric="noise_mse_relative", at_most=15.5)
    chosen = list(best_architectures(columns_of(trials), Problem(constraints=(bound,))))
    assert chosen[0] == trials[4].architecture
    assert {chosen[1].digest, chosen[2].digest} == {trials[0].architecture.digest, trials[8].architecture.digest}
    assert len({one.digest for one in chosen}) == len(chosen) == 9
