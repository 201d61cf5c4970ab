"""A landscape as our strategies see it: exact prices, and block losses where there are any."""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import numpy as np

from benchmarks.search.landscape import Landscape, Mask
from nas.domain.metric import GMACS, LATENCY, NOISE_MSE
from nas.domain.objective import OutcomeConstraint, Problem
from nas.errors import Fault, SpecError
from nas.strategy.pricing import Codes, PricedSpace, Prices


class LandscapePrices(PricedSpace):
    """Costs come from the landscape, need not be additive, and go by the name of `gmacs`, whatever they are.

    Args:
        landscape: What is searched.
        block_losses: What is known about blocks, stage by stage; None: nothing, and all are zero.
    """

    def __init__(self, landscape: Landscape, block_losses: list[Prices] | None) -> None:
        self.space = landscape.space
        self.cardinalities = landscape.cardinalities
        self.landscape = landscape
        self.block_losses = block_losses or [np.zeros(n) for n in self.cardinalities]

    def without_block_losses(self) -> LandscapePrices:
        """The same with nothing known about blocks: all losses zero."""
        return LandscapePrices(self.landscape, None)

    def holds(self, codes: Codes) -> Mask:
        return self.landscape.holds(codes)

    def prices(self, metric: str, codes: Codes) -> Prices:
        self._require(metric)
        return self.landscape.cost(codes)

    def stage_prices(self, metric: str) -> list[Prices]:
        self._require(metric)
        return self.landscape.additive_cost

    def least(self, metric: str) -> float:
        self._require(metric)
        codes = np.array([[int(table.argmin()) for table in self.landscape.additive_cost]], dtype=np.int16)
        return float(self.landscape.cost(codes)[0])

    def has_table(self, metric: str) -> bool:  # noqa: ARG002  # the base class asks per device
        return False

    def _require(self, metric: str) -> None:
        # A space of one cost: strategies that ask for parameters to break ties get what there is.
        if metric not in (GMACS.name, "params"):
            raise SpecError((Fault("/table", f"the table has no {metric}"),))


def problem_of(task: str, landscape: Landscape) -> Problem:
    """The problem of a task (`epsilon`, `front`, `grid`) in the project's own terms."""
    if task == "front":
        return Problem(objectives=(GMACS.name, NOISE_MSE.name))
    if task == "grid":
        *tighter, loosest = sorted(epsilon for epsilon, _ in landscape.epsilon_grid)
        bound = OutcomeConstraint(metric=NOISE_MSE.name, at_most=loosest, grid=tuple(tighter))
        return Problem(objectives=(GMACS.name,), constraints=(bound,))
    bounds = [OutcomeConstraint(metric=NOISE_MSE.name, at_most=landscape.bounds.epsilon)]
    if landscape.bounds.latency_at_most is not None:
        bounds.append(OutcomeConstraint(metric=LATENCY.name, at_most=landscape.bounds.latency_at_most))
    return Problem(objectives=(GMACS.name,), constraints=tuple(bounds))
