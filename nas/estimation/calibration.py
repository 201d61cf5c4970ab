"""The noisy latents on which features are captured and fidelity is judged.

Every sample has a random stream of its own, derived from (seed, split, number): a larger calibration begins with
the smaller one's timesteps and noises, and the hold-out split does not move when the other one grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.domain.teacher import Calibration
from nas.errors import EvaluationError, Fault, SpecError
from nas.reference.dead_leaves import dead_leaves_pictures
from nas.reference.pictures import (
    PICTURE_SUFFIXES,
    CropSampler,
    Picture,
    PixelArray,
    bundled_photographs,
    held_out_photograph,
    read_picture,
)
from nas.space.teachers.codec import LatentCodec, from_bytes
from nas.space.teachers.load import LoadedTeacher, condition

SAMPLES, HOLDOUT = 0, 1
"""The two splits: rows `[0, samples)` and the rows after them."""
ENCODER_CHUNK = 8
LEAF_PICTURES = 4
LEAF_EDGE = 192
HOLDOUT_PHOTOGRAPHS = frozenset({"coffee", "flower"})
"""Bundled photographs on which no block is distilled, so that candidates are judged on pictures new to them."""
HOLDOUT_SHARE = 4
"""One picture in so many of a user's folder is kept for the hold-out split."""


@dataclass(frozen=True)
class NoisyLatents:
    """Inputs of the teacher, distillation samples first, hold-out after them.

    Attributes:
        sample: `N x C x H x W`, float32, as the teacher's scheduler noises them.
        timestep: `N`, int64.
        context: `N x L x D`, or `1 x L x D` when all samples share it, or None.
        samples: Number of distillation samples among the `N`.
        bands: Number of timestep bands; sample `i` of a split lies in band `i mod bands`, band 0 being the one
            with the smallest timesteps.
    """

    sample: Tensor
    timestep: Tensor
    context: Tensor | None
    samples: int
    bands: int


def noisy_latents(teacher: LoadedTeacher, calibration: Calibration) -> NoisyLatents:
    """Make the calibration's noisy latents. The same teacher and calibration give the same tensors.

    Raises:
        SpecError: If the calibration does not fit the teacher (no VAE, no picture); change the calibration.
        EvaluationError: If the teacher's scheduler cannot add noise or the VAE gives something not finite.
    """
    shape = latent_shape(teacher, calibration)
    counts = {SAMPLES: calibration.samples, HOLDOUT: calibration.holdout}
    clean = torch.cat([clean_latents(teacher, calibration, split, count, shape) for split, count in counts.items()])
    pairs = [_noise_and_position(calibration.seed, split, i, shape) for split in counts for i in range(counts[split])]
    bands = [i % calibration.bands for count in counts.values() for i in range(count)]
    horizon = int(teacher.scheduler.config.num_train_timesteps)
    positions = [(band + jitter) / calibration.bands for band, (_, jitter) in zip(bands, pairs, strict=True)]
    timestep = torch.tensor([min(int(position * horizon), horizon - 1) for position in positions])
    noise = torch.from_numpy(np.stack([noise for noise, _ in pairs]))
    if not hasattr(teacher.scheduler, "add_noise"):
        raise EvaluationError(f"The scheduler {type(teacher.scheduler).__name__} cannot add noise.")
    sample = teacher.scheduler.add_noise(clean, noise, timestep).float()
    if not bool(torch.isfinite(sample).all()):
        raise EvaluationError("The noisy latents are not finite.", "Check the teacher's VAE and its scaling factor.")
    context = condition(teacher, calibration.conditioning, len(timestep))
    if bool((context == context[:1]).all()):
        context = context[:1].clone()
    return NoisyLatents(sample, timestep, context, calibration.samples, calibration.bands)


def latent_shape(teacher: LoadedTeacher, calibration: Calibration) -> tuple[int, int, int]:
    """`(C, H, W)` of one latent."""
    edge = calibration.latent_size or teacher.sample_size
    return teacher.latent_channels, edge, edge


def clean_latents(
    teacher: LoadedTeacher, calibration: Calibration, split: int, count: int, shape: tuple[int, int, int]
) -> Tensor:
    """Latents before noise, `count x C x H x W`, scaled as the denoiser expects them."""
    if calibration.source == "gaussian":
        streams = [_stream(calibration.seed, split, i, 2) for i in range(count)]
        return torch.from_numpy(np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams]))
    if teacher.vae is None:
        fault = Fault("/calibration/source", "the teacher comes without a VAE that could encode pictures", "gaussian")
        raise SpecError((fault,))
    codec = LatentCodec(teacher.vae)
    crops = _crops(calibration, split, count, shape[1] * codec.factor)
    with torch.no_grad():
        return torch.cat([codec.encode(from_bytes(chunk)).cpu() for chunk in _chunks(crops)])


def _chunks(crops: PixelArray) -> Iterator[PixelArray]:
    for start in range(0, len(crops), ENCODER_CHUNK):
        yield crops[start : start + ENCODER_CHUNK]


def _crops(calibration: Calibration, split: int, count: int, edge: int) -> PixelArray:
    """`count x edge x edge x 3` crops of pictures that belong to one split alone."""
    if calibration.source == "reference":
        sampler = CropSampler(reference_pictures(calibration.seed, split), largest_crop=edge, jitter=False)
        return sampler.sample(_stream(calibration.seed, split, 0, 3), count, edge)
    paths = _split_of_folder(Path(calibration.path), split)
    crops = np.empty((count, edge, edge, 3), dtype=np.uint8)
    for i in range(count):
        sampler = CropSampler([read_picture(paths[i % len(paths)])], largest_crop=edge, jitter=False)
        crops[i] = sampler.sample(_stream(calibration.seed, split, i, 3), 1, edge)[0]
    return crops


def reference_pictures(seed: int, split: int) -> list[Picture]:
    """Photographs and dead leaves of one split; the other split has other photographs and other leaves."""
    photographs = bundled_photographs()
    if split == HOLDOUT:
        chosen = [held_out_photograph(), *(p for p in photographs if p.name in HOLDOUT_PHOTOGRAPHS)]
    else:
        chosen = [p for p in photographs if p.name not in HOLDOUT_PHOTOGRAPHS]
    return [*chosen, *dead_leaves_pictures(2 * seed + split, LEAF_PICTURES, LEAF_EDGE, chosen)]


def _split_of_folder(folder: Path, split: int) -> Sequence[Path]:
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if len(paths) < 2:
        reason = f"holds {len(paths)} pictures, two are the least: candidates are judged on pictures new to them"
        raise SpecError((Fault("/calibration/path", reason),))
    if len(paths) < HOLDOUT_SHARE:
        return paths[-1:] if split == HOLDOUT else paths[:-1]
    return [path for i, path in enumerate(paths) if (i % HOLDOUT_SHARE == HOLDOUT_SHARE - 1) == (split == HOLDOUT)]


def _noise_and_position(
    seed: int, split: int, number: int, shape: tuple[int, int, int]
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], float]:
    """Noise of one sample, and where in its timestep band it falls (0 to 1)."""
    stream = _stream(seed, split, number, 1)
    position = float(stream.random())
    return stream.standard_normal(shape, dtype=np.float32), position


def _stream(seed: int, split: int, number: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng((seed, split, number, purpose))
