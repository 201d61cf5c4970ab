"""Every network of a space, run once: networks that begin alike share the activations of their beginning.

The choices are walked as a tree, depth first and in the order of execution, so that a stage runs once for every
distinct prefix of choices and not once for every network. What is kept is one set of activations per stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nas.domain.architecture import Architecture
from nas.domain.library import BlockLibrary
from nas.domain.search_space import SearchSpace
from nas.domain.value import FrozenDict
from nas.estimation.assemble import assemble
from nas.estimation.features import LATENTS, TIMESTEPS, Features
from nas.estimation.judge import teacher_predictions
from nas.ports import ArtifactStore
from nas.space.bypass import bypassed_stages
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput
from nas.space.teachers.load import LoadedTeacher
from nas.space.teachers.staged_unet import StagedUNet

Codes = tuple[int, ...]
"""Variant numbers, one for each stage of the space."""


@dataclass(frozen=True)
class Activations:
    """One batch on its way through a network.

    Attributes:
        hidden: What the next stage reads.
        temb: Time embedding.
        context: Conditioning tokens, if any.
        skips: By level, in the order in which the decoder consumes them.
        entered: By level, the hidden state in front of its encoder: what a bypassed level hands on.
    """

    hidden: Tensor
    temb: Tensor
    context: Tensor | None
    skips: Mapping[str, tuple[Tensor, ...]]
    entered: Mapping[str, Tensor]


class Walk:
    """All networks of a space beside their teacher.

    Args:
        teacher: Gives stem, head and the stages that the space leaves out.
        blocks: Per searched stage its blocks, in the order of the space's variants.
        features: Whose hold-out latents are predicted.
        batch: Latents per forward pass; the same as in an evaluation, so that sums are taken alike.

    Raises:
        ValueError: If the stages of the space do not stand in the order of execution.
    """

    def __init__(
        self, teacher: LoadedTeacher, blocks: Mapping[str, Sequence[StageBlock]], features: Features, batch: int
    ) -> None:
        assert isinstance(teacher.denoiser, StagedUNet)
        self.network = teacher.denoiser
        self.blocks = blocks
        self._sizes = {stage: tensors.size for stage, tensors in features.stages.items()}
        self.positions = {stage: position for position, stage in enumerate(blocks)}
        if list(blocks) != [stage.name for stage in self.network.stages if stage.name in blocks]:
            raise ValueError("the space's stages must stand in the order of execution")
        self._rows = [
            range(start, min(start + batch, features.holdout.stop))
            for start in range(features.holdout.start, features.holdout.stop, batch)
        ]
        predictions = teacher_predictions(teacher, features, batch)
        self._targets = torch.split(predictions, [len(rows) for rows in self._rows])
        with torch.inference_mode():
            self._entrance = [self._stem(features, rows) for rows in self._rows]

    def errors(self, prefix: Codes = ()) -> Iterator[tuple[Codes, Tensor]]:
        """Codes and squared error per hold-out sample (`N`, float64) of every network that begins with `prefix`.

        In lexicographic order of the codes.
        """
        with torch.inference_mode():
            yield from self._below(0, (), {}, self._entrance, prefix)

    def _below(
        self, depth: int, codes: Codes, placed: dict[str, StageBlock], batches: list[Activations], prefix: Codes
    ) -> Iterator[tuple[Codes, Tensor]]:
        if depth == len(self.network.stages):
            yield codes, self._squared_error(batches)
            return
        stage = self.network.stages[depth]
        if stage.name not in self.blocks:
            filled = {**placed, stage.name: self.network.block(stage.name)}
            yield from self._below(depth + 1, codes, filled, self._run(stage, filled, batches), prefix)
            return
        position = self.positions[stage.name]
        for code, block in enumerate(self.blocks[stage.name]):
            if prefix[position : position + 1] in ((), (code,)):
                filled = {**placed, stage.name: block}
                yield from self._below(depth + 1, (*codes, code), filled, self._run(stage, filled, batches), prefix)

    def _run(self, stage: Stage, placed: dict[str, StageBlock], batches: list[Activations]) -> list[Activations]:
        # A level is known to be bypassed when its decoder is chosen; of the stages outside it none is placed yet.
        bypassed = stage.role == "decoder" and stage.name in bypassed_stages(self.network.stages, placed)
        size = self._sizes[stage.name]
        return [_step(stage, placed[stage.name], batch, size, bypassed) for batch in batches]

    def _stem(self, features: Features, rows: range) -> Activations:
        sample = features.read(LATENTS, rows)
        temb = self.network.time_embedding(features.read(TIMESTEPS, rows), sample)
        return Activations(self.network.stem(sample), temb, features.context(rows), {}, {})

    def _squared_error(self, batches: list[Activations]) -> Tensor:
        pairs = zip(batches, self._targets, strict=True)
        parts = [(self.network.head(batch.hidden).float() - target).double().square() for batch, target in pairs]
        return torch.cat([part.flatten(1).mean(dim=1) for part in parts])


def library_blocks(
    teacher: LoadedTeacher, space: SearchSpace, library: BlockLibrary, artifacts: ArtifactStore
) -> dict[str, list[StageBlock]]:
    """Every distilled block of a space, assembled as an evaluation does it."""

    def block(stage: str, variant: str) -> StageBlock:
        weights = library.entry(stage, variant).weights
        found = {stage: weights} if weights else {}
        single = Architecture(choices=FrozenDict({stage: variant}))
        return assemble(teacher, single, found, artifacts).block(stage)

    return {
        choices.stage: [block(choices.stage, variant) for variant in choices.variants] for choices in space.stages
    }


def _step(
    stage: Stage, block: StageBlock, batch: Activations, size: tuple[int, int] | None, bypassed: bool
) -> Activations:
    level = stage.name[1:]
    if bypassed:
        return replace(batch, hidden=batch.entered[level])
    skips = batch.skips[level] if stage.role == "decoder" else ()
    output: StageOutput = block(StageInput(batch.hidden, batch.temb, batch.context, skips, size))
    if stage.role != "encoder":
        return replace(batch, hidden=output.hidden)
    return replace(
        batch,
        hidden=output.hidden,
        skips={**batch.skips, level: output.skips[::-1]},
        entered={**batch.entered, level: batch.hidden},
    )
