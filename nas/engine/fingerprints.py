"""Keeps the latencies of one table to one device: what a name stood for may change between two measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from nas.domain.device import Device, LatencyMeasurement
from nas.domain.job import Result

MOST_CHANGES = 3
"""Times that a device may become another one while a table is made; after that two of them answer in turn."""


class Fingerprints:
    """Which device measured what.

    Args:
        metrics: Of each latency job's key, the metric whose table it belongs to.
    """

    def __init__(self, metrics: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._made_by: dict[str, dict[str, str]] = {metric: {} for metric in metrics.values()}
        self._devices: dict[str, Device] = {}
        self._last: dict[str, str] = {}
        self._changes: Counter[str] = Counter()
        self._has_news = False

    @property
    def quarrel(self) -> str:
        """Which devices answer in turn, in one sentence; empty as long as there is hope."""
        metric = next((name for name, changes in self._changes.items() if changes > MOST_CHANGES), None)
        if metric is None:
            return ""
        name = self._devices[self._last[metric]].name
        return f"Several devices answer to the name {name!r}, and their latencies must not be mixed."

    def found(self, key: str, result: Result) -> None:
        """Take note of a measurement made before."""
        if isinstance(result, LatencyMeasurement) and key in self._metrics:
            self._made_by[self._metrics[key]][key] = self._known(result.device)
            self._has_news = True

    def outvoted(self) -> set[str]:
        """Forget what does not belong to the device that measured last, or else most; returns its keys."""
        if not self._has_news:
            return set()
        self._has_news = False
        outdated: set[str] = set()
        for metric, made in self._made_by.items():
            if made:
                most = Counter(made.values()).most_common(1)[0][0]
                outdated |= self._others(metric, self._last.get(metric, most))
        return outdated

    def arrived(self, key: str, result: Result) -> set[str]:
        """Take note of a measurement made just now; forget what other devices measured, and return its keys."""
        if not isinstance(result, LatencyMeasurement) or key not in self._metrics:
            return set()
        metric, device = self._metrics[key], self._known(result.device)
        self._changes[metric] += self._last.get(metric, device) != device
        self._last[metric] = self._made_by[metric][key] = device
        return self._others(metric, device)

    def _others(self, metric: str, device: str) -> set[str]:
        made = self._made_by[metric]
        outdated = {key for key, other in made.items() if other != device}
        self._made_by[metric] = {key: other for key, other in made.items() if key not in outdated}
        return outdated

    def _known(self, device: Device) -> str:
        digest = device.digest
        self._devices[digest] = device
        return digest
