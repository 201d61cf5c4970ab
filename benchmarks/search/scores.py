"""How good a run was, by true values alone: what a method believes about its finds does not count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.search.landscape import Landscape, Mask
from nas.domain.pareto import hypervolume_2d
from nas.strategy.pricing import Codes, Prices

SOLVED = 0.02
"""Regret at which a task counts as solved."""


def scores(landscape: Landscape, kind: str, codes: Codes, whole: Mask | None = None) -> dict[str, Any]:
    """Curves over the evaluations of a run.

    `regret`: best truly feasible cost over the optimum, minus 1; the greatest cost counts while there is none. In the
    grid task the mean over all ε. `within`: evaluations until it was solved, None if it was not. `grid`: the same for
    each ε of the grid. `hypervolume`: of true values, relative to the true front's.

    What was stopped early (not `whole`) is found to be infeasible, whatever it is: it counts neither as feasible nor
    for the hypervolume.
    """
    costs, losses = landscape.cost(codes), landscape.loss(codes)
    whole = np.ones(len(codes), dtype=bool) if whole is None else whole
    regrets = [
        _regret(np.where(whole & (losses <= epsilon), costs, landscape.dearest), optimum)
        for epsilon, optimum in landscape.epsilon_grid
    ]
    grid = [first(regret <= SOLVED) for regret in regrets]
    regret = _regret(np.where(whole & landscape.is_feasible(codes), costs, landscape.dearest), landscape.optimum)
    within = first(regret <= SOLVED)
    if kind == "grid":
        regret = np.mean(regrets, axis=0)
        within = None if None in grid else max(at for at in grid if at)
    return {
        "regret": _rounded(regret),
        "hypervolume": _rounded(_hypervolumes(landscape, costs, np.where(whole, losses, np.inf))),
        "within": within,
        "grid": grid,
    }


def _regret(feasible: Prices, optimum: float) -> Prices:
    return np.minimum.accumulate(feasible) / optimum - 1


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
