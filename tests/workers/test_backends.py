"""What every job backend promises, and what only one with processes of its own can."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.domain.job import Job, Outcome
from nas.ports import JobBackend
from storage.artifacts import DirectoryWorkspace
from tests.workers.deeds import a_job, act
from workers.inline_backend import InlineBackend
from workers.ray_backend import RayBackend

PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayBackend]:
    backend = RayBackend(DirectoryWorkspace(tmp_path_factory.mktemp("ray")), cpus=2, execute=act)
    yield backend
    backend.close()


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> JobBackend:
    if request.param == "inline":
        return InlineBackend(DirectoryWorkspace(tmp_path), act)
    chosen: RayBackend = request.getfixturevalue("on_ray")
    return chosen


def answers(backend: JobBackend, count: int) -> dict[str, Outcome]:
    """The next `count` outcomes by key."""
    arrived: dict[str, Outcome] = {}
    until = time.monotonic() + PATIENCE_S
    while len(arrived) < count and time.monotonic() < until:
        for outcome in backend.poll(1.0):
            assert outcome.key not in arrived
            arrived[outcome.key] = outcome
    assert len(arrived) == count
    return arrived


def answer(backend: JobBackend, job: Job) -> Outcome:
    backend.submit(job)
    return answers(backend, 1)[job.key]


def test_a_submitted_job_is_answered_once_with_its_key(backend: JobBackend) -> None:
    job = a_job("look", "HOME")
    outcome = answer(backend, job)
    assert outcome.failure is None
    assert outcome.result.key == job.key
    assert outcome.peak_memory_bytes > 10 * 2**20
    assert backend.poll(0.0) == []


def test_several_jobs_are_all_answered(backend: JobBackend) -> None:
    jobs = [a_job("look", f"VARIABLE_{number}") for number in range(5)]
    for job in jobs:
        backend.submit(job)
    assert set(answers(backend, 5)) == {job.key for job in jobs}


def test_a_key_that_is_in_flight_is_not_started_twice(backend: JobBackend) -> None:
    job = a_job("sleep", "0.2")
    backend.submit(job)
    backend.submit(job)
    answers(backend, 1)
    assert backend.poll(0.5) == []


def test_an_answered_key_may_be_submitted_again(backend: JobBackend) -> None:
    job = a_job("name")
    assert answer(backend, job).key == answer(backend, job).key == job.key


def test_a_cancelled_job_is_never_reported(backend: JobBackend) -> None:
    backend.submit(a_job("sleep", "0.3"))
    backend.cancel(a_job("sleep", "0.3").key)
    assert answer(backend, a_job("name")).failure is None
    assert backend.poll(0.5) == []


def test_cancelling_what_nobody_submitted_is_harmless(backend: JobBackend) -> None:
    backend.cancel("0" * 64)


@pytest.mark.parametrize(
    ("details", "code", "transient"),
    [
        ("deterministic", "evaluation_error", False),
        ("transient", "transient_error", True),
        ("memory", "out_of_memory", True),
        ("surprise", "unexpected_error", False),
    ],
)
def test_errors_come_back_as_failures_and_never_as_tracebacks(
    backend: JobBackend, details: str, code: str, transient: bool
) -> None:
    failure = answer(backend, a_job("fail", details)).failure
    assert (failure.code, failure.transient) == (code, transient)
    assert "Traceback" not in failure.message


def test_polling_an_idle_backend_answers_nothing(backend: JobBackend) -> None:
    assert backend.poll(0.0) == []


@pytest.mark.slow
class TestOnRay:
    def test_a_killed_worker_is_a_transient_failure_and_the_next_job_runs(self, on_ray: RayBackend) -> None:
        outcome = answer(on_ray, a_job("die"))
        assert outcome.result is None
        assert (outcome.failure.code, outcome.failure.transient) == ("worker_lost", True)
        assert answer(on_ray, a_job("name")).failure is None

    def test_a_job_that_takes_too_long_is_stopped(self, on_ray: RayBackend) -> None:
        job = a_job("sleep", "600", timeout_s=1.0)
        started = time.monotonic()
        failure = answer(on_ray, job).failure
        assert (failure.code, failure.transient) == ("timeout", True)
        assert time.monotonic() - started < PATIENCE_S
        assert answer(on_ray, a_job("name")).failure is None

    def test_the_wait_for_a_worker_does_not_count_as_running(self, on_ray: RayBackend) -> None:
        jobs = [a_job("sleep", f"0.7{number}", timeout_s=5.0) for number in range(12)]
        for job in jobs:
            on_ray.submit(job)
        assert all(outcome.failure is None for outcome in answers(on_ray, 12).values())

    def test_a_running_job_that_is_cancelled_frees_its_core(self, on_ray: RayBackend) -> None:
        jobs = [a_job("sleep", f"60{number}") for number in range(2)]
        for job in jobs:
            on_ray.submit(job)
        wait_for(lambda: sum(seat.answer is not None for seat in on_ray._seats) == 2, on_ray)
        for job in jobs:
            on_ray.cancel(job.key)
        assert answer(on_ray, a_job("name")).failure is None

    def test_a_worker_is_kept_warm_for_the_next_job(self, on_ray: RayBackend) -> None:
        first = answer(on_ray, a_job("name", "first"))
        second = answer(on_ray, a_job("name", "second"))
        third = answer(on_ray, a_job("name", "third"))
        pids = {outcome.result.weights for outcome in (first, second, third)}
        assert len(pids) <= 2
        assert str(os.getpid()) not in pids

    def test_jobs_of_another_size_take_the_place_of_idle_workers(self, on_ray: RayBackend) -> None:
        assert answer(on_ray, a_job("look", "OMP_NUM_THREADS", cpus=1.0)).result.weights == "1"
        assert answer(on_ray, a_job("look", "OMP_NUM_THREADS", cpus=2.0)).result.weights == "2"
        assert answer(on_ray, a_job("look", "MKL_NUM_THREADS", cpus=0.5)).result.weights == "1"

    def test_resources_that_the_machine_does_not_have_are_refused_in_words(self, on_ray: RayBackend) -> None:
        failure = answer(on_ray, a_job("name", cpus=64.0)).failure
        assert (failure.code, failure.transient) == ("no_resources", False)
        assert "64 CPU" in failure.message

    def test_a_stranger_without_the_token_is_kept_out(self, on_ray: RayBackend) -> None:
        address = on_ray._ray.get_runtime_context().gcs_address
        assert address.startswith("127.0.0.1:")
        assert knock(address, os.environ["RAY_AUTH_TOKEN"]) == 0
        assert knock(address, "0" * 64) != 0


def knock(address: str, token: str) -> int:
    """Exit status of a process that asks the cluster for its nodes."""
    program = (
        f"from ray._raylet import GcsClient; assert GcsClient(address={address!r}).get_all_node_info(timeout=20)"
    )
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    finished = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    return finished.returncode


def wait_for(condition: Callable[[], bool], backend: JobBackend) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < until:
        assert backend.poll(0.2) == []
    assert condition()
