"""The audit trail: one row for each write that somebody asked for."""

from __future__ import annotations

from sqlalchemy import Connection, select

from nas.domain.value import Value
from storage.tables import audit


class AuditEntry(Value):
    """Who did what to what.

    Attributes:
        at: Unix seconds.
        project: Whose thing it was; None for the installation's own.
        key: Id of the key that asked.
        action: What was done, a verb and a noun (`cancel search`).
        subject: Id of what it was done to.
        detail: What else a reader should know; never a secret.
    """

    at: float
    project: str | None
    key: str
    action: str
    subject: str
    detail: str = ""


class SqlAudit:
    """Entries by an id that grows; nothing changes or removes one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entry: AuditEntry) -> None:
        """Add an entry, in the transaction of the write that it tells of."""
        self._connection.execute(audit.insert().values(project=entry.project, document=entry.model_dump_json()))

    def page(
        self, project: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> list[tuple[int, AuditEntry]]:
        """`(id, entry)`, newest first.

        Args:
            project: Only this project's; None for all there are.
            before_id: Only entries older than this one.
            limit: At most so many.
        """
        statement = select(audit.c.id, audit.c.document).order_by(audit.c.id.desc()).limit(limit)
        if project is not None:
            statement = statement.where(audit.c.project == project)
        if before_id is not None:
            statement = statement.where(audit.c.id < before_id)
        rows = self._connection.execute(statement)
        return [(row.id, AuditEntry.model_validate_json(row.document)) for row in rows]
