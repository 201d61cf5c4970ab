"""New searches: submitted, tried dry, cloned."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Query, Response

from api.border.guards import AnyCaller, ProjectQuery, SearchId, ServiceOf, Submitter
from api.routes.bodies import SpecDocument, spec_body
from api.routes.declared import WRITES, router
from api.schemas.requests import CloneRequest
from api.schemas.searches import SearchDocument, Validation
from api.service.devices import device_names
from api.service.readings import read_search
from api.service.state import Service
from api.service.submissions import Order
from api.service.submissions import submit as submit_order
from api.service.visible import project_of, visible_search
from api.views import Document
from nas.domain.search import Search

routes = router("searches")

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Makes it safe to send the same request again: the same key with the same body makes one search.",
        examples=["5f3c1f0e-6f0e-4c55-9a59-0a6b6a1d9e55"],
    ),
]
WarmStart = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="Id of an earlier search: its best architectures, spread along its front, go first.",
    ),
]
WarmStartTrials = Annotated[int, Query(ge=1, le=1000, description="How many of them at most.")]
Check = Annotated[bool, Query(description="Only say whether the spec could be submitted.")]
_REPEATED: dict[int | str, dict[str, Any]] = {200: {"description": "Submitted before; or only checked."}}


@routes.post(
    "/searches",
    status_code=201,
    response_model=SearchDocument | Validation,
    responses={**WRITES, **_REPEATED},
    openapi_extra=spec_body(),
)
def submit(
    service: ServiceOf,
    caller: Submitter,
    response: Response,
    document: SpecDocument,
    idempotency_key: IdempotencyKey = None,
    check: Check = False,
    warm_start: WarmStart = None,
    warm_start_trials: WarmStartTrials = 16,
    project: ProjectQuery = None,
) -> Document:
    """Submit a search.

    The spec is checked against its teacher first, and every fault is told at once. A coordinator
    starts within a second. Twice the same `Idempotency-Key` with the same body is one search: the
    second answer has status 200.
    """
    order = Order(
        document=document,
        project=project_of(caller, project),
        idempotency_key=idempotency_key,
        warm_start=warm_start,
        warm_start_trials=warm_start_trials,
    )
    if check:
        checked = service.desk.check(document, device_names(service))
        response.status_code = 200
        return {"valid": True, "architectures_in_space": checked.space.size, "stages": list(checked.stages)}
    return _answer(service, caller, response, submit_order(service, caller, order))


@routes.post(
    "/dry-runs",
    status_code=201,
    response_model=SearchDocument,
    responses={**WRITES, **_REPEATED},
    openapi_extra=spec_body(),
)
def dry_run(
    service: ServiceOf,
    caller: Submitter,
    response: Response,
    document: SpecDocument,
    idempotency_key: IdempotencyKey = None,
    project: ProjectQuery = None,
) -> Document:
    """Try one random architecture of a spec end to end before paying for the search.

    What it distils and measures is found again by the real search. Once completed, the search document
    has an `estimate` of the time the whole would take.
    """
    order = Order(
        document=document, project=project_of(caller, project), kind="dry_run", idempotency_key=idempotency_key
    )
    return _answer(service, caller, response, submit_order(service, caller, order))


@routes.post(
    "/searches/{search}/clone",
    status_code=201,
    response_model=SearchDocument,
    responses={**WRITES, **_REPEATED},
)
def clone(
    service: ServiceOf,
    caller: Submitter,
    response: Response,
    search: SearchId,
    wanted: CloneRequest,
    idempotency_key: IdempotencyKey = None,
) -> Document:
    """Submit the spec of a search again, with changes, in the same project."""
    with service.reader() as uow:
        original = visible_search(uow, caller, search)
    document = merged(original.spec.model_dump(mode="json"), wanted.changes)
    order = Order(
        document=document,
        project=original.project,
        idempotency_key=idempotency_key,
        warm_start=original.id if wanted.warm_start else None,
        parent=original.id,
    )
    return _answer(service, caller, response, submit_order(service, caller, order))


def merged(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A document after a merge patch (RFC 7396): null removes a field, mappings merge, the rest replaces."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result


def _answer(service: Service, caller: AnyCaller, response: Response, made: tuple[Search, bool]) -> Document:
    search, is_new = made
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/searches/{search.id}"
    with service.reader() as uow:
        return read_search(service, uow, visible_search(uow, caller, search.id))
