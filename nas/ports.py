"""What the core needs from the outside world, as Protocols.

Adapters live in `storage` and `workers`; the core knows only these. Nothing here may block for
long unless it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from nas.domain.device import LatencyMeasurement
from nas.domain.job import Job, Outcome
from nas.domain.library import LibraryEntry
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial


class Clock(Protocol):
    """Time as a port, so that tests own it."""

    def now(self) -> float:
        """Unix seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait; the only place where the engine waits."""


class ArtifactStore(Protocol):
    """Content-addressed files. Small, picklable, handed to workers; they get nothing else."""

    def put(self, content: bytes) -> str:
        """Store bytes, return their SHA-256 digest. Storing the same bytes twice is a no-op."""

    def get(self, digest: str) -> bytes:
        """Bytes of a digest, verified on read.

        Raises:
            NotFound: If there is no such artifact.
            CorruptArtifact: If the bytes no longer match; they are set aside, make them again.
        """

    def __contains__(self, digest: object) -> bool: ...


class ResultJournal(Protocol):
    """Finished jobs by key, written by workers before they answer.

    It closes the gap between a result and its row: a coordinator killed in between finds the result
    here and evaluates nothing twice.
    """

    def recall(self, key: str) -> str | None:
        """JSON of the result of a finished job, or None. A torn or corrupt entry counts as None."""

    def record(self, key: str, result: str) -> None:
        """Keep a result, atomically. The first one wins."""


class Workspace(Protocol):
    """What a worker may touch while it executes a job. Picklable."""

    @property
    def artifacts(self) -> ArtifactStore:
        """Where weights are kept."""

    @property
    def journal(self) -> ResultJournal:
        """Where results are kept."""

    @property
    def features(self) -> Path:
        """Folder of captured features, shared by the workers of one machine."""

    @property
    def scratch(self) -> Path:
        """Folder of checkpoints of unfinished jobs; may vanish at any time without harm."""


class JobBackend(Protocol):
    """Runs jobs. Called by one coordinator thread; nothing here blocks longer than `poll`'s wait."""

    def submit(self, job: Job) -> None:
        """Start a job. Submitting a key that is in flight is a no-op."""

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived since the last call; waits up to `timeout_s` for the first.

        A lost worker, a time-out or a full disk comes back as a transient failure, never as an
        exception.
        """

    def cancel(self, key: str) -> None:
        """Stop a job and free its slot; its outcome will not be reported."""

    def close(self) -> None:
        """Release everything; jobs in flight are stopped."""


class SearchRepository(Protocol):
    """Searches by id."""

    def add(self, search: Search) -> None:
        """Insert a new search.

        Raises:
            Conflict: If the id is taken.
        """

    def get(self, search_id: str) -> Search:
        """One search.

        Raises:
            NotFound: With the nearest known id.
        """

    def list(self) -> Sequence[Search]:
        """All searches, newest first."""

    def replace(self, expected: SearchStatus, search: Search) -> bool:
        """Store `search` if the stored status is `expected`; returns whether it was. Intent is untouched."""

    def set_intent(self, search_id: str, intent: Intent) -> None:
        """Write what the user wants; the coordinator reads it on its next tick."""


class TrialRepository(Protocol):
    """Trials by (search, number); (search, architecture digest) is unique."""

    def add(self, trial: Trial) -> None:
        """Insert a candidate.

        Raises:
            Conflict: If number or architecture is taken in this search.
        """

    def get(self, search_id: str, number: int) -> Trial:
        """One trial.

        Raises:
            NotFound: If there is none.
        """

    def of_search(self, search_id: str, *statuses: TrialStatus) -> Sequence[Trial]:
        """Trials of a search in numerical order; all of them when no status is named."""

    def replace(self, expected: TrialStatus, trial: Trial) -> bool:
        """Store `trial` if the stored status is `expected`; returns whether it was (compare-and-set)."""


class LibraryRepository(Protocol):
    """Library entries and latencies by job key: shared by all searches, made once."""

    def entry(self, key: str) -> LibraryEntry | None:
        """The entry of a distillation job's key, or None."""

    def add_entry(self, entry: LibraryEntry) -> None:
        """Keep an entry; the first one of a key wins."""

    def latency(self, key: str) -> LatencyMeasurement | None:
        """The measurement of a latency job's key, or None."""

    def add_latency(self, key: str, measurement: LatencyMeasurement) -> None:
        """Keep a measurement; the first one of a key wins."""


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


class LeaseRepository(Protocol):
    """Who may drive a search. Database time only; every new holder gets a higher fencing token."""

    def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take a free, expired or own lease; returns the fencing token, or None if somebody holds it."""

    def renew(self, name: str, token: int, ttl_s: float) -> bool:
        """Extend a lease; False when it was lost."""

    def release(self, name: str, token: int) -> None:
        """Give a lease back; a no-op when it was lost."""


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
