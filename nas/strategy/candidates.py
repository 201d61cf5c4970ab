"""The architectures that are still worth scoring: never seen, and within every exact bound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.domain.metric import is_exact
from nas.domain.objective import Problem
from nas.strategy.pricing import Codes, PricedSpace
from nas.strategy.seen import Seen

EXHAUSTIVE_LIMIT = 100_000
"""Spaces up to this size are scored architecture by architecture."""
SAMPLE_SIZE = 40_000
"""Architectures drawn from a larger space, for each suggestion anew."""
_SLACK = 1e-12
"""Relative rounding error of a sum of prices: a bound that is met exactly must stay met."""


class CandidatePool:
    """Candidates of a space under the exact bounds of a problem.

    Small spaces are enumerated once. Larger ones are sampled: uniformly, towards cheapness when exact
    bounds are tight, and around the anchors a strategy names. Memory stays bounded by `SAMPLE_SIZE`.
    """

    def __init__(self, priced: PricedSpace, problem: Problem) -> None:
        self.priced = priced
        self.bounds = tuple(bound for bound in problem.constraints if is_exact(bound.metric))
        self._all: Codes | None = None

    @property
    def is_exhaustive(self) -> bool:
        """Whether `unseen` holds every candidate there is."""
        return self.priced.space.size <= EXHAUSTIVE_LIMIT

    def unseen(self, seen: Seen, generator: np.random.Generator, anchors: Codes) -> Codes:
        """Candidates outside `seen` in lexicographic order; none when the space is exhausted.

        Args:
            seen: What is finished or pending.
            generator: Draws the sample of a large space.
            anchors: Promising architectures, `n x stages`; their neighbours join the sample.
        """
        codes = self.everything() if self.is_exhaustive else self._sample(generator, anchors)
        return codes[~seen.among(codes)]

    def neighbours(self, codes: Codes, seen: Seen) -> Codes:
        """What differs from some row in one stage, or between two rows takes from both; unseen, within bounds."""
        near = np.unique(np.concatenate([_changed(codes, self.priced.cardinalities), _crossed(codes)]), axis=0)
        near = self.within_bounds(near)
        return near[~seen.among(near)]

    def everything(self) -> Codes:
        """All candidates of a small space, seen or not, in lexicographic order."""
        if self._all is None:
            grid = np.indices(self.priced.cardinalities, dtype=np.int16)
            self._all = self.within_bounds(np.ascontiguousarray(grid.reshape(len(grid), -1).T))
        return self._all

    def within_bounds(self, codes: Codes) -> Codes:
        """The rows that exist and respect every exact bound."""
        return codes[self.is_within_bounds(codes)]

    def is_within_bounds(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each row exists and respects every exact bound."""
        keep = self.priced.holds(codes)
        for bound in self.bounds:
            keep &= self.priced.prices(bound.metric, codes) <= bound.at_most * (1 + _SLACK)
        return keep

    def _sample(self, generator: np.random.Generator, anchors: Codes) -> Codes:
        uniform = generator.random((SAMPLE_SIZE // 2, len(self.priced.cardinalities)))
        drawn = np.floor(uniform * np.array(self.priced.cardinalities)).astype(np.int16)
        parts = [drawn, self._cheap(generator, SAMPLE_SIZE // 4), anchors, self._mutants(generator, anchors)]
        return self.within_bounds(np.unique(np.concatenate(parts), axis=0))

    def _cheap(self, generator: np.random.Generator, count: int) -> Codes:
        """Architectures drawn with a random preference for cheap variants, the cheapest one included."""
        metric = self.bounds[0].metric if self.bounds else "params"
        greed = generator.exponential(4.0, size=(count, 1))
        columns = []
        for prices in self.priced.stage_prices(metric):
            relative = prices / max(float(prices.max()), 1e-300)
            gumbel = generator.gumbel(size=(count, len(prices)))
            columns.append(np.argmax(gumbel - greed * relative, axis=1))
        columns_of_cheapest = [[int(np.argmin(prices))] for prices in self.priced.stage_prices(metric)]
        return np.concatenate([np.stack(columns, axis=1), np.array(columns_of_cheapest).T]).astype(np.int16)

    def _mutants(self, generator: np.random.Generator, anchors: Codes) -> Codes:
        """Every neighbour of the anchors at distance one, and random ones at distance two."""
        near = _changed(anchors, self.priced.cardinalities)
        if not len(near):
            return near
        far = near[generator.integers(len(near), size=SAMPLE_SIZE // 4)]
        stages = generator.integers(far.shape[1], size=len(far))
        variants = generator.random(len(far)) * np.array(self.priced.cardinalities)[stages]
        far[np.arange(len(far)), stages] = variants.astype(np.int16)
        return np.concatenate([near, far])


def _changed(codes: Codes, cardinalities: tuple[int, ...]) -> Codes:
    """The rows, and all that differ from one of them in a single stage."""
    rows = [codes]
    for stage, cardinality in enumerate(cardinalities):
        for variant in range(cardinality):
            changed = codes.copy()
            changed[:, stage] = variant
            rows.append(changed)
    return np.concatenate(rows)


def _crossed(codes: Codes) -> Codes:
    """Every row's beginning with the next rows' end, cut at every third of the stages."""
    stages = codes.shape[1]
    children = [codes]
    for cut in sorted({stages // 3, stages // 2, 2 * stages // 3} - {0}):
        for shift in (1, 2, 5):
            children.append(np.concatenate([codes[:, :cut], np.roll(codes, shift, axis=0)[:, cut:]], axis=1))
    return np.concatenate(children)
