"""Chooses the searches that this process drives, and divides workers with the other coordinators."""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.coordinator.driver import Driver, Farewell
from api.coordinator.packing import Packing
from api.coordinator.shares import Standing, in_turn, quota_of, searches_of, slots_of
from api.coordinator.surroundings import Surroundings
from nas.domain.lifecycle import Intent, SearchStatus
from nas.domain.search import Search
from nas.engine.verdicts import backoff_s

if TYPE_CHECKING:
    from storage.administration import Process
    from storage.unit_of_work import SqlUnitOfWork
    from workers.ray_process import RayProcess

log = logging.getLogger(__name__)

BEAT_S = 2.0
DEAD_AFTER_S = 6.0
"""A coordinator that was not heard of for so long no longer counts when work is divided."""
TURN_S = 20.0
"""How long a coordinator keeps a CPU for which others wait: a few times what it takes to start a worker."""
MOST_CRASHES = 5
STEADY_S = 60.0
"""A driver that lived this long forgives the crashes before it."""
LATER_S: dict[Farewell, float] = {"at rest": 0.0, "driven elsewhere": 3.0, "hindered": 2.0}
"""When a search may be taken again, by how its last driver ended."""


@dataclass
class Record:
    """What this process remembers of a search it does not drive.

    Attributes:
        not_before: Monotonic time from which it may be taken again.
        crashes: Drivers in a row that it crashed.
    """

    not_before: float = 0.0
    crashes: int = 0


class Coordinator:
    """Takes searches whose lease is free, and lets them go.

    Not thread-safe: one thread calls `step` again and again, and at last `drain`.
    """

    def __init__(self, around: Surroundings, workers: RayProcess) -> None:
        self._around = around
        self._workers = workers
        self._settings = around.installation.settings
        self._drivers: dict[str, Driver] = {}
        self._records: dict[str, Record] = {}
        self._packing = Packing(around)
        self._alive: list[Standing] = []
        self._quotas: dict[str, int] = {}
        self._lifted: set[str] = set()
        self._began = time.time()
        self._beat_at = -BEAT_S

    def step(self) -> None:
        """Look after the drivers, give a sign of life, and take what is free.

        Raises:
            TransientError: If the database is away; call it again.
        """
        self._bury()
        if time.monotonic() - self._beat_at >= BEAT_S:
            self._beat()
            self._beat_at = time.monotonic()
        if not self._around.draining.is_set():
            wanted = self._standing().wants
            self._take()
            self._packing.step()
            if not wanted and self._standing().wants:
                self._beat_at = -BEAT_S  # from having nothing to do to having a share: at once

    def drain(self) -> None:
        """Begin nothing new, let what runs finish for a while, and give all leases back."""
        patience_s = self._settings.drain_s
        log.info("coordinator drains", extra={"searches": len(self._drivers), "patience_s": patience_s})
        self._around.pool.freeze()
        self._packing.retire()
        for driver in self._drivers.values():
            driver.retire(patience_s)
        until = time.monotonic() + patience_s + 5.0
        for driver in self._drivers.values():
            while driver.is_alive() and time.monotonic() < until:
                driver.join(timeout=BEAT_S)
                self._beat()
        with self._around.installation.database.unit_of_work() as uow:
            uow.processes.forget(self._around.holder)
            uow.commit()

    def _bury(self) -> None:
        """Note how drivers ended."""
        for name, driver in list(self._drivers.items()):
            if driver.is_alive():
                continue
            del self._drivers[name]
            record = self._records.setdefault(name, Record())
            if driver.farewell != "crashed":
                record.crashes = 0
                record.not_before = time.monotonic() + LATER_S.get(driver.farewell, 0.0)
                continue
            steady = time.monotonic() - driver.began > STEADY_S
            record.crashes = 1 if steady else record.crashes + 1
            record.not_before = time.monotonic() + backoff_s(record.crashes)
            if record.crashes >= MOST_CRASHES:
                driver.fail("internal_error", f"The search crashed its driver {MOST_CRASHES} times. This is a bug.")

    def _beat(self) -> None:
        """Write down what this process does, and read what the others do."""
        mine = self._standing()
        with self._around.installation.database.unit_of_work() as uow:
            uow.processes.beat(self._process(mine))
            uow.devices.note(mine.id, self._workers.devices)
            alive = uow.processes.alive(DEAD_AFTER_S)
            quotas = _quotas(uow)
            uow.commit()
        self._lifted, self._quotas = self._quotas.keys() - quotas.keys(), quotas
        others = [_told(process.id, process.document) for process, _ in alive if process.kind == "coordinator"]
        self._alive = [*(one for one in others if one.id != mine.id), mine]
        self._divide(mine)
        metrics, pool = self._around.metrics, self._around.pool
        metrics.queue_jobs.set(pool.queued)
        metrics.running_jobs.set(pool.busy)
        metrics.set_searches(Counter(driver.search.status.value for driver in self._drivers.values()))

    def _divide(self, mine: Standing) -> None:
        pool = self._around.pool
        pool.limit(slots_of(mine.id, self._workers.slots, self._alive, int(time.time() / TURN_S)))
        for project in self._lifted:
            pool.set_quota(project, math.inf)
        for project, quota in self._quotas.items():
            part = self._part(project, quota)
            pool.set_quota(project, part)
            if quota and not part:
                self._leave(project)  # others drive it with the whole quota: theirs to finish

    def _part(self, project: str, quota: int) -> int:
        return quota_of(self._around.holder, project, quota, self._alive)

    def _leave(self, project: str) -> None:
        for driver in self._drivers.values():
            if driver.search.project == project:
                driver.retire(self._settings.drain_s)

    def _take(self) -> None:
        with self._around.installation.database.reader() as uow:
            found = uow.searches.open(time.time())
        wanted = {search.id: search for search in found if not _rests(search)}
        self._records = {name: record for name, record in self._records.items() if name in wanted}
        now = time.monotonic()
        free = [
            (search.id, search.project)
            for search in wanted.values()
            if search.id not in self._drivers
            and self._records.get(search.id, Record()).not_before <= now
            and self._may_take(search.project)
        ]
        most = searches_of(len(wanted), self._settings.searches_per_coordinator, len(self._alive))
        driven = Counter(driver.search.project for driver in self._drivers.values())
        for name in in_turn(free, driven)[: max(0, most - len(self._drivers))]:
            self._drivers[name] = Driver(wanted[name], self._around)
            self._drivers[name].start()

    def _may_take(self, project: str) -> bool:
        quota = self._quotas.get(project)
        return quota is None or quota == 0 or self._part(project, quota) > 0

    def _standing(self) -> Standing:
        projects = Counter(driver.search.project for driver in self._drivers.values())
        place = self._settings.ray_address or socket.gethostname()
        return Standing(self._around.holder, place, dict(projects), len(self._packing))

    def _process(self, mine: Standing) -> Process:
        from storage import administration

        pool = self._around.pool
        return administration.Process(
            id=mine.id,
            kind="coordinator",
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=self._began,
            document={
                "slots": pool.slots,
                "busy": pool.busy,
                "queued": pool.queued,
                "ray": self._workers.state,
                "place": mine.place,
                "searches": mine.searches,
                "projects": dict(mine.projects),
                "exports": mine.exports,
                "draining": self._around.draining.is_set(),
            },
        )


def _told(name: str, document: dict[str, Any]) -> Standing:
    place, projects = str(document.get("place", "")), document.get("projects", {})
    return Standing(name, place, projects, int(document.get("exports", 0)))


def _rests(search: Search) -> bool:
    return search.status is SearchStatus.PAUSED and search.intent is Intent.PAUSE


def _quotas(uow: SqlUnitOfWork) -> dict[str, int]:
    quotas = {project.id: project.quota.parallelism for project in uow.projects.list()}
    return {project: quota for project, quota in quotas.items() if quota is not None}
