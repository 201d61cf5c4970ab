"""The contract of a search strategy, and the registry through which one is chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.domain.architecture import Architecture
from nas.domain.objective import Problem
from nas.domain.trial import Trial
from nas.registry import Registry
from nas.strategy.candidates import CandidatePool
from nas.strategy.pricing import Codes, PricedSpace
from nas.strategy.record import Record
from nas.strategy.seen import Seen


@dataclass(frozen=True)
class Suggestion:
    """An architecture worth trying, and who thinks so (`teacher`, `warm start`, `bayesian`, `sobol`, `random`)."""

    architecture: Architecture
    origin: str


@dataclass(frozen=True)
class StrategyContext:
    """All that a strategy knows besides the history.

    Attributes:
        priced: What may be chosen, and what it costs exactly.
        problem: Objectives and bounds in force; when bounds move, make a new strategy.
        seed: Seed of every random draw.
        initial_trials: Trials before a response model takes over, the teacher included.
    """

    priced: PricedSpace
    problem: Problem
    seed: int
    initial_trials: int


class Strategy(ABC):
    """Proposes architectures that were never tried and break no exact bound; the teacher comes first.

    Called by one thread: `tell` what is new, then `suggest`. What is suggested depends on context and
    history alone, so a strategy that is rebuilt after a crash goes on as if nothing had happened.

    Attributes:
        record: Every trial with a verdict that it was told of.
        pending: Every architecture without one, in the order of their variant numbers.
    """

    def __init__(self, context: StrategyContext) -> None:
        self.context = context
        self.priced = context.priced
        self.space = context.priced.space
        self.pool = CandidatePool(self.priced, context.problem)
        self.record = Record(self.space)
        self.pending: tuple[Architecture, ...] = ()

    def tell(self, verdicts: Iterable[Trial], pending: Sequence[Architecture]) -> None:
        """Take in what is new. The order of the arguments' items does not matter.

        Args:
            verdicts: Trials that have a verdict since, whatever it is; none of them is suggested again.
                A verdict is final: one that is told again changes nothing.
            pending: Every architecture without a verdict, also those waiting for a retry.
        """
        for trial in verdicts:
            self.record.enter(trial)
        self.pending = tuple(sorted((a for a in pending if a in self.space), key=self.space.encode))

    def suggest(self, count: int) -> list[Suggestion]:
        """At most `count` new architectures; fewer, or none, when no candidate is left.

        May take about a second of one core once a response model is in charge.
        """
        suggestions: list[Suggestion] = []
        seen = self.seen()
        teacher = self.priced.teacher
        if count > 0 and teacher is not None and teacher not in seen:
            suggestions.append(Suggestion(self._decode(teacher), "teacher"))
            seen |= [teacher]
        wanted = count - len(suggestions)
        if wanted > 0:
            proposals = self.propose(wanted, seen)
            suggestions.extend(Suggestion(self._decode(codes), origin) for codes, origin in proposals)
        return suggestions

    @classmethod  # noqa: B027  # most need nothing
    def load(cls) -> None:
        """Import what suggestions need, which may take seconds. Called ahead, it spares the first one the wait."""

    @abstractmethod
    def propose(self, count: int, seen: Seen) -> list[tuple[Sequence[int], str]]:
        """Up to `count` distinct variant numbers outside `seen`, each with its origin."""

    def seen(self) -> Seen:
        """Everything that is finished or pending."""
        return Seen(self.record.tried) | [self.space.encode(architecture) for architecture in self.pending]

    def generator(self, seen: Seen) -> np.random.Generator:
        """A random generator that depends on the seed and on how far the search has come."""
        return np.random.default_rng((self.context.seed, len(seen)))

    def encode_all(self, architectures: Sequence[Architecture]) -> Codes:
        """Variant numbers of several architectures, `n x stages`."""
        rows = [self.space.encode(architecture) for architecture in architectures]
        return np.asarray(rows, dtype=np.int16).reshape(len(rows), len(self.space.stages))

    def _decode(self, codes: Sequence[int]) -> Architecture:
        return self.space.decode(tuple(int(code) for code in codes))


STRATEGIES: Registry[type[Strategy]] = Registry("search strategy", home="nas.strategy")


def make_strategy(name: str, context: StrategyContext) -> Strategy:
    """The strategy registered under `name`; `auto` chooses by the number of objectives.

    Raises:
        UnknownName: With the nearest spelling.
    """
    return strategy_for(name, context.problem)(context)


def strategy_for(name: str, problem: Problem) -> type[Strategy]:
    """Like `make_strategy`, but the class alone."""
    if name == "auto":
        name = "pareto" if problem.is_pareto else "epsilon_constraint"
    return STRATEGIES.get(name)
