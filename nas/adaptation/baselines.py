"""What a compressed network has to beat: the same size without distillation, and the same size without a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel, with_variants
from nas.errors import EvaluationError
from nas.space.teachers.unet2d_condition import UNet2DConditionFamily

WIDTHS = range(4, 101)
"""Shares of the teacher's width that are tried, in percent."""


def from_scratch(
    teacher: Mapping[str, Any], architecture: Mapping[str, str], seed: int
) -> CompressedUNet2DConditionModel:
    """The architecture with weights drawn from a seed: what distillation bought is missing.

    Args:
        teacher: The teacher's `config.json`.
        architecture: Block variant per stage; stages left out have the teacher's block.
        seed: Of the weights.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        staged = UNet2DConditionFamily().stage(UNet2DConditionModel.from_config(dict(teacher)))
        network = with_variants(staged, architecture)
    made: CompressedUNet2DConditionModel = CompressedUNet2DConditionModel.of(network, teacher, architecture)
    return made


def uniformly_narrow(teacher: Mapping[str, Any], params: int) -> dict[str, Any]:
    """The teacher's `config.json` with every level narrowed alike, as near as can be to a number of parameters.

    Depth, attention and skips stay: what the search bought is missing. Widths stay multiples of the
    normalisation groups.

    Raises:
        EvaluationError: If the narrowest network is more than a quarter away from it.
    """
    group = int(teacher.get("norm_num_groups") or 32)
    found: dict[tuple[int, ...], int] = {}
    for percent in WIDTHS:
        widths = tuple(max(group, round(width * percent / 100 / group) * group) for width in _widths(teacher))
        if widths not in found:
            found[widths] = _params({**teacher, "block_out_channels": list(widths)})
    nearest = min(found, key=lambda widths: abs(found[widths] - params))
    if abs(found[nearest] - params) > 0.25 * params:
        raise EvaluationError(
            f"No uniformly narrowed teacher has about {params:,} parameters: the nearest has {found[nearest]:,}.",
            "Compare with a larger architecture.",
        )
    return {**teacher, "block_out_channels": list(nearest)}


def _widths(teacher: Mapping[str, Any]) -> list[int]:
    return [int(width) for width in teacher["block_out_channels"]]


def _params(config: Mapping[str, Any]) -> int:
    with torch.device("meta"):
        network = UNet2DConditionModel.from_config(dict(config))
    return sum(parameter.numel() for parameter in network.parameters())
