"""Crops of photographs and dead leaves, as a pure function of (seed, phase, step)."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from nas.reference.dead_leaves import dead_leaves_pictures
from nas.reference.patch_basis import pixels_from_bytes
from nas.reference.pictures import CropSampler, bundled_photographs, folder_pictures
from nas.reference.settings import CONDITIONS, TeacherTraining

LEAVES_EDGE = 256


class TrainingPictures:
    """Draws training crops with their condition labels.

    Args:
        settings: Source folder, seed, number and share of painted pictures, crop sizes.
    """

    def __init__(self, settings: TeacherTraining) -> None:
        photographs = folder_pictures(settings.images) if settings.images else bundled_photographs()
        leaves = dead_leaves_pictures(settings.seed, settings.dead_leaves, LEAVES_EDGE, photographs)
        largest = max(plan.crop for plan in settings.plans.values())
        self._seed = settings.seed
        self._share = settings.dead_leaves_share if leaves else 0.0
        self._photographs = CropSampler(photographs, largest)
        self._leaves = CropSampler(leaves, largest) if leaves else None

    def generator(self, purpose: str, step: int) -> np.random.Generator:
        """Return the generator of one purpose at one step."""
        return np.random.default_rng((self._seed, zlib.crc32(purpose.encode()), step))

    def torch_generator(self, purpose: str, step: int) -> torch.Generator:
        """Return the tensor generator of one purpose at one step."""
        seed = int(self.generator(purpose, step).integers(2**62))
        return torch.Generator().manual_seed(seed)

    def photographs(self, purpose: str, count: int, size: int) -> Tensor:
        """Return pixels `count x 3 x size x size` in [-1, 1] of photographs only."""
        return pixels_from_bytes(torch.from_numpy(self._photographs.sample(self.generator(purpose, 0), count, size)))

    def crops(self, purpose: str, step: int, count: int, size: int) -> tuple[Tensor, Tensor]:
        """Return pixels `count x 3 x size x size` in [-1, 1] and labels `count` into `CONDITIONS`.

        Photographs come first, then the painted share.
        """
        rng = self.generator(purpose, step)
        painted = round(count * self._share)
        parts = [self._photographs.sample(rng, count - painted, size)]
        if self._leaves is not None and painted:
            parts.append(self._leaves.sample(rng, painted, size))
        labels = torch.full((count,), CONDITIONS.index("photograph"))
        labels[count - painted :] = CONDITIONS.index("dead-leaves")
        return pixels_from_bytes(torch.from_numpy(np.concatenate(parts))), labels
