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

WIDTHS = {"log_gain": 1.0, "log_floor": 2.0, "log_exponent": 0.3, "log_inner_exponent": 0.5, "log_weights": 1.5}
"""Standard deviations of the mean's parameters before any trial.

Most sensitivities of stages (`log_weights`) lie within a factor of twenty, most powers in which a block loss counts
(`log_inner_exponent`) between a third and three.
"""
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
        centres = {"log_gain": level, "log_floor": floor}
        for name, width in WIDTHS.items():
            centre = torch.full(
                (stages if name == "log_weights" else 1,), centres.get(name, 0.0), dtype=torch.float64
            )
            self.register_parameter(name, nn.Parameter(centre))
            self.register_prior(f"{name}_prior", NormalPrior(centre, width), name)

    def forward(self, x: Tensor) -> Tensor:
        """Prior mean of the log at variant numbers `... x n x d`."""
        power = self._power(self._parts(x).sum(-1) + _TINY)
        mean: Tensor = torch.logaddexp(self.log_floor.expand_as(power), power)
        return mean

    def swings(self, x: Tensor) -> Tensor:
        """What one prior standard deviation of each parameter would change the mean by, `... x n x (4 + d)`.

        By its derivatives, in the order of `WIDTHS`.
        """
        parts = self._parts(x)
        total = parts.sum(-1, keepdim=True) + _TINY
        power = self._power(total)
        above_floor = torch.sigmoid(power - self.log_floor)
        by_sum = above_floor * self.log_exponent.exp()
        inner = self.log_inner_exponent.exp() * look_up(self.log_tables, x)
        slopes = {
            "log_gain": above_floor,
            "log_floor": 1 - above_floor,
            "log_exponent": by_sum * total.log(),
            "log_inner_exponent": by_sum * (parts * inner).sum(-1, keepdim=True) / total,
            "log_weights": by_sum * parts / total,
        }
        return torch.cat([width * slopes[name] for name, width in WIDTHS.items()], dim=-1)

    def _parts(self, x: Tensor) -> Tensor:
        powers = torch.exp(self.log_inner_exponent.exp() * self.log_tables) * self.is_loss
        parts: Tensor = look_up(powers, x) * self.log_weights.exp()
        return parts

    def _power(self, total: Tensor) -> Tensor:
        power: Tensor = self.log_gain + self.log_exponent.exp() * total.log()
        return power


class DoubtKernel(Kernel):
    """Doubt about the parameters of the mean: what it would change by, were they others.

    The mean takes the most probable parameters for granted. Of a stage that no trial has changed nothing is
    known but the prior, and one misleading block loss would rule its variants out for good; of the floor only
    lucky measurements may tell. So the mean's slopes are basis functions with the priors' widths, centred on what
    was fitted (Rasmussen & Williams 2006, section 2.7).
    """

    def __init__(self, mean: AdditiveMean) -> None:
        super().__init__()
        self.__dict__["mean"] = mean  # belongs to the model; no second owner of its parameters

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Covariance of variant numbers, `... x n x m`, or its diagonal."""
        left, right = (self.mean.swings(x) for x in (x1, x2))
        covariance: Tensor = (left * right).sum(-1) if diag else left @ right.mT
        return covariance
