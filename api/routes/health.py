"""Health, readiness and metrics: for those who run the service."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from api.border.guards import BEARER, ServiceOf, caller_of_request
from api.metrics import CONTENT_TYPE
from api.refusals import Forbidden
from api.routes.declared import problems, router
from api.schemas.administration import Alive, Health
from api.service.health import examine
from api.service.state import Service
from api.views import Document

routes = router("operations", prefix="")


@routes.get("/health/live", response_model=Alive, responses=problems(always=(421, 422)))
async def live() -> Document:
    """Tell that the process answers. Restart it when it does not."""
    return {"status": "alive"}


@routes.get(
    "/health/ready",
    response_model=Health,
    responses={**problems(always=(421, 422)), 503: {"model": Health, "description": "It cannot serve."}},
)
def ready(service: ServiceOf, response: Response) -> Document:
    """Tell whether the process can serve.

    `unready` (503) while the database or the disk fails; `degraded` (200) while no coordinator is
    alive: requests are served, and searches wait.
    """
    health = examine(service)
    response.status_code = 503 if health["status"] == "unready" else 200
    return health


@routes.get(
    "/metrics",
    response_class=Response,
    responses={
        **problems(403, always=(401, 421, 422, 429, 503)),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format."},
    },
)
def metrics(
    request: Request,
    service: ServiceOf,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Response:
    """Metrics of this process, for a key of the whole installation; for anybody if the settings say so."""
    if not service.settings.open_metrics:
        caller = caller_of_request(request, service, credentials)
        if caller.project is not None:
            raise Forbidden("Metrics speak of all projects.", "It takes a key of the whole installation.")
    _count_searches(service)
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _count_searches(service: Service) -> None:
    with service.reader() as uow:
        counts: dict[str, int] = {}
        for _, _, status, _ in uow.search_pages.heads():
            counts[status] = counts.get(status, 0) + 1
    service.metrics.set_searches(counts)
