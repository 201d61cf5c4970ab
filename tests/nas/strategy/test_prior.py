"""What is believed before any trial: sums of block losses in learned powers."""

from __future__ import annotations

import math

import pytest
import torch
from ax.generators.torch.botorch_modular.utils import fit_botorch_model
from torch import Tensor

from nas.strategy.prior import AdditiveMean
from nas.strategy.response import LogResponseGP

TABLES = torch.tensor([[0.0, 0.2, 0.8], [0.0, 0.1, 0.3], [0.0, 0.0, 0.5], [0.0, 0.3, 0.6]], dtype=torch.float64)


def everything() -> Tensor:
    return torch.cartesian_prod(*[torch.arange(3, dtype=torch.float64)] * len(TABLES))


def a_mean() -> AdditiveMean:
    mean = AdditiveMean(TABLES, 0.9, level=-1.0, floor=-6.0)
    with torch.no_grad():
        mean.log_weights.copy_(torch.tensor([0.3, -0.2, 0.5, 0.0]))
        mean.log_exponent.fill_(0.2)
    return mean


@pytest.mark.parametrize("inner", [0.5, 1.0, 2.3])
def test_a_loss_is_a_power_of_a_sum_of_powers_of_block_losses(inner: float) -> None:
    mean, codes = a_mean(), everything()
    with torch.no_grad():
        mean.log_inner_exponent.fill_(math.log(inner))
    weights, outer = mean.log_weights.exp(), math.exp(0.2)
    chosen = torch.stack([TABLES[s][codes[:, s].long()] for s in range(len(TABLES))], dim=-1)
    total = (weights * (chosen / 0.9) ** inner).sum(-1)
    expected = torch.log(math.exp(-6.0) + math.exp(-1.0) * total**outer)
    assert torch.allclose(mean(codes), expected, atol=1e-6)


def test_blocks_that_lose_nothing_leave_every_gradient_finite() -> None:
    mean = a_mean()
    mean(everything()).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in mean.parameters())


@pytest.mark.parametrize("inner", [0.6, 2.3])
def test_the_power_in_which_block_losses_count_is_learned(inner: float) -> None:
    truth, codes = a_mean(), everything()[1:]
    with torch.no_grad():
        truth.log_inner_exponent.fill_(math.log(inner))
        values = truth(codes) + 0.01 * torch.randn(len(codes), generator=torch.Generator().manual_seed(0)).double()
    model = LogResponseGP(codes, values[:, None], TABLES, noise_sd=torch.tensor(0.01))
    fit_botorch_model(model)
    learned = float(model.mean_module.log_inner_exponent.detach().exp())
    assert (learned < 0.8) if inner < 1 else (learned > 1.5)
