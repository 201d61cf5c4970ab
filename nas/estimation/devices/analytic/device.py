"""The device behind a target."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.domain.device import Device, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.estimation.devices.analytic.target import Target
from nas.estimation.devices.base import Subject
from nas.estimation.devices.estimated import Estimate, EstimatedDevice

if TYPE_CHECKING:
    from nas.estimation.devices.analytic.fusion import Group

MODEL = "roofline 2"
"""Another model gives other latencies: its version is part of the fingerprint."""


class AnalyticDevice(EstimatedDevice):
    """A roofline model of a device, from its rates in a YAML file; no clock ran.

    Args:
        target: Its figures.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.precisions = target.precisions  # type: ignore[misc]  # each target has its own

    @property
    def meaning(self) -> str:
        """The target's own words."""
        return self.target.meaning

    def describe(self, protocol: LatencyProtocol) -> Device:
        """The target's figures are its fingerprint; threads do not change it."""
        calibrated = self.target.calibration
        return Device(
            name=self.target.name,
            backend="analytic",
            runtime=MODEL,
            kind="model",
            labels=FrozenDict(
                {
                    "soc": self.target.soc,
                    "precision": protocol.precision,
                    "target": self.target.digest[:12],
                    "calibrated on": f"{calibrated.samples} of {calibrated.device}" if calibrated else "nothing",
                }
            ),
        )

    def estimate(self, subject: Subject, protocol: LatencyProtocol) -> Estimate:
        """Read the graph and add up the roofline of its groups."""
        from nas.estimation.devices.analytic.graph import read_graph
        from nas.estimation.devices.analytic.roofline import plan, rates_of

        with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
            path, digest = subject.onnx(Path(folder))
            graph = read_graph(path)
        laid_out, rates = plan(graph, self.target, protocol.precision), rates_of(self.target, protocol.precision)
        milliseconds = laid_out.seconds(rates, is_part=subject.is_part) * 1e3
        by_group = laid_out.seconds_by_group(rates) * 1e3
        return Estimate(
            subject=digest,
            milliseconds=milliseconds,
            layers=tuple(self._layer(*one) for one in zip(laid_out.groups, by_group, strict=True)),
            interval_ms=interval_ms(milliseconds, self.target.relative_uncertainty),
        )

    def _layer(self, group: Group, milliseconds: Any) -> LayerLatency:
        return LayerLatency(
            name=group.nodes[0].name,
            operator="+".join(node.operator for node in group.nodes),
            ms=float(milliseconds),
            unit="CPU" if group.is_fallback else self.target.unit,
            is_fallback=group.is_fallback,
        )


def interval_ms(milliseconds: float, relative_uncertainty: float) -> tuple[float, float]:
    """Range that holds the true latency with 95 % confidence, for normal log residuals."""
    import math

    factor = math.exp(1.96 * relative_uncertainty)
    return milliseconds / factor, milliseconds * factor
