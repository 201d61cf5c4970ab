"""The schema: built by revisions alone, equal to the tables the code speaks of, safe to start anywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from nas.errors import Conflict, TransientError
from storage.connection import with_access
from storage.schema import VERSION_TABLE, alembic_config
from storage.tables import metadata
from storage.unit_of_work import Database, open_database
from tests.storage.databases import SQL, fresh_address
from tests.storage.values import a_search, a_trial


@pytest.fixture(params=SQL)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    database = open_database(fresh_address(request.param, tmp_path))
    yield database
    database.close()


def tables(database: Database) -> set[str]:
    with with_access(database.engine, "read").connect() as connection:
        return set(inspect(connection).get_table_names())


def set_revision(database: Database, revision: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")


def test_migrating_from_nothing_gives_exactly_the_tables_of_the_code(empty: Database) -> None:
    empty.migrate()
    assert tables(empty) == {*metadata.tables, VERSION_TABLE}
    with with_access(empty.engine, "read").connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing_and_needs_no_lock(empty: Database) -> None:
    empty.migrate()
    with empty.unit_of_work() as work:
        work.searches.add(a_search())
        empty.migrate()  # beside an open writer
        work.commit()
    with empty.reader() as view:
        assert view.searches.get("alpha") == a_search()


def test_revisions_lead_down_to_nothing_and_up_again(empty: Database) -> None:
    empty.migrate()
    config = alembic_config()
    with with_access(empty.engine, "migrate").begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert tables(empty) == {VERSION_TABLE}
    empty.migrate()
    assert tables(empty) == {*metadata.tables, VERSION_TABLE}


def test_a_database_of_a_newer_version_is_refused_untouched(empty: Database) -> None:
    empty.migrate()
    set_revision(empty, "9999")
    with pytest.raises(Conflict, match="Upgrade blocksmith"):
        empty.migrate()
    assert tables(empty) == {*metadata.tables, VERSION_TABLE}


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    revisions, head = list(scripts.walk_revisions()), scripts.get_revision("head")

    def build_half(*_: Any) -> None:
        from alembic import op

        op.execute("CREATE TABLE half_built (id INTEGER)")
        raise ZeroDivisionError

    monkeypatch.setattr(ScriptDirectory, "_load_revisions", lambda _: iter(revisions))
    monkeypatch.setattr(head.module, "upgrade", build_half)
    with pytest.raises(ZeroDivisionError):
        empty.migrate()
    assert tables(empty) == set()
    monkeypatch.undo()
    empty.migrate()
    assert tables(empty) == {*metadata.tables, VERSION_TABLE}


def test_there_is_one_line_of_revisions() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_a_database_without_tables_says_so(empty: Database) -> None:
    if empty.engine.dialect.name == "sqlite":
        Path(str(empty.engine.url.database)).parent.mkdir(parents=True)
    with pytest.raises(Conflict, match="Migrate the database"), empty.unit_of_work() as work:
        work.searches.list()


def test_sqlite_keeps_a_log_ahead_checks_keys_and_reaches_the_disk(tmp_path: Path) -> None:
    database = open_database(fresh_address("sqlite", tmp_path))
    database.migrate()
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with pytest.raises(Conflict), database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO events VALUES ('nobody', 1, 'k', '{}', 0.0)")
    database.close()


def test_a_folder_that_cannot_be_made_is_transient(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransientError, match="folder"):
        open_database(f"sqlite:///{tmp_path}/file/blocksmith.db").migrate()


def test_the_path_may_hold_odd_characters(tmp_path: Path) -> None:
    folder = tmp_path / "50% of a blöck #1"
    database = open_database(f"sqlite:///{folder}/b.db")
    database.migrate()
    assert (folder / "b.db").exists()
    database.close()


def test_documents_can_be_read_without_this_program(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/b.db")
    database.migrate()
    with database.unit_of_work() as work:
        work.searches.add(a_search())
        work.trials.add(a_trial(1))
        work.commit()
    database.close()
    with sqlite3.connect(tmp_path / "b.db") as plain:
        found = plain.execute("SELECT json_extract(document, '$.architecture.choices.E1') FROM trials").fetchall()
    assert found == [("RA",)]
