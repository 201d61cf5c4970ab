"""A strategy that proposes the architectures of a space in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.search import Search
from nas.domain.trial import Trial


@dataclass(frozen=True)
class InOrderSuggestion:
    architecture: Architecture
    origin: str = "in order"


class InOrder:
    def __init__(self, search: Search, costs: ExactCosts) -> None:
        self.space = search.space
        self.seen: set[str] = set()
        self.histories: list[tuple[int, int]] = []

    def update(self, finished: Sequence[Trial], pending: Sequence[Architecture]) -> None:
        assert all(trial.status.is_terminal for trial in finished)
        self.seen = {trial.architecture.digest for trial in finished} | {one.digest for one in pending}
        self.histories.append((len(finished), len(pending)))

    def suggest(self, count: int) -> list[InOrderSuggestion]:
        everything = (self.space.decode(indices) for indices in self.space.indices())
        fresh = [one for one in everything if one.digest not in self.seen]
        return [InOrderSuggestion(one) for one in fresh[:count]]
