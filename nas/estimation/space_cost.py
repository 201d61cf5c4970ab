"""Exact costs of a whole space before anything is trained: counted on the meta device."""

from __future__ import annotations

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.cost import ExactCosts
from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
from nas.domain.search_space import SearchSpace
from nas.domain.teacher import TeacherRef
from nas.domain.value import FrozenDict
from nas.estimation.cost import flops_by_torch, stage_inputs
from nas.estimation.cost_report import floor_rows
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.load import denoiser_from_config, teacher_config


def price_space(ref: TeacherRef, space: SearchSpace, latent: int, tokens: int) -> ExactCosts:
    """Params and MACs of every architecture of a space; no block loss, no latency, no weights.

    Used to tell a bound that nothing can meet before anybody pays for a library.

    Args:
        ref: The teacher; only its configuration is read.
        space: The searched stages; all others keep the teacher's block.
        latent: Height and width of the latent.
        tokens: Number of conditioning tokens.
    """
    config = teacher_config(ref)
    denoiser = denoiser_from_config(config)
    borders = stage_inputs(denoiser, config, latent, tokens)
    searched = {choices.stage: choices.variants for choices in space.stages}
    entries: dict[str, LibraryEntry] = {}
    for stage in denoiser.stages:
        for variant in dict.fromkeys((TEACHER_VARIANT, *searched.get(stage.name, ()))):
            block = build_block(stage, denoiser.block(stage.name), variant)
            cost = flops_by_torch(block, (borders[stage.name],))
            name = f"{stage.name}/{variant}"
            entries[name] = LibraryEntry(key=name, stage=stage.name, variant=variant, cost=cost, block_loss=0.0)
    floor = [row.cost for row in floor_rows(denoiser, config, latent)]
    total = BlockCost(
        params=sum(cost.params for cost in floor),
        macs=sum(cost.macs for cost in floor),
        attention_macs=sum(cost.attention_macs for cost in floor),
    )
    library = BlockLibrary(entries=FrozenDict(entries), floor=total)
    return ExactCosts(stages=tuple(stage.name for stage in denoiser.stages), library=library)
