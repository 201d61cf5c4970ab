"""Quasi-random search: scrambled Sobol points over the box of variant numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nas.strategy.base import STRATEGIES, Strategy
from nas.strategy.pricing import Codes

_CHUNK = 256
_PATIENCE = 64
"""Chunks looked through before the rest of the space is taken in random order."""


@STRATEGIES.register("sobol")
class SobolSearch(Strategy):
    """Walks one scrambled Sobol sequence (Owen 1998) and skips what was seen or breaks an exact bound."""

    def propose(self, count: int, seen: set[tuple[int, ...]]) -> list[tuple[Sequence[int], str]]:
        """The next points of the sequence; when it only repeats itself, what is left of the space."""
        taken = set(seen)
        proposals: list[tuple[Sequence[int], str]] = []
        for codes in self._sequence():
            if tuple(codes) not in taken:
                taken.add(tuple(codes))
                proposals.append((codes, "sobol"))
            if len(proposals) == count:
                return proposals
        generator = self.generator(taken)
        left = self.pool.unseen(taken, generator, self.encode_all(()))
        rest = generator.permutation(len(left))[: count - len(proposals)]
        return proposals + [(left[row].tolist(), "sobol") for row in rest]

    def _sequence(self) -> Iterator[list[int]]:
        from torch.quasirandom import SobolEngine  # heavy: torch

        cardinalities = np.array(self.priced.cardinalities)
        engine = SobolEngine(len(cardinalities), scramble=True, seed=self.context.seed)
        for _ in range(_PATIENCE):
            points = np.minimum(engine.draw(_CHUNK).numpy() * cardinalities, cardinalities - 1)
            codes: Codes = points.astype(np.int16)
            yield from self.pool.within_bounds(codes).tolist()
