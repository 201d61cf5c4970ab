"""Fewer residual and attention units: the R/A strings of NanoSD and TOC-SR.

Initialised as BK-SDM is (Kim et al., ECCV 2024): the units kept are copies of the teacher's.

Which units. Encoder and middle keep their first residual units, because the first changes the width.
A decoder keeps its first (the only one that reads the width of the level inside) and then its last
ones, as BK-SDM does: the last reads the skip that no other can read at its width. Each attention unit
comes from the teacher's position behind its residual unit, or from the nearest position left.

Skips. An encoder always hands out all of the teacher's skips; the skip of a removed unit is the state
where that unit would have stood. In a decoder the string alone leaves the wiring open, and with it
a third of the parameters, so it is written out. `[R-R-R]-[R-RA-RAA]` without E4, Mid and D4 on SD1.5's
configuration with 16 latent channels at 64 x 64 costs:

* `R`: every residual unit reads the skip that it reads in the teacher: 143.2 M, 122.0 GMAC.
  Its 2.78-fold reduction is the one TOC-SR reports.
* `R.none`: no unit reads a skip: 120.1 M, 109.0 GMAC.
* `R.all`: the first unit reads every skip of the stage: 176.0 M, 142.9 GMAC.

(GMAC without attention products. A fourth reading, 154.5 M, concatenates only the two distinct skips
of a one-unit encoder; it would make a decoder's shape depend on its encoder's variant.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from nas.space.blocks.base import BLOCK_FAMILIES, BlockFamily
from nas.space.blocks.inheritance import copied, copied_or_none, residual_reading
from nas.space.stage import Stage, StageBlock
from nas.space.unit_block import UnitBlock, Wiring

LONGEST = 4
"""Longest string offered: the decoders of the published spaces have 8 options, all this short."""


class UnitRemoval(BlockFamily):
    """R/A strings shorter than the teacher's, with explicit skip wiring in decoders."""

    def variants(self, stage: Stage, block: StageBlock) -> tuple[str, ...]:
        """Every shorter string, longest first; in decoders also with other wirings."""
        if not isinstance(block, UnitBlock):
            return ()
        suffixes = (".all", "", ".none") if stage.role == "decoder" else ("",)
        return tuple(pattern + suffix for pattern in _shorter(block.pattern) for suffix in suffixes)

    def build(self, stage: Stage, block: StageBlock, variant: str) -> UnitBlock:
        """Copies of the units kept."""
        self.require(stage, block, variant)
        assert isinstance(block, UnitBlock)
        pattern, _, wiring = variant.partition(".")
        kept = _kept_residuals(pattern.count("R"), block.pattern.count("R"), stage.role)
        if stage.role == "decoder":
            residuals, reads = _wired(block, kept, wiring)
        else:
            residuals, reads = [copied(block.of("R")[number]) for number in kept], ()
        attentions = (copied(block.of("A")[number]) for number in _kept_attentions(pattern, kept, block))
        rest = iter(residuals)
        return UnitBlock(
            pattern,
            [next(rest) if letter == "R" else next(attentions) for letter in pattern],
            taps=_taps(pattern, len(block.taps)),
            wiring=reads,
            downsampler=copied_or_none(block.downsampler),
            upsampler=copied_or_none(block.upsampler),
        )


def _shorter(teacher: str) -> list[str]:
    """Strings that begin with R, have no AAA, no more of a letter than the teacher, and fewer units."""

    def fits(pattern: str) -> bool:
        return (
            pattern.startswith("R")
            and "AAA" not in pattern
            and pattern.count("R") <= teacher.count("R")
            and pattern.count("A") <= teacher.count("A")
        )

    lengths = range(min(len(teacher) - 1, LONGEST), 0, -1)
    words: Iterator[tuple[str, ...]] = itertools.chain(*(itertools.product("AR", repeat=n) for n in lengths))
    return ["".join(word) for word in words if fits("".join(word))]


def _kept_residuals(count: int, available: int, role: str) -> list[int]:
    if role == "decoder":
        return [0, *range(available - count + 1, available)]
    return list(range(count))


def _kept_attentions(pattern: str, kept: list[int], block: UnitBlock) -> list[int]:
    """For each A: the position of its residual unit in the teacher, else the nearest one left, later first."""
    left = set(range(block.pattern.count("A")))
    chosen: list[int] = []
    residual = -1
    for letter in pattern:
        if letter == "R":
            residual += 1
            continue
        wanted = kept[residual]
        number = min(left, key=lambda candidate: (abs(candidate - wanted), -candidate))
        left.remove(number)
        chosen.append(number)
    return chosen


def _taps(pattern: str, skips: int) -> tuple[int, ...]:
    """The state before the chain, then behind each residual unit's group; the last stands for all removed."""
    ends = [index + 1 for index in range(len(pattern)) if pattern[index + 1 : index + 2] != "A"]
    return tuple(0 if skip == 0 else ends[min(skip, len(ends)) - 1] for skip in range(skips))


def _wired(block: UnitBlock, kept: list[int], wiring: str) -> tuple[list[nn.Module], Wiring]:
    units = [unit for unit in block.of("R") if isinstance(unit, ResnetBlock2D)]
    if not wiring:
        return [copied(units[number]) for number in kept], tuple(block.wiring[number] for number in kept)
    # The first unit's skip is as wide as its output; every other unit's hidden state is.
    hidden = [unit.out_channels for unit in units]
    hidden[0] = units[0].in_channels - units[0].out_channels
    without = [residual_reading(units[number], [(units[number], slice(0, hidden[number]))]) for number in kept]
    if wiring == "none":
        return list(without), ()
    every = [(units[0], slice(0, None)), *((unit, slice(unit.out_channels, None)) for unit in units[1:])]
    return [residual_reading(units[0], every), *without[1:]], (tuple(range(len(units))),)


BLOCK_FAMILIES.register("unit_removal")(UnitRemoval())
