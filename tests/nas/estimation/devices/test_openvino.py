from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError
from nas.estimation.devices import DEVICES
from nas.estimation.devices.base import Subject
from nas.estimation.devices.openvino import compiled_call

pytestmark = pytest.mark.skipif(bool(DEVICES.get("openvino").absence()), reason="the extra openvino is not installed")

QUICK = LatencyProtocol(warmup=1, repeats=3, seconds=0.0, canary=False)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(4, 64)

    def forward(self, hidden: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        return self.norm(self.convolution(hidden)), hidden


class Unconvertible(nn.Module):
    def forward(self, matrix: Tensor) -> Tensor:
        return torch.linalg.eigvals(matrix)


@pytest.fixture
def block() -> Subject:
    generator = torch.Generator().manual_seed(0)
    inputs = {"hidden": torch.randn(1, 64, 16, 16, generator=generator), "unused": torch.zeros(1, 2)}
    return Subject(Block().eval(), inputs)


def test_an_input_that_is_not_read_does_no_harm(block: Subject) -> None:
    for precision in ("fp32", "int8"):
        assert DEVICES.get("openvino").measure(block, QUICK.evolve(precision=precision)).median_ms > 0


@pytest.mark.parametrize(("precision", "kernel"), [("fp32", "f32"), ("int8", "I8")])
def test_the_convolution_runs_in_the_precision_asked_for(block: Subject, precision: str, kernel: str) -> None:
    _, call = compiled_call(block, QUICK.evolve(precision=precision), profiled=True)
    call.infer()
    (convolution,) = [layer for layer in call.get_profiling_info() if layer.node_type == "Convolution"]
    assert convolution.exec_type.endswith(kernel)


def test_an_int8_latency_names_its_quantiser() -> None:
    assert "quantiser" in DEVICES.get("openvino").describe(QUICK.evolve(precision="int8")).labels


def test_nothing_is_reported_to_anyone(block: Subject) -> None:
    DEVICES.get("openvino").measure(block, QUICK)
    assert sys.modules.get("openvino_telemetry") is None
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]


def test_an_onnx_file_is_timed_as_it_is(block: Subject, tmp_path: Path) -> None:
    path, digest = block.onnx(tmp_path)
    measured = DEVICES.get("openvino").measure(Subject(None, block.inputs, path), QUICK)
    assert measured.subject == digest
    assert measured.median_ms > 0


def test_the_convolution_is_in_the_profile(block: Subject) -> None:
    layers = DEVICES.get("openvino").profile(block, QUICK)
    assert [layer.operator for layer in layers].count("Convolution") == 1
    assert not any(layer.is_fallback for layer in layers)


def test_a_module_that_cannot_be_converted_is_an_evaluation_error() -> None:
    with pytest.raises(EvaluationError, match="eigvals"):
        DEVICES.get("openvino").measure(Subject(Unconvertible(), {"matrix": torch.eye(3)}), QUICK)
