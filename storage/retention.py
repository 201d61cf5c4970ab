"""What is thrown away, and when: old trash, old exports, and files that no row refers to any more.

Rows go first, files after: whoever is killed in between leaves files that the next run finds. Young
files are spared whatever the rows say, because a worker stores its result before anybody writes a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, Table, delete, exists, select

from nas.domain.value import Value
from storage.connection import with_access
from storage.seals import StoredFile
from storage.statements import ServerTime
from storage.tables import (
    bounds,
    events,
    exports,
    idempotency,
    leases,
    library_entries,
    library_uses,
    processes,
    searches,
    trial_logs,
    trials,
)
from storage.unit_of_work import Database
from storage.workspaces import AnyWorkspace

_DAY_S = 86_400.0
_IDEMPOTENCY_DAYS = 7
"""For so long a request may be sent again without doing anything twice."""


class RetentionRules(Value):
    """How long things are kept.

    Attributes:
        trash_days: After so long in the trash a search is gone for good.
        export_days: After so long an export is gone, its file too; None keeps all.
        grace_s: Files younger than this are never touched.
    """

    trash_days: Annotated[float, Field(ge=0)] = 30.0
    export_days: Annotated[float, Field(ge=0)] | None = None
    grace_s: Annotated[float, Field(ge=0)] = _DAY_S


class Pruned(Value):
    """What was thrown away, or would be.

    Attributes:
        searches: Ids of searches that had been in the trash for too long.
        exports: Ids of exports that had grown too old; those of these searches are not listed.
        artifacts: Artifacts that no row refers to.
        leftovers: Files of killed writers, and files set aside as damaged.
        freed_bytes: Bytes of all these files.
    """

    searches: tuple[str, ...]
    exports: tuple[str, ...]
    artifacts: int
    leftovers: int
    freed_bytes: int


def prune(
    database: Database, workspace: AnyWorkspace, rules: RetentionRules, now: float, *, dry_run: bool = False
) -> Pruned:
    """Throw away what the rules no longer keep. Safe while the service runs.

    Args:
        database: Where the rows are.
        workspace: Where the files are.
        rules: What is kept.
        now: Unix seconds.
        dry_run: Only tell.
    """
    with with_access(database.engine, "write").connect() as connection, connection.begin() as transaction:
        old_searches = _purge_trash(connection, now - rules.trash_days * _DAY_S)
        old_exports = _purge_exports(connection, rules, now)
        _purge_memory(connection, now)
        wanted = referred_artifacts(connection)
        if dry_run:
            transaction.rollback()
    unwanted = [file for file in workspace.artifacts.stored() if file.name not in wanted]
    files = _old_enough(unwanted, now - rules.grace_s)
    leftovers = _old_enough(workspace.leftovers(), now - rules.grace_s)
    if not dry_run:
        for file in files:
            workspace.artifacts.remove(file.name)
        for file in leftovers:
            workspace.remove_leftover(file.name)
    return Pruned(
        searches=tuple(old_searches),
        exports=tuple(old_exports),
        artifacts=len(files),
        leftovers=len(leftovers),
        freed_bytes=sum(file.size_bytes for file in (*files, *leftovers)),
    )


def referred_artifacts(connection: Connection) -> set[str]:
    """Digests of all artifacts that some row refers to."""
    columns = (library_entries.c.weights, exports.c.artifact)
    return {digest for column in columns for digest in connection.scalars(select(column).where(column != ""))}


def _purge_trash(connection: Connection, before: float) -> list[str]:
    old = select(searches.c.id).where(searches.c.deleted_at <= before).order_by(searches.c.id)
    found = list(connection.scalars(old.with_for_update()))
    for search in found:
        _purge_search(connection, search)
    return found


def _purge_search(connection: Connection, search: str) -> None:
    _purge_blocks_of_the_last(connection, search)
    of_search: tuple[Table, ...] = (trial_logs, trials, events, bounds, library_uses, exports)
    for table in of_search:
        connection.execute(delete(table).where(table.c.search == search))
    connection.execute(delete(leases).where(leases.c.name == search))
    connection.execute(delete(idempotency).where(idempotency.c.subject == search))
    connection.execute(delete(searches).where(searches.c.id == search))


def _purge_blocks_of_the_last(connection: Connection, search: str) -> None:
    """A library goes with its last search, not before: a search at its beginning has no uses noted yet."""
    mine, other = searches.alias(), searches.alias()
    shared = select(mine.c.id).where(
        mine.c.id == search,
        exists(select(other.c.id).where(other.c.library == mine.c.library, other.c.id != search)),
    )
    if connection.execute(shared).first() is None:
        keys = select(library_uses.c.key).where(library_uses.c.search == search)
        connection.execute(delete(library_entries).where(library_entries.c.key.in_(keys)))


def _purge_exports(connection: Connection, rules: RetentionRules, now: float) -> list[str]:
    if rules.export_days is None:
        return []
    ended = exports.c.status.in_(("done", "failed"))
    old = ended & (exports.c.created_at <= now - rules.export_days * _DAY_S)
    return sorted(connection.scalars(delete(exports).where(old).returning(exports.c.id)))


def _purge_memory(connection: Connection, now: float) -> None:
    connection.execute(delete(idempotency).where(idempotency.c.at <= now - _IDEMPOTENCY_DAYS * _DAY_S))
    connection.execute(delete(processes).where(processes.c.beat_at <= ServerTime() - _DAY_S))


def _old_enough(files: Iterable[StoredFile], before: float) -> list[StoredFile]:
    return [file for file in files if file.modified_at <= before]
