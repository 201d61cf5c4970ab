"""A real driver of searches as a program: runs them one after the other, or dies when told to.

Usage: `python -m tests.e2e.mortal_driver FOLDER '{"searches": [...], "victim": ..., "moment": ..., "deaths": [...]}'`
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil

from api.composition import SystemClock, _make_strategy
from nas.domain.job import EvaluateArchitecture, Job, Outcome
from nas.domain.search import Search
from nas.engine.events import EngineEvent
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace
from storage.artifacts import DirectoryWorkspace
from storage.unit_of_work import Database, open_database
from tests.e2e.tiny import STAGES
from tests.e2e.witness import MOMENTS, Witness, steps_of
from workers.ray_backend import RayBackend


def open_folder(folder: Path) -> Database:
    database = open_database(f"sqlite:///{folder}/blocksmith.db")
    database.migrate()
    return database


class Doom:
    """Kills this process, or this process and all of its descendants, at one moment of one search."""

    def __init__(self, backend: RayBackend, folder: Path, search: Search, victim: str, moment: str) -> None:
        self._backend, self._folder, self._victim, self._moment = backend, folder, victim, moment
        self._seed = search.spec.calibration.seed
        self._library = self._evaluated = 0
        self._running: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def observe(self, event: EngineEvent) -> None:
        self._library += event.kind == "library"
        if self._moment == MOMENTS[0] and self._library == 4:
            self._die()

    def submit(self, job: Job) -> None:
        if isinstance(job.payload, EvaluateArchitecture):
            self._running.add(job.key)
        self._backend.submit(job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        outcomes = self._backend.poll(min(timeout_s, 0.1))
        answered = {outcome.key for outcome in outcomes} & self._running
        self._evaluated += len(answered)
        self._running -= answered
        if self._moment == MOMENTS[2] and answered and self._evaluated >= 2:
            self._die()
        begun = steps_of(self._folder / "steps.log", self._seed)["begun", "evaluate"]
        if self._moment == MOMENTS[1] and self._running and begun >= 3:
            self._die()
        return outcomes

    def _die(self) -> None:
        descendants = psutil.Process().children(recursive=True)
        facts = [(process.pid, process.create_time()) for process in descendants]
        (self._folder / f"descendants-{self._seed}.json").write_text(json.dumps(facts))
        if self._victim == "everything":
            for process in descendants:
                process.kill()
        os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, searches: list[str], victim: str, moment: str, deaths: list[tuple[int, str]]) -> None:
    database = open_folder(folder)
    slow = 1.5 if moment == MOMENTS[1] else 0.0
    witness = Witness(folder / "steps.log", tuple((seed, when) for seed, when in deaths), slow)
    backend = RayBackend(DirectoryWorkspace(folder / "workspace"), cpus=2, execute=witness)
    for search_id in searches:
        with database.reader() as uow:
            search = uow.searches.get(search_id)
        doom = Doom(backend, folder, search, victim, moment)
        SearchLoop(
            search_id,
            STAGES,
            open_unit_of_work=database.unit_of_work,
            open_reader=database.reader,
            backend=doom,
            clock=SystemClock(),
            make_strategy=_make_strategy,
            observe=doom.observe,
            pace=Pace(poll_s=0.2, lease_ttl_s=4.0, patience_s=20.0),
        ).run()
    backend.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), **json.loads(sys.argv[2]))
