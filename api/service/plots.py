"""Front, hypervolume and columns as documents: what plots are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from api.service.points import STATUSES, Columns
from api.service.readings import latencies_of
from api.service.verdicts import front_of, history_of
from api.views import Document, bounds_document, measurement_document, trial_document, violations
from nas.domain.objective import Problem
from nas.domain.search import Search

if TYPE_CHECKING:
    from api.service.state import Service
    from storage.unit_of_work import SqlUnitOfWork


def read_front(service: Service, uow: SqlUnitOfWork, search: Search, version: int, problem: Problem) -> Document:
    """The front under one version of the bounds."""
    with service.points.of(uow, search) as columns:
        front = front_of(columns, problem)
        points = [_point(columns, row, bool(front.feasible[row])) for row in front.rows]
        best = None if front.best is None else int(columns.number[front.best])
        knee = None if front.knee is None else int(columns.number[front.knee])
        trials, stopped_early = columns.size, int(columns.stopped_early.sum())
        grid = [_answer(columns, part) for part in problem.parts] if len(problem.parts) > 1 else []
        missed = None
        if front.best is not None and not front.feasible[front.best]:
            means = {name: value["mean"] for name, value in columns.metrics_of(front.best).items()}
            missed = {"trial": best, "violated_by": violations(problem, means)}
    if search.spec.devices:
        _add_latencies(service, uow, search, points)
    return {
        "search": search.id,
        "seed": search.spec.seed,
        "bounds": bounds_document(problem),
        "bounds_version": version,
        "axes": list(front.axes),
        "trials": trials,
        "stopped_early": stopped_early,
        "architectures_in_space": search.space.size,
        "points": points,
        "best": None if best is None else trial_document(uow.trials.get(search.id, best), search, problem=problem),
        "knee": knee,
        "grid": grid,
        "nearest_miss": missed,
    }


def _answer(columns: Columns, part: Problem) -> Document:
    """The best feasible trial of one ε of a grid."""
    front, objective = front_of(columns, part), part.objectives[0]
    row = front.best if front.best is not None and front.feasible[front.best] else None
    return {
        "bounds": bounds_document(part),
        "trial": None if row is None else int(columns.number[row]),
        "value": None if row is None else float(columns.mean(objective)[row]),
    }


def read_hypervolume(service: Service, uow: SqlUnitOfWork, search: Search, problem: Problem) -> Document:
    """How the front grew under one version of the bounds."""
    with service.points.of(uow, search) as columns:
        history = history_of(columns, problem, search.problems[0], search.spec.strategy.initial_trials)
    return {
        "axes": list(history.axes),
        "reference": None if history.reference is None else list(history.reference),
        "how": history.how,
        "points": [{"trials": trials, "hypervolume": value} for trials, value in history.points],
    }


def read_points(
    service: Service, uow: SqlUnitOfWork, search: Search, *, after: int, after_event: int, limit: int
) -> Document:
    """Trials column by column: numbers above `after`, changed since `after_event`; NaN where nothing was measured."""
    with service.points.of(uow, search) as columns:
        size = columns.size
        wanted = (columns.number[:size] > after) & (columns.changed[:size] > after_event)
        rows = np.flatnonzero(wanted)
        more = len(rows) > limit
        rows = rows[:limit]
        return {
            "last_event": columns.last_event,
            "next": int(columns.number[rows[-1]]) if more else None,
            "stages": [choices.stage for choices in columns.space.stages],
            "variants": {choices.stage: list(choices.variants) for choices in columns.space.stages},
            "number": columns.number[rows].tolist(),
            "status": [STATUSES[code] for code in columns.status[rows].tolist()],
            "origin": [columns.origins[code] for code in columns.origin[rows].tolist()],
            "bounds_version": columns.bounds_version[rows].tolist(),
            "codes": columns.codes[rows].tolist(),
            "share": columns.share[rows].tolist(),
            "metrics": {
                name: {
                    "unit": column.unit,
                    "mean": column.mean[rows].tolist(),
                    "sem": column.sem[rows].tolist(),
                }
                for name, column in columns.metrics.items()
            },
            "changed": columns.changed[rows].tolist(),
        }


def _point(columns: Columns, row: int, feasible: bool) -> dict[str, Any]:
    return {
        "trial": int(columns.number[row]),
        "architecture": columns.architecture(row),
        "metrics": columns.metrics_of(row),
        "feasible": feasible,
    }


def _add_latencies(service: Service, uow: SqlUnitOfWork, search: Search, points: list[dict[str, Any]]) -> None:
    tables = service.blocks.tables(uow, search)
    for point in points:
        measured = latencies_of(uow, search, uow.trials.get(search.id, point["trial"]), tables)
        point["metrics"] |= {name: measurement_document(latency) for name, latency in measured.items()}
