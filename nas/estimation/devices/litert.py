"""The host's processor through LiteRT (once TensorFlow Lite) with XNNPACK: what phones run when they have no NPU."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from nas.domain.device import Device, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices import litert_file
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.onnxruntime import host_labels
from nas.estimation.devices.timed import Prepared, TimedDevice


class LiteRtHost(TimedDevice):
    """Converts a module, loads it into the interpreter and calls it on this machine's CPU."""

    needs = ("litert_torch", "ai_edge_litert", "ai_edge_quantizer")
    extra = "litert"
    remedy = litert_file.REMEDY
    precisions = ("fp32", "int8")

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Processor, cores, operating system, threads, and the versions of runtime and converter."""
        import importlib.metadata

        version = importlib.metadata.version
        labels = {
            **host_labels(protocol),
            "delegate": "XNNPACK",
            "converter": f"litert-torch {version('litert-torch')}",
        }
        if protocol.precision == "int8":
            labels["quantiser"] = f"ai-edge-quantizer {version('ai-edge-quantizer')}"
        return Device(
            name="litert",
            backend="litert",
            runtime=f"ai-edge-litert {version('ai-edge-litert')}",
            kind="measured",
            labels=FrozenDict(labels),
        )

    @contextlib.contextmanager
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Convert, perhaps quantise, and load; inputs are put in place once."""
        from ai_edge_litert.interpreter import Interpreter

        module = subject.module
        content = litert_file.converted(module, subject.inputs, protocol.timeout_s)
        digest = litert_file.graph_digest(content)
        if protocol.precision == "int8":
            content = litert_file.quantised(content, subject.inputs)
        try:
            interpreter = Interpreter(model_content=content, num_threads=protocol.threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise EvaluationError(f"LiteRT cannot run the graph: {error}") from None
        _feed(interpreter, content, subject)
        yield Prepared(subject=digest, run=interpreter.invoke)

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Refuses: LiteRT times its operators only in a program of its own.

        Raises:
            EvaluationError: Always.
        """
        del subject
        self.require(protocol)
        raise EvaluationError(
            "LiteRT does not tell Python where the time goes.", "The devices host and openvino tell it."
        )


def _feed(interpreter: Any, content: bytes, subject: Subject) -> None:
    """Put the example inputs in place, as integers where the network takes integers for them."""
    given = litert_file.example_feed(content, subject.inputs)
    for name, detail in interpreter.get_signature_runner(litert_file.SIGNATURE).get_input_details().items():
        interpreter.set_tensor(detail["index"], given[name])


DEVICES.register("litert")(LiteRtHost())
