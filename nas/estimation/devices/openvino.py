"""The host's processor through OpenVINO, the compiler of Intel's processors, graphics and NPUs."""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from nas.domain.device import Device, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict, digest_of
from nas.errors import EvaluationError
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.onnxruntime import host_labels, quantised
from nas.estimation.devices.timed import Prepared, TimedDevice

SMALL_CONSTANT = 64
"""Elements. Larger constants are weights as far as a graph's identity is concerned."""


class OpenVinoHost(TimedDevice):
    """Converts straight from PyTorch and calls the compiled network on this machine's CPU.

    For int8 it reads the graph that onnxruntime's quantiser wrote, and executes it with its own 8-bit kernels.
    """

    needs = ("openvino",)
    extra = "openvino"
    precisions = ("fp32", "int8")

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Processor, cores, operating system, threads and runtime version."""
        import onnxruntime

        labels = {**host_labels(protocol), "unit": "CPU", "streams": "1"}
        if protocol.precision == "int8":
            labels["quantiser"] = f"onnxruntime {onnxruntime.__version__}"
        # The runtime's own long version ends with a build number and a branch.
        return Device(
            name="openvino",
            backend="openvino",
            runtime=f"openvino {_openvino().__version__.partition('-')[0]}",
            kind="measured",
            labels=FrozenDict(labels),
        )

    @contextlib.contextmanager
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Convert and compile; inputs are put in place once."""
        digest, request = compiled_call(subject, protocol)

        def run() -> None:
            request.start_async()
            request.wait()

        yield Prepared(subject=digest, run=run)

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Mean time of every layer that was executed, over the protocol's repeats, by OpenVINO's counters."""
        self.require(protocol)
        _, request = compiled_call(subject, protocol, profiled=True)
        times: dict[str, list[float]] = {}
        facts: dict[str, str] = {}
        for call in range(protocol.warmup + protocol.repeats):
            request.infer()
            for layer in request.get_profiling_info() if call >= protocol.warmup else ():
                if layer.status.name == "EXECUTED":
                    times.setdefault(layer.node_name, []).append(layer.real_time.total_seconds() * 1e3)
                    facts[layer.node_name] = layer.node_type
        return tuple(
            LayerLatency(name=name, operator=facts[name], ms=sum(taken) / len(taken), unit="CPU")
            for name, taken in times.items()
        )


def compiled_call(subject: Subject, protocol: LatencyProtocol, *, profiled: bool = False) -> tuple[str, Any]:
    """Digest of the graph, and a compiled call of it with its inputs in place."""
    with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
        by_file = subject.is_file or protocol.precision == "int8"
        network, digest, fed = _from_file(subject, protocol, Path(folder)) if by_file else _from_torch(subject)
        options = {
            "INFERENCE_NUM_THREADS": protocol.threads,
            "INFERENCE_PRECISION_HINT": "f32",  # of what is not quantised: else it takes bfloat16 where it can
            "NUM_STREAMS": 1,
            "PERF_COUNT": profiled,
        }
        with _refusals():
            request = _openvino().Core().compile_model(network, "CPU", options).create_infer_request()
    for place, values in enumerate(fed):
        request.set_input_tensor(place, _openvino().Tensor(values))
    return digest, request


def _from_torch(subject: Subject) -> tuple[Any, str, list[Any]]:
    """OpenVINO's form of a module, its digest, and what to feed it by position."""
    import torch

    fed = [tensor.contiguous().numpy() for tensor in subject.inputs.values()]
    with _refusals(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that a module reads
        network = _openvino().convert_model(
            subject.module,
            example_input=tuple(subject.inputs.values()),
            input=[tuple(values.shape) for values in fed],
        )
    return network, _graph_digest(network), fed


def _from_file(subject: Subject, protocol: LatencyProtocol, folder: Path) -> tuple[Any, str, list[Any]]:
    """The same by way of an ONNX file."""
    given = {name: tensor.contiguous().numpy() for name, tensor in subject.inputs.items()}
    path, digest = subject.onnx(folder)
    if protocol.precision == "int8":
        path = quantised(path, given, folder)
    with _refusals():
        network = _openvino().convert_model(path)
        # A block may ignore an input (a removed stage reads no skip): the graph then does not have it.
        names = [next(iter(value.get_names() & given.keys())) for value in network.inputs]
        network.reshape({name: list(given[name].shape) for name in names})
    return network, digest, [given[name] for name in names]


def _openvino() -> Any:
    """The runtime, without its telemetry: unasked, it reports every conversion to its maker, by a forked process."""
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))  # makes its import fail, for which it is prepared
    import openvino

    return openvino


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """OpenVINO's own errors as ours."""
    _openvino()
    from openvino.frontend import GeneralFailure, OpConversionFailure
    from openvino.tools.ovc.error import BasicError

    try:
        yield
    except (RuntimeError, BasicError, GeneralFailure, OpConversionFailure) as error:
        raise EvaluationError(f"OpenVINO cannot run the graph: {_reason(error)}") from None


def _graph_digest(network: Any) -> str:
    """Identity of a graph without its weights: operators, attributes, shapes, wiring, small integer constants."""
    places: dict[str, Any] = {}
    for place, value in enumerate(network.inputs):
        places[value.get_node().get_friendly_name()] = ["input", place]
    described: list[list[Any]] = []
    for operator in network.get_ordered_ops():
        name, kind = operator.get_friendly_name(), operator.get_type_name()
        if kind == "Constant":
            places[name] = _constant(operator)
        elif kind != "Parameter":
            sources = [value.get_source_output() for value in operator.inputs()]
            places[name] = len(described)
            described.append(
                [
                    kind,
                    {key: str(value) for key, value in operator.get_attributes().items()},
                    [[places[source.get_node().get_friendly_name()], source.get_index()] for source in sources],
                    [str(value.get_partial_shape()) for value in operator.outputs()],
                ]
            )
    inputs = [[str(value.get_partial_shape()), str(value.get_element_type())] for value in network.inputs]
    return digest_of({"inputs": inputs, "operators": described})


def _constant(operator: Any) -> list[Any]:
    shape, kind = list(operator.get_output_shape(0)), operator.get_output_element_type(0)
    values = operator.data.tolist() if kind.is_integral_number() and math.prod(shape) <= SMALL_CONSTANT else None
    return [shape, str(kind), values]


def _reason(error: Exception) -> str:
    """What went wrong: OpenVINO's messages begin with places in its own sources."""
    lines = [line.strip(" -") for line in str(error).splitlines() if not line.startswith(("Check ", "Exception "))]
    return next((line for line in lines if "No conversion rule" in line), "; ".join(filter(None, lines))[:300])


DEVICES.register("openvino")(OpenVinoHost())
