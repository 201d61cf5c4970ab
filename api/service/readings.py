"""Searches and trials as documents, put together from rows, columns and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from api.service.estimates import estimate_document
from api.service.points import Columns
from api.service.verdicts import front_of
from api.views import Document, search_row, trial_document
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.cost import ExactCosts, LatencyTable
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.jobs import network_latency

if TYPE_CHECKING:
    from api.service.state import Service
    from storage.unit_of_work import SqlUnitOfWork


def read_search(service: Service, uow: SqlUnitOfWork, search: Search) -> Document:
    """One search in full."""
    with service.points.of(uow, search) as columns:
        front = front_of(columns, search.problem)
        best = None if front.best is None else int(columns.number[front.best])
        last_event = columns.last_event
        statuses, counts = np.unique(columns.status[: columns.size], return_counts=True)
    blocks = service.blocks.of(uow, search)
    by_status = {_STATUSES[code]: int(count) for code, count in zip(statuses, counts, strict=True)}
    document = search_row(search, by_status, last_event)
    if best is not None:
        document["best"] = trial_document(uow.trials.get(search.id, best), search)
    document["library"] = {"done": blocks.done, "total": len(blocks.places)}
    document["estimate"] = estimate_document(uow, search, blocks)
    return document


def read_trials(
    service: Service,
    uow: SqlUnitOfWork,
    search: Search,
    problem: Problem,
    *,
    after: int,
    limit: int,
    statuses: tuple[TrialStatus, ...],
    feasible: bool | None,
    origin: str | None,
) -> tuple[list[Document], int | None]:
    """One page of trials in numerical order, and the number to go on after."""
    if feasible is None and origin is None:
        found = list(uow.trials.page(search.id, after, limit + 1, statuses))
    else:
        with service.points.of(uow, search) as columns:
            numbers = _matching(columns, problem, statuses, feasible, origin)
        chosen = numbers[numbers > after][: limit + 1]
        found = [uow.trials.get(search.id, int(number)) for number in chosen]
    page = found[:limit]
    tables = service.blocks.tables(uow, search)
    documents = [trial_document(trial, search, latencies_of(uow, search, trial, tables), problem) for trial in page]
    return documents, page[-1].number if len(found) > limit else None


def read_trial(service: Service, uow: SqlUnitOfWork, search: Search, number: int) -> Document:
    """One trial in full: attempts with logs, and every stage beside the teacher's."""
    trial = uow.trials.get(search.id, number)
    logs = dict(uow.trials.logs(search.id, number))
    evaluation = trial.evaluation
    costs = service.blocks.costs(uow, search)
    document = trial_document(trial, search, latencies_of(uow, search, trial, costs.tables if costs else ()))
    document["attempts"] = [
        {**attempt.model_dump(mode="json"), "log": logs.get(place, "")}
        for place, attempt in enumerate(trial.attempts, start=1)
    ]
    document["band_noise_mse"] = list(evaluation.band_noise_mse) if evaluation else []
    document["stage_distances"] = dict(evaluation.stage_distances) if evaluation else {}
    document["stages"] = [] if costs is None else _comparison(search, trial, costs)
    return document


def latencies_of(
    uow: SqlUnitOfWork, search: Search, trial: Trial, tables: Sequence[LatencyTable]
) -> dict[str, Measurement]:
    """Measured latencies of the assembled network by metric, on each device as far as it was measured.

    Args:
        uow: Where measurements are found.
        search: Names the devices.
        trial: Whose network.
        tables: The search's latency tables: what was measured is told as on the machine that they speak of.
    """
    if trial.status is not TrialStatus.COMPLETED:
        return {}
    canaries = {table.device: table.canary_ms for table in tables}
    found: dict[str, Measurement] = {}
    for timed in search.spec.devices:
        measured = network_latency(uow.library, search.spec, timed.spec, trial.architecture)
        if measured is not None:
            canary_ms = canaries.get(measured.device.name, 0.0)
            found[timed.metric.name] = measured.told(canary_ms)
    return found


_STATUSES = tuple(TrialStatus)


def _matching(
    columns: Columns, problem: Problem, statuses: tuple[TrialStatus, ...], feasible: bool | None, origin: str | None
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    wanted = np.ones(columns.size, bool)
    if statuses:
        wanted &= np.isin(columns.status[: columns.size], [_STATUSES.index(status) for status in statuses])
    if feasible is not None:
        wanted &= front_of(columns, problem).feasible == feasible
    if origin is not None:
        code = columns.origins.index(origin) if origin in columns.origins else -1
        wanted &= columns.origin[: columns.size] == code
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]] = np.sort(columns.number[: columns.size][wanted])
    return numbers


def _comparison(search: Search, trial: Trial, costs: ExactCosts) -> list[Document]:
    compared = []
    for choices in search.space.stages:
        stage, variant = choices.stage, trial.architecture.variant(choices.stage)
        own, teacher = costs.library.entry(stage, variant), costs.library.entry(stage, TEACHER_VARIANT)
        table = costs.table()
        timed = table.blocks_ms if table is not None else {}
        compared.append(
            {
                "stage": stage,
                "variant": variant,
                "params": own.cost.params,
                "gmacs": own.cost.macs / 1e9,
                "table_latency_ms": timed.get(f"{stage}/{variant}"),
                "block_loss": own.block_loss,
                "teacher_params": teacher.cost.params,
                "teacher_gmacs": teacher.cost.macs / 1e9,
                "teacher_table_latency_ms": timed.get(f"{stage}/{TEACHER_VARIANT}"),
            }
        )
    return compared
