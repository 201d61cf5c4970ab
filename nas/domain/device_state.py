"""A device as somebody offers it, and how it stands: what the service knows of devices at this moment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nas.domain.device import Device
from nas.domain.value import FrozenDict, Value

DeviceCondition = Literal["available", "busy", "quarantined", "absent"]
DRIFT = 0.05
"""A canary further than this from its baseline tells that the device is not what it was."""
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class DeviceOffer(Value):
    """What one worker says of the one device that it owns.

    Attributes:
        name: Under which jobs ask for it.
        backend: Registered device that measures it there.
        device: Fingerprint under the default protocol, the owner's labels included. Offers of one name with equal
            fingerprints are interchangeable; others are refused.
        labels: What the owner said of it.
        worker: Host and process that offer it.
        since: Unix time of the worker's start; the older of two claims stands.
        canary_ms: What the canary took on arrival; None where no clock runs.
        is_shared: Whether others use the machine, too: then drift is expected, and only told.
        data: Folder of the worker's own for results and scratch; empty for the installation's.
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    backend: str
    device: Device
    labels: FrozenDict[str, str] = FrozenDict()
    worker: str = ""
    since: float = 0.0
    canary_ms: Annotated[float, Field(gt=0)] | None = None
    is_shared: bool = False
    data: str = ""

    @property
    def fingerprint(self) -> str:
        """What makes two devices interchangeable."""
        return self.device.digest

    def labelled(self, device: Device) -> Device:
        """A fingerprint of this device under another protocol, in its owner's words."""
        labelled: Device = device.evolve(name=self.name, labels=FrozenDict({**device.labels, **self.labels}))
        return labelled


class DeviceState(Value):
    """How the device of one name stands.

    Attributes:
        device: Fingerprint under the default protocol; None when it was never seen.
        labels: What its owner said of it.
        since: Unix time since which it is in this condition.
        worker: Who offers it; several that are interchangeable, separated by commas.
        canary_ms: The last canary; None where no clock runs or none was timed yet.
        baseline_ms: The canary on arrival.
        reason: Why it is in this condition, or what should be known of it; may be empty.
        is_in_pool: Whether the ordinary workers of a coordinator measure it, for want of one of its own.
    """

    name: str
    device: Device | None = None
    labels: FrozenDict[str, str] = FrozenDict()
    condition: DeviceCondition
    since: float
    worker: str = ""
    canary_ms: float | None = None
    baseline_ms: float | None = None
    reason: str = ""
    is_in_pool: bool = False

    def absent(self, reason: str, now: float) -> DeviceState:
        """The same device when nobody offers it any more."""
        since = self.since if self.condition == "absent" else now
        gone: DeviceState = self.evolve(condition="absent", since=since, worker="", reason=reason, is_in_pool=False)
        return gone

    @property
    def fingerprint(self) -> str:
        """Digest of the fingerprint; empty when the device was never seen."""
        return self.device.digest if self.device else ""


def drift_of(canary_ms: float, baseline_ms: float) -> float:
    """How far a canary is from its baseline, as a share of it; positive when it is slower."""
    return canary_ms / baseline_ms - 1.0


def has_drifted(canary_ms: float, baseline_ms: float) -> bool:
    """Whether a dedicated device is not what it was on arrival."""
    return abs(drift_of(canary_ms, baseline_ms)) > DRIFT
