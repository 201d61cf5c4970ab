from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nas.domain.device import LatencyProtocol, LayerLatency
from nas.errors import EvaluationError, NotFound, SpecError
from nas.estimation.devices import DEVICES
from nas.estimation.layer_times import by_stage
from nas.estimation.onnx_file import file_subject

QUICK = LatencyProtocol(warmup=1, repeats=3, seconds=0.0)


class Stepped(nn.Module):
    """A picture and a timestep, as denoisers take them."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return self.convolution(sample) * timestep.to(sample.dtype)[:, None, None, None]


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("fixed") / "fixed.onnx")


@pytest.fixture(scope="module")
def left_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("open") / "open.onnx", dynamic_axes={"sample": {2: "height", 3: "width"}})


def exported(path: Path, **options: object) -> Path:
    given = torch.zeros(1, 4, 8, 8), torch.ones(1, dtype=torch.int64)
    names = ["sample", "timestep"]
    torch.onnx.export(Stepped().eval(), given, str(path), dynamo=False, input_names=names, **options)
    return path


def test_a_file_is_measured_with_inputs_of_the_shapes_and_types_it_declares(fixed: Path) -> None:
    subject = file_subject(fixed)
    assert {name: (tuple(one.shape), one.dtype) for name, one in subject.inputs.items()} == {
        "sample": ((1, 4, 8, 8), torch.float32),
        "timestep": ((1,), torch.int64),
    }
    measured = DEVICES.get("host").measure(subject, QUICK)
    assert measured.median_ms > 0
    assert measured.subject == DEVICES.get("host").measure(file_subject(fixed), QUICK).subject


def test_a_shape_left_open_is_asked_for_by_name(left_open: Path) -> None:
    with pytest.raises(SpecError) as refused:
        file_subject(left_open)
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.nearest) == ("sample", "--shape sample=1,4,1,1")
    assert tuple(file_subject(left_open, {"sample": (1, 4, 16, 16)}).inputs["sample"].shape) == (1, 4, 16, 16)


def test_every_input_that_does_not_exist_is_named(fixed: Path) -> None:
    with pytest.raises(SpecError) as refused:
        file_subject(fixed, {"latent": (1,), "time": (1,)})
    assert [fault.pointer for fault in refused.value.faults] == ["latent", "time"]
    assert refused.value.faults[0].nearest == "sample, timestep"


@pytest.mark.parametrize("content", [b"", b"root:x:0:0", b"\x80\x04\x95", bytes(range(256)) * 8])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="no ONNX file"):
        file_subject(path)


def test_a_missing_file_and_a_folder_are_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.onnx", tmp_path):
        with pytest.raises(NotFound, match="no file"):
            file_subject(path)


def test_a_device_that_converts_from_torch_says_that_a_file_will_not_do(fixed: Path) -> None:
    with pytest.raises(EvaluationError, match="ONNX file"):
        DEVICES.get("torch").measure(file_subject(fixed), QUICK)


def test_operators_are_added_up_by_the_stage_that_their_path_names() -> None:
    layers = [
        LayerLatency(name="/E1/units.0/conv1/Conv", operator="Conv", ms=1.0, unit="CPU"),
        LayerLatency(name="/E1/units.1/attn1/MatMul", operator="MatMul", ms=0.5, unit="CPU"),
        LayerLatency(name="denoiser.Mid.norm", operator="Norm", ms=0.25, unit="CPU"),
        LayerLatency(name="ReorderOutput_token_6", operator="ReorderOutput", ms=0.125, unit="CPU"),
    ]
    assert by_stage(layers, ("E1", "Mid", "D1")) == {"E1": 1.5, "Mid": 0.25, "D1": 0.0, "stem and head": 0.125}
    assert by_stage(layers, ()) == {}
