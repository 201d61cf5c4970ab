"""A landscape that lists every architecture there is."""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.search.landscape import Bounds, Landscape, Mask, Measured, Rung, digest
from benchmarks.search.rungs import rungs_of_noise
from nas.domain.search_space import SearchSpace
from nas.domain.stopping import LEAST_SAMPLES
from nas.strategy.additive import non_dominated_rows
from nas.strategy.pricing import Codes, Prices

COMMON_SAMPLES = 64
"""Of a table that knows standard errors but one value: so many stand behind each, the same for all. It is the
product's default, and what our own truth was measured on.
"""


class TableLandscape(Landscape):
    """A landscape that lists every architecture there is.

    Args:
        name: In the results.
        space: Stages and variants.
        codes: The architectures, `n x stages`, without repeats; the original is among them.
        costs: Their costs, `n`.
        losses: Their true losses, `n`.
        bounds: Of the ε task.
        sems: Standard errors of a measurement, `n`, or None.
        replicates: Measurements to draw from, `n x k`; None: the truth is what is measured, but for `noise`.
        latencies: Milliseconds, `n`, or None.
        block_losses: Stage by stage, or None.
        bought: What block losses were computed from.
        noise: Relative standard deviation of a measurement without replicates.
        rough: Losses after a share of the samples, `n` for each share. No part of the fingerprint: only methods that
            stop early get to see them.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        codes: Codes,
        costs: Prices,
        losses: Prices,
        bounds: Bounds,
        *,
        sems: Prices | None = None,
        replicates: npt.NDArray[np.float64] | None = None,
        latencies: Prices | None = None,
        block_losses: list[Prices] | None = None,
        bought: tuple[tuple[int, ...], ...] = (),
        noise: float = 0.0,
        rough: Mapping[float, Prices] | None = None,
    ) -> None:
        self.name, self.space, self.bounds = name, space, bounds
        self.block_losses, self.bought, self.noise = block_losses, bought, noise
        keys = self._keys(codes)
        order = np.argsort(keys)
        self._sorted, self.codes = keys[order], np.ascontiguousarray(codes[order])
        self.costs, self.losses = costs[order], losses[order]
        self.sems = None if sems is None else sems[order]
        self.replicates = None if replicates is None else replicates[order]
        self.latencies = None if latencies is None else latencies[order]
        self.is_deterministic = replicates is None and noise == 0
        self.rough = {share: values[order] for share, values in sorted((rough or {}).items())}
        self.has_rungs = noise > 0 or bool(rough and sems is not None)

    def _keys(self, codes: Codes) -> npt.NDArray[np.int64]:
        keys: npt.NDArray[np.int64] = np.ravel_multi_index(tuple(codes.T.astype(np.int64)), self.cardinalities)
        return keys

    def rows(self, codes: Codes) -> npt.NDArray[np.intp]:
        """Where each architecture stands in the table; the nearest row where it does not."""
        found = np.searchsorted(self._sorted, self._keys(codes))
        return np.minimum(found, len(self._sorted) - 1)

    def holds(self, codes: Codes) -> Mask:
        there: Mask = self._sorted[self.rows(codes)] == self._keys(codes)
        return there

    def cost(self, codes: Codes) -> Prices:
        listed = self.costs[self.rows(codes)]
        if len(self.codes) == self.space.size:
            return listed
        added = self._base + sum(table[codes[:, s]] for s, table in enumerate(self.additive_cost))
        return np.where(self.holds(codes), listed, added)

    def loss(self, codes: Codes) -> Prices:
        return self.losses[self.rows(codes)]

    def latency(self, codes: Codes) -> Prices | None:
        return None if self.latencies is None else self.latencies[self.rows(codes)]

    def measure(self, codes: tuple[int, ...], seed: int) -> Measured:
        row = int(self.rows(np.array([codes], dtype=np.int16))[0])
        draw = np.random.default_rng((seed, row))
        loss, sem = float(self.losses[row]), 0.0
        if self.replicates is not None:
            drawn = self.replicates[row]
            loss, sem = (
                float(drawn[draw.integers(len(drawn))]),
                float(np.std(drawn, ddof=1)) if len(drawn) > 1 else 0.0,
            )
        elif self.noise:
            loss *= float(np.exp(self.noise * draw.normal()))
            sem = loss * self.noise
        if self.sems is not None:
            sem = float(self.sems[row])
        latency = None if self.latencies is None else float(self.latencies[row])
        is_alone = self.replicates is not None or bool(self.noise) or self.sems is None
        return Measured(float(self.costs[row]), loss, sem, latency, samples=1 if is_alone else COMMON_SAMPLES)

    def rungs(self, codes: tuple[int, ...], seed: int, whole: Measured) -> Sequence[Rung]:
        row = int(self.rows(np.array([codes], dtype=np.int16))[0])
        if self.noise:
            draw = np.random.default_rng((seed, row, 1))
            return rungs_of_noise(float(self.losses[row]), whole.loss, self.noise, draw)
        if self.sems is None:
            return ()
        sem = float(self.sems[row])
        return [
            Rung(share, float(losses[row]), sem / share**0.5)
            for share, losses in self.rough.items()
            if share * COMMON_SAMPLES >= LEAST_SAMPLES
        ]

    def sample(self, count: int, generator: np.random.Generator) -> Codes:
        return self.codes[generator.integers(len(self.codes), size=count)]

    @cached_property
    def optimum(self) -> float:
        return float(self.costs[self.is_feasible(self.codes)].min())

    @cached_property
    def dearest(self) -> float:
        return float(self.costs.max())

    @cached_property
    def front(self) -> npt.NDArray[np.float64]:
        rows = non_dominated_rows(self.costs, self.losses)
        return np.column_stack([self.costs[rows], self.losses[rows]])

    @cached_property
    def reference(self) -> tuple[float, float]:
        return self.dearest * (1 + 1e-9), float(np.quantile(self.losses, 0.6))

    @cached_property
    def _fit(self) -> tuple[float, list[Prices]]:
        rows = np.random.default_rng(0).permutation(len(self.codes))[:8192]
        one_hot = [self.codes[rows, s, None] == np.arange(1, n) for s, n in enumerate(self.cardinalities)]
        design = np.concatenate([np.ones((len(rows), 1)), *one_hot], axis=1)
        weights = np.linalg.lstsq(design, self.costs[rows], rcond=None)[0]
        cuts = np.cumsum([n - 1 for n in self.cardinalities])[:-1]
        raw = [np.concatenate([[0.0], part]) for part in np.split(weights[1:], cuts)]
        return float(weights[0]) + sum(float(part.min()) for part in raw), [part - part.min() for part in raw]

    @property
    def additive_cost(self) -> list[Prices]:
        return self._fit[1]

    @property
    def _base(self) -> float:
        return self._fit[0]

    @property
    def size(self) -> int:
        return len(self.codes)

    @cached_property
    def fingerprint(self) -> str:
        arrays = (self.sems, self.replicates, self.latencies, *(self.block_losses or ()))
        shown = [array for array in arrays if array is not None]
        return digest(self.codes, self.costs, self.losses, self.bounds, self.bought, self.noise, *shown)
