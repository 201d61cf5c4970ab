"""Exports: networks that somebody asked to be packed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import Connection, Select, select, update

from nas.domain.job import Failure
from nas.domain.value import Value
from nas.errors import Conflict, NotFound
from storage.statements import insert_first
from storage.tables import exports

ExportStatus = Literal["waiting", "running", "done", "failed"]


class Export(Value):
    """One export of one trial.

    Attributes:
        artifact: Digest of the zip file; empty until it is done.
        size_bytes: Size of the zip file.
        failure: Why there is none.
        created_at: Unix seconds.
    """

    id: str
    search: str
    project: str
    trial: Annotated[int, Field(ge=0)]
    status: ExportStatus = "waiting"
    artifact: str = ""
    size_bytes: Annotated[int, Field(ge=0)] = 0
    failure: Failure | None = None
    created_at: float


class SqlExports:
    """Exports by id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, export: Export) -> None:
        """Insert a new export.

        Raises:
            Conflict: If the id is taken, or there is no such search.
        """
        if not insert_first(self._connection, exports, **_columns(export)):
            raise Conflict(f"There is an export {export.id!r} already.", "Draw another id.")

    def get(self, export_id: str) -> Export:
        """One export.

        Raises:
            NotFound: If there is none.
        """
        document = self._connection.scalar(select(exports.c.document).where(exports.c.id == export_id))
        if document is None:
            raise NotFound(f"There is no export {export_id[:64]!r}.", "List the search's exports to see their ids.")
        return Export.model_validate_json(document)

    def list(self, search_id: str) -> Sequence[Export]:
        """Exports of a search, newest first."""
        statement = select(exports.c.document).where(exports.c.search == search_id)
        return self._parsed(statement.order_by(exports.c.created_at.desc(), exports.c.id))

    def waiting(self) -> Sequence[Export]:
        """Exports that nobody has finished, oldest first.

        Those `running` are among them: whoever runs one holds its lease, and may have died.
        """
        statement = select(exports.c.document).where(exports.c.status.in_(("waiting", "running")))
        return self._parsed(statement.order_by(exports.c.created_at, exports.c.id))

    def replace(self, expected: ExportStatus, export: Export) -> bool:
        """Store `export` if the stored status is `expected`; returns whether it was (compare-and-set)."""
        same = (exports.c.id == export.id) & (exports.c.status == expected)
        return self._connection.execute(update(exports).where(same).values(**_columns(export))).rowcount == 1

    def _parsed(self, statement: Select[str]) -> Sequence[Export]:
        return [Export.model_validate_json(document) for document in self._connection.scalars(statement)]


def _columns(export: Export) -> dict[str, object]:
    names = ("id", "search", "project", "status", "artifact", "size_bytes", "created_at")
    return {**{name: getattr(export, name) for name in names}, "document": export.model_dump_json()}
