"""Pairs to learn from: crops of good pictures, and what a degradation makes of them, both as latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from nas.adaptation.crops import CropSource, encoded
from nas.adaptation.restoration.degradation import DEGRADATIONS, enlarge
from nas.space.teachers.codec import LatentCodec, Pictures


@dataclass(frozen=True)
class Pairs:
    """Good and poor of the same places.

    Attributes:
        truth: Latents of the good crops, `N x C x H x W`.
        guide: Latents of the poor crops, enlarged to the same size.
        pixels: The good crops, `N x fH x fW x 3`.
    """

    truth: Tensor
    guide: Tensor
    pixels: Pictures


class PairSource:
    """Draws pairs; a pool is a function of the crops' seed and its number.

    Args:
        crops: Good pictures; their edge is a multiple of the scale and of the codec's factor.
        codec: Makes latents.
        scale: How many times smaller a poor picture is.
        degradation: Name of what makes it poor.
    """

    def __init__(self, crops: CropSource, codec: LatentCodec, scale: int, degradation: str) -> None:
        self.crops, self.codec, self.scale = crops, codec, scale
        self._degrade = DEGRADATIONS.get(degradation)

    def pool(self, number: int, count: int) -> Pairs:
        """`count` pairs."""
        good = self.crops.crops(number, count)
        rng = self.crops.generator("degradation", number)
        poor = np.stack([enlarge(self._degrade(rng, crop, self.scale), self.scale) for crop in good])
        return Pairs(encoded(self.codec, good), encoded(self.codec, poor), good)
