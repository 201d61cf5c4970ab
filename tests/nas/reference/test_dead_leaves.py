"""Dead leaves: the size law, determinism, and statistics that natural images share."""

from __future__ import annotations

import numpy as np
import pytest

from nas.reference.dead_leaves import LeafLaw, dead_leaves, dead_leaves_pictures, draw_radii
from nas.reference.pictures import CropSampler, Picture, bundled_photographs, held_out_photograph


@pytest.fixture(scope="module")
def photographs() -> list[Picture]:
    return bundled_photographs()


def test_radii_follow_the_power_law() -> None:
    law = LeafLaw(smallest_radius=2.0, largest_radius=200.0, exponent=3.0)
    radii = draw_radii(np.random.default_rng(0), 200_000, law)
    assert radii.min() >= 2.0
    assert radii.max() <= 200.0
    # For p(r) ~ r^-3 the share above r falls as r^-2: a quarter survives each doubling.
    assert np.mean(radii > 4.0) == pytest.approx(0.25, abs=0.01)
    assert np.mean(radii > 8.0) == pytest.approx(0.0625, abs=0.005)


def test_the_same_seed_paints_the_same_picture(photographs: list[Picture]) -> None:
    first, again, other = (dead_leaves(np.random.default_rng(seed), 64, photographs) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_depends_on_its_number_and_not_on_how_many_are_painted(photographs: list[Picture]) -> None:
    few, more = (dead_leaves_pictures(7, count, 48, photographs) for count in (1, 2))
    assert np.array_equal(few[0].pixels, more[0].pixels)


def test_neighbouring_pixels_differ_rarely_but_then_strongly(photographs: list[Picture]) -> None:
    pictures = dead_leaves_pictures(0, 4, 128, photographs)
    steps = np.concatenate([np.diff(picture.pixels.astype(float).mean(axis=2)).ravel() for picture in pictures])
    kurtosis = np.mean(steps**4) / np.mean(steps**2) ** 2
    assert kurtosis > 6.0  # a Gaussian field has 3, photographs about 10 to 20


def test_leaves_larger_than_a_photograph_are_still_painted() -> None:
    small = [Picture("small", np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8))]
    assert dead_leaves(np.random.default_rng(0), 96, small).shape == (96, 96, 3)


def test_the_held_out_photograph_is_not_trained_on(photographs: list[Picture]) -> None:
    assert held_out_photograph().name not in {picture.name for picture in photographs}


def test_the_same_generator_cuts_the_same_crops(photographs: list[Picture]) -> None:
    sampler = CropSampler(photographs, 64)
    first, again = (sampler.sample(np.random.default_rng(1), 4, 64) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (4, 64, 64, 3)
