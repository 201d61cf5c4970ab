"""A stage's block as a chain of residual and attention units, with its skip wiring written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from nas.space.stage import StageBlock, StageInput, StageOutput

RESIDUAL: Literal["R"] = "R"
ATTENTION: Literal["A"] = "A"

Wiring = tuple[tuple[int, ...], ...]
"""Which skips (numbers in order of consumption) each residual unit concatenates to its input."""


class UnitBlock(StageBlock):
    """`[downsampler] unit unit ... [upsampler]`: the teacher's own block, and what most families build.

    One class for the three roles, because they differ in nothing but the ends: an encoder taps the
    chain for its skips, a decoder's residual units read them, the middle does neither.

    Attributes:
        pattern: One letter per unit, `R` residual and `A` attention, in order of execution.
        units: Residual units are called `(hidden, temb)`, attention units `(hidden, context)`.
        taps: Encoder: after how many units each skip is taken, in order of production; 0 is the
            chain's input (behind the downsampler).
        wiring: Decoder: the skips each residual unit reads, unit by unit.
    """

    def __init__(
        self,
        pattern: str,
        units: Sequence[nn.Module],
        *,
        taps: tuple[int, ...] = (),
        wiring: Wiring = (),
        downsampler: nn.Module | None = None,
        upsampler: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.pattern = pattern
        self.downsampler = downsampler
        self.units = nn.ModuleList(units)
        self.upsampler = upsampler
        self.taps = taps
        self.wiring = wiring

    def forward(self, inputs: StageInput) -> StageOutput:
        """Run the chain."""
        hidden = inputs.hidden if self.downsampler is None else self.downsampler(inputs.hidden)
        states = [hidden]
        reads = iter(self.wiring)
        for letter, unit in zip(self.pattern, self.units, strict=True):
            if letter == RESIDUAL:
                hidden = unit(self._joined(hidden, inputs.skips, next(reads, ())), inputs.temb)
            else:
                hidden = unit(hidden, inputs.context, return_dict=False)[0]
            states.append(hidden)
        if self.upsampler is not None:
            hidden = self.upsampler(hidden, inputs.size)
        return StageOutput(hidden, tuple(states[tap] for tap in self.taps))

    def of(self, letter: str) -> list[nn.Module]:
        """The units of one kind, in order of execution."""
        return [unit for kind, unit in zip(self.pattern, self.units, strict=True) if kind == letter]

    @staticmethod
    def _joined(hidden: Tensor, skips: tuple[Tensor, ...], reads: tuple[int, ...]) -> Tensor:
        return torch.cat([hidden, *(skips[number] for number in reads)], dim=1) if reads else hidden
