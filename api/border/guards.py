"""Dependencies of routes: who is calling, with which role, and whether the query says anything unknown."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.access import Caller, require_installation_admin, require_role
from api.refusals import Unauthorized
from api.service.state import Service
from nas.errors import Fault, SpecError, nearest

BEARER: Final = HTTPBearer(
    auto_error=False,
    bearerFormat="bsk_ID_SECRET",
    scheme_name="key",
    description="An API key: `Authorization: Bearer bsk_ID_SECRET`.",
)
MAX_LIMIT: Final = 500


def service_of(request: Request) -> Service:
    """The memory of this process."""
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]


def caller_of_request(
    request: Request,
    service: ServiceOf,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Caller:
    """Who sent a request.

    Raises:
        Unauthorized: If it has no valid key.
        TooManyRequests: If its address failed too often.
    """
    if credentials is None:
        raise Unauthorized("A key is needed.", "Send Authorization: Bearer bsk_…")
    address = request.client.host if request.client else "local"
    return service.authenticate(credentials.credentials, address, time.time())


AnyCaller = Annotated[Caller, Depends(caller_of_request)]


def _submitter(caller: AnyCaller) -> Caller:
    require_role(caller, "submitter")
    return caller


def _admin(caller: AnyCaller) -> Caller:
    require_role(caller, "admin")
    return caller


def _installation_admin(caller: AnyCaller) -> Caller:
    require_installation_admin(caller)
    return caller


Submitter = Annotated[Caller, Depends(_submitter)]
Admin = Annotated[Caller, Depends(_admin)]
InstallationAdmin = Annotated[Caller, Depends(_installation_admin)]


def refuse_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have: a filter misspelt must not select everything.

    Raises:
        SpecError: Naming the nearest parameter.
    """
    known = _parameters(request)
    faults = [
        Fault(f"?{name}", "is no parameter here", nearest(name, known))
        for name in request.query_params
        if name not in known
    ]
    if faults:
        raise SpecError(tuple(faults))


def _parameters(request: Request) -> frozenset[str]:
    tables: dict[tuple[str, str], frozenset[str]] = request.app.state.query_parameters
    if not tables:
        for path, operations in request.app.openapi()["paths"].items():
            for method, operation in operations.items():
                tables[path, method.upper()] = frozenset(_in_query(operation))
    route: Any = request.scope.get("route")
    return tables.get((getattr(route, "path_format", ""), request.method), frozenset())


def _in_query(operation: dict[str, Any]) -> list[str]:
    return [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]


SearchId = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="Id of a search, or `latest`.",
        examples=["reference-demo-1a2b3c"],
    ),
]
ShortId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$", description="Id.", examples=["k3f9a7c2m1q8"])]
Digest = Annotated[
    str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256, 64 hexadecimal digits.", examples=["0" * 64])
]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="Number of a trial.", examples=[7])]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on a page.")]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[0-9.e+]{1,32}~[a-z0-9-]{1,64}$", description="`next` of the page before."),
]
ProjectQuery = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="For keys of the whole installation: the project meant. Others may leave it out.",
        examples=["vision"],
    ),
]
BoundsVersion = Annotated[
    int | None,
    Query(ge=0, le=2**31 - 1, description="Version of the bounds to judge by; left out: the one in force."),
]
