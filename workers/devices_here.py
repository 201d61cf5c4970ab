"""Which registered devices this machine can measure by itself."""

from __future__ import annotations

import time

_LOOK_AGAIN_S = 10.0
_seen: tuple[float, dict[str, str]] = (-_LOOK_AGAIN_S, {})


def devices_here() -> dict[str, str]:
    """Every registered device, with the reason why this machine cannot measure it; empty where it can.

    Looked up now and then: a device may be plugged in.
    """
    global _seen
    from nas.estimation.devices import DEVICES

    looked_at, found = _seen
    if time.monotonic() - looked_at > _LOOK_AGAIN_S:
        found = {name: device.absence() for name, device in DEVICES}
        _seen = time.monotonic(), found
    return found
