"""Feature-wise distillation: train one (stage, variant) alone on the teacher's inputs to that stage.

Blocks never see each other, so they can be trained on any number of workers, once, and shared by every search
(DNA, Li et al. 2020; Puzzle, Bercovich et al. 2025). Raw teacher inputs, as NanoSD and TOC-SR use them.
"""

from __future__ import annotations

import time
from pathlib import Path

import safetensors.torch
import torch

from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.job import DistillBlock
from nas.domain.library import Distillation, LibraryEntry
from nas.errors import EvaluationError
from nas.estimation.assemble import stage_named, untrained_block
from nas.estimation.block_training import BlockTraining, Diverged, TrainingProgress
from nas.estimation.checkpoint import load_progress, load_tensors, save_checkpoint
from nas.estimation.cost import count_block
from nas.estimation.features import Features
from nas.ports import ArtifactStore
from nas.space.stage import Stage, StageBlock
from nas.space.teachers.base import StagedDenoiser

CHECKPOINT_SECONDS = 5.0
SLOWER = 1.0 / 3.0


def distill(
    denoiser: StagedDenoiser,
    features: Features,
    payload: DistillBlock,
    artifacts: ArtifactStore,
    scratch: Path,
    device: torch.device | None = None,
    checkpoint_s: float = CHECKPOINT_SECONDS,
) -> LibraryEntry:
    """Train one block and store its weights. A killed call goes on where its last checkpoint was.

    Raises:
        UnknownName: If the teacher has no such stage, or the stage no such variant.
        EvaluationError: If the loss is not finite even at a third of the learning rate.
        CorruptArtifact: If the features are damaged; discard them and capture again.
    """
    stage = stage_named(denoiser, payload.stage)
    block = fresh_block(denoiser, stage, payload.variant, payload.distillation)
    cost = count_block(stage, block, features.stage_input(stage.name, range(1)))
    entry = LibraryEntry(key=payload.key, stage=stage.name, variant=payload.variant, cost=cost, block_loss=0.0)
    if payload.variant == TEACHER_VARIANT:
        bands = min(payload.calibration.bands, payload.calibration.holdout)
        return _finished(entry, band_losses=(0.0,) * bands)
    checkpoint = scratch / f"{payload.key}.distillation"
    training = _resumed(block, features, payload, checkpoint, device)
    while True:
        try:
            _train(training, checkpoint, checkpoint_s)
            loss, band_losses = training.holdout_losses()
            break
        except Diverged as diverged:
            training = _slower(denoiser, stage, payload, training, diverged)
    weights = _stored(training.block, artifacts)
    checkpoint.unlink(missing_ok=True)
    return _finished(
        entry,
        weights=weights,
        block_loss=loss,
        band_losses=band_losses,
        curve=training.progress.curve,
        seconds=training.progress.seconds,
    )


def fresh_block(denoiser: StagedDenoiser, stage: Stage, variant: str, distillation: Distillation) -> StageBlock:
    """The untrained block of a variant, the same one for the same seed.

    With `initialise="random"` every layer that knows how to reset itself is drawn anew; parameters without a layer
    of their own keep what the family gave them.
    """
    block = untrained_block(denoiser, stage, variant, distillation.seed)
    if distillation.initialise == "random" and variant != TEACHER_VARIANT:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(distillation.seed)
            for layer in block.modules():
                reset = getattr(layer, "reset_parameters", None)
                if callable(reset):
                    reset()
    return block


def _resumed(
    block: StageBlock, features: Features, payload: DistillBlock, checkpoint: Path, device: torch.device | None
) -> BlockTraining:
    """A training that stands where the checkpoint does, or at its beginning."""
    progress = load_progress(checkpoint)
    training = BlockTraining(block, features, payload.stage, payload.distillation, progress, device)
    if progress is not None:
        load_tensors(checkpoint, training)
    return training


def _slower(
    denoiser: StagedDenoiser, stage: Stage, payload: DistillBlock, failed: BlockTraining, reason: Diverged
) -> BlockTraining:
    """The one second chance: from the beginning, at a third of the rate."""
    if failed.progress.restarts or not failed.parameters:
        raise EvaluationError(
            f"Block {stage.name}/{payload.variant} cannot be distilled: {reason}.", "Lower the learning rate."
        ) from None
    rate = payload.distillation.learning_rate * SLOWER
    progress = TrainingProgress(rate=rate, restarts=1, seconds=failed.progress.seconds)
    block = fresh_block(denoiser, stage, payload.variant, payload.distillation)
    return BlockTraining(block, failed.features, stage.name, payload.distillation, progress, failed.device)


def _train(training: BlockTraining, checkpoint: Path, checkpoint_s: float) -> None:
    """Take the remaining steps, with a checkpoint every few seconds. Nothing to do without parameters."""
    if not training.parameters:
        return
    last = saved = time.monotonic()
    while not training.done:
        training.step()
        now = time.monotonic()
        training.progress = training.progress.evolve(seconds=training.progress.seconds + now - last)
        last = now
        if now - saved >= checkpoint_s:
            save_checkpoint(checkpoint, training)
            saved = time.monotonic()


def _stored(block: StageBlock, artifacts: ArtifactStore) -> str:
    """Digest of the stored weights; empty for a block that has none."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in block.state_dict().items()}
    return artifacts.put(safetensors.torch.save(state)) if state else ""


def _finished(entry: LibraryEntry, **found: object) -> LibraryEntry:
    finished: LibraryEntry = entry.evolve(**found)
    return finished
