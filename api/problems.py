"""The one table from errors to what a caller sees: exit codes and HTTP status codes."""

from __future__ import annotations

from typing import Any, Final

from api.refusals import (
    BadRequest,
    Forbidden,
    IncompatibleServer,
    InternalError,
    MethodNotAllowed,
    MisdirectedRequest,
    PayloadTooLarge,
    QuotaExceeded,
    TooManyRequests,
    Unauthorized,
    UnsatisfiableRange,
    UnsupportedMedia,
)
from nas.errors import (
    Conflict,
    CorruptArtifact,
    EvaluationError,
    Fault,
    IllegalTransition,
    InfeasibleSpec,
    InvalidSearchSpace,
    MissingExtra,
    NasError,
    NotFound,
    SpecError,
    TransientError,
    UnknownName,
    UntrustedFile,
)

USAGE: Final = 2
FAILURE: Final = 1
TYPE_BASE: Final = "https://blocksmith.dev/problems/"
RETRY_AFTER_S: Final = 2
_FAULT: Final = ("pointer", "reason", "nearest")

_TABLE: Final[tuple[tuple[type[NasError], int, int, str], ...]] = (
    # error, exit code, HTTP status, title; subclasses before their parents
    (SpecError, USAGE, 422, "The request has faults"),
    (UnknownName, USAGE, 422, "Unknown name"),
    (InvalidSearchSpace, USAGE, 422, "The search space contradicts itself"),
    (InfeasibleSpec, USAGE, 422, "No architecture can meet the bound"),
    (UntrustedFile, USAGE, 422, "Untrusted file"),
    (NotFound, USAGE, 404, "Not found"),
    (MissingExtra, USAGE, 422, "An optional package is missing"),
    (IllegalTransition, FAILURE, 409, "The state forbids it"),
    (Conflict, FAILURE, 409, "Conflict"),
    (EvaluationError, FAILURE, 422, "It cannot be evaluated"),
    (TransientError, FAILURE, 503, "Not available at the moment"),
    (CorruptArtifact, FAILURE, 503, "Damaged data"),
    (Unauthorized, USAGE, 401, "A valid key is needed"),
    (QuotaExceeded, FAILURE, 403, "Quota exceeded"),
    (Forbidden, USAGE, 403, "The key's role may not do this"),
    (TooManyRequests, FAILURE, 429, "Too many requests"),
    (BadRequest, USAGE, 400, "Bad request"),
    (MisdirectedRequest, USAGE, 421, "Unknown host"),
    (MethodNotAllowed, USAGE, 405, "Method not allowed"),
    (PayloadTooLarge, USAGE, 413, "Too large"),
    (UnsupportedMedia, USAGE, 415, "Unsupported media type"),
    (UnsatisfiableRange, USAGE, 416, "No such range"),
    (InternalError, FAILURE, 500, "Internal error"),
    (IncompatibleServer, FAILURE, 502, "Not this interface"),
)


def exit_code(error: NasError) -> int:
    """2 for what the caller got wrong, 1 for everything else."""
    return next((code for kind, code, _, _ in _TABLE if isinstance(error, kind)), FAILURE)


def http_status(error: NasError) -> int:
    """HTTP status code of an error; 500 for one the table does not know."""
    return next((status for kind, _, status, _ in _TABLE if isinstance(error, kind)), 500)


def problem_document(error: NasError) -> dict[str, Any]:
    """An error as JSON: code, message, hint, and every fault of a spec with its pointer."""
    document: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, SpecError):
        document["hint"] = ""
        document["errors"] = [
            {"pointer": fault.pointer, "reason": fault.reason, "nearest": fault.nearest} for fault in error.faults
        ]
    return document


def http_problem(error: NasError, instance: str) -> dict[str, Any]:
    """An error as RFC 9457 has it."""
    told = problem_document(error)
    title = next((title for kind, _, _, title in _TABLE if isinstance(error, kind)), "Error")
    return {
        "type": TYPE_BASE + error.code,
        "title": title,
        "status": http_status(error),
        "detail": told["message"],
        "code": error.code,
        "hint": told["hint"],
        "errors": told.get("errors", []),
        "instance": instance,
    }


def error_of(problem: dict[str, Any], retry_after_s: int = RETRY_AFTER_S) -> NasError:
    """The error that a problem document tells of; the inverse of `http_problem`."""
    message, hint = str(problem.get("detail", "")), str(problem.get("hint", ""))
    code = problem.get("code")
    if code == SpecError.code:
        faults = problem.get("errors") or [{"pointer": "", "reason": message}]
        return SpecError(
            tuple(
                Fault(str(f.get("pointer", "")), str(f.get("reason", "")), str(f.get("nearest", ""))) for f in faults
            )
        )
    if code == TooManyRequests.code:
        return TooManyRequests(message, hint, retry_after_s)
    kinds = {kind.code: kind for kind, _, _, _ in _TABLE if kind not in (SpecError, UnknownName, TooManyRequests)}
    return kinds.get(str(code), NasError)(message, hint)
