"""The adviser of one search: the suggesting process, or a fall-back when that takes too long, dies or stumbles."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.search import Search
from nas.engine.advice import Advice, Adviser, Lapse, LapseReason, Strategy
from nas.engine.archive import Archive
from workers.suggester import Question, Suggested, Suggester

FALL_BACK = "fall-back"
"""Origin of what was proposed without the strategy."""


class RemoteAdviser(Adviser):
    """Asks the suggesting process.

    A question stays put for as long as its answer may be waited for. What comes later was made for an
    older history and is dropped, unless that history is still the same.

    Args:
        suggester: Thinks for all searches.
        search: Whose trials it proposes, under the bounds now in force.
        costs: Prices of its space.
        make_fall_back: Makes what needs no model; called when it is needed.
        note_seconds: Told the time that one suggestion took.
    """

    def __init__(
        self,
        suggester: Suggester,
        search: Search,
        costs: ExactCosts,
        make_fall_back: Callable[[Search, ExactCosts], Strategy],
        note_seconds: Callable[[float], None] | None = None,
    ) -> None:
        self._suggester, self._search, self._costs = suggester, search, costs
        self._make_fall_back, self._note_seconds = make_fall_back, note_seconds
        self._matter = suggester.open(search, costs)
        self._question: Question | None = None
        self._asked_at = 0.0

    def ask(self, verdicts: Archive, pending: Sequence[Architecture], count: int) -> None:
        """Put a question; one about the same history that is still unanswered stays put."""
        self._asked_at = time.monotonic()
        if self._question is not None and self._question.is_about(verdicts, pending, count):
            return
        self._withdraw()
        self._question = Question(self._matter, verdicts, len(verdicts), tuple(pending), count)
        self._suggester.put(self._question)

    def has_answered(self, *, is_urgent: bool) -> bool:
        """Whether it is answered, or late while a worker idles."""
        if self._question is None:
            return False
        return self._question.is_settled or (is_urgent and time.monotonic() >= self._deadline())

    def answer(self) -> Advice:
        """The strategy's suggestions, else the fall-back's.

        Raises:
            NasError: If the strategy refused to go on.
        """
        question = self._question
        assert question is not None
        if not question.is_settled:
            return self._advice_without(question, *self._delay(question))
        self._question = None
        if question.refusal is not None:
            raise question.refusal
        if question.lapse is not None:
            return self._advice_without(question, *question.lapse)
        if question.suggestions and self._note_seconds is not None:
            self._note_seconds(question.seconds / len(question.suggestions))
        return Advice(question.suggestions)

    def close(self) -> None:
        """Withdraw the question, and have the search forgotten."""
        self._withdraw()
        self._suggester.drop(self._matter)

    def _withdraw(self) -> None:
        if self._question is not None:
            self._suggester.withdraw(self._question)
            self._question = None

    def _deadline(self) -> float:
        return self._suggester.patience_ends_at(self._asked_at)

    def _delay(self, question: Question) -> tuple[LapseReason, str]:
        if question.deaths or self._suggester.loss:
            return "died", self._suggester.loss or "The suggesting process died, and its successor is not ready."
        return "deadline", f"No suggestion within {self._suggester.deadline_s:g} s."

    def _advice_without(self, question: Question, reason: LapseReason, message: str) -> Advice:
        strategy = self._make_fall_back(self._search, self._costs)
        strategy.tell(question.verdicts.trials(0, question.known), question.pending)
        suggested = [Suggested(one.architecture, FALL_BACK) for one in strategy.suggest(question.count)]
        return Advice(suggested, Lapse(reason, time.monotonic() - self._asked_at, message))
