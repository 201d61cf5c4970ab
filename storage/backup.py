"""Copies of a data directory, made while the service runs.

Order: database, journal, artifacts. An artifact is written before the result that names it, a result
before its row, and files never change: whatever is copied finds what it refers to when that one's turn
comes. The other way round a row could arrive whose file was made too late. The service may write on:
what comes after the copy of the database is simply not in the backup.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from nas.domain.value import Value
from nas.errors import Conflict, CorruptArtifact, NotFound, TransientError
from storage.artifacts import DirectoryArtifacts, DirectoryWorkspace
from storage.connection import with_access
from storage.remote_artifacts import RemoteArtifacts
from storage.retention import referred_artifacts
from storage.unit_of_work import Database, open_database
from storage.whole_files import leftovers
from storage.workspaces import AnyWorkspace

DATABASE_FILE = "blocksmith.sqlite"
AnyArtifacts = DirectoryArtifacts | RemoteArtifacts
_MANIFEST = "backup.json"
_PARTS = ("journal", "artifacts")


class Backup(Value):
    """What a backup holds; written into it as `backup.json`, last of all.

    Attributes:
        made_at: Unix seconds.
        database: Whether the database is in it; a PostgreSQL server is dumped by its own tools, and that
            before the backup of the files.
        files: Artifacts and results in it. Those in a bucket are left to the bucket.
        damaged: Artifacts that rows refer to and that are missing or do not match their digest. Blocks
            among them are made again when a search needs them.
    """

    format: Literal[1] = 1
    made_at: float
    database: bool
    files: int = 0
    damaged: tuple[str, ...] = ()


def back_up(database: Database, workspace: AnyWorkspace, folder: Path) -> Backup:
    """Copy database, artifacts and results into a new folder, which appears whole or not at all.

    Files on the same disk become hard links: quick and free of charge, and no help when the disk
    dies. Copy the folder elsewhere, or give one on another disk.

    Raises:
        Conflict: If the folder is there and not empty.
        TransientError: If the disk is full.
    """
    _require_empty(folder)
    aside = folder.absolute().with_name(f".writing-{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        backup = _filled(aside, database, workspace)
        (aside / _MANIFEST).write_text(backup.model_dump_json(indent=2) + "\n")
        os.sync()
        aside.replace(folder)
    except OSError as error:
        raise TransientError(f"The backup cannot be written ({error.strerror}).", "Free some space.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return backup


def restore(folder: Path, data: Path, database_file: Path | None = None) -> Backup:
    """Make a data directory of a backup. The backup stays as it is and shares no file with it.

    Args:
        folder: The backup.
        data: The data directory; absent or empty.
        database_file: Where the database goes; into `data` by default.

    Raises:
        NotFound: If the folder is no backup, or not a whole one.
        Conflict: If the data directory or the database is there already: nothing is ever overwritten.
        CorruptArtifact: If the database of the backup is damaged; nothing was restored.
        TransientError: If the disk is full; empty the data directory and try again.
    """
    if not (folder / _MANIFEST).is_file():
        raise NotFound(f"{folder} holds no backup.", f"A whole one has a file {_MANIFEST}.")
    backup = Backup.model_validate_json((folder / _MANIFEST).read_text())
    target = data / DATABASE_FILE if database_file is None else database_file
    _require_empty(data)
    if target.exists():
        raise Conflict(f"There is a database {target} already.", "Move it away, or name another place.")
    if backup.database:
        _require_whole(folder / DATABASE_FILE)
    _copy_back(folder, data, target)
    if not backup.database:
        return backup
    damaged = _damaged(_referred(target), DirectoryArtifacts(data / "artifacts"))
    return Backup(**{**dict(backup), "damaged": damaged})


def _copy_back(folder: Path, data: Path, database_file: Path) -> None:
    try:
        for part in _PARTS:
            if (folder / part).is_dir():
                shutil.copytree(folder / part, data / part)
        if (folder / DATABASE_FILE).exists():  # last: a data directory without it is plainly an unfinished one
            database_file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / DATABASE_FILE, database_file)
        os.sync()
    except OSError as error:
        raise TransientError(f"The backup cannot be restored ({error.strerror}).", "Free some space.") from error


def _filled(folder: Path, database: Database, workspace: AnyWorkspace) -> Backup:
    made_at = time.time()
    if database.engine.dialect.name == "sqlite":
        database.backup(folder / DATABASE_FILE)
        referred = _referred(folder / DATABASE_FILE)
    else:
        with with_access(database.engine, "read").connect() as connection:
            referred = referred_artifacts(connection)
    kept: AnyArtifacts = workspace.artifacts
    files = 0
    if isinstance(workspace, DirectoryWorkspace):
        files = sum(_copied(workspace.kept / part, folder / part) for part in _PARTS)
        kept = DirectoryArtifacts(folder / "artifacts")
    is_in_it = (folder / DATABASE_FILE).exists()
    return Backup(made_at=made_at, database=is_in_it, files=files, damaged=_damaged(referred, kept))


def _copied(source: Path, target: Path) -> int:
    """Link, or where that is impossible copy, every whole file below a folder; how many there were."""
    unwanted, count = set(leftovers(source)), 0
    for path in source.rglob("*"):
        if path in unwanted or not path.is_file():
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # half-written a moment ago, or thrown away meanwhile
            try:
                os.link(path, copy)
            except OSError:  # another disk, or one without links
                shutil.copy2(path, copy)
            count += 1
    return count


def _referred(database_file: Path) -> set[str]:
    database = open_database(f"sqlite:///{database_file}")
    try:
        with with_access(database.engine, "read").connect() as connection:
            return referred_artifacts(connection)
    finally:
        database.close()


def _damaged(referred: set[str], artifacts: AnyArtifacts) -> tuple[str, ...]:
    found = []
    for digest in sorted(referred):
        try:
            artifacts.get(digest)
        except (NotFound, CorruptArtifact):
            found.append(digest)
    return tuple(found)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already, and not empty.", "Name a new folder: nothing is overwritten.")


def _require_whole(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1", uri=True)) as opened:
            verdict = str(opened.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        raise CorruptArtifact(f"The database of the backup is damaged ({verdict}).", "Take another backup.")
