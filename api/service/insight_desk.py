"""Asks searches about themselves in a process of its own, one question at a time; answers are remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from api.service.least_recent import LRU
from api.service.turns import Turns
from api.views import Document
from nas.strategy.inquiry import Inquiries
from workers.consultant import Consultant

WAITING: Final = 8
PATIENCE_S: Final = 45.0
"""How long an answer is waited for, the start of the process included; it is kept if it comes later."""
_ANSWERS: Final = 64


class InsightDesk:
    """Answers of searches about themselves, remembered until something happens in the search.

    This process imports neither torch nor Ax for it.

    Args:
        patience_s: How long an answer is waited for.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._turns = Turns(1, WAITING, patience_s, "The answer of the model", "insight")
        self._answers: LRU[str, Document] = LRU(_ANSWERS)
        self.consultant = Consultant(Inquiries)

    def ask(self, key: str, question: Callable[[], Document]) -> Document:
        """The answer to a question, computed unless it is known.

        Args:
            key: What the answer depends on.
            question: Phrases it, see `nas.strategy.inquiry`.

        Raises:
            TransientError: If too many are waiting already, or this one takes too long, or the model's process dies.
        """
        known = self._answers.get(key)
        return known if known is not None else self._turns.take(lambda: self._answered(key, question))

    def close(self) -> None:
        """End the process and release the thread."""
        self._turns.close()
        self.consultant.close()

    def _answered(self, key: str, question: Callable[[], Document]) -> Document:
        known = self._answers.get(key)  # somebody before in the queue may have asked the same
        return known if known is not None else self._answers.keep(key, self.consultant.ask(question()))
