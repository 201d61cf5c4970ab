"""Searches asked about themselves, as documents."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from api.service.points import STATUSES, Columns
from api.spec_checks import faults_of_bounds, unmeasured_latencies
from api.views import Document
from nas.domain.lifecycle import HOPELESS, TrialStatus
from nas.domain.metric import is_exact
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search import Search
from nas.errors import Fault, SpecError
from nas.strategy.evidence import MANY, Evidence
from nas.strategy.inquiry import About, inquiry, models_of

if TYPE_CHECKING:
    from api.service.state import Service
    from nas.domain.cost import ExactCosts
    from storage.unit_of_work import SqlUnitOfWork

_ENDED_BADLY: Final = [STATUSES.index(status.value) for status in HOPELESS]
_OPEN: Final = [STATUSES.index(status.value) for status in (TrialStatus.CANDIDATE, TrialStatus.RUNNING)]


@dataclass(frozen=True)
class Standing:
    """A search as it stands, so that the database need not be kept waiting.

    Attributes:
        last_event: Last event that is taken account of.
        costs: None while the block library is not complete.
    """

    search: Search
    last_event: int
    trials: int
    costs: ExactCosts | None
    evidence: Evidence


def standing(service: Service, uow: SqlUnitOfWork, search: Search) -> Standing:
    """How a search stands in the snapshot of a reader."""
    costs = service.blocks.costs(uow, search)
    with service.points.of(uow, search) as columns:
        return Standing(search, columns.last_event, columns.size, costs, _evidence(columns))


def read_health(service: Service, stands: Standing) -> Document:
    """The health report of a search."""
    search = stands.search
    return {
        "bounds_version": search.bounds_version,
        **_asked(service, stands, "health", search.problem, _NO_HEALTH),
    }


def read_recommendation(
    service: Service, stands: Standing, problem: Problem, bounds: Mapping[str, float]
) -> Document:
    """What to take, were `bounds` in force besides those of `problem`.

    Raises:
        SpecError: If they speak of what is not measured.
    """
    asked = rebound(stands.search, problem, bounds)
    nothing = {
        "objectives": list(asked.objectives),
        "bounds": {bound.metric: bound.at_most for bound in asked.constraints},
        **_NO_RECOMMENDATION,
    }
    return _asked(service, stands, "recommendation", asked, nothing)


def rebound(search: Search, problem: Problem, bounds: Mapping[str, float]) -> Problem:
    """The problem with other bounds.

    Raises:
        SpecError: If they speak of what is not measured.
    """
    merged = {bound.metric: bound for bound in problem.constraints}
    for metric, value in bounds.items():
        merged.pop(metric, None)
        if np.isfinite(value):
            merged[metric] = OutcomeConstraint(metric=metric, at_most=value)
    asked: Problem = problem.evolve(constraints=tuple(merged.values()))
    spec = search.spec.evolve(objectives=asked.objectives, constraints=asked.constraints)
    found = (*faults_of_bounds(spec), *unmeasured_latencies(search, asked))
    faults = [Fault("?bound", fault.reason, fault.nearest) for fault in found]
    if faults:
        raise SpecError(tuple(faults))
    return asked


def _asked(service: Service, stands: Standing, about: About, problem: Problem, nothing: Document) -> Document:
    search, costs, evidence = stands.search, stands.costs, stands.evidence
    stand = {"search": search.id, "last_event": stands.last_event, "trials": stands.trials}
    if costs is None:
        return {**stand, **nothing}
    key = f"{about} {problem.digest} {models_of(search, costs, evidence)}"
    question = functools.partial(inquiry, search, costs, evidence, about, problem)
    return {**stand, **service.insights.ask(key, question)}


def _evidence(columns: Columns) -> Evidence:
    size = columns.size
    rows = np.flatnonzero((columns.codes[:size] >= 0).all(axis=1))
    estimated = {name: column for name, column in columns.metrics.items() if not is_exact(name)}
    return Evidence(
        numbers=columns.number[rows],
        codes=columns.codes[rows],
        means={name: column.mean[rows] for name, column in estimated.items()},
        errors={name: column.sem[rows] for name, column in estimated.items()},
        samples=dict.fromkeys(estimated, MANY * columns.share[rows]),
        rough=columns.stopped_early[rows],
        hopeless=np.isin(columns.status[rows], _ENDED_BADLY),
        pending=np.isin(columns.status[rows], _OPEN),
    )


_NO_HEALTH: Final[Document] = {
    "verdict": "too early",
    "summary": "The block library is not complete yet.",
    "points": 0,
    "metrics": [],
    "remaining": None,
    "nearest_misses": [],
    "findings": [],
}
_NO_RECOMMENDATION: Final[Document] = {
    "points": 0,
    "is_modelled": False,
    "recommended": [],
    "luckiest": None,
    "untried": None,
    "nearest_misses": [],
}
