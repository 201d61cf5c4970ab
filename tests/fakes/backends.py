"""Job backends that misbehave on purpose."""

from __future__ import annotations

from nas.domain.job import Failure, Job, Outcome
from nas.ports import Workspace
from workers.executor import Execute
from workers.inline_backend import InlineBackend

LOST = Failure(code="worker_lost", message="The worker process died.", transient=True)


class LossyBackend(InlineBackend):
    """Runs jobs in this process and loses the answer of every n-th one.

    Args:
        every: Which answers are lost; 0 loses none.
        after_the_work: Whether the worker dies after its result is in the journal, or before it began.
    """

    def __init__(
        self, workspace: Workspace, execute: Execute, every: int = 0, *, after_the_work: bool = False
    ) -> None:
        super().__init__(workspace, execute)
        self.every = every
        self.after_the_work = after_the_work
        self.answered = 0
        self.submitted: list[Job] = []

    def submit(self, job: Job) -> None:
        self.submitted.append(job)
        super().submit(job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        if not self._queue:
            return []
        self.answered += 1
        lost = self.every and self.answered % self.every == 0
        key = next(iter(self._queue))
        if not lost:
            return super().poll(timeout_s)
        if self.after_the_work:
            super().poll(timeout_s)
        self._queue.pop(key, None)
        return [Outcome(key=key, failure=LOST)]


class SilentBackend:
    """Accepts jobs and answers when told to: what is in flight stays there."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.answers: list[Outcome] = []
        self.cancelled: list[str] = []

    def submit(self, job: Job) -> None:
        self.jobs.setdefault(job.key, job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        answers, self.answers = self.answers, []
        for answer in answers:
            self.jobs.pop(answer.key, None)
        return answers

    def cancel(self, key: str) -> None:
        self.jobs.pop(key, None)
        self.cancelled.append(key)

    def withdraw(self) -> list[str]:
        return []

    def close(self) -> None:
        self.jobs.clear()
