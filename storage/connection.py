"""How a database is spoken to: dialect, transaction modes, durability.

SQLite and PostgreSQL get the same three kinds of transaction:

- `write` takes the write lock at once on SQLite (`BEGIN IMMEDIATE`: a transaction that reads first
  and upgrades later is refused whatever the time-out); PostgreSQL runs READ COMMITTED, where row locks
  and compare-and-set do the work;
- `read` sees one snapshot, cannot write, and neither blocks writers nor waits for them;
- `migrate` may rebuild tables, hence foreign keys are checked afterwards instead of at each row.

Durability: a commit has reached the disk (SQLite: WAL with synchronous=FULL; PostgreSQL's default)
before `commit` returns, so it survives `kill -9` and, as far as the disk keeps its word, a power cut.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from nas.errors import Fault, MissingExtra, SpecError
from storage import faults

LOCK_TIMEOUT_S = 30
IDLE_TIMEOUT_S = 10
"""A writer on PostgreSQL that says nothing for so long is taken for stopped; its locks are freed."""

_POOL = {"pool_size": 10, "max_overflow": 30, "pool_timeout": 5}  # forty threads; few kept when idle
Access = Literal["write", "read", "migrate", "none"]

_SQLITE_BEGIN: dict[Access, tuple[str, ...]] = {
    "write": ("PRAGMA query_only=OFF", "PRAGMA foreign_keys=ON", "BEGIN IMMEDIATE"),
    "read": ("PRAGMA query_only=ON", "BEGIN"),
    "migrate": ("PRAGMA query_only=OFF", "PRAGMA foreign_keys=OFF", "BEGIN IMMEDIATE"),
    "none": (),  # for the pragmas that SQLite refuses inside a transaction
}


def make_engine(url: str) -> Engine:
    """Engine for `sqlite:///FILE` or `postgresql://...`, connected to nothing yet.

    Raises:
        SpecError: If the address is of another kind.
        MissingExtra: If PostgreSQL is asked for and psycopg is not installed.
    """
    parsed = _parse(url)
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
    faults.install(engine)
    return engine


def with_access(engine: Engine, access: Access) -> Engine:
    """The same engine and pool, opening transactions of another kind."""
    if engine.dialect.name == "postgresql" and access == "read":
        return engine.execution_options(access=access, isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(access=access)


def _parse(url: str) -> URL:
    reason = "not a database address"
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() in ("postgresql", "postgres"):
            return parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
            return parsed
        reason = "only a SQLite file or PostgreSQL can keep searches"
    except ArgumentError:
        pass
    raise SpecError((Fault("/database_url", reason, "sqlite:///FOLDER/blocksmith.db"),))


def _sqlite(url: URL) -> Engine:
    file = Path(str(url.database)).expanduser().resolve()
    engine = create_engine(url.set(database=str(file)), connect_args={"timeout": LOCK_TIMEOUT_S}, **_POOL)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late and takes no lock
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        for statement in _SQLITE_BEGIN[connection.get_execution_options().get("access", "write")]:
            connection.exec_driver_sql(statement)

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10}, **_POOL)
    except ModuleNotFoundError as error:
        raise MissingExtra("PostgreSQL needs psycopg.", "pip install 'blocksmith[postgresql]'") from error

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'; "
            f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_S}s'"
        )

    return engine
