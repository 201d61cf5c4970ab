"""Coordinators on a real database, with workers that look their results up."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.composition import make_suggester
from api.coordinator.coordinator import BEAT_S, Coordinator
from api.coordinator.surroundings import Surroundings
from api.installation import Installation
from api.metrics import Metrics
from api.settings import Settings
from nas.domain.device_state import DeviceState
from nas.domain.job import Job, Outcome
from nas.domain.lifecycle import SearchStatus
from nas.domain.search import Budget, Search, SearchSpec, StrategySpec
from nas.engine.lease import Heart, unique_holder
from storage.administration import Project, Quota
from tests.fakes.executor import CountingExecutor
from tests.nas.engine.scene import SPACE, STAGES
from tests.waiting import until
from workers.executor import run_job
from workers.pool import Pool

TTL_S = 1.0


class TableWorkers:
    """`Workers` in threads: each job takes its time, then its result is looked up.

    Attributes:
        at_once: Most jobs that were under way at once, by project of their search.
        devices: How the devices stand that it sees.
    """

    state = "ready"
    devices: tuple[DeviceState, ...] = ()

    def __init__(self, workspace: Any, execute: CountingExecutor, slots: float, seconds: float) -> None:
        self.slots = slots
        self.seconds = seconds
        self.begun: Counter[str] = Counter()
        self.most = 0
        self._workspace, self._execute = workspace, execute
        self._at_work: set[str] = set()
        self._outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()

    def cpus_of(self, job: Job) -> float:
        return job.resources.cpus

    def waits(self, key: str) -> bool:
        return False

    def submit(self, job: Job) -> None:
        self._at_work.add(job.key)
        self.begun[job.search] += 1
        self.most = max(self.most, len(self._at_work))
        threading.Thread(target=self._work, args=(job,), daemon=True).start()

    def _work(self, job: Job) -> None:
        time.sleep(self.seconds)
        if job.key in self._at_work:
            outcome = run_job(job, self._workspace, self._execute)
            self._at_work.discard(job.key)
            self._outcomes.put(outcome)

    def poll(self, timeout_s: float) -> list[Outcome]:
        try:
            outcome = self._outcomes.get(timeout=timeout_s)
        except queue.Empty:
            return []
        return [] if outcome is None else [outcome]

    def cancel(self, key: str) -> None:
        self._at_work.discard(key)

    def limit(self, cpus: float) -> None:
        pass

    def close(self) -> None:
        self._at_work.clear()
        self._outcomes.put(None)


class Running:
    """A coordinator that runs in threads of this process, and may be killed or stopped like one of its own."""

    def __init__(self, place: Place, slots: float = 2.0, seconds: float = 0.01) -> None:
        self.installation = Installation(settings=place.settings)
        self.workers = TableWorkers(self.installation.workspace, place.executor, slots, seconds)
        self.pool = Pool(self.workers)
        self.suggester = make_suggester(place.settings)
        self.is_dead = threading.Event()
        database = self.installation.database
        self.heart = Heart(self._mortal(database.unit_of_work), TTL_S).__enter__()
        self.around = Surroundings(
            self.installation,
            unique_holder(),
            self.pool,
            self.suggester,
            self.heart,
            Metrics(),
            stages_of=lambda teacher: place.stages(),
        )
        self.coordinator = Coordinator(self.around, self.workers)
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def _mortal(self, opener: Callable[[], Any]) -> Callable[[], Any]:
        def open_unit_of_work() -> Any:
            if self.is_dead.is_set():
                raise RuntimeError("a dead process writes nothing")
            return opener()

        return open_unit_of_work

    def _turn(self) -> None:
        while not self.is_dead.is_set() and not self.around.draining.is_set():
            self.coordinator.step()
            time.sleep(0.05)

    def drain(self) -> None:
        self.around.draining.set()
        self._thread.join(timeout=10.0)
        self.coordinator.drain()
        self.close()

    def vanish(self) -> None:
        """Stop without a word: leases stay, nothing more is renewed or written by the heart."""
        self.is_dead.set()
        self._thread.join(timeout=10.0)
        self.workers.close()

    def close(self) -> None:
        self.is_dead.set()
        self._thread.join(timeout=10.0)
        self.pool.close()
        self.suggester.close()
        self.heart.__exit__(None, None, None)


class Place:
    """A data directory with searches in it."""

    def __init__(self, folder: Path, database: str = "") -> None:
        self.settings = Settings(data=folder, database=database, lease_ttl_s=TTL_S, drain_s=5.0)
        self.executor = CountingExecutor()
        self.installation = Installation(settings=self.settings)
        self.coordinators: list[Running] = []
        self.stages: Callable[[], tuple[str, ...]] = lambda: STAGES

    def coordinator(self, **given: Any) -> Running:
        self.coordinators.append(Running(self, **given))
        return self.coordinators[-1]

    def acquainted(self, count: int) -> None:
        """Wait until so many coordinators know of each other: each has beaten again since all of them had."""
        until(lambda: len(self._beats()) == count)
        complete = max(self._beats())
        until(lambda: min(self._beats()) > complete + BEAT_S / 2)

    def _beats(self) -> list[float]:
        with self.installation.database.reader() as uow:
            return [time.monotonic() - age for _, age in uow.processes.alive(60.0)]

    def submit(self, search_id: str, project: str = "default", **changes: Any) -> None:
        asked: dict[str, Any] = {
            "name": search_id,
            "budget": Budget(trials=6),
            "strategy": StrategySpec(name="random"),
            "seed": sum(map(ord, search_id)),
            **changes,
        }
        spec = SearchSpec(**asked)
        search = Search(
            id=search_id, spec=spec, space=SPACE, problems=(spec.problem,), project=project, created_at=time.time()
        )
        with self.installation.database.unit_of_work() as uow:
            uow.searches.add(search)
            uow.commit()

    def project(self, name: str, parallelism: int | None) -> None:
        with self.installation.database.unit_of_work() as uow:
            uow.projects.add(Project(id=name, quota=Quota(parallelism=parallelism)))
            uow.commit()

    def search(self, search_id: str) -> Search:
        with self.installation.database.reader() as uow:
            return uow.searches.get(search_id)

    def statuses(self) -> set[SearchStatus]:
        with self.installation.database.reader() as uow:
            return {search.status for search in uow.searches.list()}

    def close(self) -> None:
        for one in self.coordinators:
            one.close()
        self.installation.database.close()
