"""Stable-Diffusion-shaped teachers: diffusers' `UNet2DConditionModel`, cut into stages.

One family serves SD1.x, SD2.x, BK-SDM and anything else of that shape, at any width, depth and
number of latent channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffusers import UNet2DConditionModel
from torch import nn

from nas.errors import InvalidSearchSpace
from nas.space.stage import Stage, StageBlock
from nas.space.teachers.base import TEACHER_FAMILIES, TeacherFamily
from nas.space.teachers.staged_unet import Head, StagedUNet, Stem, TimeEmbedding
from nas.space.teachers.supported import unsupported_fields
from nas.space.unit_block import UnitBlock


class UNet2DConditionFamily(TeacherFamily):
    """Cuts `UNet2DConditionModel` at the borders that `nas.space.stage` describes."""

    def accepts(self, config: Mapping[str, object]) -> bool:
        """Whether the configuration names the class; its fields are judged by `require_supported`."""
        return config.get("_class_name") == "UNet2DConditionModel"

    def require_supported(self, config: Mapping[str, object]) -> None:
        """Refuse class embeddings, SDXL's additional embeddings, other block types and the like."""
        faults = unsupported_fields(config)
        if faults:
            raise InvalidSearchSpace(
                f"This U-Net cannot be cut into stages: {'; '.join(faults)}.",
                "Supported are SD1.x, SD2.x and BK-SDM shapes.",
            )

    def network_type(self) -> Any:
        """`UNet2DConditionModel`."""
        return UNet2DConditionModel

    def stage(self, network: nn.Module) -> StagedUNet:
        """Cut a network into stages. Shares its weights.

        Raises:
            InvalidSearchSpace: If the network has parts that the cut would lose (class embeddings,
                SDXL's additional embeddings, other block types); names every field.
        """
        if not isinstance(network, UNet2DConditionModel):
            raise InvalidSearchSpace(
                f"A {type(network).__name__} is no UNet2DConditionModel.", "Give a Stable-Diffusion-shaped U-Net."
            )
        unet: Any = network  # diffusers declares no types for its parts
        self.require_supported(unet.config)
        return _cut(unet)


def _cut(network: Any) -> StagedUNet:
    levels = len(network.down_blocks)
    cut: list[tuple[Stage, StageBlock]] = []
    for level in range(1, levels + 1):
        block = _encoder(network, level)
        cut.append((Stage(f"E{level}", "encoder", block.pattern, level > 1), block))
    if network.mid_block is not None:
        block = _mid(network.mid_block)
        cut.append((Stage("Mid", "mid", block.pattern, False), block))
    for level in range(levels, 0, -1):
        block = _decoder(network.up_blocks[levels - level])
        cut.append((Stage(f"D{level}", "decoder", block.pattern, level > 1), block))
    return StagedUNet(
        Stem(network),
        TimeEmbedding(network),
        Head(network),
        tuple(stage for stage, _ in cut),
        {stage.name: block for stage, block in cut},
    )


def _encoder(network: Any, level: int) -> UnitBlock:
    """Level `level` with the downsampler that diffusers files under the level before it."""
    pattern, units = _chain(network.down_blocks[level - 1])
    ends = tuple(index + 1 for index in range(len(units)) if pattern[index + 1 : index + 2] != "A")
    downsampler = network.down_blocks[level - 2].downsamplers[0] if level > 1 else None
    return UnitBlock(pattern, units, taps=(0, *ends), downsampler=downsampler)


def _mid(block: Any) -> UnitBlock:
    first, *others = block.resnets
    units = [first, *(unit for pair in zip(block.attentions, others, strict=True) for unit in pair)]
    return UnitBlock("R" + "AR" * len(others), units)


def _decoder(block: Any) -> UnitBlock:
    pattern, units = _chain(block)
    wiring = tuple((number,) for number in range(pattern.count("R")))
    return UnitBlock(pattern, units, wiring=wiring, upsampler=block.upsamplers[0] if block.upsamplers else None)


def _chain(block: Any) -> tuple[str, list[nn.Module]]:
    """Residual units, each followed by its attention where the block has any."""
    residuals: list[nn.Module] = list(block.resnets)
    attentions: list[nn.Module] = list(getattr(block, "attentions", ()))
    if not attentions:
        return "R" * len(residuals), residuals
    return "RA" * len(residuals), [unit for pair in zip(residuals, attentions, strict=True) for unit in pair]


TEACHER_FAMILIES.register("unet2d_condition")(UNet2DConditionFamily())
