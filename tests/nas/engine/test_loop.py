"""A search from its spec to its front, and all the ways in which it may end."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager

import pytest

from nas.domain.job import Failure, Job
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, LatencySpec
from nas.engine.jobs import network_latency
from nas.engine.pace import Pace
from nas.errors import Conflict, CorruptArtifact, DiskFull, EvaluationError, NasError, NotFound, TransientError
from nas.ports import UnitOfWork
from tests.fakes.backends import LossyBackend, SilentBackend
from tests.fakes.mortal import MortalDatabase
from tests.nas.engine.scene import SPACE, Scene, a_spec, tick_until
from workers.executor import run_job

DISTILLED = 3 * 3 + 2
"""Three searched stages with three variants, two stages that keep the teacher's block."""


def evaluations(scene: Scene) -> int:
    return scene.executor.kinds["evaluate"]


def test_a_search_runs_from_its_spec_to_its_end() -> None:
    scene = Scene()
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert scene.executor.kinds == {"capture": 1, "floor": 1, "distill": DISTILLED, "evaluate": 6}
    assert not scene.workspace.journal.recalled.total()
    assert [trial.number for trial in scene.trials()] == list(range(6))
    assert {trial.status for trial in scene.trials()} == {TrialStatus.COMPLETED}
    assert set(scene.trials()[0].evaluation.metrics) >= {"noise_mse", "params", "gmacs"}
    assert [facts["status"] for facts in scene.facts("search")] == ["preparing", "running", "draining", "completed"]


def test_features_come_first_and_latencies_last() -> None:
    scene = Scene(a_spec(latency=LatencySpec(measure_front=False)))
    scene.loop().run()
    kinds = [job.payload.kind for job in scene.executor.order]
    assert kinds[0] == "capture"
    first_latency = kinds.index("measure_block")
    assert set(kinds[1:first_latency]) == {"floor", "distill"}
    assert kinds.count("measure_block") == DISTILLED + 1
    assert "table_latency_ms" in scene.trials()[0].evaluation.metrics


def test_latencies_are_taken_one_by_one_on_a_quiet_machine() -> None:
    scene = Scene(a_spec(latency=LatencySpec(measure_front=False), parallelism=8))
    backend = LossyBackend(scene.workspace, scene.executor)
    loop = scene.started(backend)
    most = {"distill": 0, "measure_block": 0}
    while loop.tick() in (SearchStatus.CREATED, SearchStatus.PREPARING):
        kinds = [job.payload.kind for job in backend._queue.values()]
        for kind in most:
            most[kind] = max(most[kind], kinds.count(kind))
        assert "measure_block" not in kinds or len(kinds) == 1
    assert most == {"distill": 8, "measure_block": 1}


def test_a_second_search_finds_what_the_first_one_made() -> None:
    scene = Scene()
    scene.loop().run()
    again = scene.search.evolve(id="beta", status=SearchStatus.CREATED)
    scene.add(again)
    before = scene.executor.kinds.copy()
    assert scene.loop(search_id="beta").run() is SearchStatus.COMPLETED
    assert scene.executor.kinds - before == {"capture": 1}
    assert [facts["how"] for facts in scene.facts("trial") if "how" in facts][-6:] == ["known"] * 6


def test_never_more_jobs_are_under_way_than_asked_for() -> None:
    scene = Scene(a_spec(parallelism=3))
    backend = SilentBackend()
    loop = scene.started(backend)
    for _ in range(10):
        loop.tick()
    assert [job.payload.kind for job in backend.jobs.values()] == ["capture"]
    answer_all(backend, scene)
    for _ in range(10):
        loop.tick()
    assert [job.payload.kind for job in backend.jobs.values()] == ["floor", "distill", "distill"]


def test_a_candidate_that_breaks_an_exact_bound_costs_nothing() -> None:
    bound = OutcomeConstraint(metric="params", at_most=47_000.0)
    scene = Scene(a_spec(constraints=(bound,), budget=Budget(trials=27)))
    assert scene.loop().run() is SearchStatus.COMPLETED
    screened = [trial for trial in scene.trials() if "noise_mse" not in trial.evaluation.metrics]
    assert {t.number for t in screened} == {
        t.number for t in scene.trials() if t.evaluation.metrics["params"].mean > bound.at_most
    }
    assert 0 < len(screened) < 27
    assert evaluations(scene) == 27 - len(screened)
    assert all(not trial.attempts for trial in screened)


def test_a_bound_that_nothing_can_meet_fails_with_the_tightest_value() -> None:
    scene = Scene(a_spec(constraints=(OutcomeConstraint(metric="params", at_most=10.0),)))
    assert scene.loop().run() is SearchStatus.FAILED
    failure = scene.search.failure
    assert failure.code == "infeasible_spec"
    assert "tightest attainable value is" in failure.message
    assert evaluations(scene) == 0


def test_a_space_that_is_exhausted_ends_the_search() -> None:
    scene = Scene(a_spec(budget=Budget(trials=100)))
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert len(scene.trials()) == SPACE.size == evaluations(scene)


def test_the_strategy_hears_of_every_trial_without_a_verdict() -> None:
    scene = Scene(a_spec(parallelism=3, budget=Budget(trials=9), max_attempts=10))
    scene.loop(LossyBackend(scene.workspace, scene.executor, every=3)).run()
    histories = scene.strategies[0].histories
    assert any(pending for _, pending in histories)
    assert [finished + pending for finished, pending in histories] == sorted(sum(pair) for pair in histories)
    digests = [trial.architecture.digest for trial in scene.trials()]
    assert len(set(digests)) == 9


def test_a_transient_fault_is_tried_again_after_a_pause() -> None:
    scene = Scene(a_spec(parallelism=1, budget=Budget(trials=1)))
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    scene.executor.script.extend([TransientError("The worker went away.")] * 2)
    tick_until(loop, SearchStatus.COMPLETED)
    (trial,) = scene.trials()
    assert [bool(attempt.failure) for attempt in trial.attempts] == [True, True, False]
    waits = [b.started_at - a.ended_at for a, b in zip(trial.attempts, trial.attempts[1:], strict=False)]
    assert waits[0] >= 1.0
    assert waits[1] >= 2.0
    assert [facts["attempt"] for facts in scene.facts("retry")] == [1, 2]


def test_a_trial_fails_when_its_attempts_are_spent_and_the_search_goes_on() -> None:
    scene = Scene(a_spec(parallelism=1, budget=Budget(trials=3), max_attempts=2))
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    scene.executor.script.extend([TransientError("The worker went away.")] * 2)
    tick_until(loop, SearchStatus.COMPLETED)
    assert [trial.status.value for trial in scene.trials()] == ["failed", "completed", "completed"]
    assert scene.trials()[0].failure.code == "transient_error"


@pytest.mark.parametrize("status", [SearchStatus.PREPARING, SearchStatus.RUNNING])
def test_a_full_disk_is_waited_for_and_costs_no_attempt(status: SearchStatus) -> None:
    scene = Scene(a_spec(parallelism=1, budget=Budget(trials=3), max_attempts=1))
    loop = scene.started()
    tick_until(loop, status)
    scene.executor.script.extend([DiskFull("There is no room.")] * 7)
    began = scene.clock.now()
    tick_until(loop, SearchStatus.COMPLETED)
    assert [trial.status.value for trial in scene.trials()] == ["completed"] * 3
    assert [facts["code"] for facts in scene.facts("retry")] == ["disk_full"] * 7
    assert scene.clock.now() - began < 60


def test_what_can_never_be_evaluated_is_abandoned_at_once() -> None:
    scene = Scene(a_spec(budget=Budget(trials=3)))
    scene.executor.fault_of = lambda job: (
        EvaluationError("Not finite.") if job.payload.kind == "evaluate" and not job.payload.weights else None
    )
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert [trial.status.value for trial in scene.trials()] == ["abandoned", "completed", "completed"]
    assert len(scene.trials()[0].attempts) == 1


def test_a_block_that_cannot_be_distilled_fails_the_search_and_names_it() -> None:
    scene = Scene()
    scene.executor.fault_of = lambda job: (
        EvaluationError("Not finite.") if getattr(job.payload, "variant", "") == "RA" else None
    )
    assert scene.loop().run() is SearchStatus.FAILED
    assert scene.search.failure == Failure(
        code="evaluation_error",
        message="Block 'RA' of stage 'E1' could not be distilled: Not finite.",
        transient=False,
    )
    assert scene.trials() == []


def test_a_library_job_survives_transient_faults() -> None:
    scene = Scene(a_spec(max_attempts=20))
    assert scene.loop(LossyBackend(scene.workspace, scene.executor, every=2)).run() is SearchStatus.COMPLETED
    assert scene.executor.kinds["distill"] == DISTILLED


def test_a_library_job_that_is_lost_time_and_again_fails_the_search() -> None:
    scene = Scene()
    assert scene.loop(LossyBackend(scene.workspace, scene.executor, every=1)).run() is SearchStatus.FAILED
    assert "features could not be recorded" in scene.search.failure.message


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
    assert created <= evaluations(scene) == 6


def test_a_loop_that_was_paused_goes_on_by_itself_when_asked() -> None:
    scene = Scene()
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    scene.intend(Intent.PAUSE)
    tick_until(loop, SearchStatus.PAUSED)
    scene.intend(Intent.RUN)
    tick_until(loop, SearchStatus.COMPLETED)
    assert evaluations(scene) == 6


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


def answer_all(backend: SilentBackend, scene: Scene) -> None:
    backend.answers = [run_job(job, scene.workspace, scene.executor) for job in backend.jobs.values()]


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
    while evaluations(scene) < 5:
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
    assert evaluations(scene) == 6


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
    assert evaluations(scene) == 6


def test_the_networks_of_the_front_are_timed_at_the_end() -> None:
    scene = Scene(a_spec(latency=LatencySpec(), objectives=("params", "noise_mse")))
    assert scene.loop().run() is SearchStatus.COMPLETED
    timed = {facts["number"] for facts in scene.facts("latency")}
    assert len(timed) == scene.executor.kinds["measure_network"] > 1
    with scene.database.reader() as uow:
        known = {t.number: network_latency(uow.library, scene.spec, t.architecture) for t in scene.trials()}
    assert {number for number, measured in known.items() if measured} == timed


def test_a_network_that_cannot_be_timed_does_not_fail_the_search() -> None:
    scene = Scene(a_spec(latency=LatencySpec(), objectives=("params", "noise_mse")))
    scene.executor.fault_of = lambda job: (
        EvaluationError("No such operator.") if job.payload.kind == "measure_network" else None
    )
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert scene.facts("latency") == []


def test_the_observer_hears_what_the_event_log_holds() -> None:
    scene = Scene()
    scene.loop().run()
    with scene.database.reader() as uow:
        logged = uow.events.after("alpha", 0, 10_000)
    assert [(kind, json.loads(payload)["facts"]) for _, kind, payload, _ in logged] == [
        (event.kind, dict(event.facts)) for event in scene.events
    ]
    library = scene.facts("library")
    assert library[-1]["done"] == library[-1]["total"] == DISTILLED + 2


def test_a_moved_bound_reaches_a_new_strategy() -> None:
    scene = Scene()
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    loop.tick()
    with scene.database.unit_of_work() as uow:
        search = uow.searches.get("alpha")
        moved = search.problem.evolve(constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.5),))
        uow.searches.add_bounds("alpha", moved, "somebody", 1.0)
        uow.commit()
    tick_until(loop, SearchStatus.COMPLETED)
    assert len(scene.strategies) == 2
    assert {trial.bounds_version for trial in scene.trials()} == {0, 1}


@pytest.mark.parametrize("error", [CorruptArtifact("Bytes differ."), NotFound("No such artifact.")])
def test_weights_that_were_lost_are_made_again_and_the_trial_goes_on(error: NasError) -> None:
    scene = Scene()

    def lacks_weights(job: Job) -> NasError | None:
        needed = getattr(job.payload, "weights", {}).values()
        return error if any(digest not in scene.workspace.artifacts for digest in needed) else None

    scene.executor.fault_of = lacks_weights
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    *_, lost = scene.workspace.artifacts.files
    content = scene.workspace.artifacts.files.pop(lost)
    tick_until(loop, SearchStatus.COMPLETED)
    assert scene.workspace.artifacts.files[lost] == content
    assert {trial.status for trial in scene.trials()} == {TrialStatus.COMPLETED}
    assert scene.executor.kinds["distill"] == DISTILLED + 1


@pytest.mark.parametrize("commit", range(3, 30, 3))
def test_a_database_that_is_briefly_away_delays_a_search_and_nothing_else(commit: int) -> None:
    scene = Scene()
    database = MortalDatabase(scene.database)
    database.commits_left, database.error = commit, TransientError("The database is locked.")
    assert scene.loop(open_unit_of_work=database.unit_of_work).run() is SearchStatus.COMPLETED
    assert database.commits_left < 0
    assert {trial.status for trial in scene.trials()} == {TrialStatus.COMPLETED}
    assert not any(attempt.failure for trial in scene.trials() for attempt in trial.attempts)
    assert evaluations(scene) == 6


def test_a_database_that_stays_away_stops_the_driver_and_keeps_the_search() -> None:
    scene = Scene()
    loop = scene.loop(open_unit_of_work=Unreachable(scene, after=20).unit_of_work)
    with pytest.raises(TransientError):
        loop.run()
    assert not scene.search.status.is_terminal
    scene.clock.sleep(20.0)
    assert scene.loop().run() is SearchStatus.COMPLETED


class Unreachable:
    """A database that goes away for good after some transactions."""

    def __init__(self, scene: Scene, after: int) -> None:
        self._scene, self._left = scene, after

    def unit_of_work(self) -> AbstractContextManager[UnitOfWork]:
        self._left -= 1
        if self._left < 0:
            raise TransientError("The database cannot be reached.")
        return self._scene.database.unit_of_work()
