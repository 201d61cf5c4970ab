"""Whether every search moves again by itself, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import func, select

from nas.domain.lifecycle import SEARCH_ENDS
from nas.errors import TransientError
from storage.connection import with_access
from storage.tables import events, searches
from storage.unit_of_work import Database
from tests.chaos.invariants import Violation

PATIENCE_S = 60.0
ENDS = frozenset(status.value for status in SEARCH_ENDS)


@dataclass(frozen=True)
class Standing:
    """Where one search stands: what its row tells without its document.

    Attributes:
        last_event: Newest event that the service wrote by itself; what users asked for does not count.
    """

    status: str
    intent: str
    last_event: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever happen to it again."""
        return self.status in ENDS

    @property
    def is_at_rest(self) -> bool:
        """Whether it stands where its user wants it to."""
        return self.has_ended or (self.intent == "pause" and self.status == "paused")


def read_standings(database: Database) -> dict[str, Standing]:
    """Where every search stands.

    Raises:
        TransientError: If the database is away.
    """
    own = select(events.c.search, func.max(events.c.id)).where(events.c.kind.not_in(("intent", "bounds")))
    columns = select(searches.c.id, searches.c.status, searches.c.intent)
    with with_access(database.engine, "read").connect() as connection:
        last = {row[0]: row[1] for row in connection.execute(own.group_by(events.c.search))}
        rows = connection.execute(columns)
        return {row.id: Standing(row.status, row.intent, last.get(row.id, 0)) for row in rows}


@dataclass
class Recovery:
    """Times how long each search needs to move after the last fault of a burst is over.

    Attributes:
        longest_s: Longest of all so far, of those that came back.
    """

    read: Callable[[], dict[str, Standing]]
    patience_s: float = PATIENCE_S
    longest_s: float = 0.0
    times_s: list[float] = field(default_factory=list)

    def await_all(self) -> tuple[list[Violation], set[str]]:
        """Wait until every search has moved or is at rest; returns who did not, and who has ended."""
        began = time.monotonic()
        first = self._insist(began)
        waiting = {search for search, standing in (first or {}).items() if not standing.is_at_rest}
        ended = {search for search, standing in (first or {}).items() if standing.has_ended}
        while waiting and time.monotonic() - began < self.patience_s:
            time.sleep(0.25)
            now = self._try()
            if now is None:
                continue
            back = {one for one in waiting if now[one].is_at_rest or now[one].last_event > first[one].last_event}
            if back:
                self.times_s += [time.monotonic() - began] * len(back)
                self.longest_s = max(self.longest_s, time.monotonic() - began)
            ended |= {search for search, standing in now.items() if standing.has_ended}
            waiting -= back
        return [self._late(search, first[search]) for search in sorted(waiting)], ended

    def _insist(self, began: float) -> dict[str, Standing]:
        while (now := self._try()) is None:
            if time.monotonic() - began > self.patience_s:
                raise TimeoutError(f"The database cannot be read {self.patience_s:g} s after the last fault.")
            time.sleep(0.25)
        return now

    def _try(self) -> dict[str, Standing] | None:
        try:
            return self.read()
        except TransientError:
            return None

    def _late(self, search: str, standing: Standing) -> Violation:
        where = f"{standing.status}, wanted: {standing.intent}, last event {standing.last_event}"
        return Violation("moves again", search, f"not within {self.patience_s:g} s: {where}")
