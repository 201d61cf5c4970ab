"""The contract of a device: what it is, what it can run, how long something takes on it, and where the time goes."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol, LayerLatency, Precision
from nas.errors import EvaluationError
from nas.estimation.devices.generic_weights import with_generic_weights
from nas.estimation.latency_statistics import median_interval, quantile
from nas.registry import Registry

if TYPE_CHECKING:  # naming the devices must not cost importing torch
    from torch import Tensor, nn


class Subject:
    """What is to be measured: a module with example inputs, or a finished ONNX file.

    Args:
        module: Takes the inputs by position, in the order given. None when there is only a file. It is not changed,
            and what is measured does not depend on its weights.
        inputs: Example inputs by name; their shapes are the shapes that are timed.
        file: An ONNX file to be measured as it is.
        is_part: Whether it is an isolated block: a network pays for being called once, not for each of its blocks.
            Who estimates can leave that out; a clock cannot.
    """

    def __init__(
        self,
        module: nn.Module | None,
        inputs: dict[str, Tensor],
        file: Path | None = None,
        *,
        is_part: bool = False,
    ) -> None:
        self._module, self.inputs, self._file, self.is_part = module, inputs, file, is_part

    @cached_property
    def module(self) -> nn.Module:
        """The module with generic weights, for runtimes that convert it themselves.

        Raises:
            EvaluationError: If there is only an ONNX file.
        """
        if self._module is None:
            raise EvaluationError(
                "This device converts from PyTorch and cannot take an ONNX file.", "Name a trial instead of a file."
            )
        return with_generic_weights(self._module)

    @property
    def is_file(self) -> bool:
        """Whether it is an ONNX file, to be measured as it is."""
        return self._file is not None

    def onnx(self, folder: Path) -> tuple[Path, str]:
        """An ONNX file of it, and the digest of its graph, weights left out.

        Args:
            folder: Where a file may be written.

        Raises:
            EvaluationError: If it cannot be exported.
        """
        from nas.estimation.onnx_export import export_for_timing, graph_digest

        if self._file is not None:
            return self._file, graph_digest(self._file)
        path = folder / "model.onnx"
        return path, export_for_timing(self.module, self.inputs, path)


class DeviceBackend(ABC):
    """Something on which networks take time.

    Attributes:
        needs: Modules that must be importable.
        extra: The extra of this package that installs them.
        remedy: How to install the extra.
        precisions: What it can run.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    remedy: ClassVar[str] = "pip install 'blocksmith[{extra}]'"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)

    @property
    def meaning(self) -> str:
        """One sentence for the catalogue."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    @abstractmethod
    def describe(self, protocol: LatencyProtocol) -> Device:
        """Fingerprint under a protocol: its threads and precision are part of it.

        Only called where `absence` is empty.
        """

    @abstractmethod
    def measure(self, subject: Subject, protocol: LatencyProtocol) -> LatencyMeasurement:
        """Compile something for the device and tell how long a call takes.

        Raises:
            EvaluationError: If the device cannot run it, or not in the protocol's time; it never will.
            TransientError: If the device did not answer this time.
        """

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Where the time goes, in order of execution.

        Raises:
            EvaluationError: If the device cannot run it, or cannot tell.
        """
        del subject, protocol
        raise EvaluationError(f"{type(self).__name__} cannot tell where the time goes.")

    def canary_ms(self) -> float | None:
        """What a network takes that never changes: it tells whether the device is what it was. None without a clock.

        Only called where `absence` is empty.
        """
        return None

    def absence(self) -> str:
        """Why the device cannot be used on this machine, in one sentence with the remedy; empty if it can."""
        lacking = [module for module in self.needs if not _is_there(module)]
        how = self.remedy.format(extra=self.extra)
        return f"{', '.join(lacking)} is not installed: {how}" if lacking else ""

    def require(self, protocol: LatencyProtocol) -> None:
        """Refuse what this device or machine can never do.

        Raises:
            EvaluationError: If something is not installed or the precision is not supported.
        """
        if absent := self.absence():
            raise EvaluationError(f"{absent}.")
        if protocol.precision not in self.precisions:
            raise EvaluationError(
                f"This device does not run {protocol.precision}.",
                f"Name one that it runs in the protocol: {', '.join(self.precisions)}.",
            )


DEVICES: Registry[DeviceBackend] = Registry("device", home="nas.estimation.devices")


def measurement(
    subject: str,
    device: Device,
    protocol: LatencyProtocol,
    samples_ms: Sequence[float],
    *,
    canary_ms: Sequence[float] = (),
    fallbacks: int = 0,
    seconds: float = 0.0,
) -> LatencyMeasurement:
    """A latency from its raw samples.

    Args:
        subject: Digest of what was measured.
        device: What measured it.
        protocol: How.
        samples_ms: In the order taken.
        canary_ms: What the canary took before each of them; empty without one.
        fallbacks: Operators that ran elsewhere.
        seconds: What the job took in all.
    """
    relative = [sample / canary for sample, canary in zip(samples_ms, canary_ms, strict=bool(canary_ms))]
    return LatencyMeasurement(
        subject=subject,
        device=device,
        protocol=protocol,
        samples_ms=tuple(samples_ms),
        median_ms=quantile(samples_ms, 0.5),
        p90_ms=quantile(samples_ms, 0.9),
        interval_ms=median_interval(samples_ms),
        canary_ms=tuple(canary_ms),
        relative=(quantile(relative, 0.5), *median_interval(relative)) if relative else None,
        fallbacks=fallbacks,
        seconds=seconds,
    )


def count_fallbacks(layers: Iterable[LayerLatency]) -> int:
    """Number of layers that ran on another unit than the device's own."""
    return sum(layer.is_fallback for layer in layers)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent
        return False
