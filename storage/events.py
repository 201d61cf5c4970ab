"""The event log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from storage.refusals import unknown_search
from storage.tables import events, searches


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
            raise unknown_search(search_id)
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

    def last(self, search_id: str) -> int:
        """Id of a search's last event; 0 before the first.

        Raises:
            NotFound: If there is no such search.
        """
        number = self._connection.scalar(select(searches.c.last_event).where(searches.c.id == search_id))
        if number is None:
            raise unknown_search(search_id)
        return int(number)
