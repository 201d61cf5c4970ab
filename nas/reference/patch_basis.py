"""The best linear code of image patches in closed form: PCA, whitened.

It is both the start of the autoencoder and the yardstick that the trained autoencoder must beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Pixels = Tensor
"""`B x 3 x H x W` in [-1, 1]."""


@dataclass(frozen=True)
class PatchBasis:
    """Analysis and synthesis filters of a whitened PCA.

    Attributes:
        analysis: `C x 3 x f x f`; the weight of a convolution with stride f.
        analysis_bias: `C`; subtracts the mean patch.
        synthesis: `C x 3 x f x f`; the weight of a transposed convolution with stride f.
        mean: `3`; the mean colour, used as the bias of the synthesis. The mean patch is taken to be flat.
    """

    analysis: Tensor
    analysis_bias: Tensor
    synthesis: Tensor
    mean: Tensor

    def encode(self, pixels: Pixels) -> Tensor:
        """Return the code, `B x C x H/f x W/f`, of unit variance on the fitted pictures."""
        return functional.conv2d(pixels, self.analysis, self.analysis_bias, stride=self.analysis.shape[-1])

    def decode(self, code: Tensor) -> Pixels:
        """Return the best linear reconstruction."""
        return functional.conv_transpose2d(code, self.synthesis, self.mean, stride=self.synthesis.shape[-1])


def fit_patch_basis(pixels: Pixels, patch: int, components: int) -> PatchBasis:
    """Fit the basis to every non-overlapping patch.

    Args:
        pixels: `B x 3 x H x W` in [-1, 1]; edges are multiples of `patch`.
        patch: Edge f of a patch, in pixels.
        components: Number C of principal components, at most `3 f f`.
    """
    channels = pixels.shape[1]
    mean = pixels.mean(dim=(0, 2, 3)).double()
    centred = pixels.double() - mean[:, None, None]
    rows = functional.unfold(centred, patch, stride=patch).transpose(1, 2).reshape(-1, channels * patch**2)
    variances, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
    order = variances.argsort(descending=True)[:components]
    deviations = variances[order].clamp_min(1e-12).sqrt()
    basis = vectors[:, order].T.reshape(components, channels, patch, patch)
    basis = basis * torch.where(basis.sum(dim=(1, 2, 3), keepdim=True) < 0, -1.0, 1.0)
    analysis = basis / deviations[:, None, None, None]
    bias = -(analysis.sum(dim=(2, 3)) @ mean)
    synthesis = basis * deviations[:, None, None, None]
    return PatchBasis(analysis.float(), bias.float(), synthesis.float(), mean.float())


def pixels_from_bytes(crops: Tensor) -> Pixels:
    """Map `B x H x W x 3` bytes to `B x 3 x H x W` in [-1, 1]."""
    return crops.permute(0, 3, 1, 2).float() / 127.5 - 1.0
