"""What can be said of the GPU device without a GPU. Its timing has never run in this suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError, TransientError
from nas.estimation.devices import DEVICES, cuda
from nas.estimation.devices.canary import canary

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@no_gpu
def test_a_machine_without_a_gpu_says_so_and_refuses_to_measure() -> None:
    device = DEVICES.get("cuda")
    assert device.absence()
    with pytest.raises(EvaluationError, match=r"NVIDIA|CUDA"):
        device.measure(canary(), LatencyProtocol())


def test_asking_for_a_gpu_where_there_is_no_driver_does_not_import_pytorch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from nas.estimation.devices import DEVICES, cuda\n"
        "cuda.TRACES_OF_A_DRIVER = ()\n"
        "assert 'no NVIDIA driver' in DEVICES.get('cuda').absence()\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PATH": str(tmp_path)})


@no_gpu
def test_a_driver_without_a_cuda_build_of_pytorch_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "TRACES_OF_A_DRIVER", (str(tmp_path),))
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in DEVICES.get("cuda").absence()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "sees no NVIDIA GPU" in DEVICES.get("cuda").absence()


def test_the_state_of_a_gpu_is_read_from_one_line_of_nvidia_smi() -> None:
    line = "41, 1980 MHz, 2619 MHz, 118.40 W, P0\n"
    facts = cuda.facts_of(cuda.STATE, line)
    assert facts["temperature.gpu"] == "41"
    assert facts["clocks.sm"] == "1980 MHz"
    assert cuda.facts_of(cuda.STATE, "No devices were found\n") == {}


def test_what_fails_on_the_gpu_says_whether_trying_again_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    gib = 2**30
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 2 * gib)
    for free, error in ((38 * gib, EvaluationError), (8 * gib, TransientError)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free: (free, 40 * gib))
        with pytest.raises(error, match="does not fit"), cuda.failures():
            raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(EvaluationError, match="not implemented for"), cuda.failures():
        raise RuntimeError("\"group_norm\" not implemented for 'Half'")
    with pytest.raises(TransientError, match="GPU failed"), cuda.failures():
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


@gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_network_is_timed_on_the_gpu(precision: str) -> None:
    device = DEVICES.get("cuda")
    protocol = LatencyProtocol.model_validate({"precision": precision})
    measured = device.measure(canary(), protocol)
    assert 0 < measured.median_ms < 100
    assert {"soc", "driver", "cuda"} <= set(measured.device.labels)
    assert sum(layer.ms for layer in device.profile(canary(), protocol)) > 0
