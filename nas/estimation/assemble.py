"""From a genotype and stored weights to a network."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors.torch
import torch
from safetensors import SafetensorError

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.errors import CorruptArtifact, EvaluationError, NotFound, UnknownName
from nas.ports import ArtifactStore
from nas.space.blocks.catalogue import build_block
from nas.space.stage import Stage, StageBlock
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.load import LoadedTeacher


def assemble(
    teacher: LoadedTeacher, architecture: Architecture, weights: Mapping[str, str], artifacts: ArtifactStore
) -> StagedDenoiser:
    """Put distilled blocks into the teacher. Everything else is the teacher's own, shared, not copied.

    Args:
        teacher: Gives stem, head, and every stage that is not replaced.
        architecture: Variant per stage.
        weights: Artifact digest per stage whose variant has weights.
        artifacts: Where the weights are.

    Raises:
        UnknownName: If a stage or a variant does not exist.
        EvaluationError: If weights are missing or do not fit their block.
        CorruptArtifact: If a file is damaged or no safetensors file; distil that block again.
    """
    blocks: dict[str, StageBlock] = {}
    for name, variant in architecture.choices.items():
        stage = stage_named(teacher.denoiser, name)
        if variant != TEACHER_VARIANT:
            block = untrained_block(teacher.denoiser, stage, variant)
            _load(block, f"{name}/{variant}", weights.get(name, ""), artifacts)
            blocks[name] = block
    return teacher.denoiser.with_blocks(blocks)


def untrained_block(denoiser: StagedDenoiser, stage: Stage, variant: str, seed: int = 0) -> StageBlock:
    """The block of a variant as its family makes it, in evaluation mode; leaves torch's generator alone."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return build_block(stage, denoiser.block(stage.name), variant).eval()


def stage_named(denoiser: StagedDenoiser, name: str) -> Stage:
    """Description of a stage.

    Raises:
        UnknownName: With the nearest spelling.
    """
    stages = {stage.name: stage for stage in denoiser.stages}
    if name not in stages:
        raise UnknownName("stage", name, tuple(stages))
    return stages[name]


def _load(block: StageBlock, name: str, digest: str, artifacts: ArtifactStore) -> None:
    if not digest:
        if block.state_dict():
            raise EvaluationError(f"There are no weights for block {name}.", "Distil the block first.")
        return
    try:
        state = safetensors.torch.load(artifacts.get(digest))
    except NotFound:
        raise EvaluationError(f"The weights {digest[:12]} of block {name} are gone.", "Distil it again.") from None
    except SafetensorError as error:
        raise CorruptArtifact(f"The weights of block {name} are no safetensors file: {error}.") from None
    try:
        block.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise EvaluationError(f"The weights {digest[:12]} do not fit block {name}: {reason}") from None
