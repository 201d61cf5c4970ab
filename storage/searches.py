"""Rows of searches, with the versions of their bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, select, update

from nas.domain.lifecycle import SEARCH_STEPS, Intent, SearchStatus
from nas.domain.objective import Problem
from nas.domain.search import Search
from storage.library_ids import library_id
from storage.refusals import taken_id, unknown_search
from storage.statements import insert_first
from storage.tables import bounds, searches

COLUMNS = (searches.c.id, searches.c.document, searches.c.intent, searches.c.deleted_at)
"""What `composed` needs of a row."""

_WRITTEN_BY_USERS = frozenset({"intent", "problems", "deleted_at"})
_OPEN = [status.value for status in SEARCH_STEPS if not status.is_terminal]


class SqlSearches:
    """Searches by id. Intent, bounds and trash are kept apart from the rest: others write them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, search: Search) -> None:
        """Insert a new search with the versions of its bounds.

        Raises:
            Conflict: If the id is taken.
        """
        users = {"intent": search.intent.value, "deleted_at": search.deleted_at}
        if not insert_first(self._connection, searches, id=search.id, last_event=0, **users, **_columns(search)):
            raise taken_id(search.id)
        for version, problem in enumerate(search.problems):
            self._insert_bounds(search.id, version, problem, "", search.created_at)

    def get(self, search_id: str) -> Search:
        """One search.

        Raises:
            NotFound: If there is none.
        """
        row = self._connection.execute(select(*COLUMNS).where(searches.c.id == search_id)).first()
        if row is None:
            raise unknown_search(search_id)
        return composed(self._connection, [row])[0]

    def list(self) -> Sequence[Search]:
        """All searches, newest first, those in the trash included."""
        rows = self._connection.execute(select(*COLUMNS).order_by(searches.c.created_at.desc(), searches.c.id))
        return composed(self._connection, rows.all())

    def open(self, now: float) -> Sequence[Search]:
        """Searches that somebody should drive, oldest first: not ended, and not in the trash at `now`."""
        kept = searches.c.deleted_at.is_(None) | (searches.c.deleted_at > now)
        statement = select(*COLUMNS).where(searches.c.status.in_(_OPEN), kept)
        rows = self._connection.execute(statement.order_by(searches.c.created_at, searches.c.id))
        return composed(self._connection, rows.all())

    def replace(self, expected: SearchStatus, search: Search) -> bool:
        """Store `search` if the stored status is `expected`; returns whether it was.

        Intent, bounds and trash stay as they are stored: others write them.
        """
        same = (searches.c.id == search.id) & (searches.c.status == expected.value)
        return self._connection.execute(update(searches).where(same).values(**_columns(search))).rowcount == 1

    def set_intent(self, search_id: str, intent: Intent) -> None:
        """Write what the user wants.

        Raises:
            NotFound: If there is no such search.
        """
        self._write(search_id, intent=intent.value)

    def trash(self, search_id: str, at: float | None) -> None:
        """Put a search into the trash, or take it out again with None.

        Raises:
            NotFound: If there is no such search.
        """
        self._write(search_id, deleted_at=at)

    def add_bounds(self, search_id: str, problem: Problem, by: str, at: float) -> int:
        """Append a version of objectives and bounds, put it in force, and return its number.

        Raises:
            NotFound: If there is no such search.
        """
        # The lock of the search's row makes versions gapless.
        locked = select(searches.c.id).where(searches.c.id == search_id).with_for_update()
        if self._connection.scalar(locked) is None:
            raise unknown_search(search_id)
        last = self._connection.scalar(select(func.max(bounds.c.version)).where(bounds.c.search == search_id))
        version = 0 if last is None else last + 1
        self._insert_bounds(search_id, version, problem, by, at)
        return version

    def bounds(self, search_id: str) -> Sequence[tuple[int, Problem, str, float]]:
        """Versions of objectives and bounds: `(version, problem, by whom, unix seconds)`, first to last."""
        statement = select(bounds.c.version, bounds.c.document, bounds.c.by, bounds.c.at)
        rows = self._connection.execute(statement.where(bounds.c.search == search_id).order_by(bounds.c.version))
        return [(row.version, Problem.model_validate_json(row.document), row.by, row.at) for row in rows]

    def _insert_bounds(self, search_id: str, version: int, problem: Problem, by: str, at: float) -> None:
        row = {"search": search_id, "version": version, "document": problem.model_dump_json(), "by": by, "at": at}
        self._connection.execute(bounds.insert().values(row))

    def _write(self, search_id: str, **values: object) -> None:
        if (
            self._connection.execute(update(searches).where(searches.c.id == search_id).values(**values)).rowcount
            == 0
        ):
            raise unknown_search(search_id)


def composed(connection: Connection, rows: Sequence[Any]) -> list[Search]:
    """Searches of rows of `COLUMNS`, with one query for the bounds of all of them."""
    problems = _problems(connection, [row.id for row in rows])
    return [_parsed(_document(row, problems[row.id])) for row in rows]


def _document(row: Any, problems: Sequence[str]) -> str:
    """One JSON text of what several writers wrote: parsed once, instead of parsed and then changed."""
    deleted_at = "null" if row.deleted_at is None else repr(row.deleted_at)
    users = f'"intent":"{row.intent}","deleted_at":{deleted_at},"problems":[{",".join(problems)}]'
    return f"{row.document[:-1]},{users}}}"


def _problems(connection: Connection, ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    statement = select(bounds.c.search, bounds.c.document).where(bounds.c.search.in_(ids))
    for row in connection.execute(statement.order_by(bounds.c.search, bounds.c.version)):
        found[row.search].append(row.document)
    return found


@lru_cache(maxsize=1024)
def _parsed(document: str) -> Search:
    """The search of a document. Values never change, so the same text may be the same value."""
    return Search.model_validate_json(document)


def _columns(search: Search) -> dict[str, object]:
    return {
        "project": search.project,
        "created_at": search.created_at,
        "status": search.status.value,
        "kind": search.kind,
        "name": search.spec.name,
        "budget": search.spec.budget.trials,
        "library": library_id(search.spec),
        "document": search.model_dump_json(exclude=set(_WRITTEN_BY_USERS)),
    }
