"""Rows, by what they are about, and the transaction that holds them together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from nas.domain.device import LatencyMeasurement
from nas.domain.library import LibraryEntry
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.trial import Trial


class SearchRepository(Protocol):
    """Searches by id. Users write intent, bounds and trash, the coordinator everything else."""

    def add(self, search: Search) -> None:
        """Insert a new search with the versions of its bounds.

        Raises:
            Conflict: If the id is taken.
        """

    def get(self, search_id: str) -> Search:
        """One search.

        Raises:
            NotFound: If there is none; other ids are not named, for they may be somebody else's.
        """

    def list(self) -> Sequence[Search]:
        """All searches, newest first, those in the trash included."""

    def open(self, now: float) -> Sequence[Search]:
        """Searches that somebody should drive, oldest first: not ended, and not in the trash at `now`."""

    def replace(self, expected: SearchStatus, search: Search) -> bool:
        """Store `search` if the stored status is `expected`; returns whether it was.

        Intent, bounds and trash stay as they are stored: others write them.
        """

    def set_intent(self, search_id: str, intent: Intent) -> None:
        """Write what the user wants; the coordinator reads it on its next tick.

        Raises:
            NotFound: If there is no such search.
        """

    def add_bounds(self, search_id: str, problem: Problem, by: str, at: float) -> int:
        """Append a version of objectives and bounds, put it in force, and return its number.

        Raises:
            NotFound: If there is no such search.
        """

    def bounds(self, search_id: str) -> Sequence[tuple[int, Problem, str, float]]:
        """Versions of objectives and bounds: `(version, problem, by whom, unix seconds)`, first to last."""

    def trash(self, search_id: str, at: float | None) -> None:
        """Put a search into the trash, or take it out again with None.

        Raises:
            NotFound: If there is no such search.
        """


class TrialRepository(Protocol):
    """Trials by (search, number); (search, architecture digest) is unique."""

    def add(self, trial: Trial) -> None:
        """Insert a candidate.

        Raises:
            Conflict: If number or architecture is taken in this search.
            NotFound: If there is no such search.
        """

    def get(self, search_id: str, number: int) -> Trial:
        """One trial.

        Raises:
            NotFound: If there is none.
        """

    def of_search(self, search_id: str, *statuses: TrialStatus) -> Sequence[Trial]:
        """Trials of a search in numerical order; all of them when no status is named."""

    def page(self, search_id: str, after: int, limit: int, statuses: Sequence[TrialStatus] = ()) -> Sequence[Trial]:
        """At most `limit` trials with numbers above `after`, in numerical order; of any status when none is named."""

    def changed_after(self, search_id: str, event_id: int) -> Sequence[Trial]:
        """Trials written since a snapshot whose last event was `event_id`, in numerical order.

        Holds because whoever writes a trial appends the event that tells of it in the same transaction.
        """

    def counts(self, search_id: str) -> dict[TrialStatus, int]:
        """How many trials stand where; a status without trials is left out."""

    def replace(self, expected: TrialStatus, trial: Trial) -> bool:
        """Store `trial` if the stored status is `expected`; returns whether it was (compare-and-set)."""

    def add_log(self, search_id: str, number: int, attempt: int, text: str) -> None:
        """Keep the log of an attempt; a later one of the same attempt takes its place.

        Raises:
            NotFound: If there is no such trial.
        """

    def logs(self, search_id: str, number: int) -> Sequence[tuple[int, str]]:
        """`(attempt, text)` of a trial, in order."""


class LibraryRepository(Protocol):
    """Library entries and latencies by job key: shared by all searches, made once."""

    def entry(self, key: str) -> LibraryEntry | None:
        """The entry of a distillation job's key, or None."""

    def add_entry(self, entry: LibraryEntry) -> None:
        """Keep an entry; the first one of a key wins."""

    def latency(self, key: str) -> LatencyMeasurement | None:
        """The measurement of a latency job's key, or None."""

    def latencies(self, keys: Collection[str]) -> Mapping[str, LatencyMeasurement]:
        """The measurements that there are of many keys, by key."""

    def add_latency(self, key: str, measurement: LatencyMeasurement) -> None:
        """Keep a measurement; the first one of a key wins."""

    def note_use(self, search_id: str, keys: Iterable[str]) -> None:
        """Note which entries a search draws from; noting the same again is a no-op.

        Raises:
            NotFound: If there is no such search.
        """

    def uses(self, search_id: str) -> Sequence[str]:
        """Keys of the entries that a search draws from, sorted."""


class EvaluationCache(Protocol):
    """Results of evaluation and counting jobs by key, across searches."""

    def recall(self, key: str) -> str | None:
        """JSON of a result, or None."""

    def record(self, key: str, result: str) -> None:
        """Keep a result; the first one wins."""


class EventLog(Protocol):
    """What happened, in order: ids grow by one without gaps within a search."""

    def append(self, search_id: str, kind: str, payload: str, at: float) -> int:
        """Append an event (`payload` is JSON), return its id."""

    def after(self, search_id: str, event_id: int, limit: int) -> Sequence[tuple[int, str, str, float]]:
        """Events after an id: `(id, kind, payload, unix seconds)`."""

    def last(self, search_id: str) -> int:
        """Id of a search's last event; 0 before the first.

        Raises:
            NotFound: If there is no such search.
        """


class LeaseRepository(Protocol):
    """Who may drive a search. Database time only; every new holder gets a higher fencing token."""

    def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take a free, expired or own lease; returns the fencing token, or None if somebody holds it."""

    def renew(self, name: str, token: int, ttl_s: float) -> bool:
        """Extend a lease; False when it was lost."""

    def release(self, name: str, token: int) -> None:
        """Give a lease back; a no-op when it was lost."""

    def held(self) -> dict[str, str]:
        """Holder of every lease that is in force, by name of the lease."""


class UnitOfWork(Protocol):
    """One transaction. Leaving the block without `commit` rolls back."""

    @property
    def searches(self) -> SearchRepository:
        """Searches by id."""

    @property
    def trials(self) -> TrialRepository:
        """Trials of all searches."""

    @property
    def library(self) -> LibraryRepository:
        """Block library and latencies."""

    @property
    def evaluations(self) -> EvaluationCache:
        """Results of evaluations and counts."""

    @property
    def events(self) -> EventLog:
        """The event log."""

    @property
    def leases(self) -> LeaseRepository:
        """Who drives what."""

    def commit(self) -> None:
        """Make everything since the block began durable, all or nothing."""


OpenUnitOfWork = Callable[[], AbstractContextManager[UnitOfWork]]
"""Opens a unit of work; every writer takes the write lock at once."""
