"""Pictures of a teacher for its documentation: samples, reconstructions, the noise error per band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nas.reference.evaluate import BASIS_CROP, NoiseBand, TeacherReport, patch_edge
from nas.reference.folder import ReferenceTeacher, load_teacher
from nas.reference.patch_basis import PatchBasis, pixels_from_bytes
from nas.reference.pictures import Picture, PixelArray, held_out_photograph
from nas.reference.settings import TeacherTraining
from nas.reference.train_vae import fit_training_basis
from nas.reference.training_data import TrainingPictures

GAP = 4


def sample_pixels(teacher: ReferenceTeacher, condition: str, count: int, edge: int, steps: int, seed: int) -> Tensor:
    """Draw pictures by deterministic DDIM (Song, Meng & Ermon, ICLR 2021), without guidance.

    Returns:
        `count x 3 x edge x edge`, nominally in [-1, 1].
    """
    size = edge // patch_edge(teacher)
    channels = teacher.unet.config.in_channels
    latents = torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))
    embedding = teacher.conditions[condition][None].expand(count, -1, -1)
    teacher.scheduler.set_timesteps(steps)
    with torch.no_grad():
        for timestep in teacher.scheduler.timesteps:
            noise = teacher.unet(latents, timestep, embedding).sample
            latents = teacher.scheduler.step(noise, timestep, latents).prev_sample
        return torch.as_tensor(teacher.autoencoder.decode(latents / teacher.autoencoder.config.scaling_factor).sample)


def bytes_from_pixels(pixels: Tensor) -> PixelArray:
    """Map `B x 3 x H x W` in [-1, 1] to `B x H x W x 3` bytes."""
    scaled = ((pixels.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return np.asarray(scaled.permute(0, 2, 3, 1).numpy())


def tile(pictures: Sequence[PixelArray], columns: int) -> PixelArray:
    """Lay pictures of one size out in rows, with white gaps."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        top, left = row * (height + GAP) + GAP, column * (width + GAP) + GAP
        sheet[top : top + height, left : left + width] = picture
    return sheet


def write_sample_sheet(teacher: ReferenceTeacher, file: Path, edge: int, columns: int, seed: int = 0) -> None:
    """Write one row of samples per condition `photograph` and `dead-leaves`, 50 DDIM steps."""
    rows = [
        picture
        for condition in ("photograph", "dead-leaves")
        for picture in bytes_from_pixels(sample_pixels(teacher, condition, columns, edge, 50, seed))
    ]
    Image.fromarray(tile(rows, columns)).save(file)


def write_reconstruction_sheet(teacher: ReferenceTeacher, basis: PatchBasis, picture: Picture, file: Path) -> None:
    """Write original, linear code and autoencoder side by side, and their errors eight times enlarged."""
    edge = patch_edge(teacher)
    height, width = (size // edge * edge for size in picture.pixels.shape[:2])
    pixels = pixels_from_bytes(torch.from_numpy(picture.pixels[None, :height, :width].copy()))
    with torch.no_grad():
        learned = teacher.autoencoder.decode(teacher.autoencoder.encode(pixels).latent_dist.mode()).sample
    linear = basis.decode(basis.encode(pixels))
    shown = [pixels, linear, learned, torch.zeros_like(pixels), (linear - pixels) * 8, (learned - pixels) * 8]
    Image.fromarray(tile([bytes_from_pixels(part)[0] for part in shown], 3)).save(file, quality=88)


def write_band_chart(bands: Sequence[NoiseBand], file: Path) -> None:
    """Draw the noise error of the teacher and of the linear denoisers over the timestep."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    middle = [0.5 * (band.first + band.last) for band in bands]
    axes.plot(middle, [band.linear for band in bands], "s--", color="#777777", label="best linear denoiser")
    axes.plot(middle, [band.teacher for band in bands], "o-", color="#c2410c", label="reference teacher")
    axes.set(xlabel="timestep", ylabel="mean squared error of the noise", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    figure.savefig(file)


def write_sheets(folder: Path, report: TeacherReport, output: Path) -> None:
    """Write every picture of the documentation page."""
    output.mkdir(parents=True, exist_ok=True)
    teacher = load_teacher(folder)
    pictures = TrainingPictures(TeacherTraining(output=folder, dead_leaves=0))
    basis = fit_training_basis(pictures, patch_edge(teacher), teacher.unet.config.in_channels, BASIS_CROP)
    write_sample_sheet(teacher, output / "reference-samples-64.png", 64, columns=10)
    write_sample_sheet(teacher, output / "reference-samples-128.png", 128, columns=4)
    write_reconstruction_sheet(teacher, basis, held_out_photograph(), output / "reference-reconstruction.jpg")
    write_band_chart(report.noise_bands, output / "reference-noise-bands.png")
