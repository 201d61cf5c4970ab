"""What is believed of a measured metric before any trial: a mean from block losses, a kernel for what it misses."""

# mypy: allow-subclassing-any
# GPyTorch is Any to the type checker, and its classes are there to be derived from.
from __future__ import annotations

import math
from typing import Any

import torch
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel
from gpytorch.means import Mean
from gpytorch.priors import LogNormalPrior, NormalPrior
from torch import Tensor, nn

SENSITIVITY_WIDTH = 1.5
"""Standard deviation of the log of a stage's sensitivity before any trial: most lie within a factor of twenty."""
INNER_WIDTH = 0.5
"""The same of the power in which a block loss counts: most lie between a third and three."""
_TINY = 1e-9


def look_up(tables: Tensor, codes: Tensor) -> Tensor:
    """Entries that variant numbers choose: `tables` is `d x k`, `codes` is `... x n x d`, so is the result."""
    columns = [tables[stage][codes[..., stage].long()] for stage in range(len(tables))]
    return torch.stack(columns, dim=-1)


class HammingKernel(Kernel):
    """`exp(-sum of 1/lengthscale over the stages that differ)`, by one matrix product.

    BoTorch's categorical kernel compares stage by stage and holds `n x n x d` numbers.
    """

    has_lengthscale = True

    def __init__(self, cardinality: int, stages: int) -> None:
        super().__init__(
            ard_num_dims=stages,
            lengthscale_prior=LogNormalPrior(math.log(4.0), 0.75),
            lengthscale_constraint=GreaterThan(0.1),
        )
        self.cardinality = cardinality
        self.lengthscale = torch.full((1, stages), 4.0, dtype=torch.float64)

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Covariance of variant numbers, `... x n x m`, or its diagonal."""
        weights = 1.0 / self.lengthscale.squeeze(-2)
        if diag:
            return torch.exp(-((x1 != x2).to(weights) * weights).sum(-1))
        agreement = (self._one_hot(x1) * weights.repeat_interleave(self.cardinality)) @ self._one_hot(x2).mT
        return torch.exp(agreement - weights.sum())

    def _one_hot(self, codes: Tensor) -> Tensor:
        hot = nn.functional.one_hot(codes.long(), self.cardinality)
        return hot.flatten(-2).to(self.lengthscale)


class AdditiveMean(Mean):
    """`log(c + g * (sum of w_s (d_s / D)^a)^b)`: the additive block-loss model with sensitivities.

    Everything is learned under priors centred on the plain sum (`w_s = a = b = 1`), so that block losses
    help where they tell something and fade where they do not. The inner exponent says how much less than
    its block loss a mild change costs.

    Args:
        tables: `d x k` contributions `d_s` (block losses, or block latencies), not negative.
        scale: `D`, a typical sum.
        level: Typical observed log, centre of `log g`.
        floor: Centre of `log c`.
    """

    def __init__(self, tables: Tensor, scale: float, level: float, floor: float) -> None:
        super().__init__()
        stages = len(tables)
        self.register_buffer("is_loss", tables > 0)
        self.register_buffer("log_tables", (tables / scale).clamp_min(_TINY).log())
        for name, centre, width, size in (
            ("log_gain", level, 1.0, 1),
            ("log_floor", floor, 2.0, 1),
            ("log_exponent", 0.0, 0.3, 1),
            ("log_inner_exponent", 0.0, INNER_WIDTH, 1),
            ("log_weights", 0.0, SENSITIVITY_WIDTH, stages),
        ):
            self.register_parameter(name, nn.Parameter(torch.full((size,), centre, dtype=torch.float64)))
            self.register_prior(f"{name}_prior", NormalPrior(centre, width), name)

    def forward(self, x: Tensor) -> Tensor:
        """Prior mean of the log at variant numbers `... x n x d`."""
        power = self._power(self._parts(x).sum(-1))
        mean: Tensor = torch.logaddexp(self.log_floor.expand_as(power), power)
        return mean

    def slopes(self, x: Tensor) -> Tensor:
        """Derivatives of the mean by the log of each stage's sensitivity, `... x n x d`."""
        parts = self._parts(x)
        total = parts.sum(-1)
        above_floor = torch.sigmoid(self._power(total) - self.log_floor)
        slopes: Tensor = (above_floor * self.log_exponent.exp() / (total + _TINY)).unsqueeze(-1) * parts
        return slopes

    def _parts(self, x: Tensor) -> Tensor:
        powers = torch.exp(self.log_inner_exponent.exp() * self.log_tables) * self.is_loss
        parts: Tensor = look_up(powers, x) * self.log_weights.exp()
        return parts

    def _power(self, total: Tensor) -> Tensor:
        power: Tensor = self.log_gain + self.log_exponent.exp() * torch.log(total + _TINY)
        return power


class SensitivityKernel(Kernel):
    """Doubt about the stages' sensitivities: what the mean would change by, were they others.

    The mean takes the most probable sensitivities for granted. Of a stage that no trial has changed nothing
    is known but the prior, and one misleading block loss would rule its variants out for good. So the mean's
    slopes are basis functions with the prior's width (Rasmussen & Williams 2006, section 2.7).
    """

    def __init__(self, mean: AdditiveMean) -> None:
        super().__init__()
        self.__dict__["mean"] = mean  # belongs to the model; no second owner of its parameters

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Covariance of variant numbers, `... x n x m`, or its diagonal."""
        left, right = (SENSITIVITY_WIDTH * self.mean.slopes(x) for x in (x1, x2))
        covariance: Tensor = (left * right).sum(-1) if diag else left @ right.mT
        return covariance
