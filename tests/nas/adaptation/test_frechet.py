"""The Fréchet distance by its definition, and of networks by their samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from nas.adaptation.frechet import features, frechet_distance, samples
from nas.errors import EvaluationError
from tests.nas.adaptation.restoration.tiny import TOKENS, schedule, tiny_network, tiny_teacher

RNG = np.random.default_rng(0)
CLOUD = RNG.standard_normal((300, 5)) @ RNG.standard_normal((5, 5))


@pytest.mark.parametrize("points", [4, 40, 300])
def test_it_is_what_the_definition_says(points: int) -> None:
    other = RNG.standard_normal((200, 5)) @ RNG.standard_normal((5, 5)) + 1.0
    one = CLOUD[:points]
    spreads = [np.cov(cloud, rowvar=False) for cloud in (one, other)]
    apart = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    expected = apart + np.trace(spreads[0] + spreads[1] - 2 * np.real(sqrtm(spreads[0] @ spreads[1])))
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-4)


def test_a_cloud_is_no_distance_from_itself_and_a_shift_counts_squared() -> None:
    assert frechet_distance(CLOUD, CLOUD) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(CLOUD, CLOUD + np.array([3, 0, 4, 0, 0])) == pytest.approx(25.0)


def test_what_has_no_distance_is_refused() -> None:
    with pytest.raises(EvaluationError, match="two finite points"):
        frechet_distance(CLOUD, CLOUD[:1])
    with pytest.raises(EvaluationError, match="two finite points"):
        frechet_distance(CLOUD * np.nan, CLOUD)


def test_a_network_is_as_far_from_its_teacher_as_its_samples_are(tmp_path: Path) -> None:
    teacher = tiny_teacher(tmp_path)
    noise = torch.randn(24, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    clouds = [
        features(
            teacher.denoiser, samples(denoiser.eval(), schedule(), noise, TOKENS[None], 3, batch=10), TOKENS[None]
        )
        for denoiser in (teacher.denoiser, tiny_network(teacher, {}).denoiser, tiny_network(teacher).denoiser)
    ]
    assert clouds[0].shape == (24, 8)
    assert frechet_distance(clouds[0], clouds[1]) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(clouds[0], clouds[2]) > 1e-4
