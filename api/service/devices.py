"""How devices stand, put together from what each coordinator sees of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from api.views import Document
from nas.domain.device_state import DeviceCondition, DeviceState

if TYPE_CHECKING:
    from api.service.state import Service

ALIVE_WITHIN_S: Final = 10.0
MOST_TELLING: Final[tuple[DeviceCondition, ...]] = ("busy", "quarantined", "available", "absent")
"""What one coordinator knows better than another: a device that it uses, or has reason to mistrust."""


def device_documents(service: Service) -> list[Document]:
    """Every device that is registered here or that a coordinator has seen."""
    meanings: dict[str, str] = service.desk.catalogue()["devices"]
    with service.reader() as uow:
        seen = uow.devices.seen()
    states = standing(seen)
    return [_document(name, meanings.get(name, ""), states.get(name)) for name in sorted({*meanings, *states})]


def device_names(service: Service) -> set[str]:
    """Names of devices that a coordinator has seen of late, beside the registered ones."""
    with service.reader() as uow:
        return {state.name for state, _ in uow.devices.seen() if state.device is not None}


def standing(seen: Iterable[tuple[DeviceState, float]]) -> dict[str, DeviceState]:
    """One state for each device.

    Args:
        seen: States with the seconds since a coordinator said so. What is old was said by one that is gone.
    """
    found: dict[str, list[DeviceState]] = {}
    for state, age_s in seen:
        told = (
            state if age_s <= ALIVE_WITHIN_S else state.absent("No coordinator that knows it is alive.", state.since)
        )
        found.setdefault(state.name, []).append(told)
    return {name: min(states, key=_rank) for name, states in found.items()}


def _unseen(name: str) -> str:
    """What can be said of a device that no coordinator has looked at."""
    from nas.estimation.devices import DEVICES

    here = DEVICES.get(name).absence() if name in DEVICES.names() else "not registered"
    return f"No coordinator has looked yet. On this machine: {here or 'ready'}."


def _rank(state: DeviceState) -> tuple[int, float]:
    return MOST_TELLING.index(state.condition), -state.since


def _document(name: str, meaning: str, state: DeviceState | None) -> Document:
    device = state.device if state else None
    return {
        "device": name,
        "meaning": meaning,
        "state": state.condition if state else "absent",
        "since": state.since if state else None,
        "backend": device.backend if device else "",
        "kind": device.kind if device else "",
        "runtime": device.runtime if device else "",
        "fingerprint": state.fingerprint if state else "",
        "labels": dict(state.labels) if state else {},
        "worker": state.worker if state else "",
        "canary_ms": state.canary_ms if state else None,
        "baseline_ms": state.baseline_ms if state else None,
        "reason": state.reason if state else _unseen(name),
    }
