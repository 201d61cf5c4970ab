"""How a good picture becomes a poor one: plain bicubic shrinking, or blur, noise and compression, twice over.

The second-order model is that of Real-ESRGAN (Wang et al., ICCV workshops 2021) with its published ranges. Every
draw comes from the generator that is handed in, so a pair is a function of its seed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import convolve
from scipy.special import j1

from nas.registry import Registry

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]
Degrade = Callable[[np.random.Generator, Pixels, int], Pixels]

DEGRADATIONS: Registry[Degrade] = Registry("degradation")
"""`(generator, H x W x 3, scale)` to `H/scale x W/scale x 3`; both edges have to be multiples of the scale."""

RESAMPLING = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
KERNEL_EDGES = range(7, 22, 2)
GREY_NOISE = 0.4
QUALITIES = (30, 95)


@DEGRADATIONS.register("bicubic")
def shrink(rng: np.random.Generator, pixels: Pixels, scale: int) -> Pixels:
    """Shrink by the field's usual bicubic filter: a = -0.5, widened by the scale against aliasing."""
    del rng
    return resized(pixels, pixels.shape[0] // scale, pixels.shape[1] // scale)


def enlarge(pixels: Pixels, scale: int) -> Pixels:
    """Enlarge by the bicubic filter: what every method is compared with, and where restoration begins."""
    return resized(pixels, pixels.shape[0] * scale, pixels.shape[1] * scale)


def resized(pixels: Pixels, height: int, width: int, filter: int = Image.Resampling.BICUBIC) -> Pixels:
    """A picture at another size."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling(filter)), dtype=np.uint8)


@DEGRADATIONS.register("second_order")
def degrade_twice(rng: np.random.Generator, pixels: Pixels, scale: int) -> Pixels:
    """Blur, resize, add noise and compress, twice; ringing and the last compression in either order."""
    height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
    first = _blurred(rng, pixels, sigma=(0.2, 3.0))
    first = _at_random_size(rng, first, (height * scale, width * scale), (0.2, 0.7, 0.1), (0.15, 1.5))
    first = _compressed(rng, _noisy(rng, first, gaussian=(1.0, 30.0), poisson=(0.05, 3.0)))
    second = _blurred(rng, first, sigma=(0.2, 1.5)) if rng.random() < 0.8 else first
    second = _at_random_size(rng, second, (height, width), (0.3, 0.4, 0.3), (0.3, 1.2))
    second = _noisy(rng, second, gaussian=(1.0, 25.0), poisson=(0.05, 2.5))
    if rng.random() < 0.5:
        return _compressed(rng, _ringing(rng, resized(second, height, width, _filter(rng))))
    return _ringing(rng, resized(_compressed(rng, second), height, width, _filter(rng)))


def _filter(rng: np.random.Generator) -> int:
    return RESAMPLING[int(rng.integers(len(RESAMPLING)))]


def _at_random_size(
    rng: np.random.Generator,
    pixels: Pixels,
    base: tuple[int, int],
    odds: tuple[float, float, float],
    limits: tuple[float, float],
) -> Pixels:
    """Enlarge, shrink or keep, relative to a base size."""
    direction = rng.choice(3, p=odds)
    factor = (rng.uniform(1.0, limits[1]), rng.uniform(limits[0], 1.0), 1.0)[direction]
    return resized(pixels, max(1, round(base[0] * factor)), max(1, round(base[1] * factor)), _filter(rng))


def _blurred(rng: np.random.Generator, pixels: Pixels, sigma: tuple[float, float]) -> Pixels:
    edge = KERNEL_EDGES[int(rng.integers(len(KERNEL_EDGES)))]
    if rng.random() < 0.1:
        return _filtered(pixels, sinc_kernel(edge, rng.uniform(np.pi / 3 if edge < 13 else np.pi / 5, np.pi)))
    shape = rng.choice(["gauss", "generalised", "plateau"], p=[0.70, 0.15, 0.15])
    power = {"gauss": 1.0, "generalised": rng.uniform(0.5, 4.0), "plateau": rng.uniform(1.0, 2.0)}[shape]
    across = along = rng.uniform(*sigma)
    angle = 0.0
    if rng.random() < 0.31:  # the published share of kernels that are no circles
        across, angle = rng.uniform(*sigma), rng.uniform(-np.pi, np.pi)
    return _filtered(pixels, gaussian_kernel(edge, along, across, angle, power, plateau=shape == "plateau"))


def gaussian_kernel(
    edge: int, along: float, across: float, angle: float, power: float = 1.0, *, plateau: bool = False
) -> Reals:
    """A blur of two widths, turned by an angle; its fall-off a Gaussian's, sharper or flatter by the power."""
    place = np.arange(edge) - edge // 2
    x, y = np.meshgrid(place, place)
    u, v = x * math.cos(angle) + y * math.sin(angle), -x * math.sin(angle) + y * math.cos(angle)
    distance = ((u / along) ** 2 + (v / across) ** 2) ** power
    kernel = 1.0 / (distance + 1.0) if plateau else np.exp(-0.5 * distance)
    return np.asarray(kernel / kernel.sum(), np.float32)


def sinc_kernel(edge: int, cutoff: float) -> Reals:
    """An ideal low-pass filter of circular support, cut off at the kernel's edge: it rings and overshoots."""
    place = np.arange(edge) - edge // 2
    x, y = np.meshgrid(place, place)
    radius = np.hypot(x, y)
    radius[edge // 2, edge // 2] = 1.0
    kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[edge // 2, edge // 2] = cutoff**2 / (4 * np.pi)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _ringing(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    if rng.random() >= 0.8:
        return pixels
    edge = KERNEL_EDGES[int(rng.integers(len(KERNEL_EDGES)))]
    return _filtered(pixels, sinc_kernel(edge, rng.uniform(np.pi / 3, np.pi)))


def _filtered(pixels: Pixels, kernel: Reals) -> Pixels:
    return _rounded(convolve(pixels.astype(np.float32), kernel[:, :, None], mode="reflect"))


def _noisy(
    rng: np.random.Generator, pixels: Pixels, gaussian: tuple[float, float], poisson: tuple[float, float]
) -> Pixels:
    """Noise of one strength everywhere, or of more where there is more light; grey or in every colour by itself."""
    is_grey = rng.random() < GREY_NOISE
    shape = (*pixels.shape[:2], 1 if is_grey else 3)
    if rng.random() < 0.5:
        return _rounded(pixels + rng.uniform(*gaussian) * rng.standard_normal(shape))
    light = pixels.mean(axis=2, keepdims=True) if is_grey else pixels.astype(np.float64)
    levels = 2.0 ** math.ceil(math.log2(max(2, len(np.unique(light.astype(np.uint8))))))
    shot = rng.poisson(light / 255.0 * levels) / levels * 255.0 - light
    return _rounded(pixels + rng.uniform(*poisson) * shot)


def _compressed(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(QUALITIES[0], QUALITIES[1] + 1)))
    return np.asarray(Image.open(buffer), dtype=np.uint8)


def _rounded(values: npt.NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
