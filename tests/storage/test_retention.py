"""What is thrown away, and what never is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.errors import NotFound
from storage.administration import Export
from storage.retention import Pruned, RetentionRules, prune
from storage.seals import fanned_out
from storage.unit_of_work import Database
from storage.workspaces import AnyWorkspace, open_workspace
from tests.storage import databases
from tests.storage.values import a_search, a_trial, an_entry

DAY_S = 86_400.0
NOW = 2_000_000_000.0
RULES = RetentionRules(trash_days=30, export_days=90)


@pytest.fixture(params=databases.SQL)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = databases.make(request.param, tmp_path)
    assert isinstance(opened, Database)
    yield opened
    opened.close()


@pytest.fixture
def workspace(tmp_path: Path) -> AnyWorkspace:
    return open_workspace(tmp_path / "data")


def stored(workspace: AnyWorkspace, content: bytes, age_s: float = 10 * DAY_S) -> str:
    digest = workspace.artifacts.put(content)
    os.utime(workspace.artifacts.path(digest), (NOW - age_s, NOW - age_s))
    return digest


def add_search(database: Database, search_id: str, block: str, deleted_at: float | None = None) -> None:
    """A search with everything that hangs on one."""
    with database.unit_of_work() as work:
        work.searches.add(a_search(search_id))
        work.trials.add(a_trial(0, search_id))
        work.trials.add_log(search_id, 0, 1, "log")
        work.events.append(search_id, "trial", "{}", 0.0)
        work.library.add_entry(an_entry(f"key of {block}").evolve(weights=block))
        work.library.note_use(search_id, [f"key of {block}"])
        assert work.leases.acquire(search_id, "me", 10)
        work.idempotency.record("default", f"key of {search_id}", "d" * 64, search_id, NOW)
        work.searches.trash(search_id, deleted_at)
        work.commit()


def add_export(database: Database, search_id: str, artifact: str, age_days: float) -> None:
    with database.unit_of_work() as work:
        export = Export(
            id=f"export {age_days}",
            search=search_id,
            project="default",
            trial=0,
            status="done",
            artifact=artifact,
            created_at=NOW - age_days * DAY_S,
        )
        work.exports.add(export)
        work.commit()


def test_old_trash_goes_with_its_blocks_and_everything_in_use_stays(
    database: Database, workspace: AnyWorkspace
) -> None:
    block, packed = stored(workspace, b"block"), stored(workspace, b"packed")
    add_search(database, "gone", block, deleted_at=NOW - 31 * DAY_S)
    add_search(database, "fresh trash", block, deleted_at=NOW - 29 * DAY_S)
    add_export(database, "gone", packed, 1)
    pruned = prune(database, workspace, RULES, NOW)
    assert pruned == Pruned(searches=("gone",), exports=(), artifacts=1, leftovers=0, freed_bytes=6)
    assert block in workspace.artifacts, "another search of the same library is left"
    with database.reader() as view:
        with pytest.raises(NotFound):
            view.searches.get("gone")
        assert view.searches.get("fresh trash").deleted_at is not None
        assert view.idempotency.recall("default", "key of gone") is None
        assert view.leases.held().keys() == {"fresh trash"}
    later = prune(database, workspace, RULES, NOW + 2 * DAY_S)
    assert later.searches == ("fresh trash",)
    assert block not in workspace.artifacts
    assert prune(database, workspace, RULES, NOW + 2 * DAY_S) == Pruned(
        searches=(), exports=(), artifacts=0, leftovers=0, freed_bytes=0
    )


def test_old_exports_go_and_their_search_stays(database: Database, workspace: AnyWorkspace) -> None:
    old, new = stored(workspace, b"old export"), stored(workspace, b"new export")
    add_search(database, "alpha", stored(workspace, b"block"))
    add_export(database, "alpha", old, 91)
    add_export(database, "alpha", new, 89)
    assert prune(database, workspace, RULES.evolve(export_days=None), NOW).exports == ()
    assert prune(database, workspace, RULES, NOW).exports == ("export 91",)
    assert old not in workspace.artifacts
    assert new in workspace.artifacts


def test_young_files_are_spared_because_their_rows_may_still_come(
    database: Database, workspace: AnyWorkspace
) -> None:
    young, old = stored(workspace, b"young", age_s=3600), stored(workspace, b"old")
    half = workspace.artifacts.path(old).with_name(".writing-1")
    corrupt = workspace.artifacts.root.parent / "journal" / f"{fanned_out(old)}.json.corrupt"
    corrupt.parent.mkdir(parents=True)
    for path in (half, corrupt):
        path.write_bytes(b"four")
        os.utime(path, (NOW - 2 * DAY_S, NOW - 2 * DAY_S))
    fresh = half.with_name(".writing-2")
    fresh.write_bytes(b"being written")
    os.utime(fresh, (NOW, NOW))
    pruned = prune(database, workspace, RULES, NOW)
    assert (pruned.artifacts, pruned.leftovers, pruned.freed_bytes) == (1, 2, 11)
    assert young in workspace.artifacts
    assert fresh.exists()


def test_a_dry_run_tells_the_same_and_touches_nothing(database: Database, workspace: AnyWorkspace) -> None:
    block = stored(workspace, b"block")
    add_search(database, "gone", block, deleted_at=NOW - 31 * DAY_S)
    told = prune(database, workspace, RULES, NOW, dry_run=True)
    assert (told.searches, told.artifacts) == (("gone",), 1)
    assert block in workspace.artifacts
    with database.reader() as view:
        assert view.searches.get("gone").id == "gone"
    assert prune(database, workspace, RULES, NOW) == told
