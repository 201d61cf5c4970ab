"""Taking weights over from the teacher: copies and slices of its units."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from nas.space.unit_block import ATTENTION, RESIDUAL, UnitBlock

M = TypeVar("M", bound=nn.Module)


def copied(unit: M) -> M:
    """A trainable copy; the teacher's own is usually frozen."""
    return copy.deepcopy(unit).requires_grad_(True)


def copied_or_none(unit: nn.Module | None) -> nn.Module | None:
    """A trainable copy of a resampler that a stage may not have."""
    return None if unit is None else copied(unit)


def rebuilt(
    block: UnitBlock,
    residual: Callable[[nn.Module], nn.Module] | None = None,
    attention: Callable[[nn.Module], nn.Module] | None = None,
) -> UnitBlock:
    """A block of the same pattern and wiring, its units copied or made anew from the teacher's.

    Args:
        block: The teacher's.
        residual: Makes a residual unit from the teacher's; copies by default.
        attention: Makes an attention unit from the teacher's; copies by default.
    """
    make = {RESIDUAL: residual or copied, ATTENTION: attention or copied}
    return UnitBlock(
        block.pattern,
        [make[letter](unit) for letter, unit in zip(block.pattern, block.units, strict=True)],
        taps=block.taps,
        wiring=block.wiring,
        downsampler=copied_or_none(block.downsampler),
        upsampler=copied_or_none(block.upsampler),
    )


def residual_reading(unit: ResnetBlock2D, sources: Sequence[tuple[ResnetBlock2D, slice]]) -> ResnetBlock2D:
    """Copy of a residual unit that reads other input channels.

    Args:
        unit: Gives everything behind the first convolution.
        sources: Whose input channels to take over, in order of concatenation: normalisation, first
            convolution and shortcut get the columns that read them in the teacher.
    """
    reader = copied(unit)
    width = sum(len(range(*columns.indices(source.in_channels))) for source, columns in sources)
    reader.in_channels = width
    reader.norm1 = nn.GroupNorm(unit.norm1.num_groups, width, eps=unit.norm1.eps).to(unit.norm1.weight)
    _set(reader.norm1, torch.cat([source.norm1.weight[columns] for source, columns in sources]), "weight")
    _set(reader.norm1, torch.cat([source.norm1.bias[columns] for source, columns in sources]), "bias")
    reader.conv1 = with_weight(unit.conv1, torch.cat([s.conv1.weight[:, columns] for s, columns in sources], dim=1))
    if width == unit.out_channels:
        reader.conv_shortcut = None
    elif unit.conv_shortcut is not None:
        weight = torch.cat([_shortcut_weight(source)[:, columns] for source, columns in sources], dim=1)
        reader.conv_shortcut = with_weight(unit.conv_shortcut, weight)
    return reader


def with_weight(convolution: nn.Conv2d, weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """A convolution like `convolution` with another kernel, `out x in x k x k`, and its bias or another."""
    bias = convolution.bias if bias is None else bias
    like = nn.Conv2d(
        weight.shape[1] * convolution.groups,
        weight.shape[0],
        (weight.shape[2], weight.shape[3]),
        stride=convolution.stride[0],
        padding=(weight.shape[2] // 2, weight.shape[3] // 2),
        groups=convolution.groups,
        bias=bias is not None,
        device=weight.device,
        dtype=weight.dtype,
    )
    _set(like, weight, "weight")
    if bias is not None:
        _set(like, bias, "bias")
    return like


def with_linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear layer with the given weight, `out x in`, and bias."""
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias is not None, weight.device, weight.dtype)
    _set(layer, weight, "weight")
    if bias is not None:
        _set(layer, bias, "bias")
    return layer


def with_scale(norm: nn.GroupNorm, groups: int, kept: Tensor) -> nn.GroupNorm:
    """A group normalisation over the kept channels of another."""
    like = nn.GroupNorm(groups, len(kept), eps=norm.eps, device=norm.weight.device, dtype=norm.weight.dtype)
    _set(like, norm.weight[kept], "weight")
    _set(like, norm.bias[kept], "bias")
    return like


def _shortcut_weight(unit: ResnetBlock2D) -> Tensor:
    """Kernel of the shortcut, `out x in x 1 x 1`; a missing one is the identity."""
    if unit.conv_shortcut is not None:
        weight: Tensor = unit.conv_shortcut.weight
        return weight
    return torch.eye(unit.out_channels).to(unit.conv1.weight)[:, :, None, None]


def _set(module: nn.Module, value: Tensor, name: str) -> None:
    """Give a layer a parameter of its own: cloned, detached, trainable."""
    setattr(module, name, nn.Parameter(value.detach().clone()))
