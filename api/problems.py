"""The one table from errors to what a caller sees: exit codes now, HTTP status codes with the server."""

from __future__ import annotations

from typing import Any, Final

from nas.errors import (
    Conflict,
    CorruptArtifact,
    EvaluationError,
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

EXIT_CODES: Final[tuple[tuple[type[NasError], int], ...]] = (
    (SpecError, USAGE),
    (UnknownName, USAGE),
    (InvalidSearchSpace, USAGE),
    (InfeasibleSpec, USAGE),
    (UntrustedFile, USAGE),
    (NotFound, USAGE),
    (MissingExtra, USAGE),
    (Conflict, FAILURE),
    (EvaluationError, FAILURE),
    (TransientError, FAILURE),
    (CorruptArtifact, FAILURE),
)


def exit_code(error: NasError) -> int:
    """2 for what the caller got wrong, 1 for everything else."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), FAILURE)


def problem_document(error: NasError) -> dict[str, Any]:
    """An error as JSON: code, message, hint, and every fault of a spec with its pointer."""
    document: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, SpecError):
        document["hint"] = ""
        document["errors"] = [
            {"pointer": fault.pointer, "reason": fault.reason, "nearest": fault.nearest} for fault in error.faults
        ]
    return document
