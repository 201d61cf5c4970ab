"""A strategy that proposes the architectures of a space in their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        self.verdicts: dict[str, Trial] = {}
        self.pending: set[str] = set()
        self.histories: list[tuple[int, int]] = []

    @property
    def seen(self) -> set[str]:
        return self.verdicts.keys() | self.pending

    def tell(self, verdicts: Iterable[Trial], pending: Sequence[Architecture]) -> None:
        self.verdicts |= {trial.architecture.digest: trial for trial in verdicts}
        assert all(trial.status.is_terminal for trial in self.verdicts.values())
        self.pending = {one.digest for one in pending}
        self.histories.append((len(self.verdicts), len(pending)))

    def suggest(self, count: int) -> list[InOrderSuggestion]:
        everything = (self.space.decode(indices) for indices in self.space.indices())
        fresh = [one for one in everything if one.digest not in self.seen]
        return [InOrderSuggestion(one) for one in fresh[:count]]
