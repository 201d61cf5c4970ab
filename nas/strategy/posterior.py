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

from nas.strategy.response import LogResponseGP, TableCostModel

_JITTER = 1e-8
_CHUNK = 8192
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


class ExactResponse:
    """An exact metric anywhere."""

    def __init__(self, model: TableCostModel, baseline: Tensor) -> None:
        self.model = model
        self.baseline = model(baseline).squeeze(-1)[None, :]

    def believe(self, codes: Tensor) -> Certainty:
        """Values at `N x d` variant numbers."""
        return Certainty(self.model(codes).squeeze(-1))


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
    """

    def __init__(
        self, model: LogResponseGP, judged: Tensor, measured: Tensor, pending: Tensor, draws: int, seed: int
    ) -> None:
        self.model = model
        positive = measured > 0
        self._codes = torch.cat([judged[positive], pending])
        data = measured[positive].log()
        prior = model.mean_module(self._codes)
        covariance = model.covariance(self._codes, self._codes)
        identity = torch.eye(len(covariance), dtype=covariance.dtype)
        amplitude = covariance.diagonal().mean()
        known = len(data)
        noise = model.likelihood.noise.squeeze()
        root = psd_safe_cholesky(
            covariance[:known, :known] + (noise + _JITTER * amplitude) * identity[:known, :known]
        )
        gain = torch.cholesky_solve(covariance[:known], root).mT
        mean = prior + gain @ (data - prior[:known])
        values = mean[None, :]
        if draws and len(mean):
            spread = covariance - gain @ covariance[:known] + 10 * _JITTER * amplitude * identity
            normal = draw_sobol_normal_samples(len(mean), draws, dtype=mean.dtype, seed=seed)
            values = mean + normal @ _root(spread).mT
        self._factor = psd_safe_cholesky(covariance + 10 * _JITTER * amplitude * identity)
        self._weights = torch.cholesky_solve((values - prior).mT, self._factor)
        everywhere = torch.full((len(values), len(positive) + len(pending)), -torch.inf, dtype=mean.dtype)
        everywhere[:, torch.cat([positive, torch.ones(len(pending), dtype=torch.bool)])] = values
        self.baseline = everywhere.exp()

    def believe(self, codes: Tensor) -> LogNormal:
        """Log-normal beliefs at `N x d` variant numbers."""
        parts = [self._believe(chunk) for chunk in torch.split(codes, _CHUNK)]
        means, deviations = zip(*parts, strict=True)
        return LogNormal(torch.cat(means, dim=-1), torch.cat(deviations))

    def _believe(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        prior = self.model.mean_module(codes)
        cross = self.model.covariance(self._codes, codes)
        explained = torch.linalg.solve_triangular(self._factor, cross, upper=False).square().sum(0)
        deviation = (self.model.variance() - explained).clamp_min(1e-10).sqrt()
        return prior + self._weights.mT @ cross, deviation


def _root(covariance: Tensor) -> Tensor:
    """A square root of a matrix that may be singular up to rounding."""
    values, vectors = torch.linalg.eigh((covariance + covariance.mT) / 2)
    root: Tensor = vectors * values.clamp_min(0.0).sqrt()
    return root
