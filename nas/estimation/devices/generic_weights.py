"""Weights without structure, so that no compiler makes a network faster than it is when trained.

A normalisation that was never trained multiplies by one and adds zero, and compilers leave that out. A latency
table is taken of untrained blocks: without this, it would promise a speed that the distilled blocks do not have, and
the graph would depend on the weights.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

LOWEST, HIGHEST = 0.5, 0.75
"""Of what takes the place of a constant; between them is no value that a compiler simplifies (0, 1, 2)."""


def with_generic_weights(module: nn.Module, *, every: bool = False) -> nn.Module:
    """A copy in which every parameter that holds one number throughout holds different ones.

    No two of them are alike, because exporters keep equal weights once.

    Args:
        module: Left as it is.
        every: Replace all parameters, for compilers to whom weights matter that are not uniform either: those that
            compress them.
    """
    import torch

    generic = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in generic.parameters():
            if every and parameter.ndim > 1:
                drawn = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(drawn * parameter[0].numel() ** -0.5)  # keeps activations in range, layer by layer
            elif every or _is_uniform(parameter):
                drawn = torch.rand(parameter.shape, generator=generator)
                parameter.copy_(LOWEST + (HIGHEST - LOWEST) * drawn)
    return generic


def _is_uniform(parameter: Tensor) -> bool:
    return bool(parameter.is_floating_point() and parameter.numel() and (parameter == parameter.flatten()[0]).all())
