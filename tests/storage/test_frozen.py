"""Databases that released versions wrote are upgraded, and nothing in them is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from storage.administration import Project
from storage.connection import with_access
from storage.schema import VERSION_TABLE, alembic_config
from storage.search_pages import SearchFilter
from storage.tables import metadata
from storage.unit_of_work import Database, open_database
from tests.storage.databases import SQL, fresh_address
from tests.storage.values import a_failed_attempt, a_latency, an_architecture, an_evaluation

FOLDER = Path(__file__).with_name("frozen")
REVISIONS = sorted(path.stem for path in FOLDER.glob("*.sqlite"))
BLOCK = "cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604"
"""Key of the teacher's E1 shrunk to RA, as the released worker computed it."""


@pytest.fixture(params=[(revision, kind) for revision in REVISIONS for kind in SQL], ids="-".join)
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    revision, kind = request.param
    address = fresh_address(kind, tmp_path)
    if kind == "sqlite":
        (tmp_path / "data").mkdir()
        shutil.copy(FOLDER / f"{revision}.sqlite", tmp_path / "data" / "blocksmith.db")
    else:
        with psycopg.connect(address.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
            connection.execute((FOLDER / f"{revision}.postgresql.sql").read_bytes())
    database = open_database(address)
    database.migrate()
    yield database
    database.close()


def test_every_revision_is_frozen() -> None:
    folder = FOLDER.parents[2] / "storage" / "migrations" / "versions"
    written = sorted(path.name.split("_")[0] for path in folder.glob("[0-9]*.py"))
    assert written == REVISIONS == sorted(path.name.split(".")[0] for path in FOLDER.glob("*.postgresql.sql"))


def test_the_tables_are_those_of_the_code(upgraded: Database) -> None:
    with with_access(upgraded.engine, "read").connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_searches_keep_their_bounds_intent_and_status(upgraded: Database) -> None:
    with upgraded.reader() as view:
        alpha, done = view.searches.get("alpha"), view.searches.get("done")
        bounds = view.searches.bounds("alpha")
    assert (alpha.status, alpha.intent, alpha.created_at) == (SearchStatus.CREATED, Intent.PAUSE, 1_750_000_000.25)
    assert (done.status, done.ran_s) == (SearchStatus.COMPLETED, 12.5)
    assert (alpha.project, alpha.kind, alpha.seeds, alpha.deleted_at) == ("default", "search", (), None)
    assert [problem.constraints[0].at_most for problem in alpha.problems] == [0.1, 0.1 + 0.2]
    assert [(version, by, at) for version, _, by, at in bounds] == [
        (0, "", alpha.created_at),
        (1, "", alpha.created_at),
    ]


def test_trials_keep_verdicts_and_attempts_to_the_last_digit(upgraded: Database) -> None:
    with upgraded.reader() as view:
        candidate, running, completed = view.trials.of_search("alpha")
        abandoned = view.trials.get("done", 3)
        points = view.trial_points.page("alpha")
        assert view.trials.counts("done") == {TrialStatus.ABANDONED: 1}
    assert candidate.status is TrialStatus.CANDIDATE
    assert running.attempts == (a_failed_attempt(),)
    assert completed.evaluation == an_evaluation()
    assert completed.architecture == an_architecture(2)
    assert (completed.bounds_version, completed.origin, completed.created_at) == (1, "sobol", 12.5)
    assert abandoned.failure is not None
    assert abandoned.failure.message == "not finite"
    assert not completed.is_partial
    assert [point.share for point in points] == [1.0] * 3
    assert [point.metrics for point in points] == [{}, {}, {"noise_mse": [0.1 + 0.2, 1e-17, "1"]}]
    assert points[2].choices == dict(an_architecture(2).choices)


def test_the_event_log_goes_on_where_it_stood(upgraded: Database) -> None:
    with upgraded.unit_of_work() as work:
        assert [event[0] for event in work.events.after("alpha", 0, 10)] == [1, 2, 3]
        assert work.events.append("alpha", "trial", "{}", 9.0) == 4


def test_blocks_timings_and_results_are_found_by_their_old_keys(upgraded: Database) -> None:
    with upgraded.reader() as view:
        entry = view.library.entry(BLOCK)
        assert entry is not None
        assert entry.weights == "d" * 64
        assert view.library.latency("latency key") == a_latency()
        assert view.evaluations.recall("evaluation key") == '{ "odd":1.0,  "text": "ε" }'
        assert view.library.uses("alpha") == view.library.uses("done") == [BLOCK]
        assert view.libraries.may_read("default", "d" * 64)


def test_old_searches_take_part_in_what_is_new(upgraded: Database) -> None:
    with upgraded.unit_of_work() as work:
        rows, _ = work.search_pages.page(SearchFilter(project="default", name_contains="SEARCH"))
        assert [(row.search.id, sum(row.counts.values())) for row in rows] == [("done", 1), ("alpha", 3)]
        (library,) = work.libraries.list("default")
        assert (library.searches, library.entries) == (("done", "alpha"), 1)
        assert [entry.key for entry in work.libraries.entries(library.id)] == [BLOCK]
        assert work.projects.get("default") == Project(id="default")
        usage = work.projects.usage("default")
        assert (usage.trials_reserved, usage.trials_done, usage.running, usage.searches) == (80, 2, 1, 2)
        assert usage.storage_bytes == 4 * 2**40
        assert work.leases.acquire("alpha", "another", 10.0) == 2


def test_the_way_back_and_forth_again_loses_nothing_that_the_first_schema_knew(upgraded: Database) -> None:
    with upgraded.unit_of_work() as work:
        stopped = work.trials.get("alpha", 1).become(
            TrialStatus.COMPLETED, evaluation=an_evaluation().evolve(share=0.25)
        )
        work.trials.replace(TrialStatus.RUNNING, stopped)
        work.commit()
    with upgraded.reader() as view:
        before = [view.searches.list(), view.trials.of_search("alpha"), view.library.entry(BLOCK)]
    config = alembic_config()
    with with_access(upgraded.engine, "migrate").begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    upgraded.migrate()
    with upgraded.reader() as view:
        assert [view.searches.list(), view.trials.of_search("alpha"), view.library.entry(BLOCK)] == before
        assert view.library.uses("alpha") == [BLOCK]
        assert [point.share for point in view.trial_points.page("alpha")] == [1.0, 0.25, 1.0]
