"""Full-reference quality as the super-resolution literature measures it: borders cut, on luminance and on colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.errors import EvaluationError

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]

_LUMINANCE = (65.481, 128.553, 24.966)
"""ITU-R BT.601 in the studio range 16 to 235, as MATLAB's `rgb2ycbcr` has it."""
_GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
"""The window of Wang et al. (IEEE TIP 2004): 11 x 11, sigma 1.5."""


@dataclass(frozen=True)
class Quality:
    """How near a picture is to the truth. Larger is better.

    Attributes:
        psnr_y: Peak signal-to-noise ratio of the luminance in dB.
        ssim_y: Structural similarity of the luminance.
        psnr_rgb: The same over three colours.
        ssim_rgb: Mean of the three colours.
    """

    psnr_y: float
    ssim_y: float
    psnr_rgb: float
    ssim_rgb: float


def quality(restored: Pixels, truth: Pixels, border: int) -> Quality:
    """Compare a restored picture with the truth.

    Args:
        restored: `H x W x 3`, 0 to 255.
        truth: The same size.
        border: Pixels cut from every edge: the scale, by custom.

    Raises:
        EvaluationError: If the sizes differ or nothing is left for a window of 11 x 11.
    """
    if restored.shape != truth.shape:
        raise EvaluationError(f"The pictures differ in size: {restored.shape} and {truth.shape}.")
    inner = slice(border, -border or None)
    restored, truth = restored[inner, inner], truth[inner, inner]
    if min(truth.shape[:2]) < 11:
        raise EvaluationError("Less than 11 x 11 pixels are left without the border.", "Take larger pictures.")
    grey, true_grey = luminance(restored), luminance(truth)
    return Quality(
        psnr(grey, true_grey), _ssim(grey, true_grey), psnr(restored, truth), _ssim(restored, truth, channel_axis=2)
    )


def luminance(pixels: Pixels) -> Reals:
    """Luminance, `H x W`, 16 to 235."""
    return np.asarray(16.0 + pixels.astype(np.float64) @ np.asarray(_LUMINANCE) / 255.0)


def psnr(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> float:
    """Peak signal-to-noise ratio in dB with a peak of 255; infinite for equal pictures."""
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return float("inf") if error == 0.0 else float(10.0 * np.log10(255.0**2 / error))


def _ssim(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic], channel_axis: int | None = None) -> float:
    from skimage.metrics import structural_similarity

    return float(structural_similarity(one, other, data_range=255.0, channel_axis=channel_axis, **_GAUSSIAN))
