"""The assembled network learns as a whole: its blocks were trained alone, on inputs that were the teacher's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.adaptation.crops import CropSource, encoded, stratified_timesteps
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.domain.adaptation import FineTuningTerms
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser, StageObserver
from nas.space.teachers.codec import LatentCodec

Features = dict[str, tuple[Tensor, ...]]
"""What leaves each stage that ran."""


class FineTuningTask:
    """Trains a compressed network end to end on noisy latents.

    Args:
        student: Trained in place.
        teacher: Never trained.
        schedule: The teacher's.
        crops: Pictures to noise.
        codec: Makes latents.
        contexts: Conditions that are dealt out in turn, `N x L x D`; None for a network without.
        terms: Weights of the loss.
        batch: Latents per step.
        steps: Of the whole training, for annealing.
        pool: Latents held at a time.
        pool_steps: Steps after which they are drawn anew.
    """

    def __init__(
        self,
        student: CompressedUNet2DConditionModel,
        teacher: StagedDenoiser,
        schedule: NoiseSchedule,
        crops: CropSource,
        codec: LatentCodec,
        contexts: Tensor | None,
        terms: FineTuningTerms,
        batch: int,
        steps: int,
        pool: int = 1024,
        pool_steps: int = 400,
    ) -> None:
        self.network: CompressedUNet2DConditionModel = student
        self._teacher, self._schedule, self._crops, self._codec = teacher.eval(), schedule, crops, codec
        self._contexts, self._terms, self._batch, self._steps = contexts, terms, batch, steps
        self._pool_size, self._pool_steps = pool, pool_steps
        self._pool: tuple[int, Tensor] | None = None

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Everything at one rate."""
        return [(1.0, list(self.network.parameters()))]

    def loss(self, step: int) -> Tensor:
        """The weighted sum of the terms."""
        pool, generator = self._latents(step), self._crops.noise_generator("fine-tuning", step)
        latents = pool[torch.randint(len(pool), (self._batch,), generator=generator).to(pool.device)]
        timesteps = stratified_timesteps(self._batch, self._schedule.horizon, generator).to(pool.device)
        noise = torch.randn(latents.shape, generator=generator).to(pool.device)
        noisy = self._schedule.noised(latents, noise, timesteps)
        context = None if self._contexts is None else self._contexts[torch.arange(self._batch) % len(self._contexts)]
        made: Features = {}
        predicted = self._drawn(generator).observed(noisy, timesteps, context, _keep(made))
        terms, fade = self._terms, self._terms.fade(step, self._steps)
        total = terms.noise * functional.mse_loss(predicted, self._schedule.target(latents, noise, timesteps))
        if fade * (terms.output + terms.features) == 0.0:
            return total
        wanted: Features = {}
        with torch.no_grad():
            told = self._teacher.observed(noisy, timesteps, context, _keep(wanted))
        total = total + fade * terms.output * functional.mse_loss(predicted, told)
        return total + fade * terms.features * feature_distance(made, wanted)

    def _drawn(self, generator: torch.Generator) -> StagedDenoiser:
        """The student, some stages filled by the teacher's blocks if that is wanted."""
        denoiser: StagedDenoiser = self.network.denoiser
        if not self._terms.substitution:
            return denoiser
        names = [stage.name for stage in denoiser.stages]
        drawn = torch.rand(len(names), generator=generator) < self._terms.substitution
        return denoiser.with_blocks(
            {
                name: self._teacher.block(name)
                for name, is_drawn in zip(names, drawn.tolist(), strict=True)
                if is_drawn
            }
        )

    def _latents(self, step: int) -> Tensor:
        number = step // self._pool_steps
        if self._pool is None or self._pool[0] != number:
            self._pool = (number, encoded(self._codec, self._crops.crops(number, self._pool_size)))
        return self._pool[1]


def feature_distance(made: Features, wanted: Features) -> Tensor:
    """Mean over the stages that ran in both of the squared distance, each relative to the teacher's mean square."""
    parts = [
        (ours - theirs).square().mean() / theirs.square().mean().clamp_min(1e-6)
        for name in sorted(made.keys() & wanted.keys())
        for ours, theirs in zip(made[name], wanted[name], strict=True)
    ]
    return torch.stack(parts).mean() if parts else torch.zeros(())


def _keep(features: Features) -> StageObserver:
    def keep(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        del inputs
        features[stage.name] = output.tensors()

    return keep
