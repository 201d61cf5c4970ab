from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError
from nas.estimation.devices import DEVICES, litert_file
from nas.estimation.devices.base import Subject
from nas.estimation.devices.ethos_u import EthosU85
from nas.estimation.devices.npu_rewrites import rewritten_for_npu

pytestmark = pytest.mark.skipif(bool(DEVICES.get("ethos-u85").absence()), reason="the extra ethos-u is not installed")

INT8 = LatencyProtocol(precision="int8")
TIMEOUT_S = 120.0


class Attention(nn.Module):
    """A convolution, a group norm and one head of self-attention."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.norm, self.mix = nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.Linear(16, 48)

    def forward(self, hidden: Tensor) -> Tensor:
        tokens = nn.functional.silu(self.norm(self.narrow(hidden))).flatten(2).transpose(1, 2)
        query, key, value = self.mix(tokens).chunk(3, -1)
        return torch.softmax(query @ key.transpose(1, 2), -1) @ value


@pytest.fixture(scope="module")
def inputs() -> dict[str, Tensor]:
    return {"hidden": torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))}


@pytest.fixture(scope="module")
def compiled_from(tmp_path_factory: pytest.TempPathFactory, inputs: dict[str, Tensor]) -> Path:
    """An int8 file of the block."""
    path = tmp_path_factory.mktemp("ethos") / "block.tflite"
    module, fed = rewritten_for_npu(Attention(), inputs)
    path.write_bytes(litert_file.quantised(litert_file.converted(module, fed, TIMEOUT_S), fed))
    return path


@pytest.fixture(scope="module")
def on_the_npu(compiled_from: Path) -> float:
    milliseconds, layers = EthosU85().estimate_file(compiled_from, TIMEOUT_S)
    assert not any(layer.is_fallback for layer in layers)
    return milliseconds


@pytest.mark.parametrize("kind", ["CONV_2D", "SOFTMAX", "MEAN", "BATCH_MATMUL", "LOGISTIC", "RESHAPE", "TRANSPOSE"])
def test_a_fall_back_is_never_rewarded(compiled_from: Path, on_the_npu: float, kind: str) -> None:
    milliseconds, layers = EthosU85(ignored=(kind,)).estimate_file(compiled_from, TIMEOUT_S)
    fallen = [layer for layer in layers if layer.is_fallback]
    assert {(layer.operator, layer.unit) for layer in fallen} == {(kind, "CPU")}
    assert all(layer.ms > 0 for layer in fallen)
    assert milliseconds > on_the_npu


def test_a_network_that_runs_wholly_on_the_cpu_has_a_price(compiled_from: Path, on_the_npu: float) -> None:
    kinds = tuple({operator.kind for operator in litert_file.operators(compiled_from.read_bytes())})
    milliseconds, layers = EthosU85(ignored=kinds).estimate_file(compiled_from, TIMEOUT_S)
    assert all(layer.is_fallback for layer in layers)
    assert milliseconds > on_the_npu


def test_group_norms_written_as_torch_writes_them_would_fall_back(
    tmp_path: Path, inputs: dict[str, Tensor], on_the_npu: float
) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(litert_file.quantised(litert_file.converted(Attention(), inputs, TIMEOUT_S), inputs))
    milliseconds, layers = EthosU85().estimate_file(plain, TIMEOUT_S)
    assert [layer.operator for layer in layers if layer.is_fallback].count("MEAN") == 2
    assert milliseconds > on_the_npu


def test_the_layers_add_up_to_the_latency(compiled_from: Path, on_the_npu: float) -> None:
    _, layers = EthosU85().estimate_file(compiled_from, TIMEOUT_S)
    assert sum(layer.ms for layer in layers) == pytest.approx(on_the_npu)


def test_a_latency_says_that_a_compiler_estimated_it_and_for_what() -> None:
    device = DEVICES.get("ethos-u85").describe(INT8)
    assert device.kind == "compiler estimate"
    assert {"npu", "system", "memory", "fallbacks", "converter", "quantiser"} <= set(device.labels)
    assert "assumed" in device.labels["fallbacks"]
    assert EthosU85(ignored=("MEAN",)).describe(INT8) != device


def test_fp32_is_refused_with_the_precision_that_works(inputs: dict[str, Tensor]) -> None:
    with pytest.raises(EvaluationError, match="int8"):
        DEVICES.get("ethos-u85").measure(Subject(Attention(), inputs), LatencyProtocol())


def test_a_compiler_that_is_not_ready_in_time_is_stopped(compiled_from: Path) -> None:
    with pytest.raises(EvaluationError, match=r"longer than 0\.01 s"):
        EthosU85().estimate_file(compiled_from, 0.01)


def test_a_file_that_the_compiler_cannot_read_is_an_evaluation_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no flatbuffer")
    with pytest.raises(EvaluationError, match="Vela ended with"):
        EthosU85().estimate_file(broken, TIMEOUT_S)
