"""What to try when there is no time for a model: the additive front first, then anything within the bounds."""

from __future__ import annotations

from collections.abc import Sequence

from nas.domain.metric import GMACS, is_exact
from nas.strategy.additive import additive_front, spread
from nas.strategy.base import Strategy
from nas.strategy.pricing import sum_by_stage
from nas.strategy.seen import Seen


class FallBack(Strategy):
    """Unseen points of the front of (exact cost, sum of block losses), far apart; then random draws.

    Needs NumPy alone and some hundredths of a second. Not registered: nobody would choose it.
    """

    def propose(self, count: int, seen: Seen) -> list[tuple[Sequence[int], str]]:
        """Points of the front first, then uniform draws."""
        exact = [metric for metric in self.context.problem.metrics if is_exact(metric)]
        cost = exact[0] if exact else GMACS.name
        front = additive_front(self.pool, cost)
        axes = self.priced.prices(cost, front), sum_by_stage(self.priced.contributions, front)
        rows = spread(*axes, count=len(seen) + count)
        points = (front[row].tolist() for row in rows)
        chosen: list[Sequence[int]] = [codes for codes in points if codes not in seen][:count]
        if len(chosen) < count:
            known = seen | chosen
            generator = self.generator(known)
            left = self.pool.unseen(known, generator, front)
            chosen.extend(left[row].tolist() for row in generator.permutation(len(left))[: count - len(chosen)])
        return [(codes, "fall-back") for codes in chosen]
