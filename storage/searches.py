"""Rows of searches and their event log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from nas.domain.lifecycle import Intent, SearchStatus
from nas.domain.search import Search
from storage.refusals import taken_id, unknown_search
from storage.statements import insert_first
from storage.tables import events, searches


class SqlSearches:
    """Searches by id. Status and intent are separate columns, because they have separate writers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, search: Search) -> None:
        """Insert a new search.

        Raises:
            Conflict: If the id is taken.
        """
        values = {**_columns(search), "intent": search.intent.value}
        if not insert_first(self._connection, searches, id=search.id, last_event=0, **values):
            raise taken_id(search.id)

    def get(self, search_id: str) -> Search:
        """One search.

        Raises:
            NotFound: With the nearest known id.
        """
        row = self._connection.execute(_SELECT.where(searches.c.id == search_id)).first()
        if row is None:
            raise unknown_search(search_id, self._ids())
        return _compose(row.document, row.intent)

    def list(self) -> Sequence[Search]:
        """All searches, newest first."""
        rows = self._connection.execute(_SELECT.order_by(searches.c.created_at.desc(), searches.c.id))
        return [_compose(row.document, row.intent) for row in rows]

    def replace(self, expected: SearchStatus, search: Search) -> bool:
        """Store `search` if the stored status is `expected`; returns whether it was. Intent is untouched."""
        same = (searches.c.id == search.id) & (searches.c.status == expected.value)
        return self._connection.execute(update(searches).where(same).values(**_columns(search))).rowcount == 1

    def set_intent(self, search_id: str, intent: Intent) -> None:
        """Write what the user wants.

        Raises:
            NotFound: With the nearest known id.
        """
        statement = update(searches).where(searches.c.id == search_id).values(intent=intent.value)
        if self._connection.execute(statement).rowcount == 0:
            raise unknown_search(search_id, self._ids())

    def _ids(self) -> Sequence[str]:
        return self._connection.scalars(select(searches.c.id)).all()


class SqlEvents:
    """The event log. Ids are gapless because each append locks its search's row until the commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, search_id: str, kind: str, payload: str, at: float) -> int:
        """Append an event (`payload` is JSON), return its id.

        Raises:
            NotFound: If there is no such search.
        """
        count = update(searches).where(searches.c.id == search_id).values(last_event=searches.c.last_event + 1)
        number = self._connection.scalar(count.returning(searches.c.last_event))
        if number is None:
            raise unknown_search(search_id, self._connection.scalars(select(searches.c.id)).all())
        row = {"search": search_id, "id": number, "kind": kind, "payload": payload, "at": at}
        self._connection.execute(events.insert().values(row))
        return int(number)

    def after(self, search_id: str, event_id: int, limit: int) -> Sequence[tuple[int, str, str, float]]:
        """Events after an id: `(id, kind, payload, unix seconds)`."""
        statement = (
            select(events.c.id, events.c.kind, events.c.payload, events.c.at)
            .where(events.c.search == search_id, events.c.id > event_id)
            .order_by(events.c.id)
            .limit(limit)
        )
        return [(row.id, row.kind, row.payload, row.at) for row in self._connection.execute(statement)]


_SELECT = select(searches.c.document, searches.c.intent)


def _columns(search: Search) -> dict[str, object]:
    document = search.model_dump_json(exclude={"intent"})
    return {"created_at": search.created_at, "status": search.status.value, "document": document}


def _compose(document: str, intent: str) -> Search:
    search: Search = Search.model_validate_json(document).evolve(intent=Intent(intent))
    return search
