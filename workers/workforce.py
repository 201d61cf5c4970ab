"""What a pool hands jobs to."""

from __future__ import annotations

from typing import Protocol

from nas.domain.job import Job, Outcome
from nas.errors import TransientError


class WorkersLost(TransientError):
    """All workers are gone, with whatever they did; they come back by themselves."""


class Workers(Protocol):
    """What a pool hands jobs to. `poll` is called by one thread, everything else by any."""

    @property
    def slots(self) -> float:
        """CPUs there are; 0 while there are no workers."""

    def cpus_of(self, job: Job) -> float:
        """CPUs of `slots` that a job takes now; none while it waits for a device, or has one elsewhere."""

    def submit(self, job: Job) -> None:
        """Start a job."""

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived, waiting for the first.

        Raises:
            WorkersLost: Once for every loss; nothing that was submitted before will be answered.
        """

    def waits(self, key: str) -> bool:
        """Whether a job that was submitted still waits for its device."""

    def cancel(self, key: str) -> None:
        """Stop a job; its outcome is not reported."""

    def limit(self, cpus: float) -> None:
        """Leave CPUs beyond this to others."""

    def close(self) -> None:
        """Stop everything."""
