"""The two statements that SQLAlchemy does not express for both databases at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Double, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

Insert = postgresql.Insert | sqlite.Insert


class ServerTime(FunctionElement[float]):
    """Unix seconds of the database's own clock at this very moment, not at the transaction's start."""

    type = Double()
    inherit_cache = True


@compiles(ServerTime, "sqlite")
def _sqlite_time(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(ServerTime, "postgresql")
def _postgresql_time(*_: Any, **__: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT, in the dialect of the connection."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_first(connection: Connection, table: Table, **values: object) -> bool:
    """Insert a row unless a unique key is taken; whether it was inserted.

    Unlike a failed INSERT this leaves a PostgreSQL transaction usable.
    """
    statement = insert_into(connection, table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement.returning(*table.primary_key)).first() is not None
