"""Arm's Ethos-U85 NPU, by the cycle model of its compiler, Vela. No clock runs and no NPU is needed.

The path is pinned, because another one is another graph (12.7 to 32.7 ms for one block): group norms rewritten,
LiteRT's converter, its static 8-bit quantiser, Vela. Vela counts operators that fall back to the CPU as free; here
each has a price (`cpu_price`), and the NPU waits for it.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from nas.domain.device import Device, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices import cpu_price, litert_file
from nas.estimation.devices.base import DEVICES, Subject
from nas.estimation.devices.estimated import Estimate, EstimatedDevice
from nas.estimation.devices.generic_weights import with_generic_weights

CONFIGURATION = "Arm/vela.ini"
"""Comes with Vela."""
MEMORY_MODE = "Dedicated_Sram_512KB"
"""Feature maps of diffusion networks do not fit the SRAM: they live in DRAM, and the SRAM is a cache of this size."""
SYSTEM_CONFIG = "Ethos_U85_SYS_DRAM_High"
"""1 GHz, DRAM at 22 GiB/s: the largest system that Arm describes."""
NPU_OPERATOR = "ethos-u"
"""What the compiler puts in place of everything that it compiled."""


class EthosU85(EstimatedDevice):
    """Arm's Ethos-U85 NPU with 2048 multiply-adds per cycle, by its compiler's cycle model.

    Args:
        accelerator: In Vela's words.
        ignored: Operators, in LiteRT's words, that are sent to the CPU although the NPU has them.
    """

    needs = ("litert_torch", "ai_edge_litert", "ai_edge_quantizer", "ethosu")
    extra = "ethos-u"
    remedy = litert_file.REMEDY
    precisions = ("int8",)

    def __init__(self, accelerator: str = "ethos-u85-2048", ignored: tuple[str, ...] = ()) -> None:
        self.accelerator, self.ignored = accelerator, ignored

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Accelerator, memory, and every version and price on which the estimate depends."""
        import importlib.metadata

        version = importlib.metadata.version
        return Device(
            name="ethos-u85",
            backend="vela",
            runtime=f"ethos-u-vela {version('ethos-u-vela')}",
            kind="compiler estimate",
            labels=FrozenDict(
                {
                    "npu": self.accelerator,
                    "system": SYSTEM_CONFIG,
                    "memory": MEMORY_MODE,
                    "precision": protocol.precision,
                    "converter": f"litert-torch {version('litert-torch')}",
                    "quantiser": f"ai-edge-quantizer {version('ai-edge-quantizer')}",
                    "fallbacks": cpu_price.described(),
                    **({"ignored": ",".join(self.ignored)} if self.ignored else {}),
                }
            ),
        )

    def estimate(self, subject: Subject, protocol: LatencyProtocol) -> Estimate:
        """Convert, quantise, compile and add up: what the NPU takes, and what the CPU takes meanwhile."""
        from nas.estimation.devices.npu_rewrites import rewritten_for_npu

        # Vela compresses the weights: with other ones, the same graph would take other cycles.
        module = with_generic_weights(subject.module, every=True)
        module, inputs = rewritten_for_npu(module, subject.inputs)
        content = litert_file.converted(module, inputs, protocol.timeout_s)
        digest = litert_file.graph_digest(content)
        with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
            source = Path(folder) / "network.tflite"
            source.write_bytes(litert_file.quantised(content, inputs))
            milliseconds, layers = self.estimate_file(source, protocol.timeout_s)
        return Estimate(subject=digest, milliseconds=milliseconds, layers=layers)

    def estimate_file(self, source: Path, timeout_s: float) -> tuple[float, tuple[LayerLatency, ...]]:
        """Compile an int8 LiteRT file and add up; what the compiler writes is left beside it.

        Returns:
            Milliseconds of one call, and where they go.

        Raises:
            EvaluationError: If it cannot be compiled, or not in time.
        """
        self._compile(source, timeout_s)
        return _told(source)

    def _compile(self, source: Path, timeout_s: float) -> None:
        """Run the compiler as a process of its own: it can be stopped, and it cannot take this one with it."""
        command = [sys.executable, "-m", "ethosu.vela", str(source), "--output-dir", str(source.parent)]
        command += ["--accelerator-config", self.accelerator, "--config", CONFIGURATION]
        command += ["--system-config", SYSTEM_CONFIG, "--memory-mode", MEMORY_MODE, "--verbose-performance"]
        if self.ignored:
            command += ["--ignore-ops", ",".join(self.ignored)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            raise EvaluationError(f"Vela took longer than {timeout_s:g} s.", "Ask for a longer timeout_s.") from None
        if done.returncode != 0:
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise EvaluationError(f"Vela ended with {done.returncode}: {said[-1] if said else 'it said nothing'}")


def _told(source: Path) -> tuple[float, tuple[LayerLatency, ...]]:
    """What Vela left beside its input."""
    (totals,) = _rows(source.with_name(f"{source.stem}_summary_{SYSTEM_CONFIG}.csv"))
    cycles_per_ms = float(totals["core_clock"]) / 1e3
    on_npu = [
        LayerLatency(
            name=row["Name"],
            operator=row["Original Operator"],
            ms=float(row["Op Cycles"]) / cycles_per_ms,
            unit="NPU",
        )
        for row in _rows(source.with_name(f"{source.stem}_per-layer.csv"))
        if row["Target"] == "NPU"
    ]
    compiled = source.with_name(f"{source.stem}_vela.tflite").read_bytes()
    # Counted in the file that would be run, not in the report: what is not the NPU's there runs on the CPU.
    on_cpu = [
        LayerLatency(
            name=operator.outputs[0].name,
            operator=operator.kind,
            ms=cpu_price.price_ms(operator),
            unit="CPU",
            is_fallback=True,
        )
        for operator in litert_file.operators(compiled)
        if operator.kind != NPU_OPERATOR
    ]
    waited = sum(layer.ms for layer in on_cpu)
    return float(totals["cycles_total"]) / cycles_per_ms + waited, (*on_npu, *on_cpu)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(lines)]


DEVICES.register("ethos-u85")(EthosU85())
