"""The response model: a Gaussian process on the logarithm of a measured metric.

The prior mean says that a network's loss is a power of a weighted sum of its block losses plus a floor;
the kernel adds what that form misses, by likeness of choices (Hamming), and doubt about its parameters. In
Bayesian optimisation such a model is called a surrogate; here that word is kept for surrogate blocks.
"""

# mypy: allow-subclassing-any
# Ax, BoTorch and GPyTorch are Any to the type checker, and their classes are there to be derived from.
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from ax.generators.torch.botorch_modular.utils import fit_botorch_model
from botorch.models import SingleTaskGP
from botorch.models.deterministic import DeterministicModel
from botorch.optim.fit import fit_gpytorch_mll_scipy
from botorch.utils.datasets import SupervisedDataset
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import AdditiveKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from torch import Tensor

from nas.strategy.prior import AdditiveMean, DoubtKernel, HammingKernel, look_up

_FIT_ITERATIONS = 60
_MOST_FITTED = 128
"""Observations that the hyperparameters are fitted to."""
_MISSED = 0.1
"""Typical variance of the log that the weighted sum of block losses misses."""
_LEAST_NOISE = 1e-6
"""Variance of the log below which noise is not believed; also keeps matrices well conditioned."""


class LogResponseGP(SingleTaskGP):
    """Gaussian process on log values of one metric.

    How noisy a measurement is in relation to the others is given; how noisy all of them are is learned, with
    the given level as what is expected: how much of a standard error candidates share nobody knows beforehand.

    Args:
        train_X: Variant numbers, `n x d`, float64.
        train_Y: Log values, `n x 1`.
        tables: `d x k` contributions for the prior mean.
        noise_sd: Expected standard deviation of each log value, `n` or one for all.
        noise_width: How little their common level is known: standard deviation of the log of the variance.
    """

    def __init__(
        self,
        train_X: Tensor,
        train_Y: Tensor,
        tables: Tensor,
        noise_sd: Tensor,
        noise_width: float = 1.0,
    ) -> None:
        stages, cardinality = tables.shape
        totals = look_up(tables, train_X).sum(-1)
        scale = max(float(totals.mean()), 1e-12)
        missed = ScaleKernel(
            HammingKernel(cardinality, stages),
            outputscale_prior=LogNormalPrior(math.log(_MISSED), 1.0),
            outputscale_constraint=GreaterThan(1e-4),
        )
        missed.outputscale = _MISSED
        mean = AdditiveMean(tables, scale, float(train_Y.mean()), float(train_Y.min()) - 2.0)
        noise_sd = torch.as_tensor(noise_sd, dtype=torch.float64).expand(len(train_X))
        typical = float(noise_sd.median())
        variance = max(typical**2, _LEAST_NOISE)
        noise = GaussianLikelihood(
            noise_prior=LogNormalPrior(math.log(variance), noise_width),
            noise_constraint=GreaterThan(_LEAST_NOISE / 2, initial_value=variance),
        )
        super().__init__(
            train_X,
            train_Y,
            likelihood=noise,
            covar_module=AdditiveKernel(missed, DoubtKernel(mean)),
            mean_module=mean,
            outcome_transform=None,
        )
        self.typical_noise_sd = typical
        self.noise_sd = noise_sd
        self.to(train_X)

    def noise_variances(self, noise_sd: Tensor) -> Tensor:
        """Variances of log values that were expected to have these standard deviations, by what was learned."""
        learned = self.likelihood.noise.reshape(()) / self.typical_noise_sd**2
        variances: Tensor = (learned * noise_sd.square()).clamp_min(_LEAST_NOISE / 2)
        return variances

    def covariance(self, left: Tensor, right: Tensor) -> Tensor:
        """Prior covariance of variant numbers, dense: `n x d` and `m x d` give `n x m`."""
        missed, doubt = self.covar_module.kernels
        covariance: Tensor = missed.outputscale * missed.base_kernel.forward(left, right) + doubt.forward(left, right)
        return covariance

    def variance(self, codes: Tensor) -> Tensor:
        """Prior variance at variant numbers `n x d`, `n`."""
        missed, doubt = self.covar_module.kernels
        variance: Tensor = missed.outputscale + doubt.forward(codes, codes, diag=True)
        return variance

    def negative_log_posterior(self) -> Tensor:
        """Negative log of marginal likelihood times hyperparameter priors, per observation.

        Of many observations an even sample speaks, from the best to the worst: some dozens of
        hyperparameters need no more, and the time goes with the cube.
        """
        x, y, noise_sd = self.train_inputs[0], self.train_targets, self.noise_sd
        if len(y) > _MOST_FITTED:
            rows = y.argsort()[torch.linspace(0, len(y) - 1, _MOST_FITTED).long()]
            x, y, noise_sd = x[rows], y[rows], noise_sd[rows]
        # Without the doubt about the mean's parameters: they are among what is fitted.
        missed = self.covar_module.kernels[0]
        noisy = missed.outputscale * missed.base_kernel.forward(x, x) + torch.diag(self.noise_variances(noise_sd))
        root = torch.linalg.cholesky(noisy)
        white = torch.linalg.solve_triangular(root, (y - self.mean_module(x))[:, None], upper=False)
        loss = white.square().sum() / 2 + root.diagonal().log().sum()
        for _, module, prior, value, _ in self.named_priors():
            loss = loss - prior.log_prob(value(module)).sum()
        per_observation: Tensor = loss / len(y)
        return per_observation

    @classmethod
    def construct_inputs(cls, training_data: SupervisedDataset, **options: Any) -> dict[str, Any]:
        """Constructor arguments from Ax's data set, standard errors included."""
        noise_sd = training_data.Yvar.squeeze(-1).sqrt()
        wanted = {name: options[name] for name in ("tables", "noise_width")}
        return {"train_X": training_data.X, "train_Y": training_data.Y, "noise_sd": noise_sd, **wanted}


class KnownCostModel(DeterministicModel):
    """An exact metric as a BoTorch model: a function, no data and no fit."""

    def __init__(self, price: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.price = price

    @classmethod
    def construct_inputs(cls, training_data: SupervisedDataset, **options: Any) -> dict[str, Any]:
        """Constructor arguments from Ax; the data repeat what the tables say."""
        del training_data
        return {"price": options["price"]}

    def forward(self, X: Tensor) -> Tensor:
        """Exact values, `... x n x 1`."""
        return self.price(X).unsqueeze(-1)


def _fit_by_map(model: LogResponseGP, *_: Any, **__: Any) -> None:
    """Maximum a posteriori with a bounded number of L-BFGS steps: close enough, in constant time.

    The objective is written out: with some dozens of points GPyTorch spends most of its time on laziness.
    A fit that breaks down leaves the hyperparameters where the priors put them, which is still a model.
    """
    parameters = dict(model.named_parameters())
    before = {name: value.detach().clone() for name, value in parameters.items()}

    def closure() -> tuple[Tensor, Sequence[Tensor | None]]:
        loss = model.negative_log_posterior()
        return loss, torch.autograd.grad(loss, list(parameters.values()))

    try:
        fit_gpytorch_mll_scipy(
            ExactMarginalLogLikelihood(model.likelihood, model),
            parameters=parameters,
            bounds={},
            closure=closure,
            options={"maxiter": _FIT_ITERATIONS},
        )
        broken = not all(value.isfinite().all() for value in parameters.values())
    except (RuntimeError, ValueError):  # not positive definite; a prior asked about a value that is not a number
        broken = True
    if broken:
        with torch.no_grad():
            for name, value in parameters.items():
                value.copy_(before[name])
    model.eval()


def _nothing_to_fit(*_: Any, **__: Any) -> None:
    """Exact metrics are functions."""


fit_botorch_model.add((LogResponseGP,), _fit_by_map)
fit_botorch_model.add((KnownCostModel,), _nothing_to_fit)
