"""Benchmark programs for phones: what they are given, how they are called, and what they print."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nas.domain.device import LatencyProtocol, Precision
from nas.errors import EvaluationError, TransientError
from nas.estimation.devices.base import Subject
from nas.estimation.devices.surroundings import told

PROVIDERS = ("cpu", "xnnpack", "nnapi", "qnn")
RESULT = "result.csv"
Convert = Callable[[Subject, LatencyProtocol, Path], tuple[Path, str]]
"""Writes a model into a folder; gives its path and the digest of the graph."""


@dataclass(frozen=True)
class Timings:
    """What a program measured.

    Attributes:
        samples_ms: Every timed call; only the median where the program tells no more.
        p90_ms: Where there is nothing but the median, what is known of the tail.
        interval_ms: Likewise of the median's uncertainty.
        summary: The program's own words where it keeps single calls to itself.
    """

    samples_ms: tuple[float, ...]
    p90_ms: float | None = None
    interval_ms: tuple[float, float] | None = None
    summary: dict[str, str] = field(default_factory=dict)


class Runner(ABC):
    """A benchmark program. Stateless; the device pushes the files and starts the command in their folder."""

    program: str
    precisions: tuple[Precision, ...]

    @abstractmethod
    def model(self, subject: Subject, protocol: LatencyProtocol, folder: Path) -> tuple[Path, str]:
        """Write a model as the program reads it; its path and the digest of the graph."""

    @abstractmethod
    def command(self, model: str, protocol: LatencyProtocol, calls: int) -> list[str]:
        """Arguments that have the program time so many calls after the warm-ups."""

    @abstractmethod
    def read(self, printed: str, result: str, protocol: LatencyProtocol) -> Timings:
        """What it measured.

        Args:
            printed: Its output.
            result: Content of `result.csv`, if it wrote one.
            protocol: How it was called.

        Raises:
            TransientError: If that cannot be read.
        """

    def labels(self) -> dict[str, str]:
        """What of the program's settings changes a latency."""
        return {}


class OnnxRuntimePerfTest(Runner):
    """onnxruntime's own program: takes ONNX as it is and writes every single time into a file."""

    program = "onnxruntime_perf_test"
    precisions = ("fp32", "int8")

    def model(self, subject: Subject, protocol: LatencyProtocol, folder: Path) -> tuple[Path, str]:
        """Export, and quantise for int8."""
        from nas.estimation.devices.onnxruntime import quantised

        path, digest = subject.onnx(folder)
        if protocol.precision == "int8":
            path = quantised(path, {name: tensor.numpy() for name, tensor in subject.inputs.items()}, folder)
        return path, digest

    def command(self, model: str, protocol: LatencyProtocol, calls: int) -> list[str]:
        """Random inputs of the model's own shapes, from a fixed seed. It warms up with one call by itself."""
        threads = ["-x", str(protocol.threads), "-y", "1"]
        times = ["-m", "times", "-r", str(calls + max(0, protocol.warmup - 1))]
        return ["-e", self.provider(), *times, *threads, "-I", "-S", "1", model, RESULT]

    def read(self, printed: str, result: str, protocol: LatencyProtocol) -> Timings:
        """Lines of `model,seconds,memory,processor use,number`."""
        found = re.findall(r"^.*,([\d.eE+-]+),\d+,\d+,\d+$", result, flags=re.MULTILINE)
        seconds = [float(value) for value in found]
        kept = seconds[max(0, protocol.warmup - 1) :]
        if not kept:
            raise TransientError(f"{self.program} wrote no times.", _end(printed))
        return Timings(tuple(value * 1e3 for value in kept))

    def labels(self) -> dict[str, str]:
        """The execution provider."""
        return {"provider": self.provider()}

    def provider(self) -> str:
        """The execution provider that the environment names.

        Raises:
            EvaluationError: If it is none of those known here.
        """
        provider = told("BLOCKSMITH_ADB_PROVIDER", "cpu")
        if provider not in PROVIDERS:
            raise EvaluationError(f"BLOCKSMITH_ADB_PROVIDER is {provider!r}.", f"Known: {', '.join(PROVIDERS)}.")
        return provider


class LiteRtBenchmark(Runner):
    """LiteRT's program: takes .tflite and prints statistics only.

    Args:
        convert: Makes a .tflite of a subject; without it the program is refused.
    """

    program = "benchmark_model"
    precisions = ("fp32", "int8")

    def __init__(self, convert: Convert | None = None) -> None:
        self.convert = convert

    def model(self, subject: Subject, protocol: LatencyProtocol, folder: Path) -> tuple[Path, str]:
        """Have the converter write it."""
        if self.convert is None:
            raise EvaluationError("No converter to .tflite is at hand.", "Use onnxruntime_perf_test instead.")
        return self.convert(subject, protocol, folder)

    def command(self, model: str, protocol: LatencyProtocol, calls: int) -> list[str]:
        """At least so many calls and seconds, by the program's own count."""
        return [
            f"--graph={model}",
            f"--num_threads={protocol.threads}",
            f"--warmup_runs={protocol.warmup}",
            "--warmup_min_secs=0",
            f"--num_runs={calls}",
            f"--min_secs={protocol.seconds:g}",
            f"--max_secs={protocol.timeout_s:g}",
        ]

    def read(self, printed: str, result: str, protocol: LatencyProtocol) -> Timings:
        """The last line of statistics: the first is of the warm-up. Old programs tell an average and no median."""
        del result, protocol
        lines = re.findall(r"^.*?\bcount=(\d+) (.*)$", printed, flags=re.MULTILINE)
        if not lines or "Inference timings in us" not in printed:
            raise TransientError(f"{self.program} printed no statistics.", _end(printed))
        facts = {"count": lines[-1][0], **dict(re.findall(r"(\w+)=([\d.e+]+)", lines[-1][1]))}
        centre = "median" if "median" in facts else "avg"
        known = {name: float(facts[name]) / 1e3 for name in (centre, "min", "max", "p95") if name in facts}
        if centre not in known:
            raise TransientError(f"{self.program} printed statistics without an average.", _end(printed))
        told_by = f"{facts['count']} calls summarised by {self.program}: this is their {centre}; p90 is their "
        return Timings(
            (known[centre],),
            p90_ms=known.get("p95", known.get("max", known[centre])),
            # The median of so many calls lies between their extremes: wide, and all that can be said.
            interval_ms=(known.get("min", known[centre]), known.get("max", known[centre])),
            summary={
                "samples": told_by + ("p95" if "p95" in known else "maximum"),
                "statistics": " ".join(lines[-1]),
            },
        )


RUNNERS: tuple[Runner, ...] = (OnnxRuntimePerfTest(), LiteRtBenchmark())


def runner_of(program: Path) -> Runner | None:
    """The runner that a program's file name means, whatever its build prefixed; None if it is not known."""
    return next((runner for runner in RUNNERS if runner.program in program.name), None)


def _end(printed: str) -> str:
    lines = printed.strip().splitlines()
    return f"It ended with: {lines[-1][:200]}" if lines else "It printed nothing."
