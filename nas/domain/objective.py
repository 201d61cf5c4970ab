"""What a search minimises and what it must respect."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nas.domain.metric import Measurement, MetricName
from nas.domain.value import FrozenDict, Value


class OutcomeConstraint(Value):
    """An upper bound on a metric, in the metric's own unit. For fidelity this is the ε of the papers."""

    metric: MetricName
    at_most: Annotated[float, Field(gt=0)]

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
