"""Residual units with a narrower inside: structured channel pruning of what no border sees.

A residual unit is `norm, conv1, norm2, conv2`; its inner channels lie between the convolutions, so
that any number of them can go without touching the stage's shapes. Attention is kept.

Which channels. `norm2` makes the scale of `conv1` meaningless, so a channel counts by what it can still
say: its scale in `norm2` times the norm of the column of `conv2` that reads it (the criterion of Li et
al., "Pruning Filters for Efficient ConvNets", ICLR 2017, moved behind the normalisation). The strongest
of every normalisation group stay, so that groups keep their channels and their statistics' meaning; at
least two of each, because a group of one would normalise the time embedding away.
"""

from __future__ import annotations

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from nas.space.blocks.base import BLOCK_FAMILIES, BlockFamily
from nas.space.blocks.inheritance import copied, rebuilt, with_linear, with_scale, with_weight
from nas.space.stage import Stage, StageBlock
from nas.space.unit_block import UnitBlock

PERCENTAGES = {"narrow50": 50, "narrow25": 25}
"""Variant -> inner channels kept, in percent, rounded down per normalisation group."""

SMALLEST_GROUP = 2


class NarrowResidual(BlockFamily):
    """`narrow50` and `narrow25`: half and a quarter of every residual unit's inner channels."""

    def variants(self, stage: Stage, block: StageBlock) -> tuple[str, ...]:
        """Those widths that leave fewer channels than the wider ones did."""
        if not isinstance(block, UnitBlock) or "R" not in stage.units:
            return ()
        sizes = [_group_size(unit) for unit in block.of("R")]
        offered, wider = [], sizes
        for variant, percentage in PERCENTAGES.items():
            kept = [_kept_per_group(size, percentage) for size in sizes]
            if kept != wider:
                offered.append(variant)
            wider = kept
        return tuple(offered)

    def build(self, stage: Stage, block: StageBlock, variant: str) -> UnitBlock:
        """The teacher's units with their strongest inner channels."""
        self.require(stage, block, variant)
        assert isinstance(block, UnitBlock)
        percentage = PERCENTAGES[variant]
        return rebuilt(block, residual=lambda unit: narrowed(unit, percentage))


def narrowed(unit: nn.Module, percentage: int) -> ResnetBlock2D:
    """A residual unit with a part of its inner channels."""
    assert isinstance(unit, ResnetBlock2D)
    kept = strongest_channels(unit, percentage)
    narrow = copied(unit)
    narrow.conv1 = with_weight(unit.conv1, unit.conv1.weight[kept], unit.conv1.bias[kept])
    narrow.time_emb_proj = with_linear(unit.time_emb_proj.weight[kept], unit.time_emb_proj.bias[kept])
    narrow.norm2 = with_scale(unit.norm2, unit.norm2.num_groups, kept)
    narrow.conv2 = with_weight(unit.conv2, unit.conv2.weight[:, kept])
    return narrow


def strongest_channels(unit: ResnetBlock2D, percentage: int) -> Tensor:
    """Numbers of the inner channels kept, ascending: the strongest of every normalisation group."""
    strength = unit.norm2.weight.detach().abs() * unit.conv2.weight.detach().flatten(2).norm(dim=(0, 2))
    groups = strength.view(unit.norm2.num_groups, -1)
    best = groups.topk(_kept_per_group(groups.shape[1], percentage), dim=1).indices.sort(dim=1).values
    first = torch.arange(len(groups), device=strength.device)[:, None] * groups.shape[1]
    kept: Tensor = (first + best).flatten()
    return kept


def _group_size(unit: nn.Module) -> int:
    assert isinstance(unit, ResnetBlock2D)
    return int(unit.norm2.num_channels // unit.norm2.num_groups)


def _kept_per_group(size: int, percentage: int) -> int:
    return min(size, max(SMALLEST_GROUP, size * percentage // 100))


BLOCK_FAMILIES.register("narrow_residual")(NarrowResidual())
