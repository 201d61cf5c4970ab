"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from nas.strategy.base import STRATEGIES, Strategy
from nas.strategy.seen import Seen


@STRATEGIES.register("random")
class RandomSearch(Strategy):
    """Draws uniformly, without replacement, from what breaks no exact bound (Li & Talwalkar, UAI 2019)."""

    def propose(self, count: int, seen: Seen) -> list[tuple[Sequence[int], str]]:
        """Uniform draws; in a space too large to enumerate, draws from its sample."""
        generator = self.generator(seen)
        candidates = self.pool.unseen(seen, generator, self.encode_all(()))
        chosen = generator.choice(len(candidates), size=min(count, len(candidates)), replace=False)
        return [(candidates[row].tolist(), "random") for row in chosen]
