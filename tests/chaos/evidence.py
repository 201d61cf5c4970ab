"""What stands in the database and in the workers' logs at one moment."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from nas.domain.search import Search
from nas.domain.trial import Trial
from storage.connection import with_access
from storage.tables import leases
from storage.unit_of_work import Database

EVALUATION = "evaluate"
FINISHED = re.compile(rb'\{[^\n]*"job finished"[^\n]*\}')


@dataclass(frozen=True)
class Event:
    """One row of a search's event log."""

    id: int
    kind: str
    facts: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class Story:
    """One search with its trials and its events, in one snapshot."""

    search: Search
    trials: tuple[Trial, ...]
    events: tuple[Event, ...]

    @property
    def last_event(self) -> int:
        """Id of the newest event; 0 when there is none."""
        return self.events[-1].id if self.events else 0


@dataclass(frozen=True)
class Evidence:
    """Everything the invariants are judged by.

    Attributes:
        stories: By search id.
        tokens: Fencing token of every lease, by name.
        evaluations: How often a worker finished an evaluation that it did not find in the journal, by
            search and job key.
        tries: The same by search and number of the trial: another limit is another key.
        acknowledged: What clients were told is durable, as it stood before the rows were read.
        heard: Ids of the events that a follower was sent, in their order, by search; as it stood before, too.
    """

    stories: Mapping[str, Story] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    evaluations: Mapping[tuple[str, str], int] = field(default_factory=dict)
    tries: Mapping[tuple[str, int], int] = field(default_factory=dict)
    acknowledged: Acknowledged = field(default_factory=lambda: Acknowledged())
    heard: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Acknowledged:
    """What the API confirmed to a client.

    Attributes:
        searches: Search id by the name under which it was submitted; every name is submitted once.
        bounds: Number of versions that must be there at least, by search id.
        intents: Last confirmed intent by search id, where no later change is under way.
    """

    searches: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, int] = field(default_factory=dict)
    intents: Mapping[str, str] = field(default_factory=dict)


def read_stories(database: Database, known: Mapping[str, Story]) -> dict[str, Story]:
    """Every search in one snapshot; stories that had ended and did not change since are taken over.

    Raises:
        TransientError: If the database is away.
    """
    with database.reader() as uow:
        return {search.id: _story(uow, search, known.get(search.id)) for search in uow.searches.list()}


def read_tokens(database: Database) -> dict[str, int]:
    """Fencing tokens by the name of the lease."""
    with with_access(database.engine, "read").connect() as connection:
        return {row.name: row.token for row in connection.execute(select(leases.c.name, leases.c.token))}


def _story(uow: Any, search: Search, known: Story | None) -> Story:
    if known is not None and known.search == search and known.last_event == uow.events.last(search.id):
        return known
    rows = uow.events.after(search.id, 0, 1_000_000)
    events = tuple(Event(number, kind, json.loads(payload)["facts"], at) for number, kind, payload, at in rows)
    return Story(search, tuple(uow.trials.of_search(search.id)), events)


class JobLog:
    """Finished evaluations, read from the JSON lines that workers leave behind.

    Follows files by inode, because they are rotated; the last line of a killed worker may be torn.

    Args:
        folder: Where workers write `worker-PID.log`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[int, int] = {}
        self.evaluations: Counter[tuple[str, str]] = Counter()
        self.tries: Counter[tuple[str, int]] = Counter()
        self.recalled = 0

    def follow(self) -> None:
        """Take in what was written since the last call."""
        for path in sorted(self._folder.glob("worker-*.log*")):
            with path.open("rb") as file:
                inode = path.stat().st_ino
                file.seek(self._read.get(inode, 0))
                content = file.read()
            whole = content.rfind(b"\n") + 1
            self._read[inode] = self._read.get(inode, 0) + whole
            for line in FINISHED.findall(content[:whole]):
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # torn by a full disk or a kill
            return
        if entry.get("event") != "job finished" or entry.get("kind") != EVALUATION:
            return
        if entry.get("from_journal"):
            self.recalled += 1
        else:
            search = str(entry.get("search", ""))
            self.evaluations[search, str(entry["job"])] += 1
            self.tries[search, int(entry.get("trial", -1))] += 1
