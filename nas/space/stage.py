"""A stage: the unit of surgery, with every tensor that crosses its border made explicit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class Stage:
    """Description of one stage of a teacher, no weights.

    The cut follows the levels of a U-Net: an encoder stage *begins* with its own downsampler and a
    decoder stage *ends* with its own upsampler, so that decoder stage `Dk` consumes exactly the skips
    that encoder stage `Ek` produced, costs add up over stages, and a level removed whole leaves
    nothing behind.

    Attributes:
        name: `E1` ... `En`, `Mid`, `Dn` ... `D1` (outermost level is 1).
        role: Where it stands.
        units: Its units in order of execution, `R` residual and `A` attention: `RARA`.
        resamples: Whether it holds a downsampler (encoder) or an upsampler (decoder).
    """

    name: str
    role: Literal["encoder", "mid", "decoder"]
    units: str
    resamples: bool


@dataclass(frozen=True)
class StageInput:
    """All that enters a stage.

    Attributes:
        hidden: `B x C x H x W`.
        temb: Time embedding, `B x T`.
        context: Conditioning tokens, `B x L x D`, or None for teachers without cross-attention.
        skips: Decoder only: the skips of the mirror encoder stage, in order of consumption.
        size: Decoder only: height and width to upsample to; None doubles both. Set only when the
            latent's sides are no multiples of the network's stride.
    """

    hidden: Tensor
    temb: Tensor
    context: Tensor | None = None
    skips: tuple[Tensor, ...] = ()
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class StageOutput:
    """All that leaves a stage.

    Attributes:
        hidden: `B x C' x H' x W'`.
        skips: Encoder only: in order of production (the mirror stage consumes them in reverse).
    """

    hidden: Tensor
    skips: tuple[Tensor, ...] = ()

    def tensors(self) -> tuple[Tensor, ...]:
        """Hidden state and skips: everything a surrogate block has to imitate."""
        return (self.hidden, *self.skips)


class StageBlock(nn.Module, ABC):
    """A module that fills a stage: the teacher's own, or a surrogate block. Shapes are the stage's."""

    @abstractmethod
    def forward(self, inputs: StageInput) -> StageOutput:
        """Compute the stage. Output shapes equal the teacher's for the same input."""
