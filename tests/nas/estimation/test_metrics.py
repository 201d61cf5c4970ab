from __future__ import annotations

import math

import pytest
import torch

from nas.domain.metric import FIDELITY_METRICS, METRIC_BY_NAME
from nas.estimation.metrics.base import Comparison
from nas.estimation.metrics.catalogue import FIDELITY
from nas.estimation.metrics.statistics import band_means, ratio_measurement, standard_error


def comparison(**changes: object) -> Comparison:
    generator = torch.Generator().manual_seed(0)
    fields = {
        "squared_error": torch.rand(32, generator=generator, dtype=torch.float64),
        "power": 1 + torch.rand(32, generator=generator, dtype=torch.float64),
        "band": torch.arange(32) % 4,
        "stage_distances": {
            "E1": torch.full((32,), 0.2, dtype=torch.float64),
            "D1": torch.full((32,), 0.6, dtype=torch.float64),
        },
    }
    return Comparison(**{**fields, **changes})


def test_every_fidelity_metric_of_the_domain_is_implemented_under_its_name() -> None:
    assert set(FIDELITY.names()) == set(FIDELITY_METRICS)
    for name, metric in FIDELITY:
        assert metric.metric == METRIC_BY_NAME[name]


@pytest.mark.parametrize("name", FIDELITY.names())
def test_a_perfect_copy_has_no_error(name: str) -> None:
    zero = torch.zeros(32, dtype=torch.float64)
    perfect = comparison(squared_error=zero, stage_distances={"E1": zero})
    measured = FIDELITY.get(name).measure(perfect)
    assert (measured.mean, measured.sem, measured.samples) == (0.0, 0.0, 32)


def test_noise_mse_is_the_mean_over_samples() -> None:
    given = comparison()
    assert FIDELITY.get("noise_mse").measure(given).mean == pytest.approx(float(given.squared_error.mean()))


def test_the_relative_error_does_not_change_with_the_scale_of_the_prediction() -> None:
    given = comparison()
    scaled = comparison(squared_error=given.squared_error * 9, power=given.power * 9)
    metric = FIDELITY.get("noise_mse_relative")
    assert metric.measure(scaled).mean == pytest.approx(metric.measure(given).mean)
    assert metric.measure(scaled).sem == pytest.approx(metric.measure(given).sem)


def test_stages_weigh_alike_in_the_feature_distance() -> None:
    assert FIDELITY.get("feature_distance").measure(comparison()).mean == pytest.approx(0.4)


def test_differences_between_bands_are_no_sampling_noise() -> None:
    band = torch.arange(40) % 4
    values = band.double() * 100 + torch.randn(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = float(values.std()) / math.sqrt(40)
    assert standard_error(values, band) == pytest.approx(1 / math.sqrt(40), rel=0.4)
    assert plain > 50 * standard_error(values, band)


def test_the_standard_error_predicts_the_spread_over_repeated_draws() -> None:
    generator = torch.Generator().manual_seed(2)
    band = torch.arange(32) % 4
    scale = torch.tensor([0.1, 1.0, 2.0, 5.0], dtype=torch.float64)[band]
    draws = [scale * torch.randn(32, generator=generator, dtype=torch.float64) for _ in range(600)]
    spread = float(torch.stack([draw.mean() for draw in draws]).std())
    typical = sum(standard_error(draw, band) ** 2 for draw in draws) / len(draws)
    assert math.sqrt(typical) == pytest.approx(spread, rel=0.1)


def test_the_delta_method_predicts_the_spread_of_a_ratio() -> None:
    generator = torch.Generator().manual_seed(3)
    band = torch.zeros(50, dtype=torch.long)
    ratios, errors = [], []
    for _ in range(600):
        denominator = 2 + torch.rand(50, generator=generator, dtype=torch.float64)
        numerator = denominator * torch.rand(50, generator=generator, dtype=torch.float64)
        measured = ratio_measurement(numerator, denominator, band, "1")
        ratios.append(measured.mean)
        errors.append(measured.sem)
    spread = float(torch.tensor(ratios).std())
    assert sum(errors) / len(errors) == pytest.approx(spread, rel=0.1)


def test_one_sample_a_band_falls_back_to_the_plain_formula() -> None:
    values, band = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.arange(4)
    assert standard_error(values, band) == pytest.approx(float(values.std()) / 2)
    assert standard_error(values[:1], band[:1]) == 0.0


def test_band_means_are_in_the_order_of_the_bands() -> None:
    assert band_means(torch.tensor([1.0, 10.0, 3.0, 20.0]), torch.tensor([0, 1, 0, 1])) == (2.0, 15.0)
