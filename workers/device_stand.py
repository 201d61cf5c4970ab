"""One device at one place: what is known of it, and whether it is trusted."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from nas.domain.device import Device, LatencyMeasurement
from nas.domain.device_state import DeviceOffer, drift_of, has_drifted
from nas.domain.job import Failure, Job, Outcome, Result
from nas.domain.plausible import nonsense
from nas.domain.value import FrozenDict

HERE = ""
"""Node of a device that the ordinary workers of this machine measure."""
NONSENSE = "implausible_result"
DRIFTED = "device_drifted"
MOST_NONSENSE = 3
"""Impossible answers in a row after which a device is quarantined."""
COOL_DOWN_S = 60.0
"""First quarantine; each further one in a row takes twice as long."""
LONGEST_COOL_DOWN_S = 1800.0


@dataclass
class Stand:
    """A device and its conduct.

    Attributes:
        offer: What its worker says; None for this machine's own, which nobody described.
        device: Last fingerprint seen.
        canary_ms: Last canary.
        reason: Why it is or was quarantined, or how far its canary is off; empty when all is well.
        free_at: When its quarantine ends.
    """

    name: str
    offer: DeviceOffer | None
    device: Device | None = None
    canary_ms: float | None = None
    reason: str = ""
    free_at: float = 0.0
    _nonsense: int = 0
    _quarantines: int = 0
    _baselines: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.offer is not None:
            self.device, self.canary_ms = self.offer.device, self.offer.canary_ms
            if self.offer.canary_ms is not None:
                self._baselines[self.offer.fingerprint] = self.offer.canary_ms

    @property
    def fingerprint(self) -> str:
        """What makes it interchangeable with others."""
        return self.offer.fingerprint if self.offer else ""

    @property
    def since(self) -> float:
        """Since when it is claimed."""
        return self.offer.since if self.offer else 0.0

    @property
    def worker(self) -> str:
        """Who offers it."""
        return self.offer.worker if self.offer else ""

    @property
    def labels(self) -> FrozenDict[str, str]:
        """What its owner said of it."""
        return self.offer.labels if self.offer else FrozenDict()

    @property
    def is_shared(self) -> bool:
        """Whether drift is expected, because others use the machine."""
        return self.offer is None or self.offer.is_shared

    @property
    def baseline_ms(self) -> float | None:
        """What the last canary is held against."""
        return self._baselines.get(self.device.digest) if self.device else None

    def is_quarantined(self, now: float) -> bool:
        """Whether it gets no jobs."""
        return now < self.free_at

    def drift(self, result: LatencyMeasurement) -> float:
        """How far the canary of a measurement is from what it was at first under the same conditions."""
        baseline = self._baselines.get(result.device.digest)
        if baseline is None or not result.canary_ms:
            return 0.0
        return drift_of(statistics.median(result.canary_ms), baseline)

    def note(self, result: Result | None, failure: Failure | None, now: float) -> None:
        """Take the result of a job to heart, or its failure."""
        if failure is not None:
            self._blame(failure, now)
        elif isinstance(result, LatencyMeasurement):
            self._nonsense = self._quarantines = 0
            self.device = result.device
            if result.canary_ms:
                self.canary_ms = statistics.median(result.canary_ms)
                self._baselines.setdefault(result.device.digest, self.canary_ms)
            self.reason = self._remark(result)

    def _remark(self, result: LatencyMeasurement) -> str:
        off = self.drift(result)
        if not self.is_shared or not has_drifted(1.0 + off, 1.0):
            return ""
        return f"Its canary is {off:+.0%} off; others use the machine, and each sample has a canary beside it."

    def _blame(self, failure: Failure, now: float) -> None:
        if failure.code == DRIFTED:
            self._quarantine(failure.message, now)
        elif failure.code == NONSENSE:
            self._nonsense += 1
            if self._nonsense >= MOST_NONSENSE or self._quarantines:
                self._quarantine(f"{failure.message} ({self._nonsense} times in a row.)", now)

    def _quarantine(self, reason: str, now: float) -> None:
        self.reason = reason
        self.free_at = now + min(LONGEST_COOL_DOWN_S, COOL_DOWN_S * 2**self._quarantines)
        self._quarantines += 1


def complaint(job: Job, outcome: Outcome, stand: Stand | None) -> Failure | None:
    """What is wrong with an outcome that claims to be a result; None when it may be kept."""
    if outcome.key != job.key:
        return _transient(NONSENSE, "It answered another job.")
    if why := nonsense(job, outcome.result):
        return _transient(NONSENSE, f"Device {job.device!r} answers nonsense. {why}")
    if stand is None or stand.is_shared or not isinstance(outcome.result, LatencyMeasurement):
        return None
    off = stand.drift(outcome.result)
    return drifted(job.device, off) if has_drifted(1.0 + off, 1.0) else None


def drifted(name: str, off: float) -> Failure:
    """The failure of a measurement on a device that is not what it was on arrival."""
    why = f"Device {name!r} has drifted: its canary is {off:+.1%} off what it was on arrival."
    return _transient(DRIFTED, why)


def _transient(code: str, message: str) -> Failure:
    return Failure(code=code, message=message, transient=True)
