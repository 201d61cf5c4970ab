"""Measures a teacher: size and cost, reconstruction against PCA, noise error against the best linear denoiser."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from nas.reference.folder import ReferenceTeacher, load_teacher
from nas.reference.gaussian_denoiser import fit_gaussian_denoiser
from nas.reference.patch_basis import PatchBasis, pixels_from_bytes
from nas.reference.pictures import CropSampler, Picture, folder_pictures
from nas.reference.settings import TeacherTraining
from nas.reference.train_unet import encode_scaled
from nas.reference.train_vae import fit_training_basis
from nas.reference.training_data import TrainingPictures

BANDS = 10
BASIS_CROP = 96
NOISE_CROP = 64
NOISE_CROPS = 256
LINEAR_FIT_CROPS = 3000
DEAD_LEAVES = 48
NETWORK_BATCH = 64


@dataclass(frozen=True)
class Reconstruction:
    """Mean-latent reconstruction of one picture, RGB PSNR in dB on the crop to multiples of the spatial factor."""

    picture: str
    teacher_db: float
    pca_db: float


@dataclass(frozen=True)
class NoiseBand:
    """Mean squared error of the predicted noise over timesteps `first` to `last`.

    Attributes:
        first: First timestep of the band.
        last: Last timestep of the band.
        teacher: Of the U-Net, told "photograph".
        unconditional: Of the U-Net, told "null".
        linear: Of the Wiener filter fitted to training latents.
    """

    first: int
    last: int
    teacher: float
    unconditional: float
    linear: float


@dataclass(frozen=True)
class NetworkCost:
    """Size of a network; MACs count one fused multiply-add as one.

    Attributes:
        parameters: Number of weights.
        macs: By fvcore (matrix products and convolutions), for the input named in `input`.
        input: What was measured.
    """

    parameters: int
    macs: int
    input: str


@dataclass(frozen=True)
class TeacherReport:
    """Everything measured about a teacher.

    Attributes:
        reconstructions: One per picture.
        teacher_db: Mean over the pictures.
        pca_db: Mean over the pictures.
        noise_bands: From little noise to much.
        costs: By name of the network.
        weight_bytes: Sum over all safetensors files.
        seconds: What the evaluation took.
    """

    reconstructions: list[Reconstruction]
    teacher_db: float
    pca_db: float
    noise_bands: list[NoiseBand]
    costs: dict[str, NetworkCost]
    weight_bytes: int
    seconds: float


def evaluate_teacher(folder: Path, reconstruction: Path, noise: Path) -> TeacherReport:
    """Measure the teacher of a folder as it was shipped.

    Args:
        folder: Teacher folder.
        reconstruction: Pictures to reconstruct whole.
        noise: Pictures whose crops are noised; must not have been trained on.

    Raises:
        NotFound: When a folder lacks what is needed; check the paths.
    """
    started = time.monotonic()
    teacher = load_teacher(folder)
    training = TrainingPictures(TeacherTraining(output=folder, dead_leaves=DEAD_LEAVES))
    basis = fit_training_basis(training, patch_edge(teacher), teacher.unet.config.in_channels, BASIS_CROP)
    pictures = folder_pictures(reconstruction)
    reconstructions = [reconstruct(teacher, basis, picture) for picture in pictures]
    measured = CropSampler(folder_pictures(noise), NOISE_CROP, jitter=False)
    crops = measured.sample(training.generator("evaluation", 0), NOISE_CROPS, NOISE_CROP)
    latents = encode_scaled(teacher.autoencoder, pixels_from_bytes(torch.from_numpy(crops)))
    seen, _ = training.crops("linear", 0, LINEAR_FIT_CROPS, NOISE_CROP)
    return TeacherReport(
        reconstructions,
        sum(entry.teacher_db for entry in reconstructions) / len(reconstructions),
        sum(entry.pca_db for entry in reconstructions) / len(reconstructions),
        noise_bands(teacher, latents, encode_scaled(teacher.autoencoder, seen)),
        network_costs(teacher),
        sum(file.stat().st_size for file in folder.rglob("*.safetensors") if ".training" not in file.parts),
        time.monotonic() - started,
    )


def patch_edge(teacher: ReferenceTeacher) -> int:
    """Return the spatial factor of the autoencoder."""
    return int(2 ** (len(teacher.autoencoder.config.block_out_channels) - 1))


def reconstruct(teacher: ReferenceTeacher, basis: PatchBasis, picture: Picture) -> Reconstruction:
    """Compare the autoencoder with the linear code on one picture; values are clipped, not rounded."""
    edge = patch_edge(teacher)
    height, width = (size // edge * edge for size in picture.pixels.shape[:2])
    pixels = pixels_from_bytes(torch.from_numpy(picture.pixels[None, :height, :width].copy()))
    with torch.no_grad():
        restored = teacher.autoencoder.decode(teacher.autoencoder.encode(pixels).latent_dist.mode()).sample
    return Reconstruction(
        picture.name, psnr_db(restored, pixels), psnr_db(basis.decode(basis.encode(pixels)), pixels)
    )


def psnr_db(restored: Tensor, pixels: Tensor) -> float:
    """Return the peak signal-to-noise ratio over all channels of pixels in [-1, 1]."""
    error = ((restored.clamp(-1.0, 1.0) - pixels) / 2.0).square().mean()
    return -10.0 * math.log10(max(float(error), 1e-12))


def noise_bands(teacher: ReferenceTeacher, latents: Tensor, training_latents: Tensor) -> list[NoiseBand]:
    """Measure the noise error on the same noisy latents for the U-Net and for the linear denoiser."""
    signal = teacher.scheduler.alphas_cumprod
    width = len(signal) // BANDS
    linear = fit_gaussian_denoiser(training_latents)
    generator = torch.Generator().manual_seed(0)
    bands = []
    for first in range(0, width * BANDS, width):
        timesteps = torch.randint(first, first + width, (len(latents),), generator=generator)
        noise = torch.randn(latents.shape, generator=generator)
        level = signal[timesteps]
        noisy = level.sqrt()[:, None, None, None] * latents + (1 - level).sqrt()[:, None, None, None] * noise
        guesses = (
            predict_noise(teacher, noisy, timesteps, "photograph"),
            predict_noise(teacher, noisy, timesteps, "null"),
            linear.predict_noise(noisy, level),
        )
        errors = [float((guess - noise).square().mean()) for guess in guesses]
        bands.append(NoiseBand(first, first + width - 1, *errors))
    return bands


def predict_noise(teacher: ReferenceTeacher, noisy: Tensor, timesteps: Tensor, condition: str) -> Tensor:
    """Run the U-Net on `B x C x h x w` with one named condition, batch by batch."""
    embedding = teacher.conditions[condition][None]
    parts = zip(torch.split(noisy, NETWORK_BATCH), torch.split(timesteps, NETWORK_BATCH), strict=True)
    with torch.no_grad():
        return torch.cat(
            [teacher.unet(part, steps, embedding.expand(len(part), -1, -1)).sample for part, steps in parts]
        )


def network_costs(teacher: ReferenceTeacher) -> dict[str, NetworkCost]:
    """Count parameters and MACs of U-Net, encoder and decoder."""
    channels = teacher.unet.config.in_channels
    condition = next(iter(teacher.conditions.values()))[None]
    costs = {}
    for edge in (16, 32):
        inputs = (torch.zeros(1, channels, edge, edge), torch.tensor([1]), condition)
        costs[f"unet_{edge}"] = _cost(teacher.unet, inputs, f"one latent of {edge} x {edge}")
    pixels = torch.zeros(1, 3, 128, 128)
    costs["encoder_128"] = _cost(teacher.autoencoder.encoder, (pixels,), "one picture of 128 x 128")
    latent = torch.zeros(1, channels, 128 // patch_edge(teacher), 128 // patch_edge(teacher))
    costs["decoder_128"] = _cost(teacher.autoencoder.decoder, (latent,), "one picture of 128 x 128")
    return costs


def _cost(network: nn.Module, inputs: tuple[Tensor, ...], described: str) -> NetworkCost:
    """Count one network."""
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    analysis = FlopCountAnalysis(network, inputs).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return NetworkCost(sum(value.numel() for value in network.parameters()), int(analysis.total()), described)
