"""The one device that a `device-worker` owns, seen from the process that measures on it."""

from __future__ import annotations

import os
from typing import Final

from pydantic import ValidationError

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.device_state import DeviceOffer, drift_of, has_drifted
from nas.domain.job import Job, Result
from nas.domain.payload import Measure
from nas.errors import TransientError
from nas.ports import Workspace
from workers.device_stand import DRIFTED, drifted
from workers.executor import Execute

VARIABLE: Final = "BLOCKSMITH_DEVICE_OFFER"
"""Where a device worker tells the processes of its node what it offers."""
TRIES: Final = 3
"""Canaries that must all be off before a device is said to have drifted: anything may be slow once."""


class DeviceDrifted(TransientError):
    """The device is not what it was on arrival; let it cool down, or start its worker anew."""

    code = DRIFTED


def offered_here() -> DeviceOffer | None:
    """What the device worker of this node offers; None elsewhere."""
    try:
        return DeviceOffer.model_validate_json(os.environ.get(VARIABLE, ""))
    except ValidationError:
        return None


class OfferedDevice:
    """Measures for an offer: under its name, with its owner's labels, and only while the device is steady.

    Args:
        offer: What the worker of this node offers.
        execute: What is done with a job.
    """

    def __init__(self, offer: DeviceOffer, execute: Execute) -> None:
        self.offer, self._execute = offer, execute

    def device(self, protocol: LatencyProtocol) -> Device:
        """Fingerprint under a protocol, as it is at this moment."""
        from nas.estimation.devices import DEVICES

        return self.offer.labelled(DEVICES.get(self.offer.backend).describe(protocol))

    def __call__(self, job: Job, workspace: Workspace) -> Result:
        """Do the work of a job between two canaries.

        Raises:
            NasError: Whatever the work raises.
            DeviceDrifted: If the canary is off, before or afterwards: the result cannot be trusted.
        """
        assert isinstance(job.payload, Measure)
        self._require_steady()
        result = self._execute(job.evolve(payload=job.payload.evolve(device=self.offer.backend)), workspace)
        self._require_steady()
        if isinstance(result, LatencyMeasurement):
            return result.evolve(device=self.offer.labelled(result.device))  # type: ignore[no-any-return]  # of evolve
        return result

    def _require_steady(self) -> None:
        baseline = self.offer.canary_ms
        if baseline is None or self.offer.is_shared:
            return
        from nas.estimation.devices import DEVICES

        off = 0.0
        for _ in range(TRIES):
            canary_ms = DEVICES.get(self.offer.backend).canary_ms()
            if canary_ms is None or not has_drifted(canary_ms, baseline):
                return
            off = drift_of(canary_ms, baseline)
        raise DeviceDrifted(drifted(self.offer.name, off).message)
