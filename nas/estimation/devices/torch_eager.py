"""The host's processor through PyTorch, operator by operator: how fast a network is where nothing compiles it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.onnxruntime import host_labels
from nas.estimation.devices.timed import Clock, Prepared, Run, TimedDevice

if TYPE_CHECKING:
    from collections.abc import Callable


class TorchEager(TimedDevice):
    """Calls a module on this machine's CPU through PyTorch, without compiling it.

    Runs fp32 only: on most processors PyTorch computes fp16 by converting forth and back, which tells nothing about a
    device that has it.
    """

    needs = ("torch",)
    precisions = ("fp32",)

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Processor, cores, operating system, threads and PyTorch's version, with the instructions it uses."""
        import torch

        return Device(
            name="torch",
            backend="torch",
            runtime=f"torch {torch.__version__}",
            kind="measured",
            labels=FrozenDict({**host_labels(protocol), "instructions": torch.backends.cpu.get_cpu_capability()}),
        )

    def measure(
        self, subject: Subject, protocol: LatencyProtocol, clock: Clock = time.perf_counter
    ) -> LatencyMeasurement:
        """Warm up and time a module, in turns with the canary, with as many threads as the protocol says."""
        self.require(protocol)
        with threads(protocol.threads):
            return super().measure(subject, protocol, clock)

    @contextlib.contextmanager
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Nothing to compile; the digest is that of the graph as ONNX, so that devices agree on what was measured."""
        del protocol
        yield Prepared(subject=graph_of(subject), run=calling(subject.module, subject))

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Mean time of every operator of every module, by PyTorch's profiler; names begin with the module's path."""
        self.require(protocol)
        from nas.estimation.devices.torch_profile import module_ranges, profiled

        with threads(protocol.threads), module_ranges(subject.module):
            return profiled(calling(subject.module, subject), protocol, unit="CPU")


def graph_of(subject: Subject) -> str:
    """Digest of a subject's graph as ONNX, weights left out.

    Raises:
        EvaluationError: If it cannot be exported.
    """
    with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
        return subject.onnx(Path(folder))[1]


def calling(module: Callable[..., Any], subject: Subject) -> Run:
    """A call of a module, or what was compiled of it, with a subject's inputs, without gradients."""
    import torch

    inputs = tuple(subject.inputs.values())

    def call() -> object:
        with torch.inference_mode():
            return module(*inputs)

    return call


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Have PyTorch use so many threads inside one operator, and as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def refused(runtime: str, *errors: type[Exception]) -> Iterator[None]:
    """What a runtime cannot do, as an error that says so.

    Raises:
        EvaluationError: In place of the errors.
    """
    try:
        yield
    except errors as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise EvaluationError(f"{runtime} cannot run the network: {type(error).__name__}: {first}") from error


DEVICES.register("torch")(TorchEager())
