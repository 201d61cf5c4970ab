"""How good a run was, by true values alone: what a method believes about its finds does not count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.search.landscape import Landscape
from nas.domain.pareto import hypervolume_2d
from nas.strategy.pricing import Codes, Prices

SOLVED = 0.02
"""Regret at which a task counts as solved."""


def scores(landscape: Landscape, codes: Codes) -> dict[str, Any]:
    """Curves over the evaluations of a run.

    `regret`: best truly feasible cost over the optimum, minus 1; the greatest cost counts while there is none.
    `hypervolume`: of true values, relative to the true front's. `grid`: after how many evaluations each ε of the grid
    was solved, None where it was not.
    """
    costs, losses = landscape.cost(codes), landscape.loss(codes)
    feasible = np.where(landscape.is_feasible(codes), costs, landscape.dearest)
    regret = np.minimum.accumulate(feasible) / landscape.optimum - 1
    return {
        "regret": _rounded(regret),
        "hypervolume": _rounded(_hypervolumes(landscape, costs, losses)),
        "within": first(regret <= SOLVED),
        "grid": [
            first(np.where(losses <= epsilon, costs, np.inf) <= (1 + SOLVED) * optimum)
            for epsilon, optimum in landscape.epsilon_grid
        ],
    }


def first(solved: npt.NDArray[np.bool_]) -> int | None:
    """Number of evaluations up to the first success."""
    return int(np.argmax(solved)) + 1 if solved.any() else None


def _hypervolumes(landscape: Landscape, costs: Prices, losses: Prices) -> Prices:
    reference = landscape.reference
    points = np.column_stack([costs, losses]).tolist()
    whole = hypervolume_2d(landscape.front.tolist(), reference)
    return np.array([hypervolume_2d(points[: n + 1], reference) / whole for n in range(len(points))])


def _rounded(values: Prices) -> list[float]:
    return [round(float(value), 5) for value in values]
