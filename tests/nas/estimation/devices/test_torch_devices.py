from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError
from nas.estimation.devices import DEVICES, torch_compile
from nas.estimation.devices.base import Subject
from nas.estimation.devices.surroundings import VARIABLES
from nas.estimation.devices.torch_eager import threads

ROOT = Path(__file__).resolve().parents[4]
QUICK = LatencyProtocol(warmup=1, repeats=5, seconds=0.0)
PLAIN = QUICK.evolve(canary=False)

compiler = pytest.mark.skipif(bool(DEVICES.get("torch-compile").absence()), reason="there is no C++ compiler")


class TwoStages(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({"E1": nn.Conv2d(3, width, 3), "D1": nn.ModuleList([nn.GroupNorm(2, width)])})

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(self.blocks["D1"][0](self.blocks["E1"](x)))


def subject(width: int = 8) -> Subject:
    return Subject(TwoStages(width).eval(), {"x": torch.randn(1, 3, 12, 12)})


def test_eager_pytorch_is_timed_beside_the_canary() -> None:
    measured = DEVICES.get("torch").measure(subject(), QUICK)
    assert len(measured.samples_ms) == len(measured.canary_ms) == 5
    assert measured.relative is not None
    assert measured.device.name == measured.device.backend == "torch"
    assert {"soc", "cores", "os", "threads", "precision", "instructions"} <= set(measured.device.labels)


def test_devices_agree_on_what_was_measured_whatever_its_weights() -> None:
    narrow, same, wide = (DEVICES.get("torch").measure(subject(width), PLAIN).subject for width in (8, 8, 10))
    assert narrow == same != wide
    assert DEVICES.get("host").measure(subject(8), PLAIN).subject == narrow


def test_as_many_threads_run_as_the_protocol_says_and_as_before_afterwards() -> None:
    seen: list[int] = []

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(torch.get_num_threads())
            return x + 1

    with threads(1):
        measured = DEVICES.get("torch").measure(Subject(Counting(), {"x": torch.ones(2)}), PLAIN.evolve(threads=2))
        assert torch.get_num_threads() == 1
    assert seen[-5:] == [2] * 5
    assert measured.device.labels["threads"] == "2"


def test_threads_are_restored_when_a_network_fails() -> None:
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no such kernel")

    before = torch.get_num_threads()
    with pytest.raises(EvaluationError, match="no such kernel"):
        DEVICES.get("torch").measure(Subject(Failing(), {"x": torch.ones(2)}), PLAIN.evolve(threads=before + 1))
    assert torch.get_num_threads() == before


def test_nothing_but_single_precision_is_promised_on_a_processor() -> None:
    with pytest.raises(EvaluationError, match="does not run fp16"):
        DEVICES.get("torch").measure(subject(), PLAIN.evolve(precision="fp16"))


def test_an_onnx_file_cannot_be_run_by_pytorch(tmp_path: Path) -> None:
    path, _ = subject().onnx(tmp_path)
    with pytest.raises(EvaluationError, match="cannot take an ONNX file"):
        DEVICES.get("torch").measure(Subject(None, {"x": torch.randn(1, 3, 12, 12)}, path), PLAIN)


def test_the_time_of_operators_is_told_by_the_modules_that_called_them() -> None:
    measured = subject()
    layers = DEVICES.get("torch").profile(measured, PLAIN)
    assert [(layer.name, layer.operator) for layer in layers] == [
        ("/E1/conv2d", "conv2d"),
        ("/D1.0/group_norm", "group_norm"),
        ("/silu", "silu"),
    ]
    assert all(layer.ms > 0 and layer.unit == "CPU" for layer in layers)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in measured.module.modules())


def test_a_machine_without_a_compiler_says_so_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler++")
    assert "there is no no-such-compiler++ on PATH" in DEVICES.get("torch-compile").absence()
    with pytest.raises(EvaluationError, match="C\\+\\+ compiler"):
        DEVICES.get("torch-compile").measure(subject(), PLAIN)


def test_a_machine_without_the_headers_of_python_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_compile.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(torch_compile.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert "no Python.h" in DEVICES.get("torch-compile").absence()


@compiler
def test_a_compiled_network_is_timed_and_profiled_by_kernel() -> None:
    device, compiled = DEVICES.get("torch-compile"), subject()
    measured = device.measure(compiled, PLAIN)
    assert len(measured.samples_ms) == 5
    assert measured.device.name == "torch-compile"
    assert measured.subject == DEVICES.get("torch").measure(compiled, PLAIN).subject
    layers = device.profile(compiled, PLAIN)
    assert any("_fused_" in layer.name for layer in layers)
    assert any(layer.operator == "convolution" for layer in layers)


@compiler
def test_the_ninth_network_of_a_class_is_compiled_like_the_first() -> None:
    class Doubling(nn.Module):
        def __init__(self, power: int) -> None:
            super().__init__()
            self.power = power

        def forward(self, x: Tensor) -> Tensor:
            seen.append(torch.compiler.is_compiling())
            return x * 2**self.power

    seen: list[bool] = []
    x = torch.ones(2)
    for power in range(10):
        call = torch_compile._compiled(Subject(Doubling(power), {"x": x}))
        assert torch.equal(call(), x * 2**power)  # type: ignore[arg-type]  # a call may return anything
        seen.clear()
        call()
        assert not any(kept is False for kept in seen), "ran uncompiled"


@compiler
def test_a_network_that_is_not_one_graph_is_refused() -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1 if x.sum() > 0 else x

    with pytest.raises(EvaluationError, match=r"torch\.compile cannot run"):
        DEVICES.get("torch-compile").measure(Subject(Branching(), {"x": torch.ones(2)}), PLAIN)


def test_every_variable_that_a_device_reads_is_documented() -> None:
    page = (ROOT / "docs" / "remote-devices.md").read_text()
    assert [name for name in VARIABLES if f"`{name}`" not in page] == []


def test_one_module_reads_the_environment_for_all_devices() -> None:
    sources = (ROOT / "nas" / "estimation").rglob("*.py")
    assert [path.name for path in sources if re.search(r"os\.environ(?!\.setdefault)|getenv", path.read_text())] == [
        "surroundings.py"
    ]
