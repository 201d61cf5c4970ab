"""What a device worker says of its device, and how its device is measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nas.domain.device import Device, LatencyMeasurement
from nas.domain.job import Job, Result
from nas.domain.value import FrozenDict
from nas.estimation.devices import DEVICES
from nas.ports import Workspace
from storage.artifacts import DirectoryWorkspace
from tests.fakes.device_farm import CANARY_MS, a_latency, a_measurement, an_offer
from workers.device_host import rival_of
from workers.device_node import labels_of, offer_in, offers_of, resource_of
from workers.device_stand import DRIFTED, NONSENSE
from workers.executor import device_lock, run_job
from workers.offered_device import VARIABLE, OfferedDevice, offered_here


class Laboratory:
    """A device whose canary and runtime a test sets."""

    def __init__(self) -> None:
        self.canary: float | None = CANARY_MS
        self.runtime = "runtime 1"
        self.median_ms = 2.0
        self.measured = 0

    def describe(self, protocol: object) -> Device:
        return Device(name="fake", backend="fake", runtime=self.runtime, kind="measured")

    def canary_ms(self) -> float | None:
        return self.canary

    def execute(self, job: Job, workspace: Workspace) -> Result:
        assert job.device == "fake"
        self.measured += 1
        return a_latency(self.describe(None), self.median_ms)


@pytest.fixture
def laboratory(monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    made = Laboratory()
    monkeypatch.setitem(DEVICES._entries, "fake", made)  # type: ignore[arg-type]  # it is a fake
    return made


def test_an_offer_travels_in_labels_that_ray_takes() -> None:
    offer = an_offer().evolve(labels=FrozenDict({"room": "Büro 2, left", "serial": "x" * 200}))
    labels = labels_of(offer)
    assert all(len(value) <= 63 and value.isalnum() for value in labels.values())
    assert offer_in({"ray.io/node-id": "1", **labels}) == offer
    assert offer_in({"ray.io/node-id": "1"}) is None
    assert offer_in({**labels, min(labels): "nonsense"}) is None


def test_only_living_nodes_that_have_the_resource_offer_something() -> None:
    node = {"NodeID": "a", "Alive": True, "Resources": {resource_of("phone"): 1.0}, "Labels": labels_of(an_offer())}
    assert offers_of([node]) == {"a": an_offer()}
    assert offers_of([{**node, "Alive": False}]) == offers_of([{**node, "Resources": {}}]) == {}


def test_a_second_claim_is_refused_unless_the_devices_are_equal() -> None:
    mine, equal, other = an_offer(since=2.0), an_offer(since=1.0), an_offer(runtime="runtime 2", since=1.0)
    assert rival_of(mine, [equal, an_offer("watch", "runtime 2")]) == ""
    assert "runtime: here 'runtime 1', there 'runtime 2'" in rival_of(mine, [equal, other])
    ghost = other.evolve(worker=f"bench:{2**22 + 1}")  # of a process that is gone
    assert rival_of(mine.evolve(worker=f"bench:{os.getpid()}"), [ghost]) == ""


def test_the_processes_of_a_node_know_what_it_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered_here() is None
    monkeypatch.setenv(VARIABLE, an_offer().model_dump_json())
    assert offered_here() == an_offer()


def test_a_result_bears_the_name_and_the_labels_of_the_offer(laboratory: Laboratory, tmp_path: Path) -> None:
    offered = OfferedDevice(an_offer().evolve(backend="fake"), laboratory.execute)
    result = offered(a_measurement(1), DirectoryWorkspace(tmp_path))
    assert isinstance(result, LatencyMeasurement)
    assert (result.device.name, result.device.labels["room"]) == ("phone", "lab")
    assert result.device == offered.device(result.protocol)


def measure(
    laboratory: Laboratory, folder: Path, *, is_shared: bool = False
) -> tuple[str, LatencyMeasurement | None]:
    """Code of the failure, and the result."""
    job = a_measurement(1)
    offered = OfferedDevice(an_offer(is_shared=is_shared), laboratory.execute)
    protocol = job.payload.protocol
    outcome = run_job(job, DirectoryWorkspace(folder), offered, lambda: offered.device(protocol))
    assert outcome.result is None or isinstance(outcome.result, LatencyMeasurement)
    return (outcome.failure.code if outcome.failure else ""), outcome.result


def test_a_finished_measurement_is_recalled_until_the_device_becomes_another(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    measure(laboratory, tmp_path)
    measure(laboratory, tmp_path)
    assert laboratory.measured == 1
    laboratory.runtime = "runtime 2"
    _, result = measure(laboratory, tmp_path)
    assert laboratory.measured == 2
    assert result is not None
    assert result.device.runtime == "runtime 2"
    laboratory.runtime = "runtime 1"
    measure(laboratory, tmp_path)
    assert laboratory.measured == 2


def test_a_dedicated_device_that_drifted_measures_nothing_and_keeps_nothing(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    laboratory.canary = 1.06 * CANARY_MS
    assert measure(laboratory, tmp_path)[0] == DRIFTED
    assert laboratory.measured == 0
    assert measure(laboratory, tmp_path, is_shared=True)[0] == ""


def test_drift_within_a_twentieth_and_devices_without_a_clock_are_left_alone(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    laboratory.canary = 1.04 * CANARY_MS
    assert measure(laboratory, tmp_path)[0] == ""
    laboratory.canary = None
    assert measure(laboratory, tmp_path / "other")[0] == ""


def test_nonsense_is_not_even_journaled(laboratory: Laboratory, tmp_path: Path) -> None:
    laboratory.median_ms = -1.0
    assert measure(laboratory, tmp_path)[0] == NONSENSE
    laboratory.median_ms = 2.0
    code, result = measure(laboratory, tmp_path)
    assert (code, laboratory.measured) == ("", 2)
    assert result is not None


def test_a_device_has_one_lock_on_a_machine() -> None:
    with device_lock(f"test {os.getpid()}/x"), pytest.raises(TimeoutError):
        device_lock(f"test {os.getpid()}/x").acquire(timeout=0.05)
