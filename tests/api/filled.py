"""Searches as a coordinator would have left them, without the work: any number of trials, measured by formula."""

from __future__ import annotations

import json
import random

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation, Failure
from nas.domain.library import BlockCost, LibraryEntry, NetworkFloor
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.teacher import Calibration
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from nas.engine.jobs import distillation_job, floor_job
from storage.unit_of_work import Database

VARIANTS = ("teacher", "RA", "R", "narrow")
STAGES = ("E1", "E2", "E3", "Mid", "D3", "D2", "D1")
SPACE = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=VARIANTS) for stage in STAGES))


def a_search(
    search_id: str = "alpha-1",
    *,
    project: str = "default",
    trials: int = 40,
    objectives: tuple[str, ...] = ("params",),
    at_most: float = 0.5,
    created_at: float = 1_795_000_000.0,
    seed: int = 0,
) -> Search:
    """A search that shares no block with one of another seed."""
    spec = SearchSpec(
        name=search_id,
        space=FrozenDict(dict.fromkeys(STAGES, VARIANTS)),
        objectives=objectives,
        constraints=(OutcomeConstraint(metric="noise_mse_relative", at_most=at_most),),
        budget=Budget(trials=max(trials, 1)),
        calibration=Calibration(seed=seed),
    )
    return Search(
        id=search_id, spec=spec, space=SPACE, problems=(spec.problem,), project=project, created_at=created_at
    )


def price(architecture: Architecture) -> tuple[float, float]:
    """Parameters and error: fewer units, fewer parameters, more error."""
    places = [VARIANTS.index(architecture.variant(stage)) for stage in STAGES]
    params = 100.0 + sum(1000.0 / (1 + place) for place in places)
    error = 0.01 + sum(0.05 * place * (1 + 0.1 * position) for position, place in enumerate(places))
    return params, error


def an_evaluation(architecture: Architecture, *, screened: bool = False) -> Evaluation:
    params, error = price(architecture)
    metrics = {
        "params": Measurement(mean=params, unit="parameters"),
        "gmacs": Measurement(mean=params / 1e3, unit="GMAC"),
    }
    if not screened:
        metrics["noise_mse_relative"] = Measurement(mean=error, sem=error / 50, samples=64)
    return Evaluation(metrics=FrozenDict(metrics), band_noise_mse=(error, error / 2))


def architectures(count: int, seed: int = 0) -> list[Architecture]:
    """Distinct architectures, the teacher first."""
    generator = random.Random(seed)
    found = {SPACE.decode((0,) * len(STAGES)).digest: SPACE.decode((0,) * len(STAGES))}
    while len(found) < count:
        one = SPACE.sample(generator)
        found.setdefault(one.digest, one)
    return list(found.values())


def fill(
    database: Database, search: Search, trials: int = 40, *, status: SearchStatus = SearchStatus.RUNNING
) -> Search:
    """Store a search with its library and its trials, each trial with its event; the last one is running."""
    with database.unit_of_work() as uow:
        uow.searches.add(search)
        _fill_library(uow, search)
        for number, architecture in enumerate(architectures(trials)):
            is_last = number == trials - 1 and not status.is_terminal
            uow.trials.add(_a_trial(search, number, architecture, running=is_last))
            facts = {"number": number, "status": "running" if is_last else "completed"}
            uow.events.append(search.id, "trial", json.dumps({"facts": facts}), 1_795_000_000.0 + number)
        stored = search.evolve(status=status, ran_s=12.5)
        uow.searches.replace(SearchStatus.CREATED, stored)
        uow.events.append(search.id, "search", json.dumps({"facts": {"status": status.value}}), 1_795_000_999.0)
        uow.commit()
    return stored


def _a_trial(search: Search, number: int, architecture: Architecture, *, running: bool) -> Trial:
    trial = Trial(
        search=search.id,
        number=number,
        architecture=architecture,
        origin="teacher" if number == 0 else ("sobol" if number % 3 else "bayesian"),
        created_at=1_795_000_000.0 + number,
        status=TrialStatus.RUNNING if running else TrialStatus.COMPLETED,
        attempts=(Attempt(started_at=1.0, ended_at=None if running else 2.5),),
        evaluation=None if running else an_evaluation(architecture, screened=number % 10 == 9),
    )
    if number % 7 == 3:
        failure = Failure(code="transient_error", message="The worker was lost.", transient=True)
        lost = Attempt(started_at=0.5, ended_at=0.9, failure=failure)
        trial = trial.evolve(attempts=(lost, *trial.attempts))
    return trial


def _fill_library(uow: object, search: Search) -> None:
    keys = []
    for stage in STAGES:
        for variant in VARIANTS:
            key = distillation_job(search.spec, stage, variant).key
            size = int(1000 / (1 + VARIANTS.index(variant)))
            cost = BlockCost(params=size, macs=size * 1000, attention_macs=0)
            entry = LibraryEntry(key=key, stage=stage, variant=variant, cost=cost, block_loss=0.1, seconds=2.0)
            uow.library.add_entry(entry)
            keys.append(key)
    floor = NetworkFloor(cost=BlockCost(params=100, macs=1000, attention_macs=0))
    uow.evaluations.record(floor_job(search.spec).key, floor.model_dump_json())
    uow.library.note_use(search.id, keys)
