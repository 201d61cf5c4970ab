"""Workers that sleep for as long as an evaluation takes, and keep account of it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from dataclasses import dataclass

from benchmarks.service.table import answer
from nas.domain.job import EvaluateArchitecture, Job, Outcome


@dataclass(frozen=True)
class Shift:
    """One evaluation: when it began and ended, in monotonic seconds."""

    began: float
    ended: float


class Sleepers:
    """`Workers` of a pool: every evaluation takes the same real time; all other jobs take none.

    Nobody computes anything while sleepers sleep, so two cores can stand for sixteen workers.

    Attributes:
        slots: Workers.
        shifts: Evaluations, in the order in which they ended.
    """

    def __init__(self, slots: int, evaluation_s: float) -> None:
        self.slots = float(slots)
        self.shifts: list[Shift] = []
        self._evaluation_s = evaluation_s
        self._due: list[tuple[float, int, float, Job]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()

    def cpus_of(self, job: Job) -> float:
        """What the job asks for; nobody waits for a device."""
        return job.resources.cpus

    def waits(self, key: str) -> bool:
        """Nobody does."""
        del key
        return False

    def submit(self, job: Job) -> None:
        """Begin a job at once: the pool sends no more than there are workers."""
        began = time.monotonic()
        seconds = self._evaluation_s if isinstance(job.payload, EvaluateArchitecture) else 0.0
        with self._changed:
            heapq.heappush(self._due, (began + seconds, next(self._number), began, job))
            self._changed.notify()

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Outcomes of those who have slept enough."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while time.monotonic() < until and not (self._due and self._due[0][0] <= time.monotonic()):
                first = self._due[0][0] if self._due else until
                self._changed.wait(max(0.0, min(first, until) - time.monotonic()))
            return [self._woken() for _ in range(len(self._due)) if self._due[0][0] <= time.monotonic()]

    def cancel(self, key: str) -> None:
        """Wake a worker for nothing."""
        with self._changed:
            self._due = [entry for entry in self._due if entry[3].key != key]
            heapq.heapify(self._due)

    def limit(self, cpus: float) -> None:
        """There is nobody else."""

    def close(self) -> None:
        """Send everybody home."""

    def idle_share(self) -> float:
        """Share of the workers' time without work, from the first evaluation's start to the last one's."""
        first, last = min(one.began for one in self.shifts), max(one.began for one in self.shifts)
        busy = sum(min(one.ended, last) - one.began for one in self.shifts)
        return 1.0 - busy / (self.slots * (last - first))

    def _woken(self) -> Outcome:
        due, _, began, job = heapq.heappop(self._due)
        if not isinstance(job.payload, EvaluateArchitecture):
            return answer(job)
        self.shifts.append(Shift(began, due))
        outcome: Outcome = answer(job).evolve(seconds=self._evaluation_s)
        return outcome
