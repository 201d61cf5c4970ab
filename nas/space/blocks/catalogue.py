"""All block families in one place: which variants a stage has, and how to build one.

Importing this module registers every family; a new one costs its file and one line here.
"""

from __future__ import annotations

from nas.domain.architecture import TEACHER_VARIANT
from nas.errors import UnknownName
from nas.space.blocks import cheap_attention, depthwise, narrow_residual, stage_removal, unit_removal
from nas.space.blocks.base import BLOCK_FAMILIES, BlockFamily
from nas.space.stage import Stage, StageBlock

FAMILY_MODULES = (unit_removal, stage_removal, narrow_residual, cheap_attention, depthwise)


def variants(stage: Stage, block: StageBlock) -> tuple[str, ...]:
    """Every variant that a stage can have, the teacher's own first.

    Args:
        stage: The stage.
        block: The teacher's own block there; the meta device will do.
    """
    return (TEACHER_VARIANT, *_families(stage, block))


def build_block(stage: Stage, block: StageBlock, variant: str) -> StageBlock:
    """The block of a variant, initialised from the teacher's; `teacher` is the teacher's own, shared.

    Raises:
        UnknownName: If no family offers the variant at this stage; carries the nearest spelling.
    """
    if variant == TEACHER_VARIANT:
        return block
    families = _families(stage, block)
    if variant not in families:
        raise UnknownName(f"variant of stage {stage.name}", variant, (TEACHER_VARIANT, *families))
    return families[variant].build(stage, block, variant)


def _families(stage: Stage, block: StageBlock) -> dict[str, BlockFamily]:
    owners: dict[str, BlockFamily] = {}
    for name, family in BLOCK_FAMILIES:
        for variant in family.variants(stage, block):
            if variant in owners or variant == TEACHER_VARIANT:
                raise ValueError(f"block family {name!r} offers {variant!r} at {stage.name}, which has an owner")
            owners[variant] = family
    return owners
