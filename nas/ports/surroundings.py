"""Time, files and workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from nas.domain.job import Job, Outcome


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

    def moved_to(self, root: Path) -> Workspace:
        """The same for a machine that does not have its folder: what machines share stays where it is."""


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

    def withdraw(self) -> Sequence[str]:
        """Take back every job that no worker has begun; returns their keys."""

    def close(self) -> None:
        """Release everything; jobs in flight are stopped."""
