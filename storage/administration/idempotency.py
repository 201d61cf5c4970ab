"""Idempotency keys: what a request that is sent twice made the first time."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage.statements import insert_first
from storage.tables import idempotency


class SqlIdempotency:
    """What was made under which key, each project for itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def recall(self, project: str, key: str) -> tuple[str, str] | None:
        """`(digest of the request, id of what it made)`, or None for a new key."""
        same = (idempotency.c.project == project) & (idempotency.c.key == key)
        row = self._connection.execute(select(idempotency.c.request, idempotency.c.subject).where(same)).first()
        return None if row is None else (row.request, row.subject)

    def record(self, project: str, key: str, request_digest: str, subject_id: str, at: float) -> bool:
        """Note what a request made, in the transaction that makes it; False when the key is taken.

        Of two requests at once the second waits for the first to end, and is then told that it is late.
        """
        row = {"project": project, "key": key, "request": request_digest, "subject": subject_id, "at": at}
        return insert_first(self._connection, idempotency, **row)
