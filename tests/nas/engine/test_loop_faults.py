"""Faults on the way of a search: which are tried again, which end a trial, which end the search."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from nas.domain.job import Failure, Job
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.search import Budget, LatencySpec
from nas.errors import CorruptArtifact, DiskFull, EvaluationError, NasError, NotFound, TransientError
from nas.ports import UnitOfWork
from tests.fakes.backends import LossyBackend
from tests.fakes.mortal import MortalDatabase
from tests.nas.engine.scene import DISTILLED, Scene, a_spec, tick_until


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


def test_a_network_that_cannot_be_timed_does_not_fail_the_search() -> None:
    scene = Scene(a_spec(latency=LatencySpec(), objectives=("params", "noise_mse")))
    scene.executor.fault_of = lambda job: (
        EvaluationError("No such operator.") if job.payload.kind == "measure_network" else None
    )
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert scene.facts("latency") == []


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
    assert scene.evaluations == 6


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
