"""A search, its surroundings, and drivers that come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.domain.architecture import Architecture
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search import Budget, Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Trial
from nas.engine.advice import MakeStrategy
from nas.engine.events import EngineEvent
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace
from nas.ports import JobBackend, OpenUnitOfWork
from storage.in_memory import InMemoryDatabase
from tests.fakes.backends import SilentBackend
from tests.fakes.clock import FakeClock
from tests.fakes.executor import CountingExecutor
from tests.fakes.strategy import InOrder
from tests.fakes.workspace import MemoryWorkspace
from workers.executor import run_job
from workers.inline_backend import InlineBackend

STAGES = ("E1", "E2", "Mid", "D2", "D1")
SPACE = SearchSpace(
    stages=tuple(StageChoices(stage=stage, variants=("teacher", "RA", "R")) for stage in ("E1", "E2", "D1"))
)
DISTILLED = 3 * 3 + 2
"""Blocks of a search in `SPACE`: three stages with three variants, two stages that keep the teacher's block."""
PACE = Pace(poll_s=0.5, lease_ttl_s=15.0, account_s=2.0)


def a_spec(**changes: Any) -> SearchSpec:
    asked: dict[str, Any] = {"name": "a search", "budget": Budget(trials=6), "parallelism": 2, **changes}
    return SearchSpec(**asked)


@dataclass
class Scene:
    spec: SearchSpec = field(default_factory=a_spec)
    space: SearchSpace = SPACE
    id: str = "alpha"
    seeds: tuple[Architecture, ...] = ()
    make_strategy: MakeStrategy | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.database = InMemoryDatabase(now=self.clock.now, lock_timeout_s=1.0)
        self.workspace = MemoryWorkspace()
        self.executor = CountingExecutor()
        self.events: list[EngineEvent] = []
        self.strategies: list[InOrder] = []
        problems = (self.spec.problem,)
        self.add(Search(id=self.id, spec=self.spec, space=self.space, problems=problems, seeds=self.seeds))

    def add(self, search: Search) -> None:
        with self.database.unit_of_work() as uow:
            uow.searches.add(search)
            uow.commit()

    def backend(self) -> InlineBackend:
        return InlineBackend(self.workspace, self.executor)

    def loop(
        self,
        backend: JobBackend | None = None,
        *,
        search_id: str = "",
        pace: Pace = PACE,
        open_unit_of_work: OpenUnitOfWork | None = None,
    ) -> SearchLoop:
        return SearchLoop(
            search_id or self.id,
            STAGES,
            open_unit_of_work=open_unit_of_work or self.database.unit_of_work,
            open_reader=self.database.reader,
            backend=backend or self.backend(),
            clock=self.clock,
            make_strategy=self.make_strategy or self.in_order,
            observe=self.events.append,
            pace=pace,
        )

    def in_order(self, search: Search, costs: Any) -> InOrder:
        self.strategies.append(InOrder(search, costs))
        return self.strategies[-1]

    def started(self, backend: JobBackend | None = None) -> SearchLoop:
        loop = self.loop(backend)
        loop.recover()
        return loop

    def move_bounds(self, *bounds: OutcomeConstraint) -> None:
        with self.database.unit_of_work() as uow:
            uow.searches.add_bounds(self.id, Problem(constraints=bounds), "somebody", self.clock.now())
            uow.commit()

    def intend(self, intent: Intent) -> None:
        with self.database.unit_of_work() as uow:
            uow.searches.set_intent(self.id, intent)
            uow.commit()

    @property
    def search(self) -> Search:
        with self.database.reader() as uow:
            return uow.searches.get(self.id)

    def trials(self, *statuses: TrialStatus) -> Sequence[Trial]:
        with self.database.reader() as uow:
            return uow.trials.of_search(self.id, *statuses)

    @property
    def evaluations(self) -> int:
        return self.executor.kinds["evaluate"]

    def facts(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.facts) for event in self.events if event.kind == kind]


def answer_all(backend: SilentBackend, scene: Scene) -> None:
    """Do every job that the backend keeps; it answers at its next poll."""
    backend.answers = [run_job(job, scene.workspace, scene.executor) for job in backend.jobs.values()]


def tick_until(loop: SearchLoop, status: SearchStatus, most: int = 500) -> None:
    """Tick until the search stands at `status`; fails when it never does."""
    for _ in range(most):
        if loop.tick() is status:
            return
    raise AssertionError(f"never became {status.value}")
