"""Brings a database to the present schema: Alembic, driven from the program.

There is no command to remember: whoever opens a data directory calls `Database.migrate`.
"""

from __future__ import annotations

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from nas.errors import Conflict, TransientError
from storage.connection import LOCK_TIMEOUT_S, with_access

VERSION_TABLE = "blocksmith_schema_version"
"""Our own: two tools fighting over `alembic_version` in one database is a known accident."""

_MIGRATION_LOCK = 0x626C6F636B  # "block"; any number that no other tool takes


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision; a no-op without any lock when the database is there already.

    Raises:
        Conflict: If the database is of a newer version.
        TransientError: If it is locked for too long or cannot be reached.
    """
    config = alembic_config()
    scripts = ScriptDirectory.from_config(config)
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    with with_access(engine, "read").connect() as connection:
        if _revision(connection, scripts) == scripts.get_current_head():
            return
    with with_access(engine, "migrate").begin() as connection:
        if connection.dialect.name == "postgresql":
            # Held until the commit, hence safe behind a transaction pooler.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        _revision(connection, scripts)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _require_whole(connection)


def alembic_config() -> Config:
    """Alembic's configuration; there is no ini file."""
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise Conflict(
            f"The database has schema {revision!r}, which this version does not know.", "Upgrade blocksmith."
        )
    return revision


def _prepare_sqlite(engine: Engine) -> None:
    """Create the file's folder and switch to WAL, which the file then remembers.

    The switch needs the file for itself and does not honour the busy time-out, hence the patience.
    """
    try:
        Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TransientError(f"The database's folder cannot be made ({error}).", "Name another place.") from error
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            with with_access(engine, "none").connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            return
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _require_whole(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise Conflict("The migration would leave rows without their search.", "Report this; nothing was changed.")
