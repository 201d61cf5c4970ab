"""Processes of a service and their heartbeats, on the database's clock."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection, delete, select

from nas.domain.value import Value
from storage.statements import ServerTime, insert_into
from storage.tables import processes


class Process(Value):
    """One process.

    Attributes:
        id: Its own for every start: a restarted process is another one.
        started_at: Unix seconds.
        document: What else it says of itself, for instance slots and queue.
    """

    id: str
    kind: Literal["api", "coordinator"]
    host: str
    pid: int
    started_at: float
    document: dict[str, Any] = Field(default_factory=dict)


class SqlProcesses:
    """Heartbeats by process id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def beat(self, process: Process) -> None:
        """Say that a process lives, and what it is busy with."""
        row = {"beat_at": ServerTime(), "document": process.model_dump_json()}
        statement = insert_into(self._connection, processes).values(id=process.id, **row)
        self._connection.execute(statement.on_conflict_do_update(index_elements=[processes.c.id], set_=row))

    def alive(self, within_s: float) -> list[tuple[Process, float]]:
        """`(process, seconds since its last heartbeat)` of those heard of within `within_s`, by id."""
        age = (ServerTime() - processes.c.beat_at).label("age")
        statement = select(processes.c.document, age).where(processes.c.beat_at >= ServerTime() - within_s)
        rows = self._connection.execute(statement.order_by(processes.c.id))
        return [(Process.model_validate_json(row.document), max(0.0, float(row.age))) for row in rows]

    def forget(self, process_id: str) -> None:
        """Remove a process that ends in good order; a no-op for one that is unknown."""
        self._connection.execute(delete(processes).where(processes.c.id == process_id))
