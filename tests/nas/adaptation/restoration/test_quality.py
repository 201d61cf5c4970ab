"""Quality by the formulas of the literature."""

from __future__ import annotations

import numpy as np
import pytest

from nas.adaptation.restoration.quality import luminance, psnr, quality
from nas.errors import EvaluationError

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8)


def test_equal_pictures_are_perfect() -> None:
    found = quality(PICTURE, PICTURE, 4)
    assert (found.psnr_y, found.psnr_rgb) == (float("inf"), float("inf"))
    assert (found.ssim_y, found.ssim_rgb) == (pytest.approx(1.0), pytest.approx(1.0))


def test_one_level_off_everywhere_is_48_decibels() -> None:
    dark = np.full((32, 32, 3), 100, np.uint8)
    found = quality(dark + 1, dark, 4)
    assert found.psnr_rgb == pytest.approx(20 * np.log10(255.0))
    # one level of all colours is 219 / 255 levels of luminance
    assert found.psnr_y == pytest.approx(20 * np.log10(255.0 * 255.0 / 219.0))


def test_luminance_has_the_studio_range() -> None:
    black, white = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)
    assert luminance(black)[0, 0] == pytest.approx(16.0)
    assert luminance(white)[0, 0] == pytest.approx(235.0)
    green = np.array([[[0, 255, 0]]], np.uint8)
    assert luminance(green)[0, 0] == pytest.approx(16.0 + 128.553)


def test_what_happens_at_the_border_does_not_count() -> None:
    spoilt = PICTURE.copy()
    spoilt[:4] = spoilt[-4:] = 0
    spoilt[:, :4] = spoilt[:, -4:] = 0
    assert quality(spoilt, PICTURE, 4).psnr_rgb == float("inf")
    assert quality(spoilt, PICTURE, 3).psnr_rgb < 60.0
    assert quality(spoilt, PICTURE, 0).psnr_rgb == pytest.approx(psnr(spoilt, PICTURE))


def test_noise_costs_similarity() -> None:
    smooth = np.repeat(np.linspace(0, 255, 48)[None, :, None], 3, 2).repeat(40, 0).astype(np.uint8)
    noisy = np.clip(smooth + RNG.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)
    found = quality(noisy, smooth, 2)
    assert 0.0 < found.ssim_y < 0.8
    assert 20.0 < found.psnr_rgb < 25.0


def test_pictures_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(EvaluationError, match="differ in size"):
        quality(PICTURE, PICTURE[1:], 4)
    with pytest.raises(EvaluationError, match="11 x 11"):
        quality(PICTURE[:18], PICTURE[:18], 4)
