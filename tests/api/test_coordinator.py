"""Coordinators: they take searches, share them, take them over, and let them go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Budget
from tests.api.coordinators import Place
from tests.waiting import until

COMPLETED = {SearchStatus.COMPLETED}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def test_all_searches_are_driven_at_once_and_end(place: Place) -> None:
    for number in range(5):
        place.submit(f"search-{number}")
    one = place.coordinator()
    until(lambda: place.statuses() == COMPLETED)
    assert one.around.metrics.registry.get_sample_value("blocksmith_trials_total", {"status": "completed"}) == 30
    assert set(place.executor.finished.values()) == {1} | {
        count for key, count in place.executor.finished.items() if count > 1 and key == captured(place)
    }


def captured(place: Place) -> str:
    return next(job.key for job in place.executor.order if job.payload.kind == "capture")


def test_a_search_submitted_later_is_found(place: Place) -> None:
    place.coordinator()
    place.submit("late")
    until(lambda: place.search("late").status is SearchStatus.COMPLETED)


def test_pause_resume_and_cancel_reach_whoever_drives(place: Place) -> None:
    place.submit("one", budget=Budget(trials=27))
    place.coordinator(seconds=0.1)
    until(lambda: place.search("one").status is SearchStatus.RUNNING)
    intend(place, Intent.PAUSE)
    until(lambda: place.search("one").status is SearchStatus.PAUSED)
    intend(place, Intent.RUN)
    until(lambda: place.search("one").status is SearchStatus.RUNNING)
    intend(place, Intent.CANCEL)
    until(lambda: place.search("one").status is SearchStatus.CANCELLED)


def intend(place: Place, intent: Intent) -> None:
    with place.installation.database.unit_of_work() as uow:
        uow.searches.set_intent("one", intent)
        uow.commit()


def test_two_coordinators_share_the_searches_and_no_work_is_done_twice(place: Place) -> None:
    both = [place.coordinator(seconds=0.1), place.coordinator(seconds=0.1)]
    place.acquainted(2)  # one that believes itself alone takes everything
    for number in range(8):
        place.submit(f"search-{number}", budget=Budget(trials=20))
    until(lambda: place.statuses() == COMPLETED, 60.0)
    assert all(one.workers.begun for one in both)
    for number in range(8):
        with place.installation.database.reader() as uow:
            trials = uow.trials.of_search(f"search-{number}")
        assert len(trials) == 20
        assert {trial.status for trial in trials} == {TrialStatus.COMPLETED}
        assert all(len(trial.attempts) <= 1 for trial in trials)


def test_searches_of_a_coordinator_that_vanished_are_taken_over(place: Place) -> None:
    for number in range(3):
        place.submit(f"search-{number}", budget=Budget(trials=20))
    first = place.coordinator(seconds=0.1)
    until(lambda: SearchStatus.RUNNING in place.statuses())
    first.vanish()
    place.coordinator()
    until(lambda: place.statuses() == COMPLETED, 60.0)
    for number in range(3):
        with place.installation.database.reader() as uow:
            assert len(uow.trials.of_search(f"search-{number}")) == 20


def test_draining_gives_leases_back_and_leaves_no_trace(place: Place) -> None:
    place.submit("one", budget=Budget(trials=27))
    first = place.coordinator(seconds=0.2)
    until(lambda: place.search("one").status is SearchStatus.RUNNING)
    first.drain()
    with place.installation.database.reader() as uow:
        assert uow.processes.alive(60.0) == []
    with place.installation.database.unit_of_work() as uow:
        assert uow.leases.acquire("one", "somebody", 1.0) is not None
        uow.leases.release("one", 2)
    place.coordinator()
    until(lambda: place.statuses() == COMPLETED)
    with place.installation.database.reader() as uow:
        assert not any(attempt.failure for t in uow.trials.of_search("one") for attempt in t.attempts)


def test_a_coordinator_says_what_it_does(place: Place) -> None:
    place.submit("one", budget=Budget(trials=27))
    place.coordinator(seconds=0.3)
    until(lambda: bool(told(place)) and told(place)["busy"] > 0)
    document = told(place)
    assert {"slots", "busy", "queued", "ray", "searches", "draining"} <= set(document)
    assert (document["slots"], document["searches"], document["draining"]) == (2.0, 1, False)


def told(place: Place) -> dict:
    with place.installation.database.reader() as uow:
        return next((process.document for process, _ in uow.processes.alive(60.0)), {})


def test_a_project_never_exceeds_its_parallelism(place: Place) -> None:
    place.project("narrow", 1)
    for number in range(3):
        place.submit(f"search-{number}", project="narrow")
    one = place.coordinator(slots=8.0, seconds=0.02)
    until(lambda: place.statuses() == COMPLETED, 60.0)
    assert one.workers.most == 1


def test_a_search_that_crashes_its_driver_fails_in_the_end_and_hinders_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.coordinator.coordinator.backoff_s", lambda failures: 0.1)
    crashes = Counter[str]()
    good = place.stages

    def stages() -> tuple[str, ...]:
        crashes["bad"] += 1
        raise ZeroDivisionError("in a place nobody thought of")

    place.stages = stages
    place.submit("bad")
    place.coordinator()
    until(lambda: place.search("bad").status is SearchStatus.FAILED)
    assert place.search("bad").failure.code == "internal_error"
    assert crashes["bad"] == 5
    place.stages = good
    place.submit("good")
    until(lambda: place.search("good").status is SearchStatus.COMPLETED)


def test_a_search_whose_teacher_is_gone_fails_with_the_reason(place: Place) -> None:
    from nas.errors import NotFound

    def stages() -> tuple[str, ...]:
        raise NotFound("There is no teacher at /gone.")

    place.stages = stages
    place.submit("orphan")
    place.coordinator()
    until(lambda: place.search("orphan").status is SearchStatus.FAILED)
    assert place.search("orphan").failure.code == "not_found"


def test_what_is_paused_or_in_the_trash_is_left_alone(place: Place) -> None:
    place.submit("one")
    intend(place, Intent.PAUSE)
    place.submit("deleted")
    with place.installation.database.unit_of_work() as uow:
        uow.searches.trash("deleted", 1.0)
        uow.commit()
    one = place.coordinator()
    until(lambda: place.search("one").status is SearchStatus.PAUSED)
    place.submit("other")
    until(lambda: place.search("other").status is SearchStatus.COMPLETED)
    assert set(one.workers.begun) == {"other"}
    assert place.search("deleted").status is SearchStatus.CREATED
