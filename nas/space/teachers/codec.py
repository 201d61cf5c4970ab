"""Pixels to the latents a denoiser works on, and back: the one place where scaling and shift are applied."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Pictures = npt.NDArray[np.uint8]


def from_bytes(pictures: Pictures) -> Tensor:
    """`B x H x W x 3` bytes to `B x 3 x H x W` in [-1, 1]."""
    return torch.tensor(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def to_bytes(pixels: Tensor) -> Pictures:
    """`B x 3 x H x W` in [-1, 1] to `B x H x W x 3` bytes; what lies outside is clipped."""
    scaled = ((pixels.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return np.asarray(scaled.permute(0, 2, 3, 1).cpu().numpy())


class LatentCodec:
    """A VAE as its denoiser sees it.

    Args:
        vae: diffusers' `AutoencoderKL` or one of its kind.
    """

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        self._scale = float(vae.config.scaling_factor)
        self._shift = float(getattr(vae.config, "shift_factor", None) or 0.0)

    @property
    def factor(self) -> int:
        """Edge in pixels of the square that one latent pixel stands for."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return int(self.vae.config.latent_channels)

    def encode(self, pixels: Tensor) -> Tensor:
        """`B x 3 x H x W` to the most probable latents, `B x C x H/f x W/f`, scaled. Differentiable."""
        parameter = next(self.vae.parameters())
        latents: Tensor = self.vae.encode(pixels.to(parameter.device, parameter.dtype)).latent_dist.mode().float()
        return (latents - self._shift) * self._scale

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents to pixels, nominally in [-1, 1]. Differentiable."""
        parameter = next(self.vae.parameters())
        plain = (latents / self._scale + self._shift).to(parameter.device, parameter.dtype)
        pixels: Tensor = self.vae.decode(plain).sample
        return pixels.float()
