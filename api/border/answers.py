"""Every error as problem+json, whoever raised it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.access import new_id
from api.faults import fault_of
from api.problems import RETRY_AFTER_S, http_problem, http_status
from api.refusals import (
    BadRequest,
    InternalError,
    MethodNotAllowed,
    PayloadTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMedia,
)
from nas.errors import CorruptArtifact, Fault, NasError, NotFound, SpecError, TransientError

PROBLEM_JSON: Final = "application/problem+json"
_LOG = logging.getLogger(__name__)
_BY_STATUS: Final[dict[int, NasError]] = {
    400: BadRequest("The request cannot be read."),
    404: NotFound("There is nothing at this address.", "See /openapi.json for what there is."),
    405: MethodNotAllowed("The address exists, but not for this method.", "See the header Allow."),
    413: PayloadTooLarge("The body is too large.", "256 KiB are read at most."),
    415: UnsupportedMedia("The body is of a type that is not read here.", "Send application/json."),
}


def problem_response(error: NasError, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as a response; says when to come back where that helps."""
    problem = http_problem(error, path)
    # ASCII alone: what a client sent may not even be Unicode.
    content = json.dumps(problem, ensure_ascii=True).encode("ascii")
    return Response(content, problem["status"], {**_headers(error), **(headers or {})}, media_type=PROBLEM_JSON)


def incident_response(error: Exception, path: str) -> Response:
    """What nobody expected: logged under an id, and told by that id alone."""
    incident = new_id()
    _LOG.error("unexpected error", extra={"incident": incident, "path": path}, exc_info=error)
    told = InternalError("Something went wrong in the server.", f"Report it with the incident's id: {incident}.")
    return problem_response(told, f"{path}#{incident}")


def install(app: FastAPI) -> None:
    """Make an app tell its errors as problems."""

    @app.exception_handler(NasError)
    async def tell_nas_error(request: Request, error: NasError) -> Response:
        if http_status(error) == 500:
            return incident_response(error, request.url.path)
        if isinstance(error, TransientError | CorruptArtifact):
            _LOG.warning("not available", extra={"path": request.url.path, "reason": error.message})
        return problem_response(error, request.url.path)

    @app.exception_handler(HTTPException)
    async def tell_http_error(request: Request, error: HTTPException) -> Response:
        told = _BY_STATUS.get(error.status_code) or BadRequest(str(error.detail))
        return problem_response(told, request.url.path, error.headers)

    @app.exception_handler(RequestValidationError)
    async def tell_validation_error(request: Request, error: RequestValidationError) -> Response:
        return problem_response(_refusal_of(error.errors()), request.url.path)


def _refusal_of(details: Sequence[Any]) -> NasError:
    if any(detail["loc"][:1] == ("path",) for detail in details):
        return NotFound("There is nothing of that name.", "Ids have lower-case letters, digits and dashes.")
    if any(detail["type"] == "json_invalid" for detail in details):
        return SpecError((Fault("", "this is no valid JSON"),))
    return SpecError(tuple({fault.pointer: fault for fault in map(fault_of, details)}.values()))


def _headers(error: NasError) -> dict[str, str]:
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, TransientError | CorruptArtifact):
        return {"Retry-After": str(RETRY_AFTER_S)}
    return {}
