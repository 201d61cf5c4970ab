"""An installation with searches on a real SQLite, driven by the real engine; only the workers' work is a formula."""

from __future__ import annotations

import hashlib
import itertools
import time
from pathlib import Path
from typing import Any, cast

from api.access import digest_of_secret, new_id, new_secret, token_of
from api.installation import Installation
from api.settings import Settings
from nas.domain.job import EvaluateArchitecture, Evaluation, Job, Result
from nas.domain.library import LibraryEntry
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, FidelityProtocol, Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.stopping import is_stopped_by
from nas.domain.value import FrozenDict
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace
from nas.errors import EvaluationError
from nas.ports import Workspace
from nas.strategy.base import StrategyContext
from nas.strategy.pricing import PricedSpace
from nas.strategy.random import RandomSearch
from storage.administration.keys import ApiKey, Role
from tests.fakes.executor import landscape, noise_mse
from tests.fakes.workspace import MemoryWorkspace
from workers.inline_backend import InlineBackend

STAGES = ("E1", "E2", "E3", "Mid", "D3", "D2", "D1")
VARIANTS = ("teacher", "RA", "dwsep", "narrow50", "R")
SPACE = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=VARIANTS) for stage in STAGES))
UNLUCKY = 17
"""One architecture in so many cannot be built, so that there are failures to show."""


class WallClock:
    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def measured(job: Job, workspace: Workspace) -> Result:
    """The landscape of the engine's tests, with errors of measurement, three metrics and some failures.

    Its third power, because real noise spans decades; as in reality, the teacher's is exactly zero.
    """
    result = landscape(job, workspace)
    match job.payload, result:
        case EvaluateArchitecture(architecture=architecture), Evaluation():
            luck = int(hashlib.sha256(architecture.digest.encode()).hexdigest()[:6], 16)
            if luck % UNLUCKY == 0:
                raise EvaluationError("The network's output is not <b>finite</b>.", "Its blocks cannot be combined.")
            removed = noise_mse(architecture.choices) - noise_mse(FrozenDict())
            noise = 6 * removed**3 * (0.85 + 0.3 * luck / 0xFFFFFF)
            values = {"noise_mse": noise, "noise_mse_relative": noise * 1.07, "feature_distance": noise**0.5}
            return evaluation(values, job.payload.stop_beyond)
        case _, LibraryEntry():
            return result.evolve(seconds=2.5)
    return result


def evaluation(values: dict[str, float], limits: FrozenDict[str, float]) -> Evaluation:
    """Of 64 samples, or of as few as show that a value is clearly beyond its limit."""
    for share in (1 / 4, 1 / 2, 1.0):
        metrics = FrozenDict(
            {
                name: Measurement(mean=value, sem=0.03 * value / share**0.5, samples=int(64 * share))
                for name, value in values.items()
            }
        )
        if is_stopped_by(metrics, limits):
            break
    return Evaluation(metrics=metrics, share=share)


class Scene:
    """A data directory to show.

    Args:
        folder: Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.installation = Installation(settings=Settings(data=folder, port=0))
        self.database = self.installation.database
        self.backend = InlineBackend(MemoryWorkspace(), measured)
        self.loops: dict[str, SearchLoop] = {}
        self._numbers = itertools.count(1)

    def key(self, role: Role = "admin", project: str | None = None) -> str:
        """A new key; returns its token."""
        key_id, secret = new_id(), new_secret()
        key = ApiKey(
            id=key_id,
            project=project,
            role=role,
            name=f"a {role}",
            secret_digest=digest_of_secret(secret),
            created_at=time.time(),
        )
        with self.database.unit_of_work() as uow:
            uow.keys.add(key)
            uow.commit()
        return token_of(key_id, secret)

    def submit(
        self, name: str, *, trials: int = 40, project: str = "default", stop_early: bool = False, **changes: Any
    ) -> str:
        """A search that nobody drives yet; returns its id."""
        bound = OutcomeConstraint(metric="noise_mse_relative", at_most=0.005)
        fidelity = FidelityProtocol(stop_early=stop_early)
        asked = {"constraints": (bound,), "fidelity": fidelity, "seed": 7, "parallelism": 4, **changes}
        spec = SearchSpec(name=name, budget=Budget(trials=trials), **asked)
        search_id = f"search-{next(self._numbers):03d}"
        search = Search(
            id=search_id,
            spec=spec,
            space=SPACE,
            problems=(spec.problem,),
            project=project,
            created_at=time.time(),
        )
        with self.database.unit_of_work() as uow:
            uow.searches.add(search)
            uow.commit()
        return search_id

    def drive(self, search_id: str, trials: int | None = None) -> None:
        """Drive a search until it has so many finished trials, or to its end."""
        loop = self.loops.get(search_id)
        if loop is None:
            loop = self.loops[search_id] = self._loop(search_id)
            loop.recover()
        while not (status := loop.tick()).is_terminal:
            if trials is not None and self.rows(search_id) > 0 and self.finished(search_id) >= trials:
                return
            assert status.value != "paused"

    def finished(self, search_id: str) -> int:
        with self.database.reader() as uow:
            counts = uow.trials.counts(search_id)
        return sum(count for status, count in counts.items() if status.is_terminal)

    def rows(self, search_id: str) -> int:
        with self.database.reader() as uow:
            return sum(uow.trials.counts(search_id).values())

    def search(self, search_id: str) -> Search:
        with self.database.reader() as uow:
            return cast(Search, uow.searches.get(search_id))

    def close(self) -> None:
        for loop in self.loops.values():
            loop.stop()

    def _loop(self, search_id: str) -> SearchLoop:
        def strategy(search: Search, costs: Any) -> RandomSearch:
            priced = PricedSpace(search.space, costs)
            return RandomSearch(StrategyContext(priced, search.problem, search.spec.seed, 8))

        return SearchLoop(
            search_id,
            STAGES,
            open_unit_of_work=self.database.unit_of_work,
            open_reader=self.database.reader,
            backend=self.backend,
            clock=WallClock(),
            make_strategy=strategy,
            pace=Pace(poll_s=0.0, lease_ttl_s=600.0),
        )
