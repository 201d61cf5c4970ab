"""Searches: list, read, intent, trash, bounds."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Response

from api.border.guards import AnyCaller, Cursor, Limit, ProjectQuery, SearchId, ServiceOf, Submitter
from api.routes.declared import READS, WRITES, router
from api.schemas.base import Page
from api.schemas.requests import BoundsMove, IntentChange
from api.schemas.searches import BoundsDocument, BoundsHistory, SearchDocument
from api.service import changes
from api.service.readings import read_search
from api.service.visible import project_of, visible_search
from api.views import Document, search_row
from nas.domain.lifecycle import SearchStatus
from nas.domain.objective import Problem
from nas.domain.search import SearchSpec

routes = router("searches")

NamePart = Annotated[str, Query(max_length=128, pattern=r"^[^\x00-\x1f]*$", description="Part of the name.")]
Statuses = Annotated[list[SearchStatus], Query(max_length=16, description="Any of these; may be given repeatedly.")]


@routes.get("/searches", response_model=Page[SearchDocument], responses=READS)
def searches(
    service: ServiceOf,
    caller: AnyCaller,
    status: Statuses = [],  # noqa: B006  # FastAPI copies it
    name: NamePart = "",
    trash: Annotated[bool, Query(description="Those in the trash instead of those outside.")] = False,
    kind: Annotated[Literal["search", "dry_run"] | None, Query(description="Only this kind.")] = None,
    project: ProjectQuery = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Document:
    """List searches, newest first.

    Pages neither repeat nor skip a search when others are submitted meanwhile. `best`, `library` and
    `estimate` are null here; read one search for them.
    """
    from storage.search_pages import SearchFilter

    wanted = SearchFilter(
        project=project_of(caller, project) if project or caller.project else None,
        statuses=tuple(status),
        name_contains=name,
        trashed=trash,
        kind=kind,
    )
    with service.reader() as uow:
        rows, following = uow.search_pages.page(wanted, cursor, limit)
    items = [search_row(row.search, row.counts, row.last_event) for row in rows]
    return {"items": items, "next": following}


@routes.get("/searches/{search}", response_model=SearchDocument, responses=READS)
def search(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Document:
    """Read one search with its best trial and the progress of its library."""
    with service.reader() as uow:
        return read_search(service, uow, visible_search(uow, caller, search))


@routes.patch("/searches/{search}", response_model=SearchDocument, responses=WRITES)
def set_intent(service: ServiceOf, caller: Submitter, search: SearchId, change: IntentChange) -> Document:
    """Run, pause or cancel a search.

    The answer tells the intent at once; the status follows as soon as the coordinator has seen it and
    what runs has ended. Cancelling is final.
    """
    changed = changes.change_intent(service, caller, search, change.intent)
    with service.reader() as uow:
        return read_search(service, uow, visible_search(uow, caller, changed.id))


@routes.delete("/searches/{search}", status_code=204, response_class=Response, responses=WRITES)
def delete(service: ServiceOf, caller: Submitter, search: SearchId) -> None:
    """Put a search into the trash, from which it can be restored for some days.

    A search that runs has to be paused or cancelled first.
    """
    changes.delete(service, caller, search)


@routes.post("/searches/{search}/restore", response_model=SearchDocument, responses=WRITES)
def restore(service: ServiceOf, caller: Submitter, search: SearchId) -> Document:
    """Take a search out of the trash."""
    restored = changes.restore(service, caller, search)
    with service.reader() as uow:
        return read_search(service, uow, visible_search(uow, caller, restored.id))


@routes.get("/searches/{search}/spec", response_model=SearchSpec, responses=READS)
def spec(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Response:
    """Read the spec of a search as it is stored: complete, with every default filled in."""
    with service.reader() as uow:
        found = visible_search(uow, caller, search)
    return Response(found.spec.model_dump_json(), media_type="application/json")


@routes.get("/searches/{search}/bounds", response_model=BoundsHistory, responses=READS)
def bounds(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Document:
    """List every version of a search's objectives and bounds, oldest first."""
    with service.reader() as uow:
        versions = uow.searches.bounds(visible_search(uow, caller, search).id)
    return {"items": [_bounds_document(*version) for version in versions]}


@routes.post("/searches/{search}/bounds", status_code=201, response_model=BoundsDocument, responses=WRITES)
def move_bounds(service: ServiceOf, caller: Submitter, search: SearchId, move: BoundsMove) -> Document:
    """Put new bounds in force.

    Every trial is judged by them at once, nothing is measured again, and a running search turns to
    them. A bound that no architecture of the space can meet is refused with the tightest attainable
    value; with `base_version` the move is refused when somebody else moved first.
    """
    constraints = [bound.model_dump() for bound in move.constraints]
    version, problem, at = changes.move_bounds(
        service, caller, search, constraints, move.objectives, move.base_version
    )
    return _bounds_document(version, problem, caller.key, at)


def _bounds_document(version: int, problem: Problem, by: str, at: float) -> Document:
    return {
        "version": version,
        "objectives": list(problem.objectives),
        "constraints": [bound.model_dump() for bound in problem.constraints],
        "by": by,
        "at": at,
    }
