"""The host's processor through onnxruntime: the device every installation has."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nas.domain.device import Device, LatencyProtocol
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices.base import DEVICES, DeviceBackend, Prepared

if TYPE_CHECKING:
    from torch import Tensor, nn

CPU_INFORMATION = Path("/proc/cpuinfo")


class OnnxRuntimeHost(DeviceBackend):
    """Exports a module, loads it into onnxruntime and calls it on this machine's CPU."""

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Processor, cores, operating system, threads and runtime version."""
        import onnxruntime

        from nas.estimation.onnx_export import OPSET

        return Device(
            name="host",
            backend="onnxruntime",
            runtime=f"onnxruntime {onnxruntime.__version__}",
            kind="measured",
            labels=FrozenDict(
                {
                    "soc": processor(),
                    "cores": str(os.cpu_count()),
                    "os": f"{platform.system()} {platform.release()}",
                    "threads": str(protocol.threads),
                    "opset": str(OPSET),
                }
            ),
        )

    @contextlib.contextmanager
    def prepare(self, module: nn.Module, inputs: dict[str, Tensor], protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Export to a temporary file and load it; onnxruntime optimises the graph when it loads it."""
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, NotImplemented

        from nas.estimation.onnx_export import export_for_timing, session

        with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
            path = Path(folder) / "model.onnx"
            subject = export_for_timing(module, inputs, path)
            try:
                loaded = session(path, protocol.threads)
            except (Fail, InvalidGraph, NotImplemented) as error:
                raise EvaluationError(f"onnxruntime cannot run the exported graph: {error}") from None
            # A block may ignore an input (a removed stage reads no skip): the graph then does not have it.
            wanted = {value.name for value in loaded.get_inputs()}
            feed = {name: tensor.numpy() for name, tensor in inputs.items() if name in wanted}
            yield Prepared(subject=subject, run=lambda: loaded.run(None, feed))


def processor() -> str:
    """Model name of the processor."""
    if CPU_INFORMATION.exists():
        for line in CPU_INFORMATION.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


DEVICES.register("host")(OnnxRuntimeHost())
