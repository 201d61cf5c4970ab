"""Trials and what is drawn of them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query, Response
from pydantic_core import to_json

from api.border.guards import AnyCaller, BoundsVersion, Limit, Number, SearchId, ServiceOf
from api.routes.declared import READS, router
from api.schemas.base import Page
from api.schemas.fronts import FrontDocument, HypervolumeDocument, PointsDocument
from api.schemas.trials import TrialDetail, TrialDocument
from api.service.plots import read_front, read_hypervolume, read_points
from api.service.readings import read_trial, read_trials
from api.service.visible import problem_of, visible_search
from api.views import Document
from nas.domain.lifecycle import TrialStatus

routes = router("trials")

MOST_POINTS: Final = 10_000

After = Annotated[int, Query(ge=-1, le=2**31 - 1, description="Only trials with a number above this one.")]
AfterEvent = Annotated[
    int, Query(ge=-1, le=2**31 - 1, description="Only trials that changed after this event: `last_event` of before.")
]
Statuses = Annotated[list[TrialStatus], Query(max_length=16, description="Any of these; may be given repeatedly.")]


@routes.get("/searches/{search}/trials", response_model=Page[TrialDocument], responses=READS)
def trials(
    service: ServiceOf,
    caller: AnyCaller,
    search: SearchId,
    status: Statuses = [],  # noqa: B006  # FastAPI copies it
    feasible: Annotated[bool | None, Query(description="Only those within the bounds, or only the others.")] = None,
    origin: Annotated[str | None, Query(max_length=64, description="Only those proposed by this one.")] = None,
    after: After = -1,
    limit: Limit = 50,
    bounds_version: BoundsVersion = None,
) -> Document:
    """List the trials of a search in the order of their numbers.

    `next` is the number to send as `after`.
    """
    with service.reader() as uow:
        found = visible_search(uow, caller, search)
        _, problem = problem_of(found, bounds_version)
        items, following = read_trials(
            service,
            uow,
            found,
            problem,
            after=after,
            limit=limit,
            statuses=tuple(status),
            feasible=feasible,
            origin=origin,
        )
    return {"items": items, "next": None if following is None else str(following)}


@routes.get("/searches/{search}/trials/{number}", response_model=TrialDetail, responses=READS)
def trial(service: ServiceOf, caller: AnyCaller, search: SearchId, number: Number) -> Document:
    """Read one trial in full: attempts with logs, and its network stage by stage beside the teacher's."""
    with service.reader() as uow:
        return read_trial(service, uow, visible_search(uow, caller, search), number)


@routes.get("/searches/{search}/points", response_model=PointsDocument, responses=READS)
def points(
    service: ServiceOf,
    caller: AnyCaller,
    search: SearchId,
    after: After = -1,
    after_event: AfterEvent = -1,
    limit: Annotated[int, Query(ge=1, le=MOST_POINTS, description="Trials in one answer.")] = 1000,
) -> Response:
    """Read trials column by column, for plots and long tables.

    Load everything by following `next` (sent as `after`); then ask with `after_event` for what changed.
    """
    with service.reader() as uow:
        found = visible_search(uow, caller, search)
        document = read_points(service, uow, found, after=after, after_event=after_event, limit=limit)
    return _json(document)


@routes.get("/searches/{search}/front", response_model=FrontDocument, responses=READS)
def front(service: ServiceOf, caller: AnyCaller, search: SearchId, bounds_version: BoundsVersion = None) -> Response:
    """Read the front: the trials no other trial beats, by rising cost.

    With one objective the front shows what other values of ε would buy, so that infeasible trials stay
    on it; with two only feasible trials take part.
    """
    with service.reader() as uow:
        found = visible_search(uow, caller, search)
        return _json(read_front(service, uow, found, *problem_of(found, bounds_version)))


@routes.get("/searches/{search}/hypervolume", response_model=HypervolumeDocument, responses=READS)
def hypervolume(
    service: ServiceOf, caller: AnyCaller, search: SearchId, bounds_version: BoundsVersion = None
) -> Response:
    """Read how the front grew, against a reference point fixed by the first version of the bounds."""
    with service.reader() as uow:
        found = visible_search(uow, caller, search)
        return _json(read_hypervolume(service, uow, found, problem_of(found, bounds_version)[1]))


def _json(document: Document) -> Response:
    # Thousands of numbers: what was built from numbers needs no second validation, and `json` writes them six times
    # slower. What was not measured, NaN, is null.
    return Response(to_json(document, inf_nan_mode="null"), media_type="application/json")
