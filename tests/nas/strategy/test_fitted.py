"""A fitted model asked about itself: closed forms against plain recomputation, and truths that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from nas.estimation.rank import kendall_tau, r_squared, spearman
from nas.strategy.bayesian import undisturbed
from nas.strategy.fitted import FittedResponse
from nas.strategy.pricing import Codes, Prices
from nas.strategy.response import LogResponseGP

STAGES, VARIANTS = 6, 3
TABLES = torch.tensor(np.random.default_rng(5).uniform(0.02, 0.4, (STAGES, VARIANTS)))
TABLES[:, 0] = 0.0
GRID: Codes = np.indices((VARIANTS,) * STAGES, dtype=np.int16).reshape(STAGES, -1).T
NOISE = 0.05


def drawn(count: int, seed: int) -> tuple[Codes, Prices]:
    """Architectures with values drawn from the model's own prior, noise included."""
    random = np.random.default_rng(seed)
    codes = GRID[1:][random.choice(len(GRID) - 1, count, replace=False)]
    x = torch.from_numpy(codes).double()
    prior = LogResponseGP(x, torch.full((count, 1), -2.0, dtype=torch.float64), TABLES, NOISE)
    with torch.no_grad():
        covariance = prior.covariance(x, x).numpy() + NOISE**2 * np.eye(count)
        mean = prior.mean_module(x).numpy()
    return codes, np.exp(random.multivariate_normal(mean, covariance))


def fitted(count: int, seed: int = 0) -> tuple[FittedResponse, Codes]:
    codes, values = drawn(count, seed)
    with undisturbed():
        return FittedResponse(codes, values, TABLES, NOISE), codes


def test_leave_one_out_equals_leaving_each_one_out() -> None:
    response, codes = fitted(30)
    closed = response.leave_one_out()
    x = torch.from_numpy(codes).double()
    with torch.no_grad():
        covariance = response.model.covariance(x, x).numpy()
        prior = response.model.mean_module(x).numpy()
    noise = response.noise_sd**2
    for left_out in range(30):
        kept = np.arange(30) != left_out
        gain = np.linalg.solve(covariance[np.ix_(kept, kept)] + noise * np.eye(29), covariance[kept, left_out])
        mean = prior[left_out] + gain @ (response.logs[kept] - prior[kept])
        variance = covariance[left_out, left_out] + noise - gain @ covariance[kept, left_out]
        assert closed.mean[left_out] == pytest.approx(mean, abs=1e-5)
        assert closed.deviation[left_out] == pytest.approx(math.sqrt(variance), rel=1e-4)


def test_predictions_and_draws_equal_the_posterior_of_botorch() -> None:
    response, _ = fitted(30)
    some = GRID[::40]
    with torch.no_grad():
        posterior = response.model.posterior(torch.from_numpy(some).double())
        covariance = posterior.covariance_matrix.numpy()
    predicted = response.predict(some)
    assert predicted.mean == pytest.approx(posterior.mean.squeeze(-1).numpy(), abs=1e-4)
    assert predicted.deviation == pytest.approx(np.sqrt(covariance.diagonal()), rel=1e-2, abs=1e-4)
    draws = response.draw(some, np.random.default_rng(0).standard_normal((20_000, len(some))))
    assert np.cov(draws.T) == pytest.approx(covariance, abs=5 * covariance.max() / math.sqrt(20_000))


def test_the_model_knows_how_far_off_it_is_where_its_assumptions_hold() -> None:
    inside = []
    for seed in range(4):
        response, _ = fitted(120, seed)
        out = response.leave_one_out()
        inside.append(np.abs(out.mean - response.logs) / out.deviation < 1.2816)
    share, count = float(np.mean(inside)), 4 * 120
    assert share == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / count))


def test_what_was_measured_as_exactly_zero_is_no_datum() -> None:
    codes, values = drawn(12, 1)
    response = FittedResponse(np.concatenate([GRID[:1], codes]), np.concatenate([[0.0], values]), TABLES, NOISE)
    assert response.kept.tolist() == list(range(1, 13))
    assert np.isfinite(response.leave_one_out().mean).all()


def test_certainty_is_certain() -> None:
    from nas.strategy.fitted import Normal

    below = Normal(np.array([-np.inf, 0.0, 5.0]), np.array([1e-9, 1.0, 0.1])).probability_below(1.0)
    assert below == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlations_equal_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 12, 40).astype(float), random.normal(size=40)
    second = second + 0.1 * first
    assert kendall_tau(first, second) == pytest.approx(scipy.stats.kendalltau(first, second).statistic)
    assert spearman(first, second) == pytest.approx(scipy.stats.spearmanr(first, second).statistic)
    assert r_squared(first, second) == pytest.approx(scipy.stats.pearsonr(first, second).statistic ** 2)


def test_nothing_correlates_with_a_constant() -> None:
    constant, other = np.ones(5), np.arange(5.0)
    assert all(math.isnan(measure(constant, other)) for measure in (kendall_tau, spearman, r_squared))


def test_a_first_look_is_wider_and_does_not_miss_what_a_close_one_sees() -> None:
    response, _ = fitted(120)
    close, sketch = response.predict(GRID), response.sketch(GRID)
    assert (sketch.deviation > 0.99 * close.deviation).all()
    off = (close.mean - sketch.mean) / sketch.deviation
    assert np.mean(np.abs(off) < 3) > 0.99
    few, _ = fitted(20)
    assert few.sketch(GRID).mean == pytest.approx(few.predict(GRID).mean, abs=1e-6)
