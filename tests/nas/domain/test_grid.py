from __future__ import annotations

import pytest
from pydantic import ValidationError

from nas.domain.objective import OutcomeConstraint, Problem

GRID = OutcomeConstraint(metric="noise_mse", at_most=0.04, grid=(0.02, 0.01, 0.02))
LATENCY = OutcomeConstraint(metric="latency_ms", at_most=9.0)


def test_a_problem_without_grid_is_its_only_part() -> None:
    problem = Problem(constraints=(LATENCY,))
    assert problem.parts == (problem,)


def test_each_epsilon_of_a_grid_is_a_problem_and_the_other_bounds_stay() -> None:
    parts = Problem(constraints=(LATENCY, GRID)).parts
    assert [part.constraints[1].at_most for part in parts] == [0.01, 0.02, 0.04]
    assert all(part.constraints[0] == LATENCY and not part.constraints[1].grid for part in parts)


def test_a_grid_beyond_its_bound_is_refused_with_the_bound_it_needs() -> None:
    with pytest.raises(ValidationError, match=r"let at_most be 0\.05"):
        OutcomeConstraint(metric="noise_mse", at_most=0.04, grid=(0.05,))


@pytest.mark.parametrize(
    ("objectives", "constraints", "reason"),
    [
        (("params",), (GRID, GRID.evolve(metric="feature_distance")), "only one bound may have a grid"),
        (("params", "noise_mse"), (GRID,), "needs a single objective"),
        (("gmacs",), (OutcomeConstraint(metric="params", at_most=2e6, grid=(1e6,)),), "known without measuring"),
    ],
)
def test_grids_that_cannot_be_answered_are_refused(
    objectives: tuple[str, ...], constraints: tuple[OutcomeConstraint, ...], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        Problem(objectives=objectives, constraints=constraints)
