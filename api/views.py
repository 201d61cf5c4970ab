"""Searches, trials and fronts as the documents that others script against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.domain.metric import Measurement
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.front import best, front

Document = dict[str, Any]


def search_document(search: Search, trials: Sequence[Trial]) -> Document:
    """One search with its progress."""
    winner = best(trials, search.problem)
    return {
        "search": search.id,
        "name": search.spec.name,
        "status": search.status.value,
        "intent": search.intent.value,
        "trials": len(trials),
        "budget": search.spec.budget.trials,
        "objectives": list(search.problem.objectives),
        "bounds": bounds_document(search),
        "best": trial_document(winner, search) if winner else None,
        "created_at": search.created_at,
        "ran_s": round(search.ran_s, 3),
        "failure": search.failure.model_dump(mode="json") if search.failure else None,
    }


def bounds_document(search: Search) -> Document:
    """Bounds in force, by metric."""
    return {bound.metric: bound.at_most for bound in search.problem.constraints}


def trial_document(trial: Trial, search: Search, latency: Measurement | None = None) -> Document:
    """One trial with its metrics, judged by the bounds in force.

    Args:
        trial: The trial.
        search: Its search.
        latency: Measured latency of the assembled network, where there is one.
    """
    metrics = dict(trial.evaluation.metrics) if trial.evaluation else {}
    if latency is not None:
        metrics["latency_ms"] = latency
    return {
        "trial": trial.number,
        "status": trial.status.value,
        "origin": trial.origin,
        "architecture": complete_architecture(trial, search),
        "metrics": {name: _measurement(value) for name, value in metrics.items()},
        "feasible": bool(trial.evaluation) and search.problem.is_feasible(trial.evaluation.metrics)
        if trial.evaluation
        else False,
        "attempts": len(trial.attempts),
        "failure": trial.failure.model_dump(mode="json") if trial.failure else None,
    }


def front_document(search: Search, trials: Sequence[Trial], latencies: Mapping[int, Measurement]) -> Document:
    """The front: `points` by rising cost, each `feasible` or not under the bounds in force.

    Args:
        search: The search.
        trials: All of its trials.
        latencies: Measured latency by trial number.
    """
    fields = ("trial", "architecture", "metrics", "feasible")
    points = [trial_document(trial, search, latencies.get(trial.number)) for trial in front(trials, search.problem)]
    return {
        "search": search.id,
        "seed": search.spec.seed,
        "bounds": bounds_document(search),
        "trials": len(trials),
        "architectures_in_space": search.space.size,
        "points": [{field: point[field] for field in fields} for point in points],
    }


def complete_architecture(trial: Trial, search: Search) -> dict[str, str]:
    """Variant of every searched stage, in the order of execution."""
    return {choices.stage: trial.architecture.variant(choices.stage) for choices in search.space.stages}


def _measurement(value: Measurement) -> Document:
    return {"mean": value.mean, "sem": value.sem, "unit": value.unit}
