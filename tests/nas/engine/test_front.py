from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.pareto import dominates
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.front import axes, best, front

EPSILON = Problem(objectives=("params",), constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.5),))
PARETO = Problem(objectives=("params", "noise_mse"), constraints=EPSILON.constraints)


def a_trial(number: int, status: TrialStatus = TrialStatus.COMPLETED, **metrics: float) -> Trial:
    measured = FrozenDict({name: Measurement(mean=mean) for name, mean in metrics.items()})
    return Trial(
        search="alpha",
        number=number,
        architecture=Architecture(choices=FrozenDict({"E1": f"R{number}"})),
        status=status,
        evaluation=Evaluation(metrics=measured) if metrics else None,
    )


CHEAP = a_trial(0, params=1.0, noise_mse=0.9)
MIDDLE = a_trial(1, params=2.0, noise_mse=0.4)
DEAR = a_trial(2, params=3.0, noise_mse=0.1)
WASTEFUL = a_trial(3, params=3.0, noise_mse=0.4)
SCREENED = a_trial(4, params=9.0)
PENDING = a_trial(5, TrialStatus.RUNNING)
ALL = [DEAR, WASTEFUL, PENDING, SCREENED, MIDDLE, CHEAP]


def test_the_front_of_one_objective_shows_what_other_bounds_would_buy() -> None:
    assert front(ALL, EPSILON) == [CHEAP, MIDDLE, DEAR]
    assert [EPSILON.is_feasible(trial.evaluation.metrics) for trial in front(ALL, EPSILON)] == [False, True, True]


def test_the_front_of_two_objectives_holds_feasible_trials_only() -> None:
    assert front(ALL, PARETO) == [MIDDLE, DEAR]


def test_moving_a_bound_moves_the_front_without_new_measurements() -> None:
    tighter = PARETO.evolve(constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.2),))
    assert front(ALL, tighter) == [DEAR]


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        ((), ("gmacs",)),
        ((OutcomeConstraint(metric="params", at_most=1.0),), ("gmacs",)),
        (
            (
                OutcomeConstraint(metric="params", at_most=1.0),
                OutcomeConstraint(metric="feature_distance", at_most=1.0),
                OutcomeConstraint(metric="noise_mse", at_most=1.0),
            ),
            ("gmacs", "feature_distance"),
        ),
    ],
)
def test_the_second_axis_is_the_first_bounded_metric_that_must_be_estimated(
    constraints: tuple[OutcomeConstraint, ...], expected: tuple[str, ...]
) -> None:
    assert axes(Problem(objectives=("gmacs",), constraints=constraints)) == expected


def test_the_winner_is_the_cheapest_feasible_trial() -> None:
    assert best(ALL, EPSILON) is MIDDLE
    assert best(ALL, PARETO) is MIDDLE


def test_when_nothing_is_feasible_the_least_violation_wins() -> None:
    impossible = Problem(objectives=("params",), constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.01),))
    assert best(ALL, impossible) is DEAR


def test_a_screened_trial_never_beats_a_measured_one() -> None:
    bounded = EPSILON.evolve(constraints=(*EPSILON.constraints, OutcomeConstraint(metric="params", at_most=5.0)))
    assert best([SCREENED, CHEAP], bounded) is CHEAP


def test_without_measurements_there_is_no_winner_and_no_front() -> None:
    assert best([PENDING], EPSILON) is None
    assert front([PENDING], EPSILON) == []


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@given(points)
def test_every_trial_is_on_the_front_or_dominated_by_a_member(pairs: list[tuple[int, int]]) -> None:
    problem = Problem(objectives=("params", "noise_mse"))
    trials = [a_trial(number, params=float(x), noise_mse=float(y)) for number, (x, y) in enumerate(pairs)]
    members = {trial.number for trial in front(trials, problem)}
    for trial, pair in zip(trials, pairs, strict=True):
        beaten = any(dominates(pairs[member], pair) for member in members)
        assert beaten != (trial.number in members)
