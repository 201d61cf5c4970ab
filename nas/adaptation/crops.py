"""Crops to train on after the search, from any folder of pictures or from what comes with the packages."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.reference.dead_leaves import dead_leaves_pictures
from nas.reference.pictures import CropSampler, Picture, bundled_photographs, folder_pictures
from nas.space.teachers.codec import LatentCodec, Pictures, from_bytes

ENCODER_BATCH = 32
LEAVES, LEAVES_EDGE, LEAVES_SHARE = 64, 256, 0.25


class CropSource:
    """Draws crops; a pool of them is a function of the seed and its number.

    Args:
        crop: Edge in pixels.
        folder: Pictures to learn from; None for the bundled photographs and a quarter of dead leaves.
        seed: Of every draw.

    Raises:
        NotFound: If no picture is there, or none is as large as a crop.
    """

    def __init__(self, crop: int, folder: Path | None = None, seed: int = 0) -> None:
        self.crop, self.seed = crop, seed
        photographs: Sequence[Picture] = folder_pictures(folder) if folder else bundled_photographs()
        self._photographs = CropSampler(photographs, crop)
        leaves = [] if folder else dead_leaves_pictures(seed, LEAVES, max(LEAVES_EDGE, crop), photographs)
        self._leaves = CropSampler(leaves, crop) if leaves else None

    def generator(self, purpose: str, number: int) -> np.random.Generator:
        """The random stream of one purpose at one step."""
        return np.random.default_rng((self.seed, zlib.crc32(purpose.encode()), number))

    def noise_generator(self, purpose: str, number: int) -> torch.Generator:
        """The same for tensors."""
        return torch.Generator().manual_seed(int(self.generator(purpose, number).integers(2**62)))

    def crops(self, number: int, count: int) -> Pictures:
        """`count x H x W x 3` crops, photographs first."""
        rng = self.generator("crops", number)
        painted = round(count * LEAVES_SHARE) if self._leaves is not None else 0
        crops: Pictures = self._photographs.sample(rng, count - painted, self.crop)
        if self._leaves is not None and painted:
            crops = np.concatenate((crops, self._leaves.sample(rng, painted, self.crop)))
        return crops


@torch.no_grad()
def encoded(codec: LatentCodec, crops: Pictures) -> Tensor:
    """Latents of many crops, a few at a time."""
    parts = [crops[first : first + ENCODER_BATCH] for first in range(0, len(crops), ENCODER_BATCH)]
    return torch.cat([codec.encode(from_bytes(part)) for part in parts])


def stratified_timesteps(batch: int, horizon: int, generator: torch.Generator) -> Tensor:
    """One timestep from each of `batch` equal parts of the schedule: no noise level is left to luck."""
    strata = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
    return (strata * horizon).long().clamp_max(horizon - 1)
