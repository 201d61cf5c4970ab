"""Synthetic families shaped like a U-Net, with hidden sensitivities, interactions, ruggedness and noise.

Instance `n` of a family is drawn from seed `n`: twenty seeds are twenty landscapes.

`syn`: six stages of 4·4·4·8·8·8 variants (32,768), costs not exactly additive (mirror stages are cheaper together),
loss = (weighted block losses + interactions of every pair, mirror stages strongest)^1.25 × log-normal ruggedness.
`syn-shuffled`: the same, but the known block losses are permuted among the variants of each stage: they mislead.
`syn-18`: eighteen stages of 4 variants (7·10^10), where interactions and ruggedness stay within mirror pairs, so that
front and optimum follow exactly by merging the pairs.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.search.landscape import Bounds, Landscape, Measured, Rung, digest
from benchmarks.search.listed import TableLandscape
from benchmarks.search.rungs import rungs_of_noise
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.search_space import SearchSpace, StageChoices
from nas.strategy.additive import non_dominated_rows
from nas.strategy.pricing import Codes, Prices, sum_by_stage

CARDINALITIES = (4, 4, 4, 8, 8, 8)
MANY = (4,) * 18
NOISE = 0.06
FEASIBLE = 0.005
"""Share of the architectures within the bound."""
FLOOR = 3.0
"""GMACs that every architecture pays."""
POWER = 1.25


@dataclasses.dataclass(frozen=True)
class Blocks:
    """What single blocks cost and lose, stage by stage, and how much a stage's loss matters to the network."""

    gmacs: list[Prices]
    block_losses: list[Prices]
    hidden: list[Prices]

    @classmethod
    def draw(cls, draw: np.random.Generator, cardinalities: tuple[int, ...]) -> Blocks:
        """Random blocks: a stage's shares of cost fall from variant to variant, its losses mostly rise."""
        shares = [np.concatenate([[1.0], np.sort(draw.uniform(0.1, 0.85, n - 1))[::-1]]) for n in cardinalities]
        weights = draw.uniform(20.0, 90.0, len(cardinalities))
        # A block that does less is imitated worse, but not strictly so.
        losses = [0.6 * (1 - share) ** 1.5 * draw.lognormal(0.0, 0.35, len(share)) for share in shares]
        sensitivities = draw.lognormal(0.0, 0.8, len(cardinalities))
        return cls(
            gmacs=[weight * share for weight, share in zip(weights, shares, strict=True)],
            block_losses=losses,
            hidden=[sensitivity * loss for sensitivity, loss in zip(sensitivities, losses, strict=True)],
        )


def synthetic(instance: int, shuffled: bool = False) -> TableLandscape:
    """Instance of `syn` or `syn-shuffled`: both have the same truth."""
    draw = np.random.default_rng((6, instance))
    blocks = Blocks.draw(draw, CARDINALITIES)
    grid = np.indices(CARDINALITIES, dtype=np.int16).reshape(len(CARDINALITIES), -1).T
    costs = FLOOR + sum_by_stage(blocks.gmacs, grid)
    total = sum_by_stage(blocks.hidden, grid)
    rugged = np.zeros(len(grid))
    for s in range(len(CARDINALITIES)):
        for t in range(s + 1, len(CARDINALITIES)):
            mirror = s + t == len(CARDINALITIES) - 1
            pair = np.ix_(np.arange(CARDINALITIES[s]), np.arange(CARDINALITIES[t]))
            together = _interaction(draw, blocks, s, t, 0.5 if mirror else 0.1)[pair]
            total = total + together[grid[:, s], grid[:, t]]
            rugged += draw.normal(0.0, 0.07, together.shape)[grid[:, s], grid[:, t]]
            if mirror:
                costs = costs - _saving(blocks, s, t)[grid[:, s], grid[:, t]]
    losses = 0.1 * np.maximum(total, 0.0) ** POWER * np.exp(rugged)
    known = [_shuffled(draw, table) if shuffled else table for table in blocks.block_losses]
    return TableLandscape(
        "syn-shuffled" if shuffled else "syn",
        space_of(CARDINALITIES),
        grid,
        costs,
        losses,
        Bounds(float(np.quantile(losses, FEASIBLE))),
        block_losses=known,
        noise=NOISE,
    )


def space_of(cardinalities: tuple[int, ...]) -> SearchSpace:
    """A space whose variants are numbered, the teacher's first."""
    names = [(TEACHER_VARIANT, *(f"v{v}" for v in range(1, n))) for n in cardinalities]
    return SearchSpace(stages=tuple(StageChoices(stage=f"S{s:02d}", variants=n) for s, n in enumerate(names)))


def _interaction(
    draw: np.random.Generator, blocks: Blocks, s: int, t: int, strength: float
) -> npt.NDArray[np.float64]:
    """What the errors of two stages do to each other: mostly harm, at times they cancel. Variants s × t."""
    sign = draw.uniform(-0.5, 1.0)
    both: npt.NDArray[np.float64] = np.sqrt(blocks.hidden[s][:, None] * blocks.hidden[t][None, :])
    return strength * sign * both


def _saving(blocks: Blocks, s: int, t: int) -> npt.NDArray[np.float64]:
    """A skip connection gets narrower when both its ends do. GMACs, variants s × t."""
    narrow = [1 - blocks.gmacs[stage] / blocks.gmacs[stage][0] for stage in (s, t)]
    most = 0.05 * min(float(blocks.gmacs[s][0]), float(blocks.gmacs[t][0]))
    saved: npt.NDArray[np.float64] = most * np.outer(*narrow)
    return saved


def _shuffled(draw: np.random.Generator, table: Prices) -> Prices:
    """The same losses at other variants; the teacher keeps its zero."""
    return np.concatenate([table[:1], draw.permutation(table[1:])])


class MirrorPairs(Landscape):
    """Instance of `syn-18`: cost and loss are functions of sums over the nine mirror pairs."""

    bought = ()
    has_rungs = True

    def __init__(self, instance: int, cardinalities: tuple[int, ...] = MANY) -> None:
        draw = np.random.default_rng((18, instance))
        blocks = Blocks.draw(draw, cardinalities)
        self.name = f"syn-{len(cardinalities)}"
        self.space = space_of(cardinalities)
        self.block_losses = blocks.block_losses
        stages = len(cardinalities)
        self._pairs = [(s, stages - 1 - s) for s in range(stages // 2)]
        self._alone = blocks.gmacs
        self._gmacs, self._hidden = [], []
        for s, t in self._pairs:
            self._gmacs.append(blocks.gmacs[s][:, None] + blocks.gmacs[t][None, :] - _saving(blocks, s, t))
            both = blocks.hidden[s][:, None] + blocks.hidden[t][None, :]
            rugged = np.exp(draw.normal(0.0, 0.08, both.shape))
            self._hidden.append(np.maximum(both + _interaction(draw, blocks, s, t, 0.5), 0.0) * rugged)
        drawn = self.loss(self.sample(200_000, np.random.default_rng(0)))
        self.bounds = Bounds(float(np.quantile(drawn, FEASIBLE)))
        self._worst = float(np.quantile(drawn, 0.6))

    def _sum(self, tables: list[npt.NDArray[np.float64]], codes: Codes) -> Prices:
        total = np.zeros(len(codes))
        for (s, t), table in zip(self._pairs, tables, strict=True):
            total += table[codes[:, s], codes[:, t]]
        return total

    def cost(self, codes: Codes) -> Prices:
        return FLOOR + self._sum(self._gmacs, codes)

    def loss(self, codes: Codes) -> Prices:
        return 0.1 * self._sum(self._hidden, codes) ** POWER

    def measure(self, codes: tuple[int, ...], seed: int) -> Measured:
        rows = np.array([codes], dtype=np.int16)
        error = NOISE * np.random.default_rng((seed, *codes)).normal()
        loss = float(self.loss(rows)[0] * np.exp(error))
        return Measured(float(self.cost(rows)[0]), loss, loss * NOISE)

    def rungs(self, codes: tuple[int, ...], seed: int, whole: Measured) -> Sequence[Rung]:
        true = float(self.loss(np.array([codes], dtype=np.int16))[0])
        return rungs_of_noise(true, whole.loss, NOISE, np.random.default_rng((seed, *codes, 1)))

    def sample(self, count: int, generator: np.random.Generator) -> Codes:
        drawn = generator.random((count, len(self.cardinalities))) * np.array(self.cardinalities)
        codes: Codes = drawn.astype(np.int16)
        return codes

    @cached_property
    def front(self) -> npt.NDArray[np.float64]:
        costs, sums = np.zeros(1), np.zeros(1)
        for gmacs, hidden in zip(self._gmacs, self._hidden, strict=True):
            costs = (costs[:, None] + gmacs.ravel()[None, :]).ravel()
            sums = (sums[:, None] + hidden.ravel()[None, :]).ravel()
            rows = non_dominated_rows(costs, sums)
            costs, sums = costs[rows], sums[rows]
        return np.column_stack([FLOOR + costs, 0.1 * sums**POWER])

    @cached_property
    def optimum(self) -> float:
        return float(self.front[self.front[:, 1] <= self.bounds.epsilon, 0].min())

    @cached_property
    def dearest(self) -> float:
        return FLOOR + sum(float(table.max()) for table in self._gmacs)

    @property
    def reference(self) -> tuple[float, float]:
        return self.dearest * (1 + 1e-9), self._worst

    @property
    def additive_cost(self) -> list[Prices]:
        return [table - table.min() for table in self._alone]

    @property
    def size(self) -> int:
        return self.space.size

    @cached_property
    def fingerprint(self) -> str:
        return digest(*self._gmacs, *self._hidden, *(self.block_losses or ()), self.bounds, NOISE)
