"""What assembled networks take, where the problem of a search speaks of it: measured once their fidelity is known."""

from __future__ import annotations

from collections.abc import Mapping

from nas.domain.cost import ExactCosts
from nas.domain.job import Evaluation, Job
from nas.domain.metric import FIDELITY_METRICS, Measurement
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.jobs import network_latency, network_latency_job
from nas.ports import LibraryRepository


def is_worth_timing(evaluation: Evaluation, search: Search) -> bool:
    """Whether a trial may still win: not stopped early, and within all bounds on fidelity."""
    bounds = (bound for bound in search.problem.constraints if bound.metric in FIDELITY_METRICS)
    return not evaluation.is_partial and all(bound.violation(evaluation.metrics) == 0.0 for bound in bounds)


def missing_timing(known: LibraryRepository, search: Search, trial: Trial, evaluation: Evaluation) -> Job | None:
    """The next measurement of a trial that the problem asks for; None when there is nothing left to measure."""
    if not is_worth_timing(evaluation, search):
        return None
    for timed in search.spec.timed_for(search.problem):
        if network_latency(known, search.spec, timed.spec, trial.architecture) is None:
            return network_latency_job(search.spec, timed.spec, trial.architecture)
    return None


def timings(known: LibraryRepository, search: Search, trial: Trial, costs: ExactCosts) -> Mapping[str, Measurement]:
    """Measured latencies that the problem asks for, as far as there are any, told as on the tables' machine."""
    found: dict[str, Measurement] = {}
    for timed in search.spec.timed_for(search.problem):
        measured = network_latency(known, search.spec, timed.spec, trial.architecture)
        table = costs.table(timed.table_metric.name)
        if measured is not None:
            found[timed.metric.name] = measured.told(table.canary_ms if table is not None else 0.0)
    return found


def with_timings(evaluation: Evaluation, measured: Mapping[str, Measurement]) -> Evaluation:
    """An evaluation joined by measured latencies."""
    if not measured:
        return evaluation
    joined: Evaluation = evaluation.evolve(metrics=FrozenDict({**evaluation.metrics, **measured}))
    return joined
