"""Lists, points and libraries: what the API shows without parsing trials one by one."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text

from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.errors import NotFound, SpecError
from storage import tables
from storage.administration import Export
from storage.library_ids import library_id
from storage.search_pages import SearchFilter
from storage.trial_points import TrialPoint
from storage.unit_of_work import Database
from tests.storage.values import a_search, a_trial, an_architecture, an_entry, an_evaluation


def pages(database: Database, wanted: SearchFilter, limit: int) -> list[list[str]]:
    found, cursor = [], None
    with database.reader() as view:
        while True:
            rows, cursor = view.search_pages.page(wanted, cursor, limit)
            found.append([row.search.id for row in rows])
            if cursor is None:
                return found


def test_pages_are_newest_first_and_hold_every_search_once(sql: Database) -> None:
    with sql.unit_of_work() as work:
        for number in range(7):
            work.searches.add(a_search(f"s{number}", created_at=float(number // 2)))  # pairs of the same moment
        work.commit()
    assert pages(sql, SearchFilter(), 3) == [["s6", "s5", "s4"], ["s3", "s2", "s1"], ["s0"]]
    assert pages(sql, SearchFilter(), 7) == [["s6", "s5", "s4", "s3", "s2", "s1", "s0"]]


def test_a_page_is_not_upset_by_a_search_submitted_meanwhile(sql: Database) -> None:
    with sql.unit_of_work() as work:
        for number in range(4):
            work.searches.add(a_search(f"s{number}", created_at=float(number)))
        _, cursor = work.search_pages.page(SearchFilter(), None, 2)
        work.searches.add(a_search("newest", created_at=9.0))
        rows, after = work.search_pages.page(SearchFilter(), cursor, 2)
        assert ([row.search.id for row in rows], after) == (["s1", "s0"], None)


def test_filters_narrow_the_list(sql: Database) -> None:
    submitted = (("Half_size", "default", "search"), ("Half size", "default", "dry_run"), ("Other", "team", "search"))
    with sql.unit_of_work() as work:
        for number, (name, project, kind) in enumerate(submitted):
            base = a_search(f"s{number}", created_at=float(number))
            work.searches.add(base.evolve(spec=base.spec.evolve(name=name), project=project, kind=kind))
        work.searches.replace(SearchStatus.CREATED, work.searches.get("s0").become(SearchStatus.PREPARING))
        work.searches.trash("s1", 5.0)
        work.commit()
    assert pages(sql, SearchFilter(), 9) == [["s2", "s0"]]
    assert pages(sql, SearchFilter(trashed=True), 9) == [["s1"]]
    assert pages(sql, SearchFilter(project="default"), 9) == [["s0"]]
    assert pages(sql, SearchFilter(name_contains="oTHer"), 9) == [["s2"]]
    assert pages(sql, SearchFilter(name_contains="f_s"), 9) == [["s0"]]
    assert pages(sql, SearchFilter(name_contains="f_s", trashed=True), 9) == [[]]
    assert pages(sql, SearchFilter(name_contains="%"), 9) == [[]]
    assert pages(sql, SearchFilter(statuses=(SearchStatus.PREPARING, SearchStatus.FAILED)), 9) == [["s0"]]
    assert pages(sql, SearchFilter(kind="dry_run", trashed=True), 9) == [["s1"]]


def test_a_row_of_the_list_counts_trials_and_events(sql: Database) -> None:
    with sql.unit_of_work() as work:
        work.searches.add(a_search())
        for number in range(3):
            work.trials.add(a_trial(number))
            work.events.append("alpha", "trial", "{}", 0.0)
        work.trials.replace(TrialStatus.CANDIDATE, a_trial(1).become(TrialStatus.RUNNING))
        ((search, counts, last_event),) = work.search_pages.page(SearchFilter())[0]
        assert search == a_search()
        assert counts == {TrialStatus.CANDIDATE: 2, TrialStatus.RUNNING: 1}
        assert last_event == 3
        assert work.search_pages.heads() == [("alpha", "default", "created", 3)]
        assert work.search_pages.heads(["nobody"]) == []


@pytest.mark.parametrize("cursor", ["x", "~", "1.0.0~a", "'; DROP TABLE searches; --"])
def test_a_cursor_of_somebody_else_is_refused(sql: Database, cursor: str) -> None:
    with sql.reader() as view, pytest.raises(SpecError, match="/cursor"):
        view.search_pages.page(SearchFilter(), cursor)


def test_points_tell_what_a_plot_needs(sql: Database) -> None:
    done = a_trial(2).evolve(status=TrialStatus.COMPLETED, evaluation=an_evaluation(), bounds_version=1)
    with sql.unit_of_work() as work:
        work.searches.add(a_search())
        for number in range(4):
            work.trials.add(a_trial(number))
            work.events.append("alpha", "trial", "{}", 0.0)
        work.trials.replace(TrialStatus.CANDIDATE, done)
        (point,) = work.trial_points.page("alpha", statuses=[TrialStatus.COMPLETED])
        assert point == TrialPoint(
            number=2,
            status="completed",
            changed=5,
            origin="sobol",
            bounds_version=1,
            choices=dict(an_architecture(2).choices),
            metrics={"noise_mse": [0.1 + 0.2, 1e-17, "1"]},
        )
        assert [point.share for point in work.trial_points.page("alpha")] == [1.0] * 4
        stopped = done.evolve(evaluation=an_evaluation().evolve(share=0.125))
        work.trials.replace(TrialStatus.COMPLETED, stopped)
        assert [point.share for point in work.trial_points.page("alpha")] == [1.0, 1.0, 0.125, 1.0]
        assert [point.number for point in work.trial_points.page("alpha", after=0, limit=2)] == [1, 2]
        assert [point.number for point in work.trial_points.page("alpha", changed_after=3)] == [2, 3]
        assert work.trial_points.page("nobody") == []


def test_a_library_belongs_to_those_who_draw_from_it(sql: Database) -> None:
    base = a_search("other library")
    teacher = base.spec.teacher.evolve(fingerprint="f" * 64)
    other = base.evolve(project="team", spec=base.spec.evolve(teacher=teacher))
    with sql.unit_of_work() as work:
        for search in (a_search("old", 1.0), a_search("new", 2.0), other):
            work.searches.add(search)
        for key, weights in (("k1", "1" * 64), ("k2", "2" * 64), ("k3", "")):
            work.library.add_entry(an_entry(key).evolve(weights=weights, variant=key))
        work.library.note_use("old", ["k1"])
        work.library.note_use("new", ["k1", "k3"])
        work.library.note_use("other library", ["k2"])
        (mine,) = work.libraries.list("default")
        assert (mine.id, mine.entries, mine.searches) == (library_id(a_search().spec), 2, ("new", "old"))
        assert [entry.key for entry in work.libraries.entries(mine.id, "default")] == ["k1", "k3"]
        assert work.libraries.example(mine.id, "default").id == "new"
        assert len(work.libraries.list()) == 2
        (theirs,) = work.libraries.list("team")
        assert work.libraries.entries(theirs.id, "default") == []
        with pytest.raises(NotFound, match="library"):
            work.libraries.example(theirs.id, "default")


def test_an_artifact_is_readable_only_through_a_search_or_an_export(sql: Database) -> None:
    with sql.unit_of_work() as work:
        work.searches.add(a_search())
        work.searches.add(a_search("b").evolve(project="team"))
        work.library.add_entry(an_entry("used").evolve(weights="1" * 64))
        work.library.add_entry(an_entry("unused").evolve(weights="2" * 64))
        work.library.note_use("alpha", ["used"])
        packed = Export(id="x", search="b", project="team", trial=0, artifact="3" * 64, created_at=1.0)
        work.exports.add(packed)
        may = work.libraries.may_read
        assert [may("default", digit * 64) for digit in "123"] == [True, False, False]
        assert [may("team", digit * 64) for digit in "123"] == [False, False, True]
        assert [may(None, digit * 64) for digit in "123"] == [True, False, True]
        assert not may(None, "")


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("SELECT document FROM trials WHERE search = 'alpha' AND changed > 390", "changed"),
        ("SELECT status, count(*) FROM trials WHERE search = 'alpha' GROUP BY status", "status"),
        ("SELECT id FROM searches WHERE project = 'p3' ORDER BY created_at DESC, id DESC LIMIT 9", "project"),
        ("SELECT id FROM searches WHERE status IN ('created') ORDER BY created_at", "status"),
        ("SELECT document FROM exports WHERE status = 'waiting'", "status"),
    ],
)
def test_questions_asked_often_are_answered_from_an_index(sql: Database, question: str, index: str) -> None:
    fill(sql)
    with sql.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # small tables are quicker read whole
        explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        plan = " ".join(str(row) for row in connection.execute(text(explain + question)))
    assert f"_{index}" in plan


def fill(sql: Database) -> None:
    """Hundreds of rows, of which few are asked for, and their statistics: planners decide by what they know."""
    common = {"status": "completed", "document": "{}"}
    searches = [
        {"id": name, "project": f"p{number}", "created_at": number, "intent": "run", "kind": "search"}
        | {"name": name, "budget": 9, "library": name, "last_event": 0}
        for number, name in enumerate(["alpha", *map(str, range(299))])
    ]
    trials = [
        {"search": search, "number": number, "architecture": str(number), "changed": number, "point": "{}"}
        for search in ("alpha", "0", "1")
        for number in range(400)
    ]
    exports = [
        {"id": str(number), "search": "alpha", "project": "p0", "artifact": "", "size_bytes": 0, "created_at": 0}
        for number in range(300)
    ]
    with sql.engine.begin() as connection:
        for table, rows in ((tables.searches, searches), (tables.trials, trials), (tables.exports, exports)):
            connection.execute(insert(table), [common | row for row in rows])
    vacuum = "" if sql.engine.dialect.name == "sqlite" else "VACUUM "  # lets PostgreSQL answer from an index alone
    with sql.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"{vacuum}ANALYZE"))
