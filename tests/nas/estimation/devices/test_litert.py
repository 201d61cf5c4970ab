from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError
from nas.estimation.devices import DEVICES, litert_file
from nas.estimation.devices.base import Subject
from nas.estimation.devices.litert import LiteRtHost

pytestmark = pytest.mark.skipif(bool(DEVICES.get("litert").absence()), reason="the extra litert is not installed")

INPUTS = {"tokens": torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0)), "unused": torch.zeros(1, 2)}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, tokens: Tensor, unused: Tensor) -> Tensor:
        return nn.functional.gelu(self.mix(self.norm(tokens)))


class Unconvertible(nn.Module):
    def forward(self, matrix: Tensor) -> Tensor:
        return torch.linalg.eigvals(matrix)


def test_the_interpreter_computes_what_torch_computes() -> None:
    from ai_edge_litert.interpreter import Interpreter

    block = Block().eval()
    content = litert_file.converted(block, INPUTS, 100.0)
    runner = Interpreter(model_content=content).get_signature_runner(litert_file.SIGNATURE)
    (found,) = runner(**litert_file.example_feed(content, INPUTS)).values()
    with torch.no_grad():
        expected = block(*INPUTS.values()).numpy()
    assert abs(found - expected).max() < 1e-4


def test_int8_files_hold_8_bit_weights_and_activations() -> None:
    content = litert_file.quantised(litert_file.converted(Block(), INPUTS, 100.0), INPUTS)
    (product,) = [operator for operator in litert_file.operators(content) if operator.kind == "FULLY_CONNECTED"]
    assert [operand.kind for operand in (*product.inputs[:2], *product.outputs)] == ["INT8"] * 3
    assert product.inputs[1].is_constant


def test_a_module_that_cannot_be_converted_is_an_evaluation_error() -> None:
    with pytest.raises(EvaluationError, match="Unconvertible cannot be converted to LiteRT"):
        litert_file.converted(Unconvertible(), {"matrix": torch.eye(3)}, 100.0)


def test_a_conversion_that_takes_too_long_is_refused() -> None:
    with pytest.raises(EvaluationError, match="Conversion took"):
        litert_file.converted(Block(), INPUTS, 1e-6)


def test_an_onnx_file_is_refused_in_words() -> None:
    with pytest.raises(EvaluationError, match="cannot take an ONNX file"):
        LiteRtHost().measure(Subject(None, INPUTS, Path("model.onnx")), LatencyProtocol(canary=False))
