"""The first NVIDIA GPU of this machine through PyTorch."""

from __future__ import annotations

import contextlib
import copy
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError, TransientError
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.onnxruntime import host_labels
from nas.estimation.devices.timed import Clock, Prepared, Run, TimedDevice
from nas.estimation.devices.torch_eager import graph_of

TRACES_OF_A_DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
STATE = ("temperature.gpu", "clocks.sm", "clocks.mem", "power.draw", "pstate")
"""What nvidia-smi is asked before and after a measurement."""
STATE_TIMEOUT_S = 10
GPU = "cuda:0"


class Cuda(TimedDevice):
    """Calls a module on this machine's first NVIDIA GPU through PyTorch, without compiling it.

    A call ends when the GPU is done, and inputs are there when it begins: what is timed includes launching kernels,
    which is most of what a small network takes, and no copying. Convolutions run in the channels-last layout that
    tensor cores want, by the fastest algorithm that cuDNN found in the first call.
    """

    needs = ("torch",)
    precisions = ("fp32", "fp16")

    def absence(self) -> str:
        """Tells a lacking GPU, driver or CUDA build of PyTorch; imports PyTorch only where there is a driver."""
        if absent := super().absence():
            return absent
        if not (any(Path(trace).exists() for trace in TRACES_OF_A_DRIVER) or shutil.which("nvidia-smi")):
            return (
                "There is no NVIDIA driver on this machine: install it, or run a device worker where there is a GPU"
            )
        import torch

        if torch.version.cuda is None:
            return "This PyTorch was built without CUDA: install a CUDA build of it"
        if not torch.cuda.is_available():
            return "PyTorch sees no NVIDIA GPU: compare the driver's CUDA version with PyTorch's"
        return ""

    def describe(self, protocol: LatencyProtocol) -> Device:
        """GPU, driver, CUDA, cuDNN and PyTorch's version, and whether fp32 is TF32 in truth."""
        import torch

        host = host_labels(protocol)
        labels = {
            **host,
            "processor": host["soc"],
            "soc": torch.cuda.get_device_name(0),
            "driver": _asked(("driver_version",)).get("driver_version", "unknown"),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]  # of torch
            "tf32": f"convolutions {torch.backends.cudnn.allow_tf32}, "
            f"products {torch.backends.cuda.matmul.allow_tf32}",
            "layout": "channels last",
        }
        return Device(
            name="cuda",
            backend="cuda",
            runtime=f"torch {torch.__version__}",
            kind="measured",
            labels=FrozenDict(labels),
        )

    def measure(
        self, subject: Subject, protocol: LatencyProtocol, clock: Clock = time.perf_counter
    ) -> LatencyMeasurement:
        """Warm up and time a module, in turns with the canary; tells temperature and clocks before and after."""
        self.require(protocol)
        before = _asked(STATE)
        with failures(), _tuned():
            measured = super().measure(subject, protocol, clock)
        after = _asked(STATE)
        told = {f"{fact} before": value for fact, value in before.items()}
        told |= {f"{fact} after": value for fact, value in after.items()}
        moved: LatencyMeasurement = measured.evolve(conditions=FrozenDict(told))
        return moved

    @contextlib.contextmanager
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Copy a module and its inputs to the GPU, and call it once so that cuDNN chooses its algorithms."""
        import torch

        digest = graph_of(subject)
        run = _calling(_moved(subject, protocol))
        run()
        yield Prepared(subject=digest, run=run)
        del run
        torch.cuda.empty_cache()

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Mean time of the kernels of every operator of every module; what launching them takes is left out."""
        self.require(protocol)
        from nas.estimation.devices.torch_profile import module_ranges, profiled

        with failures(), _tuned():
            moved = _moved(subject, protocol)
            with module_ranges(moved.module):
                return profiled(_calling(moved), protocol, unit="GPU")


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Have cuDNN try its algorithms at the first call of a shape; as before afterwards."""
    import torch

    cudnn = torch.backends.cudnn
    with cudnn.flags(enabled=True, benchmark=True, allow_tf32=cudnn.allow_tf32):
        yield


def _moved(subject: Subject, protocol: LatencyProtocol) -> Subject:
    """A copy of a subject on the GPU in the protocol's precision; whole numbers keep theirs."""
    import torch

    kind = torch.float16 if protocol.precision == "fp16" else torch.float32
    copied: Any = copy.deepcopy(subject.module)
    module = copied.to(GPU, kind, memory_format=torch.channels_last)

    def moved(tensor: Any) -> Any:
        layout = torch.channels_last if tensor.dim() == 4 else torch.preserve_format
        wanted = kind if tensor.is_floating_point() else tensor.dtype
        return tensor.to(GPU, wanted, memory_format=layout)

    return Subject(module, {name: moved(tensor) for name, tensor in subject.inputs.items()})


def _calling(moved: Subject) -> Run:
    """A call that returns when the GPU is done."""
    import torch

    module, inputs = moved.module, tuple(moved.inputs.values())

    def call() -> object:
        with torch.inference_mode():
            output = module(*inputs)
        torch.cuda.synchronize()
        return output

    return call


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """What the GPU cannot do, as an error that says whether trying again helps.

    Raises:
        EvaluationError: If the network cannot run, or does not fit although nobody else holds the GPU's memory.
        TransientError: If it does not fit beside what others hold at the moment, or the GPU itself failed.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        free, total = torch.cuda.mem_get_info()
        others = total - free - torch.cuda.memory_reserved()
        torch.cuda.empty_cache()
        if others > total / 10:
            raise TransientError(
                f"The network does not fit on the GPU, of which others hold {others / 2**30:.1f} GiB.",
                "Try again when they are done.",
            ) from error
        raise EvaluationError(f"The network does not fit on the GPU of {total / 2**30:.1f} GiB.") from error
    except torch.AcceleratorError as error:
        # After one of these nothing works in this process any more; another process may do better.
        raise TransientError(f"The GPU failed: {_first_line(error)}", "Restart the worker.") from error
    except RuntimeError as error:
        raise EvaluationError(f"PyTorch cannot run the network on the GPU: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _asked(facts: tuple[str, ...]) -> dict[str, str]:
    """What nvidia-smi tells of PyTorch's first GPU; nothing where it is not installed or does not know a fact."""
    import torch

    # By its identity: nvidia-smi's own order knows nothing of which GPUs this process may see.
    gpu = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    asked = ["nvidia-smi", f"--id={gpu}", f"--query-gpu={','.join(facts)}", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=STATE_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return facts_of(facts, told)


def facts_of(facts: tuple[str, ...], line: str) -> dict[str, str]:
    """The values of one line of nvidia-smi by name; nothing if it is not such a line."""
    values = [value.strip() for value in line.strip().split(",")]
    return dict(zip(facts, values, strict=True)) if len(values) == len(facts) else {}


DEVICES.register("cuda")(Cuda())
