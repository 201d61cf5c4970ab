"""Exports ordered by users; coordinators execute them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from api.access import Caller, new_id
from api.refusals import QuotaExceeded
from api.service.ledger import note
from api.service.submissions import require_quota
from api.service.verdicts import front_of
from api.service.visible import visible_search
from api.views import Document
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.errors import Conflict

if TYPE_CHECKING:
    from api.service.state import Service
    from storage.administration import Export
    from storage.unit_of_work import SqlUnitOfWork

_WAITING_PER_PROJECT = 100


def order_export(service: Service, caller: Caller, search_id: str, number: int | None) -> Export:
    """Ask for a trial's network; the same trial is packed once.

    Raises:
        NotFound: If there is no such trial.
        Conflict: If the trial was not measured.
        QuotaExceeded: If too much is waiting or stored.
    """
    from storage.administration import Export

    with service.reader() as uow:
        search = visible_search(uow, caller, search_id)
        trial = _chosen(service, uow, search) if number is None else number
        _require_measured(uow, search, trial)
    now = time.time()
    with service.writer() as uow:
        uow.projects.lock(search.project)
        for known in uow.exports.list(search.id):
            if known.trial == trial and known.status != "failed":
                return known
        if sum(one.project == search.project for one in uow.exports.waiting()) >= _WAITING_PER_PROJECT:
            raise QuotaExceeded("Too many exports of the project are waiting.", "Wait until some are done.")
        require_quota(uow, search.project, 0)
        export = Export(id=new_id(), search=search.id, project=search.project, trial=trial, created_at=now)
        uow.exports.add(export)
        note(uow, caller, "order export", export.id, project=search.project, at=now, detail=f"{search.id}/{trial}")
        uow.commit()
    return export


def export_document(export: Export) -> Document:
    """An export as its users see it."""
    document = export.model_dump(mode="json")
    document["export"] = document.pop("id")
    return document


def _chosen(service: Service, uow: SqlUnitOfWork, search: Search) -> int:
    with service.points.of(uow, search) as columns:
        best = front_of(columns, search.problem).best
        if best is None:
            raise Conflict(f"Search {search.id!r} has no measured trial yet.", "Wait for one.")
        return int(columns.number[best])


def _require_measured(uow: SqlUnitOfWork, search: Search, number: int) -> None:
    trial = uow.trials.get(search.id, number)
    if trial.status is not TrialStatus.COMPLETED:
        raise Conflict(f"Trial {number} is {trial.status.value}; only completed trials can be exported.")
