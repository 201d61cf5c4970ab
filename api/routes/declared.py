"""How routes are declared: their names are those of the Python client, and every problem is documented."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from api.border.answers import PROBLEM_JSON
from api.border.guards import refuse_unknown_parameters
from api.schemas.base import Problem

_MEANINGS: Final = {
    400: "The request cannot be read.",
    401: "No valid key.",
    403: "The key's role may not do this, or the quota is used up.",
    404: "There is none, or it belongs to another project.",
    409: "The state forbids it, or somebody else was first.",
    413: "The body is larger than 256 KiB.",
    415: "The body is of a type that is not read here.",
    416: "There are no such bytes.",
    421: "The request names a host that this server is not.",
    422: "The request has faults; all of them are listed.",
    429: "Too many failed attempts; see Retry-After.",
    503: "The database is away, or too much is going on; see Retry-After.",
}
_ALWAYS: Final = (400, 401, 404, 421, 422, 429, 503)


def problems(*more: int, always: tuple[int, ...] = _ALWAYS) -> dict[int | str, dict[str, Any]]:
    """Problem responses of a route, for OpenAPI."""
    return {
        status: {"description": _MEANINGS[status], "model": Problem, "content": {PROBLEM_JSON: {}}}
        for status in sorted({*always, *more})
    }


def router(tag: str, prefix: str = "/v1") -> APIRouter:
    """A router whose operations are named like their functions and refuse unknown parameters."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        dependencies=[Depends(refuse_unknown_parameters)],
        generate_unique_id_function=_function_name,
    )


WRITES: Final = problems(403, 409, 413, 415)
READS: Final = problems()


def _function_name(route: APIRoute) -> str:
    return route.name
