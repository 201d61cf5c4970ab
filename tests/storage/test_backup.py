"""A data directory copied while it is written to, and made again from the copy."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from nas.errors import Conflict, CorruptArtifact, NotFound
from storage.backup import DATABASE_FILE, back_up, restore
from storage.unit_of_work import Database, open_database
from storage.workspaces import AnyWorkspace, open_workspace
from tests.storage import databases
from tests.storage.values import a_search, a_trial, an_entry


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def database(data: Path) -> Database:
    opened = open_database(f"sqlite:///{data}/{DATABASE_FILE}")
    opened.migrate()
    with opened.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    return opened


@pytest.fixture
def workspace(data: Path) -> AnyWorkspace:
    return open_workspace(data)


def add_block(database: Database, workspace: AnyWorkspace, number: int) -> str:
    """A block as a worker and its coordinator make one: file, result, row."""
    digest = workspace.artifacts.put(f"weights {number}".encode() * 1000)
    workspace.journal.record(digest, "{}")
    with database.unit_of_work() as work:
        work.library.add_entry(an_entry(digest).evolve(weights=digest))
        work.commit()
    return digest


def test_a_restored_directory_holds_what_was_backed_up(
    tmp_path: Path, database: Database, workspace: AnyWorkspace
) -> None:
    digest = add_block(database, workspace, 1)
    with database.unit_of_work() as work:
        work.trials.add(a_trial(1))
        work.commit()
    made = back_up(database, workspace, tmp_path / "backup")
    assert (made.database, made.files, made.damaged) == (True, 2, ())
    with database.unit_of_work() as work:
        work.trials.add(a_trial(2))
        work.commit()
    assert restore(tmp_path / "backup", tmp_path / "again") == made
    restored, files = open_database(f"sqlite:///{tmp_path}/again/{DATABASE_FILE}"), open_workspace(tmp_path / "again")
    restored.migrate()
    with restored.reader() as view:
        assert view.searches.get("alpha") == a_search()
        assert [trial.number for trial in view.trials.of_search("alpha")] == [1]
    assert files.artifacts.get(digest) == workspace.artifacts.get(digest)
    assert files.journal.recall(digest) == "{}"
    assert files.artifacts.path(digest).stat().st_nlink == 1, "a restored file would change with its backup"
    restored.close()


def test_a_backup_taken_while_blocks_are_made_lacks_none_that_its_rows_need(
    tmp_path: Path, database: Database, workspace: AnyWorkspace
) -> None:
    stop, numbers = threading.Event(), iter(range(100_000))

    def make_blocks() -> None:
        while not stop.is_set():
            add_block(database, workspace, next(numbers))

    writer = threading.Thread(target=make_blocks)
    writer.start()
    try:
        backups = [back_up(database, workspace, tmp_path / f"backup {attempt}") for attempt in range(8)]
    finally:
        stop.set()
        writer.join()
    assert all(made.damaged == () for made in backups)
    assert backups[-1].files > 0
    assert restore(tmp_path / "backup 7", tmp_path / "again").damaged == ()


def test_damage_is_reported_and_half_written_files_stay_behind(
    tmp_path: Path, database: Database, workspace: AnyWorkspace
) -> None:
    missing, damaged = add_block(database, workspace, 1), add_block(database, workspace, 2)
    workspace.artifacts.remove(missing)
    workspace.artifacts.path(damaged).write_bytes(b"weight")
    workspace.artifacts.path(damaged).with_name(".writing-half").write_bytes(b"w")
    made = back_up(database, workspace, tmp_path / "backup")
    assert set(made.damaged) == {missing, damaged}
    assert made.files == 3
    assert not list((tmp_path / "backup").rglob(".writing-*"))


def test_nothing_is_overwritten(tmp_path: Path, database: Database, workspace: AnyWorkspace, data: Path) -> None:
    back_up(database, workspace, tmp_path / "backup")
    with pytest.raises(Conflict, match="not empty"):
        back_up(database, workspace, tmp_path / "backup")
    with pytest.raises(Conflict, match="not empty"):
        restore(tmp_path / "backup", data)
    with pytest.raises(Conflict, match="already"):
        restore(tmp_path / "backup", tmp_path / "again", data / DATABASE_FILE)
    assert not (tmp_path / "again").exists()


def test_what_is_no_whole_backup_is_not_restored(tmp_path: Path, database: Database, workspace: AnyWorkspace) -> None:
    with pytest.raises(NotFound, match="no backup"):
        restore(tmp_path, tmp_path / "again")
    back_up(database, workspace, tmp_path / "backup")
    with (tmp_path / "backup" / DATABASE_FILE).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    with pytest.raises(CorruptArtifact, match="damaged"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_the_files_beside_postgresql_are_backed_up_without_it(tmp_path: Path) -> None:
    database, workspace = databases.make("postgresql", tmp_path), open_workspace(tmp_path / "data")
    assert isinstance(database, Database)
    digest = add_block(database, workspace, 1)
    with pytest.raises(Conflict, match="pg_dump"):
        database.backup(tmp_path / "file")
    made = back_up(database, workspace, tmp_path / "backup")
    assert (made.database, made.files, made.damaged) == (False, 2, ())
    shutil.rmtree(tmp_path / "data")
    assert restore(tmp_path / "backup", tmp_path / "data") == made
    assert digest in workspace.artifacts
