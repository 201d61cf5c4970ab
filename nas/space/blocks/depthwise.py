"""Depthwise-separable convolutions in residual units (Howard et al., MobileNets, 2017).

A dense `k x k` convolution becomes one (or two) `k x k` filters per input channel and a `1 x 1`
convolution: a ninth (two ninths) of the multiply-accumulates at k = 3. Attention is kept.

Initialised in closed form: per input channel the dense kernel is an `out x k^2` matrix, and its
truncated singular value decomposition is the best such pair in the Frobenius norm (Guo et al., "Network
Decoupling", BMVC 2018).
"""

from __future__ import annotations

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from nas.space.blocks.base import BLOCK_FAMILIES, BlockFamily
from nas.space.blocks.inheritance import copied, rebuilt
from nas.space.stage import Stage, StageBlock
from nas.space.unit_block import UnitBlock

FILTERS = {"dwsep2": 2, "dwsep": 1}
"""Variant -> filters per input channel."""


class DepthwiseSeparable(BlockFamily):
    """`dwsep2` and `dwsep`: two filters and one per input channel in every residual unit."""

    def variants(self, stage: Stage, block: StageBlock) -> tuple[str, ...]:
        """Both, wherever there are residual units."""
        return tuple(FILTERS) if isinstance(block, UnitBlock) and "R" in stage.units else ()

    def build(self, stage: Stage, block: StageBlock, variant: str) -> UnitBlock:
        """The teacher's units with their kernels separated."""
        self.require(stage, block, variant)
        assert isinstance(block, UnitBlock)
        filters = FILTERS[variant]
        return rebuilt(block, residual=lambda unit: _separated_unit(unit, filters))


def separated(dense: nn.Conv2d, filters: int) -> nn.Sequential:
    """Depthwise and pointwise convolution nearest to a dense one.

    Args:
        dense: `out x in x k x k`, odd k, stride 1, same padding.
        filters: Filters per input channel; `k^2` of them reproduce the dense convolution.
    """
    outputs, inputs, height, width = dense.weight.shape
    depthwise = nn.Conv2d(inputs, inputs * filters, (height, width), padding=height // 2, groups=inputs, bias=False)
    pointwise = nn.Conv2d(inputs * filters, outputs, 1, bias=dense.bias is not None)
    pair = nn.Sequential(depthwise, pointwise).to(dense.weight)
    kernels = dense.weight.detach().transpose(0, 1).flatten(2)
    left, values, right = torch.linalg.svd(kernels, full_matrices=False)
    root = values[:, :filters].sqrt()  # shared out evenly, so that both factors learn at one rate
    with torch.no_grad():
        depthwise.weight.copy_((root[:, :, None] * right[:, :filters]).reshape(depthwise.weight.shape))
        columns = (left[:, :, :filters] * root[:, None, :]).permute(1, 0, 2)
        pointwise.weight.copy_(columns.reshape(pointwise.weight.shape))
        if dense.bias is not None and pointwise.bias is not None:
            pointwise.bias.copy_(dense.bias)
    return pair


def _separated_unit(unit: nn.Module, filters: int) -> ResnetBlock2D:
    assert isinstance(unit, ResnetBlock2D)
    light = copied(unit)
    light.conv1 = separated(unit.conv1, filters)
    light.conv2 = separated(unit.conv2, filters)
    return light


BLOCK_FAMILIES.register("depthwise")(DepthwiseSeparable())
