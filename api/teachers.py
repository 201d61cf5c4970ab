"""What a spec's teacher offers, found out on the meta device: no weights are read."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from api.spec_checks import TeacherFacts, known_part_of_space
from nas.domain.cost import ExactCosts
from nas.domain.metric import METRICS, is_exact
from nas.domain.search import SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.teacher import TeacherRef
from nas.domain.value import digest_of

_TOKENS = 77


def describe_teacher(spec: SearchSpec) -> TeacherFacts:
    """Stages, variants, default space and exact costs at the spec's latent size.

    Raises:
        NasError: If there is no such teacher, it is not supported, or its weights are not to be trusted.
    """
    from nas.space.teachers.folder import teacher_config, teacher_folder, weight_files

    if not spec.teacher.random_weights:
        weight_files(teacher_folder(spec.teacher).unet)  # refuses pickles before anything is built
    facts = _structure(spec.teacher)
    if not any(is_exact(bound.metric) for bound in spec.constraints):
        return facts  # nothing to hold against costs
    space = known_part_of_space(spec, facts)
    size = spec.calibration.latent_size or facts.sample_size
    size = max(size - size % facts.latent_multiple, facts.latent_multiple)  # a wrong size is reported elsewhere
    config = teacher_config(spec.teacher)
    priced: TeacherFacts = facts.evolve(costs=_costs(spec.teacher, space, size, digest_of(config)))
    return priced


def teacher_stages(teacher: TeacherRef) -> tuple[str, ...]:
    """Every stage of a teacher, in the order of execution; prices nothing."""
    return _structure(teacher).stages


@functools.lru_cache(maxsize=8)
def _structure(teacher: TeacherRef) -> TeacherFacts:
    from nas.space.blocks.catalogue import variants
    from nas.space.teachers.load import denoiser_from_config, teacher_config

    staged = denoiser_from_config(teacher_config(teacher))
    levels = sum(stage.role == "encoder" for stage in staged.stages)
    return TeacherFacts(
        variants=tuple(
            StageChoices(stage=stage.name, variants=variants(stage, staged.block(stage.name)))
            for stage in staged.stages
        ),
        space=staged.default_space(),
        latent_multiple=2 ** (levels - 1),
        sample_size=_sample_size(teacher),
    )


@functools.lru_cache(maxsize=8)
def _costs(teacher: TeacherRef, space: SearchSpace, size: int, config_digest: str) -> ExactCosts:
    del config_digest  # part of the cache's key: a folder's configuration may change
    from nas.estimation.space_cost import price_space

    return price_space(teacher, space, latent=size, tokens=_TOKENS)


def _sample_size(teacher: TeacherRef) -> int:
    from nas.space.teachers.folder import teacher_config

    size: Any = teacher_config(teacher).get("sample_size") or 64
    return int(size if isinstance(size, int) else size[0])


def fingerprinted(spec: SearchSpec) -> SearchSpec:
    """The spec with its teacher resolved: from here on, cache keys follow what the files hold."""
    from nas.space.teachers.folder import fingerprint

    resolved: SearchSpec = spec.evolve(teacher=spec.teacher.evolve(fingerprint=fingerprint(spec.teacher)))
    return resolved


def catalogue_document() -> dict[str, dict[str, str]]:
    """Everything a spec may name, by kind: name to meaning."""
    from nas.estimation.devices import DEVICES
    from nas.space.blocks.base import BLOCK_FAMILIES
    from nas.space.teachers.base import TEACHER_FAMILIES
    from nas.strategy.base import STRATEGIES

    reference = _structure(TeacherRef())
    return {
        "metrics": {metric.name: f"[{metric.unit}] {metric.meaning}" for metric in METRICS},
        "strategies": {name: _meaning(strategy) for name, strategy in STRATEGIES},
        "devices": {name: device.meaning for name, device in DEVICES},
        "teacher families": {name: _meaning(type(family)) for name, family in TEACHER_FAMILIES},
        "block families": {name: _meaning(type(family)) for name, family in BLOCK_FAMILIES},
        "block variants of the reference teacher": {
            choices.stage: ", ".join(choices.variants) for choices in reference.variants
        },
    }


def _meaning(implementation: Any) -> str:
    return (implementation.__doc__ or "").strip().splitlines()[0]


def teacher_report(folder: Path) -> dict[str, Any]:
    """What a teacher's folder says about its quality; empty when it says nothing."""
    import json

    file = folder / "report.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
