"""The host's processor through onnxruntime: the device every installation has."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.domain.device import Device, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.timed import Prepared, TimedDevice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feed = dict[str, NDArray[np.generic]]

CPU_INFORMATION = Path("/proc/cpuinfo")


class OnnxRuntimeHost(TimedDevice):
    """Exports a module, loads it into onnxruntime and calls it on this machine's CPU."""

    precisions = ("fp32", "int8")

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Processor, cores, operating system, threads and runtime version."""
        import onnxruntime

        from nas.estimation.onnx_export import OPSET

        return Device(
            name="host",
            backend="onnxruntime",
            runtime=f"onnxruntime {onnxruntime.__version__}",
            kind="measured",
            labels=FrozenDict({**host_labels(protocol), "opset": str(OPSET)}),
        )

    @contextlib.contextmanager
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Export to a temporary file and load it; onnxruntime optimises the graph when it loads it."""
        with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
            digest, loaded, feed = _loaded(subject, protocol, Path(folder))
            yield Prepared(subject=digest, run=lambda: loaded.run(None, feed))

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Mean time of every node over the protocol's repeats, by onnxruntime's own profiler."""
        self.require(protocol)
        with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
            _, loaded, feed = _loaded(subject, protocol, Path(folder), profiled=True)
            for _ in range(protocol.warmup + protocol.repeats):
                loaded.run(None, feed)
            written = Path(loaded.end_profiling())
            return layers_of(json.loads(written.read_text(encoding="utf-8")), protocol.warmup)


def host_labels(protocol: LatencyProtocol) -> dict[str, str]:
    """What changes a latency on this machine, whatever the runtime."""
    return {
        "soc": processor(),
        "cores": str(os.cpu_count()),
        "os": f"{platform.system()} {platform.release()}",
        "threads": str(protocol.threads),
        "precision": protocol.precision,
    }


def processor() -> str:
    """Model name of the processor."""
    if CPU_INFORMATION.exists():
        for line in CPU_INFORMATION.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _loaded(
    subject: Subject, protocol: LatencyProtocol, folder: Path, *, profiled: bool = False
) -> tuple[str, Any, Feed]:
    """Digest of the graph, a session of it and what to feed it."""
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NotImplemented

    from nas.estimation.onnx_export import session

    path, digest = subject.onnx(folder)
    given = {name: tensor.numpy() for name, tensor in subject.inputs.items()}
    try:
        if protocol.precision == "int8":
            path = quantised(path, given, folder)
        loaded = session(path, protocol.threads, folder / "profile" if profiled else None)
    except (Fail, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
        raise EvaluationError(f"onnxruntime cannot run the graph: {error}") from None
    # A block may ignore an input (a removed stage reads no skip): the graph then does not have it.
    wanted = {value.name for value in loaded.get_inputs()}
    return digest, loaded, {name: values for name, values in given.items() if name in wanted}


def quantised(path: Path, given: Feed, folder: Path) -> Path:
    """The graph of an ONNX file with 8-bit weights and activations, ranges taken from the example inputs."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    wanted = {value.name for value in onnx.load(path, load_external_data=False).graph.input}

    class Once(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._left = [{name: values for name, values in given.items() if name in wanted}]

        def get_next(self) -> Feed | None:
            return self._left.pop() if self._left else None

    target = folder / "quantised.onnx"
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises to preprocess at every call
    try:
        quantize_static(
            path,
            target,
            Once(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)
    return target


def layers_of(events: list[dict[str, Any]], warmup: int) -> tuple[LayerLatency, ...]:
    """Mean time of every node of an onnxruntime profile, its first calls left out."""
    times: dict[str, list[float]] = {}
    facts: dict[str, tuple[str, str]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            times.setdefault(name, []).append(event["dur"] / 1e3)
            facts[name] = event["args"]["op_name"], event["args"]["provider"].removesuffix("ExecutionProvider")
    return tuple(
        LayerLatency(
            name=name,
            operator=facts[name][0],
            ms=sum(taken[warmup:]) / max(1, len(taken) - warmup),
            unit=facts[name][1],
        )
        for name, taken in times.items()
    )


DEVICES.register("host")(OnnxRuntimeHost())
