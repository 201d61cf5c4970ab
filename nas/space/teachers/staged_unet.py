"""A U-Net as stem, stages and head, each stage filled by the teacher's block or a surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from nas.domain.search_space import SearchSpace
from nas.errors import UnknownName
from nas.space.bypass import bypassed_stages
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser, StageObserver
from nas.space.teachers.default_space import default_space


class Stem(nn.Module):
    """First convolution of a `UNet2DConditionModel`; shares its weights."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.conv_in = network.conv_in
        self.center = bool(network.config.center_input_sample)

    def forward(self, sample: Tensor) -> Tensor:
        """`B x C x H x W` to the first hidden state, `B x C1 x H x W`."""
        hidden: Tensor = self.conv_in(2 * sample - 1.0 if self.center else sample)
        return hidden


class TimeEmbedding(nn.Module):
    """Sinusoids and multi-layer perceptron of a `UNet2DConditionModel`; shares its weights."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.time_proj = network.time_proj
        self.time_embedding = network.time_embedding
        self.time_embed_act = network.time_embed_act

    def forward(self, timestep: Tensor, sample: Tensor) -> Tensor:
        """Timesteps, `B` or one for all, to `B x T` in the sample's precision."""
        # Sinusoids are always computed in single precision; the network may run in half.
        waves = self.time_proj(timestep.reshape(-1).expand(sample.shape[0])).to(sample.dtype)
        temb: Tensor = self.time_embedding(waves)
        return temb if self.time_embed_act is None else self.time_embed_act(temb)


class Head(nn.Module):
    """Last normalisation, activation and convolution of a `UNet2DConditionModel`; shares its weights."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.conv_norm_out = network.conv_norm_out
        self.conv_act = network.conv_act
        self.conv_out = network.conv_out

    def forward(self, hidden: Tensor) -> Tensor:
        """`B x C1 x H x W` to the prediction, `B x C x H x W`."""
        if self.conv_norm_out is not None:
            hidden = self.conv_act(self.conv_norm_out(hidden))
        prediction: Tensor = self.conv_out(hidden)
        return prediction


class Floor(nn.Module):
    """Stem and head without the stages between them.

    The time embedding is added to the hidden state, so that no exporter prunes it as dead: every
    architecture pays for it. Costs no multiply-accumulate.
    """

    def __init__(self, stem: Stem, time: TimeEmbedding, head: Head) -> None:
        super().__init__()
        self.stem = stem
        self.time_embedding = time
        self.head = head

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        """`(B x C x H x W, B)` to `B x C x H x W`."""
        hidden = self.stem(sample)
        temb = self.time_embedding(timestep, sample)
        prediction: Tensor = self.head(hidden + temb[:, : hidden.shape[1], None, None])
        return prediction


class StagedUNet(StagedDenoiser):
    """Stages joined by the skips of a U-Net: `Dk` consumes the skips of `Ek`.

    Levels removed whole (`Ek`, everything inside it, `Dk`) are bypassed: the decoder outside them
    reads the encoder's hidden state at full resolution instead of one pooled and enlarged again.
    """

    def __init__(
        self,
        stem: Stem,
        time: TimeEmbedding,
        head: Head,
        stages: tuple[Stage, ...],
        blocks: Mapping[str, StageBlock],
    ) -> None:
        super().__init__()
        self.stem = stem
        self.time_embedding = time
        self.head = head
        self.stages = stages
        self.blocks = nn.ModuleDict(dict(blocks))
        self.bypassed = bypassed_stages(stages, blocks)

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor | None = None) -> Tensor:
        """Predict what the teacher predicts."""
        return self.observed(sample, timestep, context, lambda *_: None)

    def observed(self, sample: Tensor, timestep: Tensor, context: Tensor | None, observe: StageObserver) -> Tensor:
        """Like `forward`, and shows every stage that runs; stages of a bypassed level do not run."""
        hidden = self.stem(sample)
        temb = self.time_embedding(timestep, sample)
        skips: dict[str, tuple[Tensor, ...]] = {}
        sizes = self._sizes(sample)
        for stage in self.stages:
            if stage.name in self.bypassed:
                continue
            level = stage.name[1:]
            if stage.role == "decoder":
                inputs = StageInput(hidden, temb, context, skips.pop(level), sizes.get(stage.name))
            else:
                inputs = StageInput(hidden, temb, context)
            output: StageOutput = self.blocks[stage.name](inputs)
            observe(stage, inputs, output)
            hidden = output.hidden
            if stage.role == "encoder":
                skips[level] = output.skips[::-1]
        prediction: Tensor = self.head(hidden)
        return prediction

    def block(self, stage: str) -> StageBlock:
        """The block that fills a stage.

        Raises:
            UnknownName: If the teacher has no such stage.
        """
        if stage not in self.blocks:
            raise UnknownName("stage", stage, tuple(known.name for known in self.stages))
        block = self.blocks[stage]
        assert isinstance(block, StageBlock)
        return block

    def with_blocks(self, blocks: Mapping[str, StageBlock]) -> StagedUNet:
        """A new denoiser with some stages filled otherwise; everything else is shared.

        Raises:
            UnknownName: If the teacher has no such stage.
        """
        for name in blocks:
            self.block(name)
        filled = {stage.name: blocks.get(stage.name, self.block(stage.name)) for stage in self.stages}
        return StagedUNet(self.stem, self.time_embedding, self.head, self.stages, filled)

    def floor(self) -> Floor:
        """Stem, time embedding and head as one module."""
        return Floor(self.stem, self.time_embedding, self.head)

    def default_space(self) -> SearchSpace:
        """The space searched when a spec names none."""
        return default_space(self.stages, {stage.name: self.block(stage.name) for stage in self.stages})

    def _sizes(self, sample: Tensor) -> dict[str, tuple[int, int]]:
        """Where doubling would miss the encoder's odd sizes: decoder stage -> size to upsample to.

        An encoder level halves with rounding up; diffusers forwards sizes only when some side is no
        multiple of the network's stride, and so does this, because plain doubling exports better.
        """
        levels = sum(stage.role == "encoder" for stage in self.stages)
        height, width = (int(side) for side in sample.shape[-2:])
        stride = 2 ** (levels - 1)
        if height % stride == 0 and width % stride == 0:
            return {}
        halvings = {f"D{level + 1}": 2 ** (level - 1) for level in range(1, levels)}
        return {stage: (-(-height // by), -(-width // by)) for stage, by in halvings.items()}
