"""Workers that do what a test says, when it says it."""

from __future__ import annotations

import queue

from nas.domain.job import Job, Outcome
from workers.workforce import WorkersLost


class ObedientWorkers:
    """Keeps submitted jobs until `finish` is called.

    Attributes:
        slots: CPUs it claims to have.
        order: Every job in the order of submission.
        at_work: Jobs without an answer, by key.
        waiting: Keys of those that wait for a device.
        seconds: Time, which goes on by one with each answer.
    """

    def __init__(self, slots: float = 2.0) -> None:
        self.slots = slots
        self.order: list[Job] = []
        self.at_work: dict[str, Job] = {}
        self.waiting: set[str] = set()
        self.cancelled: list[str] = []
        self.limits: list[float] = []
        self.seconds = 0.0
        self._news: queue.SimpleQueue[Outcome | WorkersLost | None] = queue.SimpleQueue()

    def cpus_of(self, job: Job) -> float:
        return 0.0 if job.key in self.waiting else job.resources.cpus

    def submit(self, job: Job) -> None:
        assert job.key not in self.at_work
        self.order.append(job)
        self.at_work[job.key] = job

    def poll(self, timeout_s: float) -> list[Outcome]:
        try:
            news = self._news.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if isinstance(news, WorkersLost):
            raise news
        return [] if news is None else [news]

    def waits(self, key: str) -> bool:
        return key in self.waiting

    def cancel(self, key: str) -> None:
        self.cancelled.append(key)
        self.at_work.pop(key, None)

    def limit(self, cpus: float) -> None:
        self.limits.append(cpus)

    def close(self) -> None:
        self._news.put(None)

    def finish(self, job: Job | None = None, seconds: float = 1.0) -> Job:
        """Answer a job, the oldest by default, that worked so many seconds."""
        done = job or next(iter(self.at_work.values()))
        del self.at_work[done.key]
        self.seconds += 1.0
        self._news.put(Outcome(key=done.key, seconds=seconds))
        return done

    def lose_everything(self) -> None:
        self.at_work.clear()
        self._news.put(WorkersLost("Ray died."))

    def look_again(self) -> None:
        """Have the pool look whether something may start."""
        self._news.put(None)
