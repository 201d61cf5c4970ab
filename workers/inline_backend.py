"""Runs jobs one after the other in the calling process, for tests and notebooks."""

from __future__ import annotations

import contextlib

from nas.domain.job import Job, Outcome
from nas.ports import Workspace
from workers.executor import Execute, device_lock, estimate, run_job


class InlineBackend:
    """A `JobBackend` without processes.

    `poll` runs the oldest job to its end before it returns, so it may block for as long as that job
    takes: nothing can stop a function of one's own process, hence no time-out either.
    """

    def __init__(self, workspace: Workspace, execute: Execute = estimate) -> None:
        self._workspace = workspace
        self._execute = execute
        self._queue: dict[str, Job] = {}

    def submit(self, job: Job) -> None:
        """Queue a job; one that is queued already is not queued twice."""
        self._queue.setdefault(job.key, job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Run the oldest job; nothing when the queue is empty."""
        del timeout_s
        if not self._queue:
            return []
        job = self._queue.pop(next(iter(self._queue)))
        with device_lock(job.device) if job.device else contextlib.nullcontext():
            return [run_job(job, self._workspace, self._execute)]

    def cancel(self, key: str) -> None:
        """Drop a job that did not start."""
        self._queue.pop(key, None)

    def withdraw(self) -> list[str]:
        """Drop every job; none has begun, because `poll` runs them to their end."""
        keys = list(self._queue)
        self._queue.clear()
        return keys

    def close(self) -> None:
        """Drop every job."""
        self._queue.clear()
