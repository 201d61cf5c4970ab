"""The contract of a search strategy, and the registry through which one is chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.domain.architecture import Architecture
from nas.domain.objective import Problem
from nas.domain.trial import Trial
from nas.registry import Registry
from nas.strategy.candidates import CandidatePool
from nas.strategy.pricing import Codes, PricedSpace


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

    Called by the one thread of the coordinator, between polls: `update` with the whole history, then
    `suggest`. What is suggested depends on context and history alone, so a strategy that is rebuilt
    after a crash goes on as if nothing had happened.
    """

    def __init__(self, context: StrategyContext) -> None:
        self.context = context
        self.priced = context.priced
        self.space = context.priced.space
        self.pool = CandidatePool(self.priced, context.problem)
        self.finished: tuple[Trial, ...] = ()
        self.finished_codes: tuple[tuple[int, ...], ...] = ()
        self.pending: tuple[Architecture, ...] = ()

    def update(self, finished: Sequence[Trial], pending: Sequence[Architecture]) -> None:
        """Replace what is known of the history. The order of the arguments' items does not matter.

        Args:
            finished: Every trial with a verdict, whatever it is; none of them is suggested again.
            pending: Every architecture without a verdict, also those waiting for a retry.
        """
        space = self.space
        known = {id(t.architecture): codes for t, codes in zip(self.finished, self.finished_codes, strict=True)}
        within = (t for t in finished if id(t.architecture) in known or t.architecture in space)
        self.finished = tuple(sorted(within, key=lambda trial: trial.number))
        self.finished_codes = tuple(
            known.get(id(t.architecture)) or space.encode(t.architecture) for t in self.finished
        )
        self.pending = tuple(sorted((a for a in pending if a in space), key=space.encode))

    def suggest(self, count: int) -> list[Suggestion]:
        """At most `count` new architectures; fewer, or none, when no candidate is left.

        May take about a second of one core once a response model is in charge.
        """
        suggestions: list[Suggestion] = []
        seen = self.seen()
        teacher = self.priced.teacher
        if count > 0 and teacher is not None and tuple(teacher) not in seen:
            suggestions.append(Suggestion(self._decode(teacher), "teacher"))
            seen.add(tuple(teacher))
        wanted = count - len(suggestions)
        if wanted > 0:
            proposals = self.propose(wanted, seen)
            suggestions.extend(Suggestion(self._decode(codes), origin) for codes, origin in proposals)
        return suggestions

    @classmethod  # noqa: B027  # most need nothing
    def load(cls) -> None:
        """Import what suggestions need, which may take seconds. Called ahead, it spares the first one the wait."""

    @abstractmethod
    def propose(self, count: int, seen: set[tuple[int, ...]]) -> list[tuple[Sequence[int], str]]:
        """Up to `count` distinct variant numbers outside `seen`, each with its origin."""

    def seen(self) -> set[tuple[int, ...]]:
        """Variant numbers of everything that is finished or pending."""
        encode = self.space.encode
        return {*self.finished_codes, *(encode(architecture) for architecture in self.pending)}

    def generator(self, seen: set[tuple[int, ...]]) -> np.random.Generator:
        """A random generator that depends on the seed and on how far the search has come."""
        return np.random.default_rng((self.context.seed, len(seen)))

    def encode_all(self, architectures: Sequence[Architecture]) -> Codes:
        """Variant numbers of several architectures, `n x stages`."""
        rows = [self.space.encode(architecture) for architecture in architectures]
        return np.asarray(rows, dtype=np.int16).reshape(len(rows), len(self.space.stages))

    def _decode(self, codes: Sequence[int]) -> Architecture:
        return self.space.decode(tuple(int(code) for code in codes))


STRATEGIES: Registry[type[Strategy]] = Registry("search strategy")


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
