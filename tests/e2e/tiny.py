"""A tiny teacher with random weights, and searches over it that take seconds."""

from __future__ import annotations

from api.teachers import fingerprinted
from nas.domain.job import Resources
from nas.domain.library import Distillation
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, FidelityProtocol, Search, SearchSpec, StrategySpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict

STAGES = ("E1", "E2", "Mid", "D2", "D1")
SPACE = {"E1": ("teacher", "RA", "R"), "E2": ("teacher", "R"), "D1": ("teacher", "RA", "R")}


def a_tiny_search(search_id: str, teacher: TeacherRef, *, seed: int, trials: int, parallelism: int) -> Search:
    """A search that shares no job with one of another seed."""
    spec = SearchSpec(
        name=search_id,
        teacher=teacher,
        space=FrozenDict(SPACE),
        calibration=Calibration(source="gaussian", samples=8, holdout=8, latent_size=8, bands=4, seed=seed),
        distillation=Distillation(steps=2, batch=4),
        fidelity=FidelityProtocol(metrics=("noise_mse",), batch=8),
        constraints=(OutcomeConstraint(metric="noise_mse", at_most=10.0),),
        budget=Budget(trials=trials),
        strategy=StrategySpec(name="random"),
        parallelism=parallelism,
        resources=Resources(cpus=1.0),
        seed=seed,
    )
    space = SearchSpace(stages=tuple(StageChoices(stage=name, variants=names) for name, names in SPACE.items()))
    return Search(id=search_id, spec=fingerprinted(spec), space=space, problems=(spec.problem,))
