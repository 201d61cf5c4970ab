"""Degradations: of the right size, a function of their seed, and as the field measures them."""

from __future__ import annotations

import numpy as np
import pytest

from nas.adaptation.restoration.degradation import DEGRADATIONS, enlarge, gaussian_kernel, shrink, sinc_kernel
from nas.adaptation.restoration.quality import psnr
from nas.reference.pictures import held_out_photograph

PICTURE = held_out_photograph().pixels[60:188, 120:280]


@pytest.mark.parametrize("name", DEGRADATIONS.names())
@pytest.mark.parametrize("scale", [2, 4])
def test_a_degradation_shrinks_and_is_a_function_of_its_seed(name: str, scale: int) -> None:
    degrade = DEGRADATIONS.get(name)
    first, again = (degrade(np.random.default_rng(1), PICTURE, scale) for _ in range(2))
    assert first.shape == (128 // scale, 160 // scale, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)


def test_the_second_order_differs_from_draw_to_draw_and_loses_more_than_shrinking() -> None:
    rng = np.random.default_rng(0)
    made = [DEGRADATIONS.get("second_order")(rng, PICTURE, 4) for _ in range(12)]
    assert len({one.tobytes() for one in made}) == 12
    plain = psnr(enlarge(shrink(rng, PICTURE, 4), 4), PICTURE)
    assert np.mean([psnr(enlarge(one, 4), PICTURE) for one in made]) < plain - 2.0


def test_shrinking_passes_what_is_flat_and_stops_what_would_alias() -> None:
    flat = np.full((32, 32, 3), 77, np.uint8)
    assert np.array_equal(shrink(np.random.default_rng(0), flat, 4), flat[:8, :8])
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = shrink(np.random.default_rng(0), stripes, 4)[2:-2, 2:-2].astype(int)
    assert abs(inner - 127).max() <= 3


@pytest.mark.parametrize("plateau", [False, True])
def test_kernels_keep_the_light_and_turn_with_their_angle(plateau: bool) -> None:
    lying = gaussian_kernel(15, 3.0, 1.0, 0.0, plateau=plateau)
    standing = gaussian_kernel(15, 3.0, 1.0, np.pi / 2, plateau=plateau)
    assert lying.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.allclose(lying, standing.T, atol=1e-6)
    assert lying[7, 12] > lying[12, 7]


def test_an_ideal_low_pass_rings() -> None:
    kernel = sinc_kernel(21, np.pi / 3)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert kernel.min() < 0.0
    assert kernel.max() == kernel[10, 10]
