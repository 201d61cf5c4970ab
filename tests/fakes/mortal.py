"""A driver that can be killed: between two commits, and between a result and its row."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nas.domain.job import Failure, Job, Outcome
from nas.ports import UnitOfWork, Workspace
from storage.in_memory import InMemoryDatabase
from tests.fakes.backends import LOST
from workers.executor import Execute
from workers.inline_backend import InlineBackend


class Killed(BaseException):
    """The process is gone; no `except Exception` may stop that."""


class MortalDatabase:
    """Kills its user at a chosen commit.

    Attributes:
        commits_left: The driver dies at this commit from now; 0 lets it live.
        after: Whether the commit still becomes durable.
        error: What is raised; the end of the process by default.
    """

    def __init__(self, database: InMemoryDatabase) -> None:
        self.database = database
        self.commits_left = 0
        self.after = False
        self.error: BaseException = Killed()

    @contextmanager
    def unit_of_work(self) -> Iterator[Any]:
        with self.database.unit_of_work() as uow:
            yield _Mortal(uow, self)

    def before_commit(self, commit: Callable[[], None]) -> None:
        self.commits_left -= 1
        if self.commits_left == 0:
            if self.after:
                commit()
            raise self.error
        commit()


class _Mortal:
    def __init__(self, uow: UnitOfWork, database: MortalDatabase) -> None:
        self._uow, self._database = uow, database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def commit(self) -> None:
        self._database.before_commit(self._uow.commit)


class AccidentProneBackend(InlineBackend):
    """Meets one accident per evaluation, as scripted.

    Attributes:
        accidents: `killed` ends the driver when the work is done and unreported, `lost` and
            `lost after the work` lose the answer, `broken` is a deterministic failure.
    """

    def __init__(self, workspace: Workspace, execute: Execute, check: Callable[[Job], None]) -> None:
        super().__init__(workspace, execute)
        self.accidents: deque[str] = deque()
        self._check = check

    def submit(self, job: Job) -> None:
        self._check(job)
        super().submit(job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        key, job = next(iter(self._queue.items()), ("", None))
        if job is None or job.payload.kind != "evaluate" or not self.accidents:
            return super().poll(timeout_s)
        accident = self.accidents.popleft()
        if accident in ("killed", "lost after the work"):
            super().poll(timeout_s)
        if accident == "killed":
            raise Killed
        self._queue.pop(key, None)
        broken = Failure(code="evaluation_error", message="Not finite.", transient=False)
        return [Outcome(key=key, failure=broken if accident == "broken" else LOST)]
