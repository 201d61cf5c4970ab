"""Winner and front, derived from trials and the problem in force; never stored, because bounds move."""

from __future__ import annotations

import math
from collections.abc import Iterable

from nas.domain.metric import FIDELITY_METRICS, Measurement, is_exact
from nas.domain.objective import Problem
from nas.domain.pareto import non_dominated
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict


def axes(problem: Problem) -> tuple[str, ...]:
    """Metrics along which a front is drawn.

    Both objectives when there are two. With one objective, that one and the first bounded metric that
    has to be estimated, fidelities before latencies: the ε it is traded against. The objective alone when
    no such bound exists.
    """
    if problem.is_pareto:
        return problem.objectives
    bounded = [constraint.metric for constraint in problem.constraints]
    estimated = [name for name in bounded if not is_exact(name) and name not in problem.objectives]
    # The ε it is about is a fidelity's; a bound on a measured latency is one more bound.
    estimated.sort(key=lambda name: name not in FIDELITY_METRICS)
    return (*problem.objectives, *estimated[:1])


def front(trials: Iterable[Trial], problem: Problem) -> list[Trial]:
    """Trials that no other trial dominates along the problem's axes, by rising first axis; none stopped early.

    With two objectives only feasible trials take part. With one, the front shows what other values of
    ε would buy, so infeasible trials stay on it; ask `Trial.is_feasible` which ones those are.
    """
    names = axes(problem)
    seen = [trial for trial in measured(trials) if all(name in _metrics(trial) for name in names)]
    if problem.is_pareto:
        seen = [trial for trial in seen if trial.is_feasible(problem)]
    points = [tuple(_metrics(trial)[name].mean for name in names) for trial in seen]
    order = sorted(non_dominated(points), key=lambda position: (points[position], seen[position].number))
    return [seen[position] for position in order]


def best(trials: Iterable[Trial], problem: Problem) -> Trial | None:
    """The feasible trial of least first objective; the least violating one when none is feasible.

    Equal ones are told apart by the other axes, then by number. None when nothing was measured.
    """
    names = axes(problem)

    def rank(trial: Trial) -> tuple[float, ...]:
        values = _metrics(trial)
        along = (values[name].mean if name in values else math.inf for name in names)
        return (problem.violation(values), *along, trial.number)

    return min(measured(trials), key=rank, default=None)


def measured(trials: Iterable[Trial]) -> list[Trial]:
    """Trials that take part: completed, and not stopped early, for what was seen of those is only good for a no."""
    return [trial for trial in trials if trial.is_judged]


def _metrics(trial: Trial) -> FrozenDict[str, Measurement]:
    return trial.evaluation.metrics if trial.evaluation else FrozenDict()
