"""Trains the autoencoder: closed-form PCA first, then L1 on the pixels with a very small Kullback-Leibler term."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.reference.autoencoder import INITIAL_LOG_VARIANCE, PatchAutoencoderKL
from nas.reference.compute import ComputePlan
from nas.reference.networks import build_autoencoder
from nas.reference.patch_basis import PatchBasis, fit_patch_basis
from nas.reference.settings import Phase, PhasePlan, TeacherShape
from nas.reference.training_data import TrainingPictures

DIVERGENCE_WEIGHT = 1e-6
BASIS_CROPS = 1500
LOG_VARIANCE_RANGE = (INITIAL_LOG_VARIANCE, 20.0)
"""The floor keeps the encoder from hiding detail below the noise a denoiser leaves behind."""
PATCH_RATE = 0.03
"""Rate of the closed-form filters relative to the network's: they are the optimum already and only follow."""


def fit_training_basis(pictures: TrainingPictures, patch: int, components: int, crop: int) -> PatchBasis:
    """Fit the PCA to crops of the training photographs."""
    return fit_patch_basis(pictures.photographs("basis", BASIS_CROPS, crop), patch, components)


class AutoencoderTask:
    """Reconstruction from a sampled latent.

    Args:
        pictures: Training crops.
        plan: Batch and crop size.
        shape: Widths.
        compute: Device and precision; only the corrections run in half precision.
        seed: Initial weights.
    """

    def __init__(
        self, pictures: TrainingPictures, plan: PhasePlan, shape: TeacherShape, compute: ComputePlan, seed: int
    ) -> None:
        self._pictures = pictures
        self._plan = plan
        self._compute = compute
        torch.manual_seed(seed)
        self.network: PatchAutoencoderKL = build_autoencoder(shape)
        self.network.start_from(fit_training_basis(pictures, shape.spatial_factor, shape.latent_channels, plan.crop))
        self.network.to(compute.device)

    def parameter_groups(self) -> list[tuple[float, list[torch.nn.Parameter]]]:
        """Train the closed-form filters more slowly than the network."""
        named = list(self.network.named_parameters())
        return [
            (1.0, [value for name, value in named if ".patch_" not in name]),
            (PATCH_RATE, [value for name, value in named if ".patch_" in name]),
        ]

    def loss(self, step: int) -> Tensor:
        """Return mean absolute error in units of [-1, 1] plus the weighted divergence."""
        name = Phase.AUTOENCODER.value
        pixels, _ = self._pictures.crops(name, step, self._plan.batch, self._plan.crop)
        pixels = pixels.to(self._compute.device)
        encoder, decoder = self.network.encoder, self.network.decoder
        with self._compute.autocast():
            correction = encoder.correction(pixels)
        mean, log_variance = encoder.with_patches(pixels, correction.float()).chunk(2, dim=1)
        log_variance = log_variance.clamp(*LOG_VARIANCE_RANGE)
        noise = torch.randn(mean.shape, generator=self._pictures.torch_generator(name, step))
        latent = mean + noise.to(mean.device) * (0.5 * log_variance).exp()
        with self._compute.autocast():
            correction = decoder.correction(latent)
        restored = decoder.with_patches(latent, correction.float())
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        return (restored - pixels).abs().mean() + DIVERGENCE_WEIGHT * divergence


def set_scaling_factor(autoencoder: PatchAutoencoderKL, pixels: Tensor) -> None:
    """Make scaled latents of the given pixels have unit standard deviation over all channels."""
    with torch.no_grad():
        deviation = float(autoencoder.encode(pixels).latent_dist.mean.std())
    autoencoder.register_to_config(scaling_factor=round(1.0 / deviation, 6))
