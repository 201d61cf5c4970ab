"""States of trials and searches, and the only steps allowed between them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from nas.errors import IllegalTransition


class TrialStatus(str, Enum):
    """Where a trial stands.

    ::

        CANDIDATE ──▶ RUNNING ──▶ COMPLETED
            ▲  │         │ ├────▶ ABANDONED   deterministic: cannot be built or is not finite; never again
            │  │         │ └────▶ FAILED      attempts spent on transient faults
            └──┼─────────┘ retry
               ├──▶ COMPLETED                 known already, or screened by an exact bound
               └──▶ CANCELLED ◀── RUNNING

    A trial that was screened or stopped early becomes a candidate again when a later version of the
    bounds no longer rules it out (`Trial.become` refuses the step to any other completed trial).
    """

    CANDIDATE = "candidate"
    RUNNING = "running"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the trial has its verdict."""
        return self in TRIAL_ENDS


class SearchStatus(str, Enum):
    """Where a search stands.

    PREPARING distils the missing library entries, RUNNING evaluates, DRAINING waits for what is in
    flight. PAUSED resumes into PREPARING, which is a no-op when the library is complete.
    """

    CREATED = "created"
    PREPARING = "preparing"
    RUNNING = "running"
    DRAINING = "draining"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether the search has ended for good."""
        return self in SEARCH_ENDS

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing happens until a user asks for it."""
        return self.is_terminal or self is SearchStatus.PAUSED


class Intent(str, Enum):
    """What the user wants of a search. Users write intent, the coordinator writes status."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


TRIAL_ENDS: Final = frozenset(
    {TrialStatus.COMPLETED, TrialStatus.ABANDONED, TrialStatus.FAILED, TrialStatus.CANCELLED}
)
HOPELESS: Final = frozenset({TrialStatus.ABANDONED, TrialStatus.FAILED})
"""Ends of a trial that gave no result and never will."""
SEARCH_ENDS: Final = frozenset({SearchStatus.COMPLETED, SearchStatus.CANCELLED, SearchStatus.FAILED})

TRIAL_STEPS: Final[dict[TrialStatus, frozenset[TrialStatus]]] = {
    TrialStatus.CANDIDATE: frozenset({TrialStatus.RUNNING, TrialStatus.COMPLETED, TrialStatus.CANCELLED}),
    TrialStatus.RUNNING: frozenset(
        {
            TrialStatus.CANDIDATE,
            TrialStatus.COMPLETED,
            TrialStatus.ABANDONED,
            TrialStatus.FAILED,
            TrialStatus.CANCELLED,
        }
    ),
    TrialStatus.COMPLETED: frozenset({TrialStatus.CANDIDATE}),
    TrialStatus.ABANDONED: frozenset(),
    TrialStatus.FAILED: frozenset(),
    TrialStatus.CANCELLED: frozenset(),
}

SEARCH_STEPS: Final[dict[SearchStatus, frozenset[SearchStatus]]] = {
    SearchStatus.CREATED: frozenset(
        {SearchStatus.PREPARING, SearchStatus.PAUSED, SearchStatus.CANCELLED, SearchStatus.FAILED}
    ),
    SearchStatus.PREPARING: frozenset(
        {SearchStatus.RUNNING, SearchStatus.PAUSED, SearchStatus.CANCELLED, SearchStatus.FAILED}
    ),
    SearchStatus.RUNNING: frozenset(
        {SearchStatus.DRAINING, SearchStatus.PAUSED, SearchStatus.CANCELLED, SearchStatus.FAILED}
    ),
    SearchStatus.DRAINING: frozenset({SearchStatus.COMPLETED, SearchStatus.CANCELLED, SearchStatus.FAILED}),
    SearchStatus.PAUSED: frozenset({SearchStatus.PREPARING, SearchStatus.CANCELLED, SearchStatus.FAILED}),
    SearchStatus.COMPLETED: frozenset(),
    SearchStatus.CANCELLED: frozenset(),
    SearchStatus.FAILED: frozenset(),
}


def require_trial_step(before: TrialStatus, after: TrialStatus) -> None:
    """Refuse a step that the trial lifecycle does not have.

    Raises:
        IllegalTransition: Naming both states.
    """
    if after not in TRIAL_STEPS[before]:
        raise IllegalTransition(f"A {before.value} trial cannot become {after.value}.")


def require_search_step(before: SearchStatus, after: SearchStatus) -> None:
    """Refuse a step that the search lifecycle does not have.

    Raises:
        IllegalTransition: Naming both states.
    """
    if after not in SEARCH_STEPS[before]:
        raise IllegalTransition(f"A {before.value} search cannot become {after.value}.")
