"""The tables of the database that is none."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.domain.device import LatencyMeasurement
from nas.domain.library import LibraryEntry
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.trial import Trial
from storage.refusals import unknown_search


@dataclass(frozen=True)
class HeldLease:
    """A lease and its fencing token; no holder when given back."""

    holder: str | None
    token: int
    expires_at: float


@dataclass
class State:
    """Every table; `copy` is cheap because rows never change."""

    searches: dict[str, Search] = field(default_factory=dict)
    trials: dict[tuple[str, int], Trial] = field(default_factory=dict)
    bounds: dict[str, tuple[tuple[int, Problem, str, float], ...]] = field(default_factory=dict)
    changed: dict[tuple[str, int], int] = field(default_factory=dict)
    logs: dict[tuple[str, int, int], str] = field(default_factory=dict)
    uses: dict[str, frozenset[str]] = field(default_factory=dict)
    architectures: set[tuple[str, str]] = field(default_factory=set)
    events: dict[str, tuple[tuple[int, str, str, float], ...]] = field(default_factory=dict)
    entries: dict[str, LibraryEntry] = field(default_factory=dict)
    latencies: dict[str, LatencyMeasurement] = field(default_factory=dict)
    evaluations: dict[str, str] = field(default_factory=dict)
    leases: dict[str, HeldLease] = field(default_factory=dict)

    def copy(self) -> State:
        """The same rows in tables of their own."""
        return State(**{name: table.copy() for name, table in vars(self).items()})

    def require_search(self, search_id: str) -> Search:
        """One search.

        Raises:
            NotFound: If there is none.
        """
        if search_id not in self.searches:
            raise unknown_search(search_id)
        return self.searches[search_id]
