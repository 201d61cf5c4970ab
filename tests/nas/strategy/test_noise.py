from __future__ import annotations

import numpy as np
import pytest
import torch

from nas.domain.metric import LATENCY, NOISE_MSE
from nas.strategy.judged import Judged
from nas.strategy.noise import LEAST_NOISE_SD, expected_noise, noise_width
from nas.strategy.posterior import EstimatedResponse
from nas.strategy.response import LogResponseGP

METRIC = NOISE_MSE.name


def judged(means: list[float], errors: list[float], samples: list[int], metric: str = METRIC) -> Judged:
    count = len(means)
    return Judged(
        codes=np.zeros((count, 1), dtype=np.int16),
        means={metric: np.array(means)},
        errors={metric: np.array(errors)},
        samples={metric: np.array(samples, dtype=float)},
        violation=np.zeros(count),
    )


def test_of_an_error_from_common_samples_a_third_is_a_candidates_own() -> None:
    common = expected_noise(METRIC, judged([1.0] * 3, [0.3] * 3, [256] * 3))
    alone = expected_noise(METRIC, judged([1.0] * 3, [0.3] * 3, [1] * 3))
    timed = expected_noise(LATENCY.name, judged([1.0] * 3, [0.3] * 3, [256] * 3, LATENCY.name))
    assert common == pytest.approx([0.1] * 3)
    assert alone == pytest.approx([0.3] * 3)
    assert timed == pytest.approx([0.3] * 3)


def test_an_evaluation_of_fewer_samples_is_noisier() -> None:
    noise = expected_noise(METRIC, judged([2.0] * 5, [0.2] * 4 + [0.2 * 8**0.5], [256] * 4 + [32]))
    assert noise[:4] == pytest.approx([0.1 / 3] * 4)
    assert noise[4] == pytest.approx(8**0.5 * 0.1 / 3, rel=0.15)


def test_one_sample_says_little_about_its_own_error() -> None:
    noise = expected_noise(METRIC, judged([1.0] * 3, [0.1, 0.1, 0.4], [1, 1, 1]))
    assert noise[0] == pytest.approx(0.1)
    assert 0.1 < noise[2] < 0.2


def test_what_tells_no_error_is_taken_for_hardly_noisy() -> None:
    assert expected_noise(METRIC, judged([0.0, 1.0, 2.0], [0.0] * 3, [256] * 3)).tolist() == [LEAST_NOISE_SD] * 3
    assert expected_noise(METRIC, judged([0.0], [0.0], [1])).tolist() == [LEAST_NOISE_SD]


def test_the_level_is_known_from_repetitions_alone() -> None:
    known = noise_width(METRIC, judged([1.0] * 3, [0.1] * 3, [1] * 3))
    assert known < noise_width(METRIC, judged([1.0] * 3, [0.1] * 3, [256] * 3))
    assert known < noise_width(METRIC, judged([1.0] * 3, [0.0] * 3, [1] * 3))
    assert known < noise_width(LATENCY.name, judged([1.0] * 3, [0.1] * 3, [1] * 3, LATENCY.name))


def test_a_noisy_point_moves_beliefs_less() -> None:
    codes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    values = torch.tensor([1.0, 1.0, 3.0], dtype=torch.float64)
    tables = torch.tensor([[0.5, 1.0], [0.5, 1.0]], dtype=torch.float64)
    predicted = []
    for noise in (0.01, 1.0):
        noise_sd = torch.tensor([0.01, 0.01, noise], dtype=torch.float64)
        model = LogResponseGP(codes, values.log()[:, None], tables, noise_sd)
        with torch.no_grad():
            response = EstimatedResponse(model, codes, values, codes[:0], 0, 0, noise_sd)
            predicted.append(float(response.believe(codes[2:]).mean[0, 0].exp()))
    assert predicted[0] == pytest.approx(3.0, rel=0.02)
    assert predicted[1] < 2.5
