"""How devices stand, over REST, for the client, on the command line and in specs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli import main
from api.service.devices import standing
from nas.domain.device import Device
from nas.domain.device_state import DeviceState
from nas.domain.value import FrozenDict
from tests.api.serving import Served, serve

PHONE = DeviceState(
    name="pixel-8",
    device=Device(name="pixel-8", backend="adb", runtime="litert 2", kind="measured"),
    labels=FrozenDict({"room": "lab"}),
    condition="busy",
    since=1_767_225_600.0,
    worker="bench-1:4711",
    canary_ms=1.5,
    baseline_ms=1.5,
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = serve(tmp_path)
    yield made
    made.http.close()


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0


def note(served: Served, observer: str, *states: DeviceState) -> None:
    with served.installation.database.unit_of_work() as uow:
        uow.devices.note(observer, states)
        uow.commit()


def test_a_registered_device_is_absent_until_a_coordinator_has_looked(served: Served) -> None:
    items = served.http.get("/v1/devices", headers=served.bearer("red/reader")).json()["items"]
    (host,) = [one for one in items if one["device"] == "host"]
    assert (host["state"], host["since"]) == ("absent", None)
    assert host["reason"] == "No coordinator has looked yet. On this machine: ready."
    assert host["meaning"]


def test_a_device_of_a_worker_is_listed_with_all_that_is_known(served: Served, tmp_path: Path) -> None:
    note(served, "one", PHONE)
    items = served.http.get("/v1/devices", headers=served.bearer("red/reader")).json()["items"]
    (phone,) = [one for one in items if one["device"] == "pixel-8"]
    assert phone == {
        "device": "pixel-8",
        "meaning": "",
        "state": "busy",
        "since": PHONE.since,
        "backend": "adb",
        "kind": "measured",
        "runtime": "litert 2",
        "fingerprint": PHONE.fingerprint,
        "labels": {"room": "lab"},
        "worker": "bench-1:4711",
        "canary_ms": 1.5,
        "baseline_ms": 1.5,
        "reason": "",
    }


def test_a_spec_may_name_a_device_that_a_worker_offers(served: Served) -> None:
    bound = {"metric": "noise_mse_relative", "at_most": 0.05}
    spec = {"name": "s", "latency": {"device": "pixel-8"}, "constraints": [bound]}
    headers = served.bearer("red/submitter")
    refused = served.http.post("/v1/searches?check=true", json=spec, headers=headers)
    assert refused.status_code == 422
    assert "/latency/device" in refused.text
    note(served, "one", PHONE)
    accepted = served.http.post("/v1/searches?check=true", json=spec, headers=headers)
    assert accepted.status_code == 200, accepted.text


def test_the_most_telling_coordinator_is_believed_and_the_dead_are_not() -> None:
    available, hurt = PHONE.evolve(condition="available"), PHONE.evolve(condition="quarantined", reason="drift")
    assert standing([(available, 1.0), (PHONE, 1.0)])["pixel-8"] == PHONE
    assert standing([(available, 1.0), (hurt, 1.0)])["pixel-8"] == hurt
    told = standing([(PHONE, 60.0)])["pixel-8"]
    assert (told.condition, told.worker) == ("absent", "")
    assert told.reason
    assert standing([(PHONE, 60.0), (available, 1.0)])["pixel-8"] == available


def test_the_command_lists_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = serve(tmp_path)
    note(made, "one", PHONE)
    run("device", "list", "--data", str(tmp_path), "--json")
    listed = {one["device"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed["pixel-8"]["fingerprint"] == PHONE.fingerprint  # its state may be outdated by now
    run("device", "list", "--data", str(tmp_path))
    assert "pixel-8" in capsys.readouterr().out
    made.http.close()
