"""What every driver of a coordinator works with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.composition import SystemClock, load_ahead, proposer
from api.installation import Installation
from api.metrics import Metrics
from api.teachers import teacher_stages
from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.search import Search
from nas.domain.teacher import TeacherRef
from nas.domain.trial import Trial
from nas.engine.advice import Adviser, Strategy, Suggestion
from nas.engine.lease import Heart

if TYPE_CHECKING:
    from workers.pool import Pool
    from workers.suggester import Suggester


_IMPORTING = threading.Lock()
"""Heavy modules import each other in circles; two threads that begin at different ends would see halves."""


@dataclass(frozen=True)
class Surroundings:
    """One coordinator's means.

    Attributes:
        holder: Name under which leases are taken; also the id of the process row.
        pool: Workers, shared by all searches.
        suggester: Thinks for all searches.
        heart: Renews all leases.
        stages_of: Every stage of a teacher, in order of execution.
        draining: Set when the process is to end.
    """

    installation: Installation
    holder: str
    pool: Pool
    suggester: Suggester
    heart: Heart
    metrics: Metrics
    clock: SystemClock = field(default_factory=SystemClock)
    stages_of: Callable[[TeacherRef], tuple[str, ...]] = teacher_stages
    draining: threading.Event = field(default_factory=threading.Event)

    def stages(self, search: Search) -> tuple[str, ...]:
        """Every stage of a search's teacher, in order of execution."""
        if search.stages:
            return search.stages
        with _IMPORTING:
            return self.stages_of(search.spec.teacher)

    def load_ahead(self, search: Search) -> None:
        """Begin to import what the strategy of a search will need; returns at once."""
        load_ahead(self.suggester, search)

    def make_strategy(self, search: Search, costs: ExactCosts) -> Strategy | Adviser:
        """What proposes for a search, with a watch on it."""
        with _IMPORTING:
            made = proposer(self.suggester, search, costs, self.metrics.suggestion_seconds.observe)
        return made if isinstance(made, Adviser) else TimedStrategy(made, self.metrics)


class TimedStrategy:
    """A strategy whose suggestions are timed."""

    def __init__(self, strategy: Strategy, metrics: Metrics) -> None:
        self._strategy = strategy
        self._metrics = metrics

    def tell(self, verdicts: Iterable[Trial], pending: Sequence[Architecture]) -> None:
        """Take in what is new."""
        self._strategy.tell(verdicts, pending)

    def suggest(self, count: int) -> Sequence[Suggestion]:
        """At most `count` architectures."""
        began = time.monotonic()
        suggestions = self._strategy.suggest(count)
        if suggestions:
            self._metrics.suggestion_seconds.observe((time.monotonic() - began) / len(suggestions))
        return suggestions
