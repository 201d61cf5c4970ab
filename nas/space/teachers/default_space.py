"""The space searched when a spec names none."""

from __future__ import annotations

from collections.abc import Mapping

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.search_space import SearchSpace, StageChoices
from nas.space.stage import Stage, StageBlock

_ENCODERS = {1: ("RA", "linattn", "R"), 2: ("RA", "ff50", "R"), 3: ("RA", "narrow50", "R")}
_DECODERS = {1: ("RARA", "linattn", "RAA", "RA"), 2: ("RARA", "narrow50", "RA"), 3: ("RARA", "dwsep", "R")}
_INNERMOST = ("R", "removed")
_MID = ("removed",)


def default_space(stages: tuple[Stage, ...], blocks: Mapping[str, StageBlock]) -> SearchSpace:
    """Published reductions mixed with one cheaper operator per outer stage, and removal of the innermost level.

    Every family occurs where it pays: linear attention at the outer level, where tokens are many; narrow
    and depthwise units inside, where weights are many. `[R-R-R]-[R-RA-RAA]` without E4, Mid and D4,
    TOC-SR's winner, is a member. On Stable Diffusion's layout: 92,160 architectures, 21 blocks to train.
    """
    from nas.space.blocks.catalogue import variants  # needs torch's families, which describing a stage does not

    deepest = max(int(stage.name[1:]) for stage in stages if stage.role == "encoder")
    choices = []
    for stage in stages:
        offered = variants(stage, blocks[stage.name])
        chosen = tuple(variant for variant in _wanted(stage, deepest) if variant in offered)
        choices.append(StageChoices(stage=stage.name, variants=(TEACHER_VARIANT, *chosen)))
    return SearchSpace(stages=tuple(choices))


def _wanted(stage: Stage, deepest: int) -> tuple[str, ...]:
    if stage.role == "mid":
        return _MID
    level = int(stage.name[1:])
    if level == deepest:
        return _INNERMOST
    return (_ENCODERS if stage.role == "encoder" else _DECODERS)[min(level, max(_ENCODERS))]
