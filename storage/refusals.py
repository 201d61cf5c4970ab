"""The refusals that every implementation words alike."""

from __future__ import annotations

from nas.domain.trial import Trial
from nas.errors import Conflict, NotFound


def taken_id(search_id: str) -> Conflict:
    """A second search under one id."""
    return Conflict(f"There is a search {search_id!r} already.", "Choose another id, or resume that search.")


def unknown_search(search_id: str) -> NotFound:
    """An id that no search has. Names no other id: it might belong to another project."""
    return NotFound(f"There is no search {search_id[:128]!r}.", "List the searches to see their ids.")


def taken_trial(trial: Trial) -> Conflict:
    """A second trial with one number or one architecture."""
    return Conflict(
        f"Search {trial.search!r} has a trial {trial.number}, or one of the same architecture, already.",
        "Read its trials again and choose another.",
    )


def unknown_trial(search_id: str, number: int, last: int | None) -> NotFound:
    """A trial number that a search does not have."""
    hint = "It has no trials." if last is None else f"Its last trial is {last}."
    return NotFound(f"Search {search_id!r} has no trial {number}.", hint)


def read_only() -> Conflict:
    """An attempt to write through a reader."""
    return Conflict("This view of the database is for reading only.", "Open a unit of work to write.")
