"""Ray at arm's length: it may die, hang or be away; jobs are answered all the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nas.domain.job import Job, Outcome
from storage.artifacts import DirectoryWorkspace
from tests.workers.deeds import a_job, act
from workers import ray_process
from workers.pool import Pool, PoolClient, WorkersLost
from workers.ray_process import RayProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180.0


class Crew:
    """A pool on a private Ray, and what is known of its processes."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.workers = RayProcess(DirectoryWorkspace(folder), cpus=2, execute=act, logs=self.logs)
        self.pool = Pool(self.workers)
        self.client: PoolClient = self.pool.client("alpha", "default", 2)

    def answer(self, job: Job) -> Outcome:
        self.client.submit(job)
        return self.wait()

    def wait(self) -> Outcome:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            for outcome in self.client.poll(1.0):
                return outcome
        raise AssertionError("no answer")

    def begin(self, job: Job) -> None:
        """Submit a job and wait until it is on a worker."""
        self.answer(a_job("name", f"warm {time.monotonic()}"))
        self.client.submit(job)
        time.sleep(0.3)  # it sleeps for longer than this; nothing tells when it began

    def processes(self, *names: str) -> list[psutil.Process]:
        return [one for one in psutil.Process().children(recursive=True) if one.name() in names]


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    crew = Crew(tmp_path_factory.mktemp("crew"))
    yield crew
    descendants = psutil.Process().children(recursive=True)
    crew.pool.close()
    _, alive = psutil.wait_procs(descendants, timeout=10.0)
    assert not [one for one in alive if one.name() in ("raylet", "gcs_server") or "ray::" in one.name()]


def test_jobs_are_answered_and_ray_stays_out_of_this_process(crew: Crew) -> None:
    crew.workers.require_up()
    assert crew.workers.slots == 2.0
    assert crew.answer(a_job("name")).failure is None
    code = "import sys, workers.ray_process; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_job_leaves_one_line_in_the_log_of_its_worker(crew: Crew) -> None:
    asked = a_job("name", "logged").evolve(search="alpha", trial=7, attempt=2)
    outcome = crew.answer(asked)
    lines = [json.loads(line) for file in crew.logs.glob("worker-*.log") for line in file.read_text().splitlines()]
    (told,) = [line for line in lines if line.get("job") == asked.key]
    assert (told["event"], told["kind"], told["from_journal"]) == ("job finished", "distill", False)
    assert (told["search"], told["trial"], told["attempt"]) == ("alpha", 7, 2)
    assert told["seconds"] >= 0
    assert "job finished" in outcome.log


@pytest.mark.parametrize("server", ["raylet", "gcs_server"])
def test_ray_itself_may_be_killed_and_nobody_hears_of_it(
    crew: Crew, server: str, capfd: pytest.CaptureFixture[str]
) -> None:
    crew.begin(a_job("sleep", "3.1" if server == "raylet" else "3.2"))
    for process in crew.processes(server):
        process.kill()
    assert crew.wait().failure is None
    assert crew.workers.state == "ready"
    assert capfd.readouterr().out == ""


def test_a_host_that_hangs_is_replaced(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_process, "MOST_SILENCE", 3)
    crew.begin(a_job("sleep", "2.5"))
    hosts = [one for one in psutil.Process().children() if "spawn_main" in " ".join(one.cmdline())]
    host = max(hosts, key=psutil.Process.create_time)  # others may be on their way out
    host.send_signal(signal.SIGSTOP)
    assert crew.wait().failure is None
    assert not host.is_running()


def poll_until_lost(workers: RayProcess) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        workers.poll(1.0)


def test_a_cluster_that_never_answers_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_process, "LONGEST_JOIN_S", 2)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of nobody's cluster")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        workers = RayProcess(DirectoryWorkspace(tmp_path), address=address, execute=act)
        try:
            for _ in range(2):
                with pytest.raises(WorkersLost, match="does not answer"):
                    poll_until_lost(workers)
        finally:
            workers.close()


SLOW_FLOOR = """
import os, sys, time
from nas.domain.job import CountFloor, Job
from nas.domain.library import BlockCost, NetworkFloor
from nas.domain.teacher import Calibration, TeacherRef
from storage.artifacts import DirectoryWorkspace
from workers.ray_worker import RayWorker

def count(job, workspace):
    time.sleep(1.0)
    return NetworkFloor(cost=BlockCost(params=os.getpid(), macs=0, attention_macs=0))

job = Job(payload=CountFloor(teacher=TeacherRef(), calibration=Calibration()))
worker = RayWorker(DirectoryWorkspace(sys.argv[1]), count, 1, None)
sys.stdout.write(worker.run(job.model_dump_json()))
"""


def test_the_same_job_sent_by_two_coordinators_is_done_once(tmp_path: Path) -> None:
    """Whoever comes second waits for the first, and then finds its result."""
    command = [sys.executable, "-c", SLOW_FLOOR, str(tmp_path)]
    pair = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [Outcome.model_validate_json(one.communicate(timeout=60)[0]) for one in pair]
    assert outcomes[0].result == outcomes[1].result
    assert sorted(outcome.seconds > 0 for outcome in outcomes) == [False, True]


def test_when_the_asker_is_killed_ray_goes_as_well(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from storage.artifacts import DirectoryWorkspace\n"
        "from workers.ray_process import RayProcess\n"
        "if __name__ == '__main__':\n"
        "    workers = RayProcess(DirectoryWorkspace(sys.argv[1]), cpus=1)\n"
        "    workers.require_up()\n"
        "    print('up', flush=True)\n"
        "    time.sleep(600)\n"
    )
    (tmp_path / "asker.py").write_text(program)
    asker = subprocess.Popen(
        [sys.executable, str(tmp_path / "asker.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asker.stdout is not None
    assert asker.stdout.readline() == "up\n"
    family = psutil.Process(asker.pid).children(recursive=True)
    asker.kill()
    asker.wait()
    servers = [one for one in family if one.name() in ("raylet", "gcs_server")]
    _, alive = psutil.wait_procs(servers, timeout=60.0)
    assert alive == []
