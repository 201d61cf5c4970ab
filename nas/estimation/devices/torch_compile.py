"""The host's processor through torch.compile: PyTorch's graph compiler with generated C++ kernels."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from nas.domain.device import Device, LatencyProtocol, LayerLatency
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.surroundings import told
from nas.estimation.devices.timed import Prepared, Run
from nas.estimation.devices.torch_eager import TorchEager, calling, graph_of, refused, threads

if TYPE_CHECKING:
    from torch import nn

DEFAULT_COMPILER = "clang++" if sys.platform == "darwin" else "g++"


class TorchCompile(TorchEager):
    """Compiles a module with torch.compile for this machine's CPU and calls it.

    Compiling takes from seconds to minutes and is not part of the protocol's time-out, which begins with the warm-up.
    The network must be one graph: what PyTorch would leave to Python between two graphs is refused, because its time
    says nothing about the network.
    """

    def absence(self) -> str:
        """Tells a lacking C++ compiler and lacking Python headers too."""
        compiler = told("CXX", DEFAULT_COMPILER)
        if absent := super().absence():
            return absent
        if shutil.which(compiler) is None:
            return (
                f"torch.compile needs a C++ compiler and there is no {compiler} on PATH: install it, or name another "
                "in the environment variable CXX"
            )
        headers = Path(sysconfig.get_paths()["include"])
        if not (headers / "Python.h").exists():
            return f"torch.compile needs Python's headers and there is no Python.h in {headers}: install them"
        return ""

    def describe(self, protocol: LatencyProtocol) -> Device:
        """As of `torch`, and the compiler's name."""
        device: Device = super().describe(protocol)
        labels = {**device.labels, "compiler": f"inductor, {told('CXX', DEFAULT_COMPILER)}"}
        return Device(
            name="torch-compile",
            backend="torch-compile",
            runtime=device.runtime,
            kind=device.kind,
            labels=type(device.labels)(labels),
        )

    @contextlib.contextmanager
    def prepare(self, subject: Subject, protocol: LatencyProtocol) -> Iterator[Prepared]:
        """Compile, which the first call does."""
        digest = graph_of(subject)
        with threads(protocol.threads):
            run = _compiled(subject)
        yield Prepared(subject=digest, run=run)

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Mean time of every generated kernel and library call.

        Kernels are named after the operators that were fused into them. The compiler keeps no module paths, so stages
        cannot be told; `torch` tells them.
        """
        self.require(protocol)
        from nas.estimation.devices.torch_profile import profiled

        with threads(protocol.threads):
            return profiled(_compiled(subject, {"cpp.enable_kernel_profile": True}), protocol, unit="CPU")


def _compiled(subject: Subject, settings: dict[str, Any] | None = None) -> Run:
    """A compiled call of a subject's module.

    Raises:
        EvaluationError: If it cannot be compiled, or not as one graph.
    """
    import torch
    import torch._dynamo.exc as dynamo_errors
    import torch._inductor.config as inductor_settings
    from torch._inductor.exc import CppCompileError, InductorError

    compiled = torch.compile(_entrance(subject.module), fullgraph=True, dynamic=False)
    call = calling(compiled, subject)
    # One compile thread: the compiler's pool of processes would stay and disturb what is timed.
    with (
        refused("torch.compile", dynamo_errors.TorchDynamoException, CppCompileError, InductorError),
        inductor_settings.patch({"compile_threads": 1, **(settings or {})}),
    ):
        call()
    return call


_NUMBERS = itertools.count()


def _entrance(module: nn.Module) -> Any:
    """A function of its own that calls a module.

    PyTorch keeps what it compiled beside the code of the function, which all modules of a class share: from the
    eighth on they would run uncompiled without a word, and each call would search through all earlier ones. Code
    of its own is searched for nothing and forgotten with its function.
    """

    def call(*inputs: Any) -> Any:
        return module(*inputs)

    code = call.__code__.replace(co_name=f"call_{next(_NUMBERS)}")
    return FunctionType(code, globals(), code.co_name, None, call.__closure__)


DEVICES.register("torch-compile")(TorchCompile())
