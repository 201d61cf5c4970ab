"""A search that is paused, cancelled or out of time, and drivers that come and go."""

from __future__ import annotations

import pytest

from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Budget
from nas.engine.pace import Pace
from nas.errors import Conflict, NotFound
from tests.fakes.backends import LossyBackend, SilentBackend
from tests.nas.engine.scene import Scene, a_spec, answer_all, tick_until


def test_pause_lets_running_trials_finish_and_resume_goes_on() -> None:
    scene = Scene()
    backend = SilentBackend()
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    loop.stop()
    loop = scene.started(LossyBackend(scene.workspace, scene.executor))
    while not scene.trials(TrialStatus.RUNNING):
        loop.tick()
    scene.intend(Intent.PAUSE)
    tick_until(loop, SearchStatus.PAUSED)
    loop.stop()
    created = len(scene.trials())
    assert not scene.trials(TrialStatus.RUNNING)
    assert scene.loop(backend).run() is SearchStatus.PAUSED
    assert backend.jobs == {}
    scene.intend(Intent.RUN)
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert created <= scene.evaluations == 6


def test_a_loop_that_was_paused_goes_on_by_itself_when_asked() -> None:
    scene = Scene()
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    scene.intend(Intent.PAUSE)
    tick_until(loop, SearchStatus.PAUSED)
    scene.intend(Intent.RUN)
    tick_until(loop, SearchStatus.COMPLETED)
    assert scene.evaluations == 6


def test_a_search_may_be_paused_before_it_began() -> None:
    scene = Scene()
    scene.intend(Intent.PAUSE)
    assert scene.loop().run() is SearchStatus.PAUSED
    assert not scene.executor.order


def test_cancel_stops_what_runs_and_ends_every_trial() -> None:
    scene = Scene()
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    loop.stop()
    backend = SilentBackend()
    loop = scene.started(backend)
    loop.tick()
    answer_all(backend, scene)
    for _ in range(4):
        loop.tick()
    running = scene.trials(TrialStatus.RUNNING)
    assert len(running) == len(backend.jobs) == 2
    scene.intend(Intent.CANCEL)
    tick_until(loop, SearchStatus.CANCELLED)
    assert backend.jobs == {}
    assert {trial.status for trial in scene.trials()} == {TrialStatus.CANCELLED}
    assert loop.tick() is SearchStatus.CANCELLED


def test_wall_time_counts_running_and_leaves_pauses_out() -> None:
    scene = Scene(a_spec(parallelism=1, budget=Budget(trials=20, wall_time_s=100.0)))
    loop = scene.started(TimedBackend(scene, seconds=10.0))
    tick_until(loop, SearchStatus.RUNNING)
    scene.intend(Intent.PAUSE)
    tick_until(loop, SearchStatus.PAUSED)
    ran_s = scene.search.ran_s
    scene.clock.sleep(10_000)
    loop.tick()
    scene.intend(Intent.RUN)
    tick_until(loop, SearchStatus.COMPLETED)
    assert ran_s < 100 <= scene.search.ran_s < 125
    assert 0 < len(scene.trials()) < 20
    assert {trial.status for trial in scene.trials()} == {TrialStatus.COMPLETED}


class TimedBackend(LossyBackend):
    """Every evaluation takes its time."""

    def __init__(self, scene: Scene, seconds: float) -> None:
        super().__init__(scene.workspace, scene.executor)
        self._clock, self._seconds = scene.clock, seconds

    def poll(self, timeout_s: float) -> list:
        if any(job.payload.kind == "evaluate" for job in self._queue.values()):
            self._clock.sleep(self._seconds)
        return super().poll(timeout_s)


def test_wall_time_over_before_the_library_is_complete_fails_the_search() -> None:
    scene = Scene(a_spec(budget=Budget(trials=5, wall_time_s=1.0)))
    loop = scene.started()
    loop.tick()
    loop.tick()
    scene.clock.sleep(2.0)
    tick_until(loop, SearchStatus.FAILED)
    assert scene.search.failure.code == "wall_time_over"


def test_running_time_survives_a_killed_driver() -> None:
    scene = Scene(a_spec(parallelism=1, budget=Budget(trials=20)))
    loop = scene.started(TimedBackend(scene, seconds=10.0))
    while scene.evaluations < 5:
        loop.tick()
    assert scene.search.ran_s >= 30


def test_a_second_driver_is_refused_and_the_first_goes_on() -> None:
    scene = Scene()
    first = scene.started()
    first.tick()
    with pytest.raises(Conflict, match="driven by another process"):
        scene.started()
    tick_until(first, SearchStatus.COMPLETED)


def test_a_driver_that_lost_its_lease_writes_nothing_more() -> None:
    scene = Scene()
    first = scene.started()
    tick_until(first, SearchStatus.RUNNING)
    scene.clock.sleep(16.0)
    second = scene.started()
    before = scene.trials()
    with pytest.raises(Conflict, match="lost"):
        first.tick()
    assert scene.trials() == before
    tick_until(second, SearchStatus.COMPLETED)
    assert scene.evaluations == 6


def test_a_new_driver_waits_for_a_dead_ones_lease_when_told_to() -> None:
    scene = Scene()
    scene.started().tick()
    assert scene.loop(pace=Pace(patience_s=20.0)).run() is SearchStatus.COMPLETED


def test_a_driver_that_stops_gives_its_lease_back() -> None:
    scene = Scene()
    scene.started().stop()
    scene.started()


def test_an_unknown_search_is_not_found_and_leaves_no_lease_behind() -> None:
    scene = Scene()
    with pytest.raises(NotFound):
        scene.loop(search_id="alhpa").run()
    with scene.database.unit_of_work() as uow:
        assert uow.leases.acquire("alhpa", "somebody", 1.0) is not None


def test_a_restart_costs_no_attempt_and_repeats_no_work() -> None:
    scene = Scene(a_spec(max_attempts=1))
    for _ in range(60):
        loop = scene.started()
        for _ in range(5):
            loop.tick()
        if scene.search.status.is_terminal:
            break
        scene.clock.sleep(16.0)
    assert scene.search.status is SearchStatus.COMPLETED
    assert {trial.status for trial in scene.trials()} == {TrialStatus.COMPLETED}
    assert scene.evaluations == 6
