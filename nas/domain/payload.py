"""What every job's payload can say of itself, and what those say that take a device."""

from __future__ import annotations

from typing import Any

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import Value, digest_of


class Payload(Value):
    """Base of job payloads."""

    teacher: TeacherRef
    calibration: Calibration

    @property
    def key(self) -> str:
        """Identity of the work: where the teacher's files lie does not matter, what they hold does."""
        return digest_of(self._identity())

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys under which a journal may hold a result of this work, the best one first."""
        return (self.key,)

    def key_of(self, result: Value) -> str:
        """The one of `keys` under which a result of this work is entered."""
        del result
        return self.key

    def _identity(self) -> dict[str, Any]:
        document: dict[str, Any] = self.model_dump(mode="json")
        if self.teacher.fingerprint:
            document["teacher"] = self.teacher.fingerprint
        return document


class Measure(Payload):
    """Base of payloads that take a device."""

    device: str
    protocol: LatencyProtocol

    def key_on(self, device: Device) -> str:
        """Key of a result of this very device: what a device of that name measured before may be outdated."""
        return digest_of({**self._identity(), "fingerprint": device.digest})

    def key_of(self, result: Value) -> str:
        """That of the device that measured."""
        return self.key_on(result.device) if isinstance(result, LatencyMeasurement) else self.key
