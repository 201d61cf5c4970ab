"""What a search minimises and what it must respect."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nas.domain.metric import Measurement, MetricName, is_exact
from nas.domain.value import FrozenDict, Value

MOST_EPSILONS = 32
"""Values in one grid."""


class OutcomeConstraint(Value):
    """An upper bound on a metric, in the metric's own unit. For fidelity this is the ε of the papers.

    Attributes:
        grid: Tighter values of the bound that the search is to answer as well, sharing all it measures.
    """

    metric: MetricName
    at_most: Annotated[float, Field(gt=0)]
    grid: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(max_length=MOST_EPSILONS)] = ()

    @field_validator("grid")
    @classmethod
    def _within_bound(cls, grid: tuple[float, ...], others: ValidationInfo) -> tuple[float, ...]:
        if max(grid, default=0.0) > others.data.get("at_most", float("inf")):
            raise ValueError(f"goes beyond at_most; let at_most be {max(grid):g}")
        return tuple(sorted(set(grid)))

    def violation(self, metrics: FrozenDict[str, Measurement]) -> float:
        """By how much of the bound the mean exceeds it; 0 when satisfied, infinite when unmeasured."""
        measured = metrics.get(self.metric)
        if measured is None:
            return float("inf")
        return max(0.0, measured.mean / self.at_most - 1.0)


class Problem(Value):
    """Objectives and bounds. One objective: ε-constrained. Two: the Pareto front within the bounds.

    Feasibility is computed from this, never stored: bounds move.
    """

    objectives: Annotated[tuple[MetricName, ...], Field(min_length=1, max_length=2)] = ("params",)
    constraints: Annotated[tuple[OutcomeConstraint, ...], Field(max_length=8)] = ()

    @model_validator(mode="after")
    def _answerable(self) -> Problem:
        require_one_grid(self.objectives, self.constraints)
        return self

    @property
    def parts(self) -> tuple[Problem, ...]:
        """One problem per ε of the grid, tightest first, the bound itself last; without a grid the problem alone."""
        for position, bound in enumerate(self.constraints):
            if bound.grid:
                others = (self.constraints[:position], self.constraints[position + 1 :])
                return tuple(
                    self.evolve(constraints=(*others[0], bound.evolve(at_most=epsilon, grid=()), *others[1]))
                    for epsilon in sorted({*bound.grid, bound.at_most})
                )
        return (self,)

    @property
    def is_pareto(self) -> bool:
        """Whether a front is asked for rather than one winner."""
        return len(self.objectives) == 2

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric the problem speaks of, objectives first, without repeats."""
        return tuple(dict.fromkeys((*self.objectives, *(bound.metric for bound in self.constraints))))

    def violation(self, metrics: FrozenDict[str, Measurement]) -> float:
        """Sum of relative violations; 0 when feasible."""
        return sum(constraint.violation(metrics) for constraint in self.constraints)

    def is_feasible(self, metrics: FrozenDict[str, Measurement]) -> bool:
        """Whether every bound is respected by the measured means."""
        return self.violation(metrics) == 0.0


def require_one_grid(objectives: tuple[str, ...], constraints: tuple[OutcomeConstraint, ...]) -> None:
    """Refuse grids that cannot be answered.

    Raises:
        ValueError: If two bounds have one, if it is on an exact metric, or if a front is asked for.
    """
    grids = [bound.metric for bound in constraints if bound.grid]
    if len(grids) > 1:
        raise ValueError(f"only one bound may have a grid, not {' and '.join(grids)}")
    if grids and is_exact(grids[0]):
        raise ValueError(f"{grids[0]} is known without measuring: a grid is for a measured metric")
    if grids and len(objectives) > 1:
        raise ValueError(f"a grid of {grids[0]} needs a single objective; two give the whole front anyway")
