from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from nas.errors import EvaluationError
from nas.estimation.onnx_export import OPSET, export_network, relative_difference, verify_export
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.load import LoadedTeacher


def test_the_exported_network_computes_what_torch_does(teacher: LoadedTeacher, tmp_path: Path) -> None:
    stage = next(stage for stage in teacher.denoiser.stages if stage.name == "D2")
    network = teacher.denoiser.with_blocks({"D2": build_block(stage, teacher.denoiser.block("D2"), "RA").eval()})
    path = tmp_path / "model.onnx"
    assert export_network(network, path, (4, 8, 8), (5, 8)) < 1e-3
    graph = onnx.load(path)
    assert {entry.name for entry in graph.graph.input} == {"sample", "timestep", "context"}
    assert [entry.name for entry in graph.graph.output] == ["prediction"]
    assert {opset.version for opset in graph.opset_import if opset.domain in ("", "ai.onnx")} == {OPSET}
    inputs = {
        "sample": torch.randn(1, 4, 8, 8),
        "timestep": torch.tensor([7]),
        "context": torch.randn(1, 5, 8),
    }
    assert relative_difference(network, path, inputs) < 1e-3
    with pytest.raises(EvaluationError, match="differs"):  # another network is told apart, and its file removed
        verify_export(teacher.denoiser, path, (4, 8, 8), (5, 8))
    assert not path.exists()
