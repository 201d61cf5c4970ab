"""One fitted response model, asked about itself: what it predicts, how it would have, what it has learned."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from ax.generators.torch.botorch_modular.utils import fit_botorch_model
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

from nas.strategy.pricing import Codes, Prices
from nas.strategy.prior import look_up
from nas.strategy.response import LogResponseGP

_NUMBERS = 250_000
"""Of a covariance computed at once: so many a processor's cache holds, which makes it twice as fast."""
_TELLING = 32
"""Measurements that stand for all of them in a first, cheap look at many architectures."""
_REMEMBERED = 8
"""Answers kept: moving a bound asks for the same architectures again."""
_JITTER = 1e-8
_LEAST_VARIANCE = 1e-12

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Normal:
    """Independent beliefs about the log of a metric: means and standard deviations, `n` each."""

    mean: Prices
    deviation: Prices

    def probability_below(self, bound: float) -> Prices:
        """Probability that the metric is at most `bound`, `n`; a log of minus infinity is certain to be."""
        below = np.where(np.isneginf(self.mean), np.inf, (math.log(bound) - self.mean) / self.deviation)
        return np.asarray(torch.special.ndtr(torch.from_numpy(below)).numpy())


class FittedResponse:
    """A response model with its hyperparameters fixed, and the data they were fitted to.

    Args:
        codes: Variant numbers of the free stages, `n x d`.
        values: Measured values, `n`; those of zero have no logarithm and are left out.
        tables: `d x k` contributions, as `LogResponseGP` takes them.
        noise_sd: Expected standard deviation of each log value, `n` or one for all.
        noise_width: How little its level is known.
    """

    def __init__(
        self, codes: Codes, values: Prices, tables: Tensor, noise_sd: Tensor | float, noise_width: float = 1.0
    ) -> None:
        self.kept: npt.NDArray[np.intp] = np.flatnonzero(values > 0)
        self._x = _tensor(codes[self.kept])
        self._y = torch.from_numpy(np.log(values[self.kept]))
        self._noise_sd = torch.as_tensor(noise_sd, dtype=torch.float64).expand(len(values))[self.kept]
        self.model = LogResponseGP(self._x, self._y[:, None], tables, self._noise_sd, noise_width)
        fit_botorch_model(self.model, mll_class=None, mll_options={})
        self._tables = tables
        self.condition()

    @torch.no_grad()
    def condition(self) -> None:
        """Condition on the data by the model's present hyperparameters."""
        model = self.model
        self._noise = model.noise_variances(self._noise_sd)
        covariance = model.covariance(self._x, self._x)
        self._root = psd_safe_cholesky(covariance + torch.diag(self._noise + _JITTER))
        self._residual = self._y - model.mean_module(self._x)
        self._weights = torch.cholesky_solve(self._residual[:, None], self._root)[:, 0]
        self._pivots = _most_telling(covariance)
        self._answers: dict[tuple[str, bytes], Any] = {}

    @property
    def noise_sd(self) -> float:
        """Standard deviation of the log of one measurement, as learned."""
        return float(self._noise.median().sqrt())

    @property
    def logs(self) -> Prices:
        """Measured logs, of the rows `kept`."""
        return np.asarray(self._y.numpy())

    @torch.no_grad()
    def predict(self, codes: Codes) -> Normal:
        """Beliefs about the noise-free log at `N x d` variant numbers. The last answers are remembered."""
        return self._remember("predict", codes, self._predict)

    def _remember(self, what: str, codes: Codes, compute: Callable[[Codes], Answer]) -> Answer:
        key = (what, hashlib.sha256(codes.tobytes()).digest())
        if key not in self._answers:
            if len(self._answers) == _REMEMBERED:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = compute(codes)
        answer: Answer = self._answers[key]
        return answer

    def _predict(self, codes: Codes) -> Normal:
        return self._believed(codes, self._x, self._root, self._weights)

    def _believed(self, codes: Codes, data: Tensor, root: Tensor, weights: Tensor) -> Normal:
        means, variances = [np.zeros(0)], [np.zeros(0)]
        for chunk in torch.split(_tensor(codes), _NUMBERS // max(len(data), 1)):
            mean, white = self._conditioned(chunk, data, root, weights)
            means.append(mean.numpy())
            variances.append((self.model.variance(chunk) - white.square().sum(0)).numpy())
        variance = np.maximum(np.concatenate(variances), _LEAST_VARIANCE)
        return Normal(np.concatenate(means), np.sqrt(variance))

    @torch.no_grad()
    def sketch(self, codes: Codes) -> Normal:
        """Beliefs given the most telling measurements alone, at a fraction of the cost of `predict`.

        Wider than those given all, and where `predict` sees the mean is within their spread. The last are remembered.
        """
        return self._remember("sketch", codes, self._sketch)

    def _sketch(self, codes: Codes) -> Normal:
        x, y, noise = self._x[self._pivots], self._residual[self._pivots], self._noise[self._pivots]
        root = psd_safe_cholesky(self.model.covariance(x, x) + torch.diag(noise + _JITTER))
        weights = torch.cholesky_solve(y[:, None], root)[:, 0]
        return self._believed(codes, x, root, weights)

    @torch.no_grad()
    def draw(self, codes: Codes, normals: Prices) -> Prices:
        """Joint draws of the noise-free log at `N x d` variant numbers, `S x N`, from standard normal `S x N`."""
        x = _tensor(codes)
        mean, white = self._conditioned(x, self._x, self._root, self._weights)
        covariance = self.model.covariance(x, x) - white.mT @ white
        root = psd_safe_cholesky(covariance + _JITTER * torch.eye(len(x), dtype=x.dtype))
        return np.asarray((mean + torch.from_numpy(normals) @ root.mT).numpy())

    @torch.no_grad()
    def leave_one_out(self) -> Normal:
        """What the model would have predicted of each measured log without having seen it.

        Closed form with hyperparameters fixed (Sundararajan & Keerthi, Neural Computation 2001, after
        Rasmussen & Williams 5.4.2): with `K` the noisy covariance and `r` the residuals, the prediction is
        `y_i - [K^-1 r]_i / [K^-1]_ii` and its variance, noise included, `1 / [K^-1]_ii`.
        """
        precision = torch.cholesky_inverse(self._root).diagonal()
        return Normal((self._y - self._weights / precision).numpy(), precision.rsqrt().numpy())

    @torch.no_grad()
    def additive(self) -> Prices:
        """The learned weighted form alone, without what the kernels add: logs at the rows `kept`."""
        return np.asarray(self.model.mean_module(self._x).numpy())

    @torch.no_grad()
    def stage_weights(self) -> Prices:
        """Learned sensitivity of each free stage, `d`; one for all where nothing was learned."""
        return np.asarray(self.model.mean_module.log_weights.exp().numpy())

    def plain_sums(self) -> Prices:
        """Sum of the contributions at the rows `kept`."""
        return np.asarray(look_up(self._tables, self._x).sum(-1).numpy())

    def typical_contributions(self) -> Prices:
        """What a variant of each free stage contributes that contributes at all, on average, `d`."""
        tables = self._tables.numpy()
        return np.asarray(tables.sum(axis=1) / np.maximum((tables > 0).sum(axis=1), 1))

    def _conditioned(self, x: Tensor, data: Tensor, root: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean at `x`, and the covariance with `n` data whitened by its root, `n x N`."""
        cross = self.model.covariance(data, x)
        mean = self.model.mean_module(x) + weights @ cross
        return mean, torch.linalg.solve_triangular(root, cross, upper=False)


def _most_telling(covariance: Tensor) -> Tensor:
    """Rows of a covariance that leave the least variance in the others, found greedily: a pivoted Cholesky factor."""
    left = covariance.diagonal().clone()
    rows, factor = [], torch.zeros((0, len(covariance)), dtype=covariance.dtype)
    for _ in range(min(_TELLING, len(covariance))):
        row = int(left.argmax())
        if left[row] <= _LEAST_VARIANCE:
            break
        column = (covariance[row] - factor[:, row] @ factor) / left[row].sqrt()
        rows.append(row)
        factor = torch.cat([factor, column[None]])
        left = left - column.square()
    return torch.tensor(rows, dtype=torch.long)


def _tensor(codes: Codes) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(codes)).to(torch.float64)
