"""Trains the U-Net to predict the noise in scaled latents of the finished autoencoder."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from nas.reference.autoencoder import PatchAutoencoderKL
from nas.reference.compute import ComputePlan
from nas.reference.networks import build_scheduler
from nas.reference.settings import CONDITIONS, Phase, PhasePlan, TeacherTraining
from nas.reference.training_data import TrainingPictures

CONDITION_DROPOUT = 0.15
SIGNAL_TO_NOISE_CAP = 5.0
BALANCE_SCALE, BALANCE_FLOOR = 0.3, 0.01
ENCODING_BATCH = 64


def encode_scaled(autoencoder: PatchAutoencoderKL, pixels: Tensor, batch: int = ENCODING_BATCH) -> Tensor:
    """Return the mean latents of `N x 3 x H x W` pixels, scaled to unit deviation, batch by batch."""
    factor = float(autoencoder.config.scaling_factor)
    with torch.no_grad():
        parts = [autoencoder.encode(part).latent_dist.mean * factor for part in torch.split(pixels, batch)]
    return torch.cat(parts)


class DenoiserTask:
    """Noise prediction with dropped conditions (Ho & Salimans 2021) on a pool of latents drawn anew now and then.

    The squared error of a timestep is weighted by `min(1, sqrt(5 / SNR))`: the square root of min-SNR weighting (Hang
    et al., ICCV 2023), because the error at small noise counts too in what is measured later. The balanced phase
    weights by `1 / (alpha + 0.01)` instead, about the inverse of the error that is left, so that large noise counts
    as much as small.

    Args:
        pictures: Training crops.
        phase: Names the random streams.
        settings: Plan, pool size and seed.
        autoencoder: Finished; never trained here.
        unet: Trained in place.
        conditions: Stored embeddings by name.
        compute: Device and precision.
    """

    def __init__(
        self,
        pictures: TrainingPictures,
        phase: Phase,
        settings: TeacherTraining,
        autoencoder: PatchAutoencoderKL,
        unet: UNet2DConditionModel,
        conditions: dict[str, Tensor],
        compute: ComputePlan,
    ) -> None:
        self._pictures = pictures
        self._phase = phase
        self._plan: PhasePlan = settings.plans[phase]
        growth = (self._plan.crop / settings.plans[Phase.DENOISER].crop) ** 2
        self._pool_size = max(self._plan.batch, int(settings.pool / growth))
        self._pool_steps = settings.pool_steps
        self._autoencoder = autoencoder.to(compute.device).eval()
        self._conditions = torch.stack([conditions[name] for name in CONDITIONS]).to(compute.device)
        self._signal = build_scheduler().alphas_cumprod.to(compute.device)
        self._compute = compute
        self._pool: tuple[int, Tensor, Tensor] | None = None
        self.network = unet.to(compute.device, memory_format=torch.channels_last)

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Train everything at one rate."""
        return [(1.0, list(self.network.parameters()))]

    def loss(self, step: int) -> Tensor:
        """Return the weighted mean squared error of the predicted noise."""
        latents, labels = self._latents(step)
        generator = self._pictures.torch_generator(self._phase.value, step)
        count = self._plan.batch
        chosen = torch.randint(len(latents), (count,), generator=generator)
        strata = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        timesteps = (strata * len(self._signal)).long().clamp_max(len(self._signal) - 1)
        noise = torch.randn((count, *latents.shape[1:]), generator=generator).to(latents.device)
        kept = torch.rand(count, generator=generator) >= CONDITION_DROPOUT
        condition = self._conditions[(labels[chosen] * kept).to(latents.device)]
        timesteps = timesteps.to(latents.device)
        signal = self._signal[timesteps][:, None, None, None]
        noisy = signal.sqrt() * latents[chosen.to(latents.device)] + (1.0 - signal).sqrt() * noise
        with self._compute.autocast() if self._compute.device.type == "cuda" else nullcontext():
            predicted = self.network(noisy.contiguous(memory_format=torch.channels_last), timesteps, condition).sample
        return torch.as_tensor((self._weight(signal) * (predicted.float() - noise).square()).mean())

    def _weight(self, signal: Tensor) -> Tensor:
        """Return the weight of a squared error, given the cumulative product of alphas."""
        if self._phase is Phase.DENOISER_BALANCED:
            return BALANCE_SCALE / (signal + BALANCE_FLOOR)
        return (SIGNAL_TO_NOISE_CAP * (1.0 - signal) / signal).sqrt().clamp_max(1.0)

    def _latents(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the pool that belongs to a step, encoding it at its first use."""
        number = step // self._pool_steps
        if self._pool is None or self._pool[0] != number:
            pixels, labels = self._pictures.crops(
                f"{self._phase.value} pool", number, self._pool_size, self._plan.crop
            )
            self._pool = (number, encode_scaled(self._autoencoder, pixels.to(self._compute.device)), labels)
        return self._pool[1], self._pool[2]
