"""A real device worker beside a real cluster: it offers this machine's processor, is killed, and comes back."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from nas.domain.device import LatencyMeasurement, LatencyProtocol
from nas.domain.device_state import DeviceState
from nas.domain.job import Job, MeasureBlock, Outcome
from nas.domain.teacher import Calibration, TeacherRef
from storage.artifacts import DirectoryWorkspace
from tests.chaos.ray_cluster import loopback_address
from tests.deployment.by_hand import free_port
from tests.workers.deeds import time_something
from workers.device_desk import ABSENT
from workers.ray_process import RayProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 150.0
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


class Site:
    """A cluster of this test alone, and what it started."""

    def __init__(self, home: Path) -> None:
        self.home, self.host = home, loopback_address(os.getpid())
        self.address = f"{self.host}:{free_port(self.host)}"
        self.logs: dict[int, Path] = {}
        self.token = secrets.token_hex(32)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"},
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "PYTHONPATH": str(ROOT),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_health_check_period_ms": "1000",  # a dead node is noticed within seconds
            "RAY_health_check_failure_threshold": "3",
        }

    def start_head(self) -> None:
        options = [
            "--num-cpus=0",
            "--include-dashboard=false",
            "--disable-usage-stats",
            f"--temp-dir={self.home}/ray",
        ]
        place = [f"--node-ip-address={self.host}", f"--port={self.address.rpartition(':')[2]}"]
        command = [*RAY, "start", "--head", *place, *options, f"--object-store-memory={100 * 2**20}"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=200)

    def offer(self, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "api.cli", "device-worker", "--address", self.address, "--device", "bench"]
        place = [
            "--backend",
            "host",
            "--shared",
            "--node-ip",
            self.host,
            "--data",
            str(self.home / "bench"),
            "--json",
        ]
        log = self.home / f"worker-{len(self.logs)}.log"
        with log.open("w") as said:
            worker = subprocess.Popen(
                [*command, *place, "--json", *more],
                cwd=ROOT,
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.logs[worker.pid] = log
        return worker

    def said(self, worker: subprocess.Popen[bytes]) -> str:
        return self.logs[worker.pid].read_text()

    def first_document(self, worker: subprocess.Popen[bytes]) -> dict[str, object]:
        """What a worker says when its device is offered."""
        until(lambda: "\n}\n" in self.said(worker), lambda: f"the device is offered:\n{self.said(worker)}")
        found: dict[str, object] = json.loads(self.said(worker).partition("\n}\n")[0] + "}")
        return found

    def end(self) -> None:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("RAY_AUTH_TOKEN") == self.token:
                    process.kill()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    home = Path(tempfile.mkdtemp(prefix="dw-", dir="/tmp"))  # sockets want a short path
    made = Site(home)
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, made.environment[name])
    try:
        made.start_head()
        yield made
    finally:
        made.end()
        shutil.rmtree(home, ignore_errors=True)


def a_job(seconds: float, *, queue_timeout_s: float = 600.0) -> Job:
    payload = MeasureBlock(
        teacher=TeacherRef(),
        calibration=Calibration(),
        stage="E1",
        variant=f"{seconds:g}",
        device="bench",
        protocol=LatencyProtocol(repeats=3, seconds=0.0, canary=False),
    )
    return Job(payload=payload, timeout_s=300.0, queue_timeout_s=queue_timeout_s)


def until(condition: Callable[[], bool], what: str | Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)


def answer(workers: RayProcess, key: str) -> Outcome:
    arrived: list[Outcome] = []
    until(lambda: bool(arrived.extend(workers.poll(0.2)) or arrived), "an outcome")
    assert [outcome.key for outcome in arrived] == [key]
    return arrived[0]


def state(workers: RayProcess) -> DeviceState | None:
    return next((one for one in workers.devices if one.name == "bench"), None)


def is_in(workers: RayProcess, condition: str) -> bool:
    return (found := state(workers)) is not None and found.condition == condition


def test_a_device_worker_is_used_killed_missed_and_used_again(site: Site, tmp_path: Path) -> None:
    workers = RayProcess(DirectoryWorkspace(tmp_path), address=site.address, execute=time_something)
    first = site.offer("--label", "room=lab")
    try:
        workers.require_up()
        hopeless = a_job(0.125, queue_timeout_s=0.5)
        workers.submit(hopeless)
        failure = answer(workers, hopeless.key).failure
        assert failure is not None
        assert (failure.code, failure.transient) == (ABSENT, True)
        assert "blocksmith device-worker --device bench" in failure.message

        told = site.first_document(first)
        job = a_job(0.0)
        workers.submit(job)
        outcome = answer(workers, job.key)
        assert isinstance(outcome.result, LatencyMeasurement), outcome.failure
        device = outcome.result.device
        assert (device.name, device.labels["room"], device.backend) == ("bench", "lab", "onnxruntime")
        assert not (tmp_path / "journal").exists()
        assert (site.home / "bench" / "journal").exists()
        until(lambda: is_in(workers, "available"), "the device is free again")
        found = state(workers)
        assert found is not None
        assert (found.fingerprint, found.baseline_ms) == (told["fingerprint"], told["offer"]["canary_ms"])  # type: ignore[index]  # a document

        rival = site.offer("--label", "room=attic")
        assert rival.wait(PATIENCE_S) != 0
        assert "room: here 'attic', there 'lab'" in site.said(rival)

        lost = a_job(200.0)
        workers.submit(lost)
        until(lambda: is_in(workers, "busy"), "the measurement runs")
        first.kill()
        failure = answer(workers, lost.key).failure
        assert failure is not None
        assert failure.transient, failure
        until(lambda: is_in(workers, "absent"), "the device is missed")

        waiting = a_job(0.25)
        workers.submit(waiting)
        second = site.offer("--label", "room=lab")
        try:
            site.first_document(second)
            again = answer(workers, waiting.key).result
            assert isinstance(again, LatencyMeasurement)
            assert again.device == device
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0
            until(lambda: is_in(workers, "absent"), "the worker took its node away")
        finally:
            second.kill()
    finally:
        first.kill()
        workers.close()


def test_an_absent_device_and_a_wrong_label_are_refused_in_words() -> None:
    command = [sys.executable, "-m", "api.cli", "device-worker", "--address", "127.0.0.1:1"]
    for more, words in (
        (["--device", "toaster"], "There is no device named 'toaster'"),
        (["--device", "host", "--label", "room"], "'room' is no label"),
        (["--device", "No Name", "--backend", "host"], "is no name"),
    ):
        finished = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
        assert finished.returncode != 0
        assert words in finished.stderr
