"""A stage removed whole, as E4, Mid and D4 are in NanoSD, TOC-SR and BK-SDM-Tiny.

What remains has no parameters: an encoder stage becomes average pooling (its skips are that, too), a
decoder stage nearest-neighbour enlargement that reads no skip, the middle the identity. When a level
and all inside it are removed, the denoiser bypasses it and nothing is pooled at all.

Offered only where the stage keeps the number of channels: any parameter-free map between widths
(padding, truncating, averaging groups) would pair up channels that have nothing to do with each other.
"""

from __future__ import annotations

from diffusers.models.resnet import ResnetBlock2D
from torch.nn import functional

from nas.space.blocks.base import BLOCK_FAMILIES, BlockFamily
from nas.space.bypass import RemovedStage
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput
from nas.space.unit_block import UnitBlock

REMOVED = "removed"


class StageRemoval(BlockFamily):
    """One variant, `removed`, at stages that keep their number of channels."""

    def variants(self, stage: Stage, block: StageBlock) -> tuple[str, ...]:
        """`removed` for the middle and for resampling stages whose width does not change."""
        if stage.role == "mid":
            return (REMOVED,)
        return (REMOVED,) if stage.resamples and _keeps_width(stage, block) else ()

    def build(self, stage: Stage, block: StageBlock, variant: str) -> StageBlock:
        """A block without parameters."""
        self.require(stage, block, variant)
        if stage.role == "encoder":
            assert isinstance(block, UnitBlock)
            return Pooled(len(block.taps))
        return Enlarged() if stage.role == "decoder" else Identity()


class Pooled(RemovedStage):
    """2 x 2 average pooling in place of an encoder stage; every skip is the pooled state."""

    def __init__(self, skips: int) -> None:
        super().__init__()
        self.skips = skips

    def forward(self, inputs: StageInput) -> StageOutput:
        """Halve the sides, odd ones rounded up as the teacher's strided convolution does."""
        hidden = functional.avg_pool2d(inputs.hidden, kernel_size=2, ceil_mode=True)
        return StageOutput(hidden, (hidden,) * self.skips)


class Enlarged(RemovedStage):
    """Nearest-neighbour enlargement in place of a decoder stage; reads no skip."""

    def forward(self, inputs: StageInput) -> StageOutput:
        """Double the sides, or reach the size asked for."""
        if inputs.size is None:
            return StageOutput(functional.interpolate(inputs.hidden, scale_factor=2.0, mode="nearest"))
        return StageOutput(functional.interpolate(inputs.hidden, size=inputs.size, mode="nearest"))


class Identity(RemovedStage):
    """Nothing in place of the middle."""

    def forward(self, inputs: StageInput) -> StageOutput:
        """The hidden state as it came."""
        return StageOutput(inputs.hidden)


def _keeps_width(stage: Stage, block: StageBlock) -> bool:
    """Whether the hidden state enters as wide as it leaves."""
    residuals = block.of("R") if isinstance(block, UnitBlock) else []
    if not residuals:
        return False
    first = residuals[0]
    assert isinstance(first, ResnetBlock2D)
    # A decoder's first unit also reads a skip, which is as wide as its output.
    entering = first.in_channels - first.out_channels if stage.role == "decoder" else first.in_channels
    return bool(entering == first.out_channels)


BLOCK_FAMILIES.register("stage_removal")(StageRemoval())
