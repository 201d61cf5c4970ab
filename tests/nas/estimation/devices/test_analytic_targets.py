from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from onnx import helper

from nas.errors import EvaluationError, NotFound, SpecError
from nas.estimation.devices import DEVICES
from nas.estimation.devices.analytic import TARGETS, AnalyticDevice, load_target, write_target
from nas.estimation.devices.base import Subject
from tests.nas.estimation.devices.graphs import PLAIN, PROTOCOL, model


def test_every_packaged_target_is_a_device_under_its_own_name() -> None:
    files = sorted(TARGETS.glob("*.yaml"))
    assert len(files) >= 2
    for file in files:
        target = load_target(file)
        assert target.name == file.stem
        device = DEVICES.get(target.name)
        assert isinstance(device, AnalyticDevice)
        assert device.target == target
        assert device.describe(PROTOCOL.evolve(precision=target.precisions[0])).kind == "model"


def test_a_target_survives_being_written(tmp_path: Path) -> None:
    for file in TARGETS.glob("*.yaml"):
        target = load_target(file)
        write_target(target, tmp_path / file.name)
        assert load_target(tmp_path / file.name) == target


def test_another_figure_is_another_device() -> None:
    faster = PLAIN.evolve(launch_us=5.0)
    one, other = (AnalyticDevice(target).describe(PROTOCOL) for target in (PLAIN, faster))
    assert one != other


def test_a_precision_that_a_target_does_not_run_is_refused(tmp_path: Path) -> None:
    subject = Subject(None, {}, model(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 8]}, {}))
    with pytest.raises(EvaluationError, match="fp32, int8"):
        AnalyticDevice(PLAIN).measure(subject, PROTOCOL.evolve(precision="fp16"))


def test_every_fault_of_a_target_is_told_with_its_place_and_the_nearest_right_value(tmp_path: Path) -> None:
    document = yaml.safe_load((TARGETS / "cpu-core.yaml").read_text())
    document["lanch_us"] = document.pop("launch_us")
    document["memory_bytes_per_s"] = "1e10"
    document["macs_per_s"] = {"fp23": 1e9}
    document["supported"] = ["Conv", "MatMull"]
    document["relative_uncertainty"] = -1
    del document["sources"]["granules"]
    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SpecError) as caught:
        load_target(path)
    faults = {fault.pointer: fault for fault in caught.value.faults}
    assert {
        "/launch_us",
        "/lanch_us",
        "/memory_bytes_per_s",
        "/macs_per_s/fp23",
        "/supported/1",
        "/relative_uncertainty",
        "/sources/granules",
    } <= set(faults)
    assert faults["/lanch_us"].nearest == "launch_us"
    assert faults["/memory_bytes_per_s"].nearest == "10000000000.0"
    assert faults["/macs_per_s/fp23"].nearest == "fp32"
    assert faults["/supported/1"].nearest == "MatMul"


@pytest.mark.parametrize("text", ["name: [", "- a list", "", "!!python/object:os.system {}"])
def test_what_is_no_target_at_all_is_a_fault_and_no_crash(tmp_path: Path, text: str) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(text)
    with pytest.raises(SpecError):
        load_target(path)


def test_a_target_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_target(tmp_path / "none.yaml")
