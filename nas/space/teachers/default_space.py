"""The space searched when a spec names none."""

from __future__ import annotations

from collections.abc import Mapping

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.search_space import SearchSpace, StageChoices
from nas.space.stage import Stage, StageBlock

OUTER_ENCODER = ("RA", "RR", "R")
OUTER_DECODER = ("RRR", "RAA", "RA", "R")
INNERMOST = ("R", "removed")


def default_space(stages: tuple[Stage, ...], blocks: Mapping[str, StageBlock]) -> SearchSpace:
    """Published reductions at the outer stages, removal at the innermost level."""
    from nas.space.blocks.catalogue import variants

    deepest = max(int(stage.name[1:]) for stage in stages if stage.role == "encoder")
    choices = []
    for stage in stages:
        offered = variants(stage, blocks[stage.name])
        chosen = [variant for variant in _wanted(stage, deepest) if variant in offered]
        choices.append(StageChoices(stage=stage.name, variants=(TEACHER_VARIANT, *chosen)))
    return SearchSpace(stages=tuple(choices))


def _wanted(stage: Stage, deepest: int) -> tuple[str, ...]:
    if stage.role == "mid" or int(stage.name[1:]) == deepest:
        return INNERMOST
    return OUTER_ENCODER if stage.role == "encoder" else OUTER_DECODER
