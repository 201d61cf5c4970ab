"""What the service asks of every implementation: bounds in versions, trash, pages, deltas, logs, uses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.errors import NotFound
from nas.ports import UnitOfWork
from tests.storage.databases import AnyDatabase
from tests.storage.values import SPACE, a_search, a_trial, an_architecture


def a_problem(at_most: float) -> Problem:
    return Problem(constraints=(OutcomeConstraint(metric="noise_mse", at_most=at_most),))


def numbers(trials: Sequence[Trial]) -> list[int]:
    return [trial.number for trial in trials]


def write_with_event(work: UnitOfWork, trial: Trial) -> None:
    """As the engine does: the row, and the event that tells of it."""
    if trial.status is TrialStatus.CANDIDATE:
        work.trials.add(trial)
    else:
        assert work.trials.replace(TrialStatus.CANDIDATE, trial)
    work.events.append(trial.search, "trial", "{}", 0.0)


def test_a_search_keeps_everything_it_was_submitted_with(database: AnyDatabase) -> None:
    clone = a_search("clone").evolve(
        project="team a",
        kind="dry_run",
        parent="alpha",
        seeds=(an_architecture(3), SPACE.decode((0,) * 6)),
        problems=(a_problem(0.1), a_problem(1e-300)),
        intent=Intent.PAUSE,
        deleted_at=7.25,
    )
    with database.unit_of_work() as work:
        work.searches.add(clone)
        work.commit()
    with database.reader() as view:
        assert view.searches.get("clone") == clone


def test_new_bounds_are_a_new_version_and_the_old_ones_stay(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        assert work.searches.add_bounds("alpha", a_problem(0.2), "ann", 10.5) == 1
        assert work.searches.add_bounds("alpha", a_problem(0.1), "bob", 11.5) == 2
        work.commit()
    with searched.reader() as view:
        assert view.searches.get("alpha").problems == (a_search().problem, a_problem(0.2), a_problem(0.1))
        assert view.searches.get("alpha").problem == a_problem(0.1)
        assert list(view.searches.bounds("alpha")) == [
            (0, a_search().problem, "", a_search().created_at),
            (1, a_problem(0.2), "ann", 10.5),
            (2, a_problem(0.1), "bob", 11.5),
        ]
        assert list(view.searches.bounds("nobody")) == []


def test_what_users_wrote_survives_a_coordinator_that_read_before(searched: AnyDatabase) -> None:
    with searched.reader() as view:
        read_before = view.searches.get("alpha")
    with searched.unit_of_work() as work:
        work.searches.add_bounds("alpha", a_problem(0.2), "ann", 10.5)
        work.searches.set_intent("alpha", Intent.CANCEL)
        work.searches.trash("alpha", 12.5)
        work.commit()
    with searched.unit_of_work() as work:
        assert work.searches.replace(SearchStatus.CREATED, read_before.become(SearchStatus.PREPARING, ran_s=3.5))
        work.commit()
    with searched.reader() as view:
        after = view.searches.get("alpha")
    assert (after.status, after.ran_s) == (SearchStatus.PREPARING, 3.5)
    assert (after.intent, after.deleted_at, after.problem) == (Intent.CANCEL, 12.5, a_problem(0.2))


def test_the_trash_can_be_emptied_back(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.searches.trash("alpha", 12.5)
        assert work.searches.get("alpha").deleted_at == 12.5
        work.searches.trash("alpha", None)
        assert work.searches.get("alpha") == a_search()


def test_open_searches_are_those_somebody_should_drive_oldest_first(database: AnyDatabase) -> None:
    def placed(search_id: str, created_at: float, status: SearchStatus, deleted_at: float | None = None) -> Search:
        opened: Search = a_search(search_id, created_at).evolve(status=status, deleted_at=deleted_at)
        return opened

    with database.unit_of_work() as work:
        work.searches.add(placed("late", 3.0, SearchStatus.RUNNING))
        work.searches.add(placed("early", 1.0, SearchStatus.PAUSED))
        work.searches.add(placed("trashed", 2.0, SearchStatus.CREATED, deleted_at=5.0))
        for status in SearchStatus:
            work.searches.add(placed(status.value, 4.0, status))
        ended = {status.value for status in SearchStatus if status.is_terminal}
        found = [search.id for search in work.searches.open(6.0)]
        assert found[:2] == ["early", "late"]
        assert set(found[2:]) == {status.value for status in SearchStatus} - ended
        assert "trashed" in [search.id for search in work.searches.open(4.9)]


def test_pages_of_trials_follow_their_numbers(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        for number in (9, 0, 4, 7):
            work.trials.add(a_trial(number))
        assert work.trials.replace(TrialStatus.CANDIDATE, a_trial(4).become(TrialStatus.CANCELLED))
        assert numbers(work.trials.page("alpha", -1, 3)) == [0, 4, 7]
        assert numbers(work.trials.page("alpha", 7, 3)) == [9]
        assert numbers(work.trials.page("alpha", 0, 2, [TrialStatus.CANDIDATE])) == [7, 9]
        assert numbers(work.trials.page("alpha", 9, 3)) == numbers(work.trials.page("nobody", -1, 3)) == []
        assert work.trials.counts("alpha") == {TrialStatus.CANDIDATE: 3, TrialStatus.CANCELLED: 1}
        assert work.trials.counts("nobody") == {}


def test_a_snapshot_and_the_changes_after_it_are_the_whole(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        for number in range(3):
            write_with_event(work, a_trial(number))
        work.commit()
    with searched.reader() as view:
        seen = view.events.last("alpha")
        assert list(view.trials.changed_after("alpha", seen)) == []
        assert numbers(view.trials.changed_after("alpha", 1)) == [1, 2]
    with searched.unit_of_work() as work:
        work.events.append("alpha", "bounds", "{}", 0.0)
        write_with_event(work, a_trial(1).become(TrialStatus.CANCELLED))
        write_with_event(work, a_trial(3))
        work.commit()
    with searched.reader() as view:
        assert numbers(view.trials.changed_after("alpha", seen)) == [1, 3]
        assert view.events.last("alpha") == 6


def test_the_last_event_of_a_silent_search_is_none(searched: AnyDatabase) -> None:
    with searched.reader() as view:
        assert view.events.last("alpha") == 0


def test_logs_are_kept_by_attempt_whatever_is_in_them(searched: AnyDatabase) -> None:
    odd = "line\n\x00\x1b[31m ε \udcff"
    with searched.unit_of_work() as work:
        work.trials.add(a_trial(1))
        work.trials.add_log("alpha", 1, 2, "second")
        work.trials.add_log("alpha", 1, 1, "half")
        work.trials.add_log("alpha", 1, 1, odd)
        with pytest.raises(NotFound, match="last trial is 1"):
            work.trials.add_log("alpha", 2, 1, "of no trial")
        work.commit()
    with searched.reader() as view:
        assert list(view.trials.logs("alpha", 1)) == [(1, odd), (2, "second")]
        assert list(view.trials.logs("alpha", 2)) == []


def test_uses_of_blocks_add_up(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.library.note_use("alpha", ["b", "a", "b"])
        work.library.note_use("alpha", ["c", "a"])
        work.library.note_use("alpha", [])
        assert list(work.library.uses("alpha")) == ["a", "b", "c"]
        assert list(work.library.uses("nobody")) == []


def test_only_leases_in_force_are_held(database: AnyDatabase) -> None:
    with database.unit_of_work() as work:
        given_back = work.leases.acquire("given back", "me", 60.0)
        work.leases.acquire("expired", "me", 0.0)
        work.leases.acquire("held", "you", 60.0)
        assert given_back is not None
        work.leases.release("given back", given_back)
        assert work.leases.held() == {"held": "you"}
