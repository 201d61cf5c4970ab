"""A driver among others: hiccups, farewells, and rows that always agree with the event log."""

from __future__ import annotations

import json
import threading

import pytest

from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Budget
from nas.engine.lease import LeaseLost
from nas.errors import TransientError
from tests.fakes.backends import LossyBackend, SilentBackend
from tests.fakes.mortal import MortalDatabase
from tests.nas.engine.scene import Scene, a_spec, tick_until
from workers.executor import run_job


def running_loop(scene: Scene, backend: SilentBackend, **given: object):
    """A loop whose first trials are on the workers."""
    tick_until(loop := scene.started(), SearchStatus.RUNNING)
    loop.stop()
    loop = scene.loop(backend, **given)
    loop.recover()
    while not scene.trials(TrialStatus.RUNNING):
        backend.answers = [run_job(job, scene.workspace, scene.executor) for job in backend.jobs.values()]
        loop.tick()
    return loop


def answer(backend: SilentBackend, scene: Scene) -> None:
    backend.answers = [run_job(job, scene.workspace, scene.executor) for job in backend.jobs.values()]


def test_workers_go_on_while_the_database_is_away_and_their_answers_are_kept() -> None:
    scene, backend = Scene(), SilentBackend()
    database = MortalDatabase(scene.database)
    database.error = TransientError("The database is locked.")
    loop = running_loop(scene, backend, open_unit_of_work=database.unit_of_work)
    working = set(backend.jobs)
    answer(backend, scene)
    database.commits_left = 1
    with pytest.raises(TransientError):
        loop.tick()
    assert backend.cancelled == []
    loop.recover()
    loop.tick()
    done = scene.trials(TrialStatus.COMPLETED)
    assert len(done) == len(working)
    assert all(len(trial.attempts) == 1 for trial in scene.trials())


def test_trials_that_still_run_here_are_left_running_by_a_recovery() -> None:
    scene, backend = Scene(), SilentBackend()
    loop = running_loop(scene, backend)
    before = scene.trials(TrialStatus.RUNNING)
    loop.recover()
    loop.tick()
    assert scene.trials(TrialStatus.RUNNING) == before
    assert not any(facts.get("how") == "recovered" for facts in scene.facts("trial"))


def test_a_driver_that_lost_its_lease_finds_out_before_it_does_anything() -> None:
    scene, backend = Scene(), SilentBackend()
    loop = running_loop(scene, backend)
    scene.clock.sleep(60.0)
    other = scene.started()
    with pytest.raises(LeaseLost):
        loop.tick()
    loop.stop()
    assert backend.jobs == {}
    tick_until(other, SearchStatus.COMPLETED)


def test_a_driver_that_retires_lets_running_jobs_finish_and_begins_none() -> None:
    scene, backend = Scene(a_spec(budget=Budget(trials=20))), SilentBackend()
    loop = running_loop(scene, backend)
    under_way = len(backend.jobs)
    loop.retire(30.0)
    answer(backend, scene)
    loop.tick()
    assert len(scene.trials(TrialStatus.COMPLETED)) == under_way == len(scene.trials())
    assert backend.jobs == {}


def test_a_driver_that_retires_leaves_and_the_next_one_finishes() -> None:
    scene = Scene(a_spec(budget=Budget(trials=20)))
    loop = scene.loop()
    loop.retire(0.0)
    assert loop.run() is SearchStatus.CREATED
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert len(scene.trials()) == 20


def test_retiring_ends_a_run_from_another_thread() -> None:
    scene, backend = Scene(a_spec(budget=Budget(trials=20))), SilentBackend()
    loop = scene.loop(backend)
    thread = threading.Thread(target=loop.run)
    thread.start()
    loop.retire(0.0)
    thread.join(10.0)
    assert not thread.is_alive()
    scene.started()  # the lease is free at once


def test_a_search_in_the_trash_is_let_go_and_goes_on_when_restored() -> None:
    scene = Scene()
    tick_until(loop := scene.started(), SearchStatus.RUNNING)
    loop.stop()
    trash(scene, 1.0)
    assert scene.loop().run() is SearchStatus.RUNNING
    trash(scene, None)
    assert scene.loop().run() is SearchStatus.COMPLETED


def trash(scene: Scene, at: float | None) -> None:
    with scene.database.unit_of_work() as uow:
        uow.searches.trash(scene.id, at)
        uow.commit()


def test_a_pause_takes_back_what_no_worker_has_begun() -> None:
    scene = Scene()
    backend = LossyBackend(scene.workspace, scene.executor)
    tick_until(loop := scene.started(backend), SearchStatus.RUNNING)
    while not scene.trials(TrialStatus.RUNNING):
        loop.tick()
    scene.intend(Intent.PAUSE)
    backend.poll = lambda timeout_s: []  # the workers are busy with other searches
    tick_until(loop, SearchStatus.PAUSED)
    assert not scene.trials(TrialStatus.RUNNING)
    waiting = scene.trials(TrialStatus.CANDIDATE)
    assert waiting
    assert all(not trial.attempts for trial in waiting)


def test_every_write_of_a_trial_has_its_event() -> None:
    scene = Scene(a_spec(max_attempts=10, budget=Budget(trials=9)))
    tick_until(loop := scene.started(LossyBackend(scene.workspace, scene.executor, every=3)), SearchStatus.RUNNING)
    for _ in range(8):
        loop.tick()
    loop.stop()
    scene.loop(LossyBackend(scene.workspace, scene.executor, every=3)).run()
    with scene.database.reader() as uow:
        log = uow.events.after(scene.id, 0, 10_000)
        assert [number for number, *_ in log] == list(range(1, len(log) + 1))
        told: dict[int, str] = {}
        for number, kind, payload, _ in log:
            facts = json.loads(payload)["facts"]
            if kind == "trial":
                told[facts["number"]] = facts["status"]
                assert facts["number"] in {trial.number for trial in uow.trials.changed_after(scene.id, number - 1)}
        assert told == {trial.number: trial.status.value for trial in scene.trials()}
        assert uow.trials.changed_after(scene.id, log[-1][0]) == []


def test_the_library_that_a_search_draws_from_is_noted() -> None:
    scene = Scene()
    scene.loop().run()
    with scene.database.reader() as uow:
        assert len(uow.library.uses(scene.id)) == 11


def test_jobs_tell_whose_they_are() -> None:
    scene = Scene()
    scene.loop().run()
    evaluated = [job for job in scene.executor.order if job.payload.kind == "evaluate"]
    assert [(job.search, job.trial, job.attempt) for job in evaluated] == [("alpha", n, 1) for n in range(6)]
    assert {job.search for job in scene.executor.order} == {"alpha"}


def test_a_search_that_cannot_be_driven_fails_and_keeps_what_it_found() -> None:
    from nas.domain.job import Failure

    scene = Scene()
    tick_until(loop := scene.started(), SearchStatus.RUNNING)
    for _ in range(4):
        loop.tick()
    loop.stop()
    found = len(scene.trials(TrialStatus.COMPLETED))
    scene.loop().fail(Failure(code="internal_error", message="A bug.", transient=False))
    assert scene.search.status is SearchStatus.FAILED
    assert scene.search.failure.code == "internal_error"
    assert len(scene.trials(TrialStatus.COMPLETED)) == found
    assert all(trial.status.is_terminal for trial in scene.trials())
