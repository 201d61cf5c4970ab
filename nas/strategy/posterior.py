"""What is believed about each metric at the candidates, given what is measured and what is pending.

Noisy improvement needs the candidates *conditioned on a draw* of the baseline (Letham et al., Bayesian
Analysis 2019). Pending architectures belong to the baseline with a drawn value, so that they are
neither forgotten nor tried twice, and their neighbours lose their attraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

from nas.strategy.response import KnownCostModel, LogResponseGP

_JITTER = 1e-8
_LEAST_VARIANCE = 1e-10
_CHUNK = 512
"""Candidates per block of the cross-covariance: bounds memory at `_CHUNK x n` numbers per kernel."""


class Belief(Protocol):
    """One metric at `N` candidates, for `S` draws of the baseline."""

    def log_probability_below(self, draw: int, bound: float) -> Tensor:
        """Log of the probability that the metric is at most `bound`, `N`."""

    def shortfall(self, draw: int, level: Tensor) -> Tensor:
        """Expected amount by which the metric stays under each level, `L x N`; levels are `L`."""

    def worst(self) -> float:
        """A value that hardly any candidate exceeds, and that all are better than."""


@dataclass(frozen=True)
class Certainty:
    """An exact metric: its values, `N`."""

    values: Tensor

    def log_probability_below(self, draw: int, bound: float) -> Tensor:
        """Zero where the bound holds, minus infinity elsewhere."""
        del draw
        result: Tensor = torch.where(self.values <= bound, 0.0, -torch.inf).to(self.values)
        return result

    def shortfall(self, draw: int, level: Tensor) -> Tensor:
        """The plain difference, where it is positive."""
        del draw
        return (level[:, None] - self.values).clamp_min(0.0)

    def worst(self) -> float:
        """A little more than the largest value."""
        return float(self.values.max()) * (1 + 1e-3) + 1e-12


@dataclass(frozen=True)
class LogNormal:
    """An estimated metric: mean of its log for every draw, `S x N`, and their common deviation, `N`."""

    mean: Tensor
    deviation: Tensor

    def log_probability_below(self, draw: int, bound: float) -> Tensor:
        """Normal distribution function of the log."""
        log_bound = torch.log(torch.tensor(bound, dtype=self.mean.dtype))
        result: Tensor = torch.special.log_ndtr((log_bound - self.mean[draw]) / self.deviation)
        return result

    def shortfall(self, draw: int, level: Tensor) -> Tensor:
        """`t P(z) - exp(m + s^2 / 2) P(z - s)` with `z = (log t - m) / s`: the closed form of a put option."""
        z = (level.clamp_min(1e-300).log()[:, None] - self.mean[draw]) / self.deviation
        mean = torch.exp(self.mean[draw] + self.deviation.square() / 2)
        expected = level[:, None] * torch.special.ndtr(z) - mean * torch.special.ndtr(z - self.deviation)
        return torch.where(level[:, None] > 0, expected.clamp_min(0.0), torch.zeros_like(expected))

    def worst(self) -> float:
        """Two deviations above the largest mean."""
        return float((self.mean + 2 * self.deviation).max().exp())


class Field(Protocol):
    """What is believed about one metric at a fixed set of `N` candidates, as one after another becomes pending."""

    def belief(self) -> Belief:
        """Beliefs at all of them, given what is pending by now."""

    def add_pending(self, row: int, normal: Tensor) -> Tensor:
        """Make candidate `row` pending; returns its value in every draw, `S`.

        Args:
            row: Which of the candidates.
            normal: A standard normal number for every draw, `S`.
        """


class ExactResponse:
    """An exact metric anywhere."""

    def __init__(self, model: KnownCostModel, baseline: Tensor) -> None:
        self.model = model
        self.baseline = model(baseline).squeeze(-1)[None, :]

    def believe(self, codes: Tensor) -> Certainty:
        """Values at `N x d` variant numbers."""
        return Certainty(self.model(codes).squeeze(-1))

    def field(self, codes: Tensor) -> ExactField:
        """The same for candidates that become pending."""
        return ExactField(self.believe(codes))


class ExactField:
    """Known values, which no pending candidate changes."""

    def __init__(self, certainty: Certainty) -> None:
        self._certainty = certainty

    def belief(self) -> Certainty:
        """The values."""
        return self._certainty

    def add_pending(self, row: int, normal: Tensor) -> Tensor:
        """The candidate's value, the same in every draw."""
        return self._certainty.values[row].expand(len(normal))


class EstimatedResponse:
    """A measured metric anywhere, conditioned on draws of the noise-free baseline.

    Args:
        model: Its fitted response model.
        judged: Variant numbers of measured architectures, `n x d`.
        measured: Their values, `n`; zero or less counts as exactly zero (the teacher against itself)
            and is no datum of the model.
        pending: Variant numbers of architectures without a verdict, `p x d`.
        draws: Number of draws; 0 stands for one: the posterior mean.
        seed: Seed of the draws.
        noise_sd: Expected noise of the measured logs, `n`; None stands for the typical one.
    """

    def __init__(
        self,
        model: LogResponseGP,
        judged: Tensor,
        measured: Tensor,
        pending: Tensor,
        draws: int,
        seed: int,
        noise_sd: Tensor | None = None,
    ) -> None:
        self.model = model
        positive = measured > 0
        self._codes = torch.cat([judged[positive], pending])
        data = measured[positive].log()
        prior = model.mean_module(self._codes)
        covariance = model.covariance(self._codes, self._codes)
        identity = torch.eye(len(covariance), dtype=covariance.dtype)
        amplitude = covariance.diagonal().mean()
        self._jitter = 10 * _JITTER * amplitude
        known = len(data)
        if noise_sd is None:
            noise_sd = torch.full_like(measured, model.typical_noise_sd)
        noise = model.noise_variances(noise_sd[positive]) + _JITTER * amplitude
        root = psd_safe_cholesky(covariance[:known, :known] + torch.diag(noise))
        gain = torch.cholesky_solve(covariance[:known], root).mT
        mean = prior + gain @ (data - prior[:known])
        values = mean[None, :]
        if draws and len(mean):
            spread = covariance - gain @ covariance[:known] + self._jitter * identity
            normal = draw_sobol_normal_samples(len(mean), draws, dtype=mean.dtype, seed=seed)
            values = mean + normal @ _root(spread).mT
        self._factor = psd_safe_cholesky(covariance + self._jitter * identity)
        self._weights = torch.cholesky_solve((values - prior).mT, self._factor)
        everywhere = torch.full((len(values), len(positive) + len(pending)), -torch.inf, dtype=mean.dtype)
        everywhere[:, torch.cat([positive, torch.ones(len(pending), dtype=torch.bool)])] = values
        self.baseline = everywhere.exp()

    def believe(self, codes: Tensor) -> LogNormal:
        """Log-normal beliefs at `N x d` variant numbers."""
        parts = [self._believe(chunk) for chunk in torch.split(codes, _CHUNK)]
        means, deviations = zip(*parts, strict=True)
        return LogNormal(torch.cat(means, dim=-1), torch.cat(deviations))

    def field(self, codes: Tensor) -> EstimatedField:
        """Beliefs at `N x d` variant numbers that can be brought up to date one pending candidate at a time."""
        return EstimatedField(self.model, codes, *self._condition(codes), self._jitter)

    def _believe(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance, _ = self._condition(codes)
        return mean, variance.clamp_min(_LEAST_VARIANCE).sqrt()

    def _condition(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean of every draw, common variance, and the whitened covariance with the baseline, `n x N`."""
        cross = self.model.covariance(self._codes, codes)
        white = torch.linalg.solve_triangular(self._factor, cross, upper=False)
        variance = self.model.variance(codes) - white.square().sum(0)
        return self.model.mean_module(codes) + self._weights.mT @ cross, variance, white


class EstimatedField:
    """A measured metric at `N` candidates: each that becomes pending costs one row of a Cholesky factor.

    Args:
        model: Its response model.
        codes: The candidates, `N x d`.
        mean: Mean of the log in every draw, `S x N`.
        variance: Its variance, the same in every draw, `N`.
        white: Covariance with the baseline, whitened by the baseline's Cholesky factor, `n x N`.
        jitter: Variance that keeps divisions sound.
    """

    def __init__(
        self, model: LogResponseGP, codes: Tensor, mean: Tensor, variance: Tensor, white: Tensor, jitter: Tensor
    ) -> None:
        self._model = model
        self._codes = codes
        self._mean = mean
        self._variance = variance
        self._white = white
        self._jitter = jitter

    def belief(self) -> LogNormal:
        """Log-normal beliefs, given every draw's pending values."""
        return LogNormal(self._mean, self._variance.clamp_min(_LEAST_VARIANCE).sqrt())

    def add_pending(self, row: int, normal: Tensor) -> Tensor:
        """Draw the candidate's value and condition everything on it: the chain rule of the normal distribution."""
        prior = self._model.covariance(self._codes[row : row + 1], self._codes)[0]
        deviation = (self._variance[row] + self._jitter).clamp_min(_LEAST_VARIANCE).sqrt()
        gain = (prior - self._white[:, row] @ self._white) / deviation
        drawn = self._mean[:, row] + deviation * normal
        self._mean = self._mean + normal[:, None] * gain
        self._variance = self._variance - gain.square()
        self._white = torch.cat([self._white, gain[None]])
        return drawn.exp()


def _root(covariance: Tensor) -> Tensor:
    """A square root of a matrix that may be singular up to rounding."""
    values, vectors = torch.linalg.eigh((covariance + covariance.mT) / 2)
    root: Tensor = vectors * values.clamp_min(0.0).sqrt()
    return root
