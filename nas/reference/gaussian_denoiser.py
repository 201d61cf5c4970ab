"""The best linear denoiser of latents: the yardstick for the teacher's noise prediction.

Latents are modelled as a stationary Gaussian field. Its autocovariance, between all 16 channels and for all lags that
fit into a window, is estimated from training latents; the covariance of a whole window follows, and the Wiener filter
of the window is the best linear estimate under that model. It sees every pixel of the window and treats its border
exactly; what it cannot do is adapt to what it sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FIT_BATCH = 256


@dataclass(frozen=True)
class GaussianDenoiser:
    """Wiener filter of one window size, for every noise level.

    Attributes:
        mean: `C`.
        directions: `D x D` with `D = C h w`; eigenvectors of the window covariance in columns.
        variances: `D`; eigenvalues, none negative.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor

    def predict_noise(self, noisy: Tensor, signal: Tensor) -> Tensor:
        """Predict the noise in `sqrt(signal) x + sqrt(1 - signal) noise`.

        Args:
            noisy: `B x C x h x w`, windows of the fitted size.
            signal: `B`; the cumulative product of alphas of each sample, in (0, 1).
        """
        level = signal[:, None]
        mean = self.mean[:, None, None] * signal.sqrt()[:, None, None, None]
        rotated = (noisy - mean).flatten(1) @ self.directions
        expected = (1.0 - level).sqrt() / (level * self.variances + 1.0 - level) * rotated
        return (expected @ self.directions.T).view_as(noisy)


def fit_gaussian_denoiser(latents: Tensor) -> GaussianDenoiser:
    """Fit to scaled latents `N x C x h x w`; windows of the same size are denoised."""
    count, channels, height, width = latents.shape
    mean = latents.mean(dim=(0, 2, 3))
    spectrum = torch.zeros(2 * height, 2 * width, channels, channels, dtype=torch.complex128)
    for part in torch.split((latents - mean[:, None, None]).double(), FIT_BATCH):
        transform = torch.fft.fft2(part, s=(2 * height, 2 * width)).permute(2, 3, 1, 0)
        spectrum += transform @ transform.conj().transpose(-1, -2)
    lagged = torch.fft.ifft2(spectrum.permute(2, 3, 0, 1)).real
    down, across = _lags(height), _lags(width)
    pairs = (height - _distance(height)).clamp_min(1)[:, None] * (width - _distance(width)).clamp_min(1)[None, :]
    autocovariance = lagged / (count * pairs)
    rows = down[:, None, :, None].expand(height, width, height, width)
    columns = across[None, :, None, :].expand(height, width, height, width)
    window = autocovariance[:, :, rows, columns].permute(0, 2, 3, 1, 4, 5)
    covariance = window.reshape(channels * height * width, -1)
    covariance = (0.5 * (covariance + covariance.T)).float()
    variances, directions = torch.linalg.eigh(covariance)
    return GaussianDenoiser(mean, directions, variances.clamp_min(0.0))


def _lags(edge: int) -> Tensor:
    """Return `edge x edge` indices of position differences into a circular axis of twice the length."""
    place = torch.arange(edge)
    return (place[:, None] - place[None, :]) % (2 * edge)


def _distance(edge: int) -> Tensor:
    """Return how many pixels apart two places are for every index of the circular axis."""
    index = torch.arange(2 * edge)
    return torch.minimum(index, 2 * edge - index)
