"""Jobs handed to the backend by this process: what is under way, and what may be tried again."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable

from nas.domain.job import Failure, Job, Outcome
from nas.engine.verdicts import is_hindrance, is_last, wait_s
from nas.ports import Clock, JobBackend

SLICE_S = 0.02
"""How late an answer to something else may be noticed while jobs are waited for."""


class Flights:
    """Jobs submitted and not yet answered.

    Jobs of the library and of the front have no row of their own, so their failures are counted
    here, by the present driver alone. Trials count theirs in their rows.

    Attributes:
        max_attempts: Attempts per job without a row, against transient faults.
        is_driver_wanted: Says when something else than a job wants the driver, which then waits no longer;
            forgotten as soon as it has said so.
    """

    def __init__(self, backend: JobBackend, clock: Clock, max_attempts: int = 3) -> None:
        self._backend = backend
        self._clock = clock
        self.max_attempts = max_attempts
        self.is_driver_wanted: Callable[[], bool] | None = None
        self._jobs: dict[str, Job] = {}
        self._unrecorded: deque[tuple[Job, Outcome]] = deque()
        self._failures: Counter[str] = Counter()
        self._hindrances: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._jobs) + len(self._unrecorded)

    def __contains__(self, key: object) -> bool:
        return key in self._jobs or any(outcome.key == key for _, outcome in self._unrecorded)

    def has_trial(self, number: int) -> bool:
        """Whether a job of a trial is under way, or its answer is still to be recorded."""
        jobs = (*self._jobs.values(), *(job for job, _ in self._unrecorded))
        return any(job.trial == number for job in jobs)

    def submit(self, key: str, job: Job) -> None:
        """Hand a job to the backend."""
        self._jobs[key] = job
        self._backend.submit(job)

    def collect(self, timeout_s: float) -> list[tuple[Job, Outcome]]:
        """Answers that arrived, waiting up to `timeout_s` for the first when anything is under way."""
        if self._unrecorded:
            answers = list(self._unrecorded)
            self._unrecorded.clear()
            return answers
        for _ in range(math.ceil(timeout_s / SLICE_S) if self.is_driver_wanted else 0):
            if self.is_driver_wanted is None or self.is_driver_wanted():
                self.is_driver_wanted, timeout_s = None, 0.0
                break
            if answers := self._poll(SLICE_S):
                return answers
        return self._poll(timeout_s if self.is_driver_wanted is None else 0.0)

    def _poll(self, timeout_s: float) -> list[tuple[Job, Outcome]]:
        if not self._jobs:
            if timeout_s > 0:
                self._clock.sleep(timeout_s)
            return []
        # All drivers write what they share in one order, so that none waits for another that waits for it.
        outcomes = sorted(self._backend.poll(timeout_s), key=lambda outcome: outcome.key)
        return [(self._jobs.pop(outcome.key), outcome) for outcome in outcomes if outcome.key in self._jobs]

    def keep(self, answers: list[tuple[Job, Outcome]]) -> None:
        """Take answers back that could not be recorded; they are collected again."""
        self._unrecorded.extend(answers)

    def withdraw(self) -> list[Job]:
        """Take back the jobs that no worker has begun, and return them."""
        return [self._jobs.pop(key) for key in self._backend.withdraw() if key in self._jobs]

    def stop(self) -> None:
        """Take every job back."""
        self.withdraw()
        for key in self._jobs:
            self._backend.cancel(key)
        self._jobs.clear()
        self._unrecorded.clear()

    def may_start(self, key: str) -> bool:
        """Whether a job without a row is neither under way nor waiting for its next attempt."""
        return key not in self and self._clock.now() >= self._not_before.get(key, 0.0)

    def note_failure(self, key: str, failure: Failure) -> bool:
        """Count a failure of a job without a row; whether the job will be tried again."""
        counts = self._hindrances if is_hindrance(failure) else self._failures
        counts[key] += 1
        failures, hindrances = self._failures[key], self._hindrances[key]
        self._not_before[key] = self._clock.now() + wait_s(failure, failures + hindrances)
        return failure.transient and not is_last(failure, failures, hindrances, self.max_attempts)
