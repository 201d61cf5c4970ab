"""Fits the models of searches that are asked about themselves: aside from the requests, one at a time."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from api.service.least_recent import LRU
from api.service.turns import Turns
from api.views import Document

if TYPE_CHECKING:
    from nas.strategy.insight import Insight

WAITING: Final = 8
PATIENCE_S: Final = 90.0
_SEARCHES: Final = 4
"""Searches whose models are kept: each holds a few megabytes."""
_ANSWERS: Final = 64

Key = tuple[str, int, str]
"""Search, its last event, and the problem in force."""


class InsightDesk:
    """Answers of searches about themselves, remembered until something happens in the search."""

    def __init__(self) -> None:
        self._turns = Turns(1, WAITING, PATIENCE_S, "Fitting the model", "insight")
        self._insights: LRU[Key, Insight] = LRU(_SEARCHES)
        self._answers: LRU[tuple[Key, str], Document] = LRU(_ANSWERS)
        self._is_settled = False

    def ask(
        self, key: Key, question: str, make: Callable[[], Insight], work: Callable[[Insight], Document]
    ) -> Document:
        """The answer to a question, computed unless it is known.

        Args:
            key: What the answer depends on.
            question: Tells questions apart.
            make: Makes the search's insight, if it is not at hand.
            work: Answers.

        Raises:
            TransientError: If too many are waiting already, or this one takes too long.
        """
        known = self._answers.get((key, question))
        return known if known is not None else self._turns.take(lambda: self._answered(key, question, make, work))

    def close(self) -> None:
        """Release the thread."""
        self._turns.close()

    def _answered(
        self, key: Key, question: str, make: Callable[[], Insight], work: Callable[[Insight], Document]
    ) -> Document:
        known = self._answers.get((key, question))  # somebody before in the queue may have asked the same
        if known is not None:
            return known
        insight = self._insights.get(key) or self._insights.keep(key, make())
        answer = self._answers.keep((key, question), work(insight))
        if not self._is_settled:  # what Ax and torch brought along lives as long as the process
            self._is_settled = True
            gc.collect()
            gc.freeze()
        return answer
