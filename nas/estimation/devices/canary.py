"""The canary: a small network that never changes. What it takes tells how fast the machine is at this moment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nas.estimation.devices.base import Subject

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS, EDGE = 32, 32
"""About a millisecond of one core: short beside what is measured, long beside the clock's grain."""


@cache
def canary() -> Subject:
    """A convolution, a group norm, an activation and a matrix product: what diffusion networks consist of."""
    import torch
    from torch import nn

    class Canary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.narrow = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
            self.norm = nn.GroupNorm(4, CHANNELS)
            self.wide = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
            self.mix = nn.Linear(CHANNELS, CHANNELS)

        def forward(self, hidden: Tensor) -> Tensor:
            hidden = self.wide(nn.functional.silu(self.norm(self.narrow(hidden))))
            mixed: Tensor = self.mix(hidden.flatten(2).transpose(1, 2))
            return mixed

    generator = torch.Generator().manual_seed(0)
    network = Canary().eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return Subject(network, {"hidden": torch.randn(1, CHANNELS, EDGE, EDGE, generator=generator)})
