"""Quasi-random search: scrambled Sobol points over the box of variant numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from nas.strategy.base import STRATEGIES, Strategy
from nas.strategy.pricing import Codes
from nas.strategy.seen import Seen

_POINTS = 2**14
"""Length of the sequence that is walked before the rest of the space is taken in random order."""


@STRATEGIES.register("sobol")
class SobolSearch(Strategy):
    """Walks one scrambled Sobol sequence (Owen 1998) and skips what was seen or breaks an exact bound."""

    def propose(self, count: int, seen: Seen) -> list[tuple[Sequence[int], str]]:
        """The next points of the sequence; when it only repeats itself, what is left of the space."""
        walk = self._sequence()
        fresh = dict.fromkeys(map(tuple, walk[~seen.among(walk)].tolist()))
        chosen: list[Sequence[int]] = list(itertools.islice(fresh, count))
        if len(chosen) < count:
            known = seen | chosen
            generator = self.generator(known)
            left = self.pool.unseen(known, generator, self.encode_all(()))
            chosen.extend(left[row].tolist() for row in generator.permutation(len(left))[: count - len(chosen)])
        return [(codes, "sobol") for codes in chosen]

    def _sequence(self) -> Codes:
        import torch  # heavy
        from botorch.utils.sampling import draw_sobol_samples

        cardinalities = np.array(self.priced.cardinalities)
        box = torch.stack([torch.zeros(len(cardinalities)), torch.ones(len(cardinalities))])
        points = draw_sobol_samples(box, n=_POINTS, q=1, seed=self.context.seed).squeeze(1).numpy()
        codes = np.minimum(points * cardinalities, cardinalities - 1).astype(np.int16)
        return self.pool.within_bounds(codes)
