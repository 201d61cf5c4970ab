"""Every database of the tests: in memory, a SQLite file, and a real PostgreSQL started from its wheel."""

from __future__ import annotations

import functools
import itertools
import tempfile
import warnings
from pathlib import Path
from typing import Any

import psycopg

from storage.in_memory import InMemoryDatabase
from storage.tables import metadata
from storage.unit_of_work import Database, open_database

AnyDatabase = InMemoryDatabase | Database
ALL = ("in_memory", "sqlite", "postgresql")
SQL = ("sqlite", "postgresql")

_numbers = itertools.count()


@functools.cache
def _postgresql() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns where there is no desktop session
        import pgserver

        return pgserver.get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")


def stop_postgresql() -> None:
    """Stop and delete the server of this process, if one was started."""
    if _postgresql.cache_info().currsize:
        _postgresql().cleanup()


@functools.cache
def postgresql_address() -> str:
    """Address of a server of this test run; it stops and is deleted when the run ends."""
    address = str(_postgresql().get_uri())
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return address


def fresh_address(kind: str, folder: Path) -> str:
    """Address of an empty database without tables."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/data/blocksmith.db"
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgresql_address(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_address().replace("/postgres?", f"/{name}?")


@functools.cache
def migrated_postgresql() -> Database:
    """One migrated database; tests empty it before they use it."""
    database = open_database(fresh_address("postgresql", Path()))
    database.migrate()
    return database


def make(kind: str, folder: Path) -> AnyDatabase:
    """An empty, migrated database."""
    if kind == "in_memory":
        return InMemoryDatabase(lock_timeout_s=5)
    if kind == "sqlite":
        database = open_database(fresh_address(kind, folder))
        database.migrate()
        return database
    database = migrated_postgresql()
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE")
        connection.exec_driver_sql("INSERT INTO projects VALUES ('default', 0, '{}')")
    return database


def address_of(database: Database) -> str:
    """Where another process finds the same database."""
    return database.engine.url.render_as_string(hide_password=False)
