"""The error tree, sorted by what the caller should do about it.

Knows no HTTP and no exit codes: those live at the edge (`api`). Every error keeps its arguments
positional, so that it survives pickling across process borders.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class NasError(Exception):
    """Something a user can act on.

    Args:
        message: What went wrong, one sentence.
        hint: What to do about it, or an empty string.
    """

    code: ClassVar[str] = "nas_error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a submitted document.

    Attributes:
        pointer: JSON pointer to the field (RFC 6901), for example `/budget/trials`.
        reason: What is wrong with it.
        nearest: The nearest right value, or an empty string when there is none.
    """

    pointer: str
    reason: str
    nearest: str = ""

    def __str__(self) -> str:
        suggestion = f" (nearest: {self.nearest})" if self.nearest else ""
        return f"{self.pointer}: {self.reason}{suggestion}"


class SpecError(NasError):
    """The submitted document cannot be run as it stands; change it.

    Args:
        faults: Every fault found, not only the first.
    """

    code = "invalid_spec"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__(f"The specification has {len(faults)} {noun}:", "; ".join(str(f) for f in faults))
        self.args = (faults,)
        self.faults = faults


class UnknownName(NasError):
    """A name that no registry knows; use one of those offered."""

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        self.kind, self.name, self.known = kind, name, known
        self.nearest = nearest(name, known)
        hint = f"Did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(f"There is no {kind} named {name!r}.", f"{hint} Known: {', '.join(known)}.".strip())
        self.args = (kind, name, known)


class InvalidSearchSpace(NasError):
    """The search space contradicts itself or its teacher; change the space."""

    code = "invalid_search_space"


class InfeasibleSpec(NasError):
    """No architecture of the space can satisfy an exact bound; loosen it to the value named."""

    code = "infeasible_spec"


class UntrustedFile(NasError):
    """A file whose loading could execute code (pickle); convert it to safetensors."""

    code = "untrusted_file"


class NotFound(NasError):
    """The thing asked for does not exist; check its identifier."""

    code = "not_found"


class Conflict(NasError):
    """Somebody else got there first, or the state forbids it; read again and decide anew."""

    code = "conflict"


class IllegalTransition(Conflict):
    """A lifecycle does not allow this step from its present state."""

    code = "illegal_transition"


class EvaluationError(NasError):
    """An architecture cannot be built or measured, whoever tries; never try it again."""

    code = "evaluation_error"


class NotCounted(EvaluationError):
    """An operator has no MAC handle; its cost would silently be zero. Register a handle."""

    code = "not_counted"


class TransientError(NasError):
    """The world was in the way (worker lost, time-out, full disk); trying again is worthwhile."""

    code = "transient_error"


class DiskFull(TransientError):
    """A disk has no room; whoever waits for it waits until somebody made some."""

    code = "disk_full"


class CorruptArtifact(NasError):
    """Stored bytes do not match their digest; they were discarded and must be made again."""

    code = "corrupt_artifact"


class MissingExtra(NasError):
    """An optional package is not installed; install the extra named in the hint."""

    code = "missing_extra"


def nearest(name: str, known: Iterable[str]) -> str:
    """Closest known spelling of `name`, or an empty string when nothing is close."""
    folded = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    return folded[matches[0]] if matches else ""
