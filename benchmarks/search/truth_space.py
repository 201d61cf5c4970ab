"""Which architectures of the reference teacher are evaluated one and all, and under which protocol."""

from __future__ import annotations

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.device import LatencyProtocol
from nas.domain.library import Distillation
from nas.domain.objective import Problem
from nas.domain.search import FidelityProtocol, LatencySpec, Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict

CHOICES = {
    "E1": ("teacher", "linattn", "RA", "R"),
    "E2": ("teacher", "narrow50", "RA", "R"),
    "E3": ("teacher", "R"),
    "D4": ("teacher", "removed"),
    "D3": ("teacher", "R"),
    "D2": ("teacher", "RARA", "RA", "RR", "R", "R.none"),
    "D1": ("teacher", "RARA", "RA", "RR", "RR.none", "R.all", "R", "R.none"),
}
"""Many variants where noise errors are decided, the two outer levels; a few inside, where weights are many.

E4 and the middle keep the teacher's blocks.
"""

LIBRARY = {"steps": 600, "batch": 8, "learning_rate": 4e-3}
"""Three times the demo's steps, on twice its samples."""

PROTOCOL = LatencyProtocol(warmup=5, repeats=60, seconds=1.0)


def truth_space(choices: dict[str, tuple[str, ...]] = CHOICES) -> SearchSpace:
    """The space as a value, in the order in which data flows through the network."""
    assert all(variants[0] == TEACHER_VARIANT for variants in choices.values())
    return SearchSpace(stages=tuple(StageChoices(stage=stage, variants=found) for stage, found in choices.items()))


def truth_spec(teacher: TeacherRef) -> SearchSpec:
    """The spec whose jobs make the library.

    Args:
        teacher: With its fingerprint, which is part of every job's key.
    """
    return SearchSpec(
        name="reference truth",
        teacher=teacher,
        space=FrozenDict(CHOICES),
        calibration=Calibration(samples=384, holdout=64, latent_size=16, bands=8),
        distillation=Distillation.model_validate(LIBRARY),
        fidelity=FidelityProtocol(metrics=("noise_mse",)),
        latency=LatencySpec(protocol=PROTOCOL),
    )


def as_search(spec: SearchSpec) -> Search:
    """A search of the spec's space, for the engine's own preparation of the library."""
    space = truth_space(dict(spec.space))
    return Search(id="truth", spec=spec, space=space, problems=(Problem(objectives=spec.objectives),))
