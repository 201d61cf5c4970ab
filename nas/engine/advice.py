"""What proposes, and how it is asked: a strategy answers at once, an adviser when it is ready."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.archive import Archive


class Suggestion(Protocol):
    """An architecture worth trying, and who thinks so."""

    @property
    def architecture(self) -> Architecture:
        """What to try."""

    @property
    def origin(self) -> str:
        """Who proposed it."""


class Strategy(Protocol):
    """What proposes: the part of a search strategy that the engine calls, between polls.

    It may take seconds. What it suggests must depend on the history alone, so that a driver that was
    killed goes on as if nothing had happened.
    """

    def tell(self, verdicts: Iterable[Trial], pending: Sequence[Architecture]) -> None:
        """Take in the trials that have a verdict since, and every architecture that has none."""

    def suggest(self, count: int) -> Sequence[Suggestion]:
        """At most `count` architectures that are neither finished nor pending; none when none is left."""


LapseReason = Literal["deadline", "died", "error"]


@dataclass(frozen=True)
class Lapse:
    """Why a fall-back stands in for the strategy.

    Attributes:
        reason: It took too long, its process died (twice, or for too long), or it raised an error.
        seconds: From the question to the decision not to wait any longer.
        message: What happened, one sentence.
    """

    reason: LapseReason
    seconds: float
    message: str


@dataclass(frozen=True)
class Advice:
    """An answer: suggestions of the strategy or, with a `lapse`, of the fall-back."""

    suggestions: Sequence[Suggestion]
    lapse: Lapse | None = None


class Adviser(ABC):
    """Answers one question at a time, at a later step if need be. Called by the driver's thread alone."""

    @abstractmethod
    def ask(self, verdicts: Archive, pending: Sequence[Architecture], count: int) -> None:
        """Put a question; one that was not answered is withdrawn. Returns at once.

        Args:
            verdicts: Every trial with a verdict; the same archive as the last time, which may have grown.
            pending: Every architecture without one.
            count: Most suggestions wanted.
        """

    @abstractmethod
    def has_answered(self, *, is_urgent: bool) -> bool:
        """Whether `answer` has something to say; often asked, so it only looks.

        Args:
            is_urgent: Whether a worker idles; otherwise there is no hurry, deadline or not.
        """

    @abstractmethod
    def answer(self) -> Advice:
        """The answer. To be called once for each question, when there is one.

        Raises:
            NasError: If the search cannot go on.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to withdraw
        """Withdraw what was asked; nothing will be asked any more."""


class AtOnce(Adviser):
    """A strategy that is asked in the driver's thread, which waits for it."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._told = 0
        self._count = 0

    def ask(self, verdicts: Archive, pending: Sequence[Architecture], count: int) -> None:
        """Tell the strategy what is new."""
        self._strategy.tell(verdicts.trials(self._told), pending)
        self._told = len(verdicts)
        self._count = count

    def has_answered(self, *, is_urgent: bool) -> bool:
        """Always."""
        del is_urgent
        return True

    def answer(self) -> Advice:
        """Think now."""
        return Advice(self._strategy.suggest(self._count))


MakeStrategy = Callable[[Search, ExactCosts], Strategy | Adviser]
"""Makes what proposes for a search; called again when the bounds move, or a verdict is taken back."""


def adviser_of(made: Strategy | Adviser) -> Adviser:
    """What was made, as an adviser."""
    return made if isinstance(made, Adviser) else AtOnce(made)
