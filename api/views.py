"""Searches, trials and fronts as the documents that others script against; `api.schemas` describes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import FIDELITY_METRICS, Measurement
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.front import best

Document = dict[str, Any]


def search_row(search: Search, counts: Mapping[TrialStatus, int], last_event: int = 0) -> Document:
    """One search as lists have it: everything that needs no look at a trial."""
    return {
        "search": search.id,
        "name": search.spec.name,
        "project": search.project,
        "kind": search.kind,
        "parent": search.parent,
        "status": search.status.value,
        "intent": search.intent.value,
        "objectives": list(search.problem.objectives),
        "bounds": bounds_document(search.problem),
        "bounds_version": len(search.problems) - 1,
        "trials": sum(counts.values()),
        "counts": {status.value: count for status, count in counts.items()},
        "budget": search.spec.budget.trials,
        "architectures_in_space": search.space.size,
        "best": None,
        "created_at": search.created_at,
        "ran_s": round(search.ran_s, 3),
        "deleted_at": search.deleted_at,
        "failure": search.failure.model_dump(mode="json") if search.failure else None,
        "seed": search.spec.seed,
        "parallelism": search.spec.parallelism,
        "library": None,
        "last_event": last_event,
        "estimate": None,
    }


def search_document(search: Search, trials: Sequence[Trial]) -> Document:
    """One search with its best trial."""
    winner = best(trials, search.problem)
    counts = Counter(trial.status for trial in trials)
    return search_row(search, counts) | {"best": trial_document(winner, search) if winner else None}


def bounds_document(problem: Problem) -> dict[str, float]:
    """Bounds of one version, by metric."""
    return {bound.metric: bound.at_most for bound in problem.constraints}


def trial_document(
    trial: Trial, search: Search, latencies: Mapping[str, Measurement] | None = None, problem: Problem | None = None
) -> Document:
    """One trial with its metrics, judged by the bounds in force or by those given.

    Args:
        trial: The trial.
        search: Its search.
        latencies: Measured latencies of the assembled network, by metric.
        problem: Another version of the bounds.
    """
    problem = problem or search.problem
    evaluation = trial.evaluation
    metrics = {**(evaluation.metrics if evaluation else {}), **(latencies or {})}
    return {
        "trial": trial.number,
        "status": trial.status.value,
        "origin": trial.origin,
        "architecture": complete_architecture(trial, search),
        "metrics": {name: measurement_document(value) for name, value in metrics.items()},
        "feasible": trial.is_feasible(problem),
        "screened": evaluation is not None and not any(name in FIDELITY_METRICS for name in evaluation.metrics),
        "share": evaluation.share if evaluation else 1.0,
        "violations": violations(problem, {name: value.mean for name, value in metrics.items()}),
        "attempts": len(trial.attempts),
        "failure": trial.failure.model_dump(mode="json") if trial.failure else None,
        "bounds_version": trial.bounds_version,
        "created_at": trial.created_at,
    }


def violations(problem: Problem, means: Mapping[str, float]) -> dict[str, float]:
    """By how much measured means exceed their bounds, in the metrics' units."""
    bounds = (bound for bound in problem.constraints if bound.metric in means)
    return {
        bound.metric: means[bound.metric] - bound.at_most for bound in bounds if means[bound.metric] > bound.at_most
    }


def complete_architecture(trial: Trial, search: Search) -> dict[str, str]:
    """Variant of every searched stage, in the order of execution."""
    return {choices.stage: trial.architecture.variant(choices.stage) for choices in search.space.stages}


def measurement_document(value: Measurement) -> Document:
    """A measurement as documents have it."""
    return {"mean": value.mean, "sem": value.sem, "unit": value.unit}
